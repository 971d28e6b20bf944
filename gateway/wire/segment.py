"""Segment's HTTP API as its own clients and RudderStack's speak it.

The decoders are total: whatever bytes come in, out come events, each bad event with its own reason, or one
BadRequest for the whole body. Content types are not trusted: clients send JSON as text/plain and as forms.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, get_args

import orjson

from gateway.envelope import BadEvent, Envelope, Hit, Outcome, Rejected
from gateway.errors import BadRequest
from gateway.wire.times import SECRET_KEY_SPAN_MS, WRITE_KEY_SPAN_MS, event_time, parse_time
from personalize.model import Event, EventType, Facts, stamp_of
from personalize.pages import page_path
from personalize.percent import percent_decoded

MAX_EVENT_BYTES = 32_768
MAX_EVENTS = 4_000
"""Fewer than the message marks that a visitor keeps, so that a whole batch is recognized when it is replayed."""
MAX_ID = 512
MAX_DEPTH = 32

_MANY = 100_000

_TYPES = frozenset(get_args(EventType))
_PLACEHOLDERS = frozenset({"undefined", "null", "0", "guest", "anonymous"})
_IDS = ("userId", "anonymousId", "groupId", "previousId")
_ABSENT = (None, "")
_NO_FACTS = Facts()
"""What an event says of its visitor until the pipeline puts facts of its own there; nobody changes it."""
_OBJECTS = ("properties", "traits", "context")
_CONTAINERS = (dict, list)
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})
_SERVER_LIBRARIES = frozenset(
    {"analytics-python", "@segment/analytics-node", "analytics-node", "analytics-java", "analytics-go",
     "analytics-ruby", "analytics-php", "Analytics.NET"}
)  # fmt: skip


def decode_body(body: bytes) -> dict[str, Any]:
    """Return the body's JSON object; raises BadRequest with bad_encoding, bad_json or bad_shape."""
    if len(body) > _MANY and body.count(b",") + body.count(b"{") + body.count(b"[") > _MANY:
        # Each value takes time that no other request has, and each pair of brackets a hundred bytes or more.
        raise BadRequest(f"the body holds over {_MANY} values", hint="split it into smaller batches")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as err:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as bad:
            raise BadRequest(
                f"the body is not UTF-8: byte {bad.start}", code="bad_encoding", hint="send JSON in UTF-8"
            ) from err
        raise BadRequest(f"the body is not JSON: {err}", code="bad_json", hint="send one JSON object") from err
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object", hint='send {"type": …} or {"batch": […]}')
    return value


def items_of(body: Mapping[str, Any], *, required: bool) -> list[Any]:
    """Return the raw events of a batch body; raises BadRequest."""
    batch = body.get("batch")
    if batch is None and not required:
        return []
    if not isinstance(batch, list):
        raise BadRequest('"batch" is not a list', hint='send {"batch": [{"type": "page", …}]}')
    if len(batch) > MAX_EVENTS:
        raise BadRequest(f"the batch holds {len(batch)} events", hint=f"send at most {MAX_EVENTS} events at once")
    return batch


def write_key_of(headers: Mapping[bytes, bytes], query: bytes, body: Mapping[str, Any]) -> str:
    """Return the key that the request names, "" if none: Basic user, Bearer, X-Write-Key, query, body, in that order.

    A header goes before the body, because Jitsu's body carries "***".
    """
    authorization = headers.get(b"authorization")
    if authorization:
        scheme, _, value = authorization.partition(b" ")
        if scheme.lower() == b"basic":
            try:
                return base64.b64decode(value, validate=True).partition(b":")[0].decode("utf-8", "replace")
            except binascii.Error:
                return ""
        if scheme.lower() == b"bearer":
            return value.strip().decode("utf-8", "replace")
    header = headers.get(b"x-write-key")
    if header:
        return header.partition(b":")[0].decode("utf-8", "replace")
    if query and b"writeKey=" in query:
        named = next((pair for pair in query.split(b"&") if pair.startswith(b"writeKey=")), b"")
        return percent_decoded(named[9:].decode("utf-8", "replace").replace("+", " "))
    key = body.get("writeKey")
    return key if isinstance(key, str) else ""


def suspicious(body: bytes) -> bool:
    """Tell whether a body may hold forbidden keys or deep nesting, so that its events must be walked through."""
    find = body.find  # `in` first takes the bytes to look for as a number, and makes an error of that
    return (
        body.count(b"{") + body.count(b"[") > MAX_DEPTH  # first: it takes the least of large batches
        or find(b"__proto__") >= 0
        or find(b'"constructor"') >= 0
        or find(b'"prototype"') >= 0
        or find(b"\\u00") >= 0  # a key may be spelt with escapes
    )


def decode_event(raw: Any, index: int, kind: str, hit: Hit, *, walk: bool) -> Envelope | BadEvent:
    """Return one event of a hit; `kind` is the type that the path names ("" in a batch); `walk` see suspicious()."""
    if not isinstance(raw, dict):
        return BadEvent(index, _bad("the event is not a JSON object"))
    kind = kind or raw.get("type") or ""
    trouble = (_trouble(raw) if walk else None) or _shape_problem(raw) or _kind_problem(kind, raw)
    if trouble is not None:
        return BadEvent(index, trouble)
    context: dict[str, Any] = raw.get("context") or {}
    properties: dict[str, Any] = raw.get("properties") or {}
    message_id: str = raw.get("messageId") or "tuttu-" + secrets.token_urlsafe(12)
    fingerprint = blake2b(message_id.encode(), digest_size=6).digest()
    timestamp = parse_time(raw.get("timestamp") or raw.get("originalTimestamp"))
    span = SECRET_KEY_SPAN_MS if hit.secret else WRITE_KEY_SPAN_MS
    time, clamped = event_time(timestamp, parse_time(raw.get("sentAt")) or hit.sent_at, hit.received, span)
    name = raw.get("event") if kind == "track" else raw.get("name") or properties.get("name")
    event = Event(
        type=kind,  # type: ignore[arg-type] # _kind_problem has seen that it is one
        message_id=message_id,
        time=time,
        stamp=stamp_of(time, int.from_bytes(fingerprint[:3], "big")),
        name=name if isinstance(name, str) else "",
        path=page_path(properties, context) if kind == "page" else "",
        user_id=_text(raw.get("userId")),
        group_id=_text(raw.get("groupId")),
        properties=properties,
        traits=raw.get("traits") or _context_traits(kind, context),
        facts=_NO_FACTS,
        vouched=hit.secret,
        browser=not _speaks_for_itself(hit, raw) and not _from_server(raw, context),
    )
    return Envelope(index, raw, event, fingerprint, _text(raw.get("anonymousId")), timestamp, clamped)


def oversized(items: Sequence[Any], body_size: int) -> frozenset[int]:
    """Return the positions of the events over 32 KB."""
    if body_size <= MAX_EVENT_BYTES:
        return frozenset()
    return frozenset(i for i, item in enumerate(items) if _size(item) > MAX_EVENT_BYTES)


def too_large(index: int) -> BadEvent:
    """Return the rejection of an event over 32 KB."""
    return BadEvent(index, Outcome("rejected", Rejected.TOO_LARGE, f"the event is over {MAX_EVENT_BYTES} bytes"))


def _size(item: Any) -> int:
    try:
        return len(orjson.dumps(item))
    except orjson.JSONEncodeError:  # nested over orjson's 254 levels: refused for its depth later
        return 0


def _bad(message: str) -> Outcome:
    return Outcome("rejected", Rejected.BAD_EVENT, message)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _shape_problem(raw: Mapping[str, Any]) -> Outcome | None:
    """Return what is wrong with the parts that every type of event has; null and "" count as absent.

    RudderStack's browser library sends `"userId": ""` for everybody who is not logged in.
    """
    for name in _IDS:
        value = raw.get(name)
        if value not in _ABSENT and (outcome := bad_id(name, value)):
            return outcome
    for name in _OBJECTS:
        if not isinstance(raw.get(name) or {}, dict):
            return _bad(f'"{name}" is not a JSON object')
    message_id = raw.get("messageId")
    if message_id is not None and (not isinstance(message_id, str) or len(message_id) > MAX_ID):
        return _bad(f'"messageId" is not a text of at most {MAX_ID} characters')
    return None


def _kind_problem(kind: Any, raw: Mapping[str, Any]) -> Outcome | None:
    """Return what an event lacks for its type."""
    if not isinstance(kind, str) or kind not in _TYPES:
        return _bad(f'"type" is not one of {", ".join(sorted(_TYPES))}')
    if kind == "track" and (not isinstance(raw.get("event"), str) or not raw["event"]):
        return _bad('a track event needs "event", the name of what happened')
    if kind == "group" and raw.get("groupId") in _ABSENT:
        return _bad('a group event needs "groupId"')
    if kind == "alias" and (raw.get("userId") in _ABSENT or raw.get("previousId") in _ABSENT):
        return _bad('an alias event needs "userId" and "previousId"')
    return None


def bad_id(name: str, value: Any) -> Outcome | None:
    """Return why a value is no id, or None; `name` says which one it is."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return _bad(f'"{name}" is not a text')
    text = str(value)
    if text.strip().lower() in _PLACEHOLDERS:
        return Outcome("rejected", Rejected.PLACEHOLDER_ID, f'"{name}" is the placeholder "{text[:20]}", not an id')
    if not text.strip() or len(text) > MAX_ID:
        return _bad(f'"{name}" is empty or longer than {MAX_ID} characters')
    return None


def _context_traits(kind: str, context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the traits of an identify that carries them only in its context, as both RudderStack SDKs do."""
    traits = context.get("traits") if kind == "identify" else None
    return traits if isinstance(traits, dict) else {}


def _speaks_for_itself(hit: Hit, raw: Mapping[str, Any]) -> bool:
    """Tell whether a site's server sends this as a server: for a person by id, not for the visitor of a page.

    A page that the server renders for a visitor without a cookie comes under the secret key without any id.
    """
    return hit.secret and not hit.visitor_id and bool(raw.get("userId") or raw.get("anonymousId"))


def _from_server(raw: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    if raw.get("channel") == "server":
        return True
    library = context.get("library")
    name = library.get("name") if isinstance(library, dict) else None
    return isinstance(name, str) and name in _SERVER_LIBRARIES


def _trouble(raw: Mapping[str, Any]) -> Outcome | None:
    """Return why an event's nesting or keys are refused, or None; walks without recursion."""
    level: list[Any] = [raw]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if bad := _FORBIDDEN & value.keys():
                    return Outcome("rejected", Rejected.FORBIDDEN_KEY, f'the key "{min(bad)}" is not allowed')
                below += [v for v in value.values() if v.__class__ in _CONTAINERS]
            else:
                below += [v for v in value if v.__class__ in _CONTAINERS]
        if not below:
            return None
        level = below
    return Outcome("rejected", Rejected.TOO_DEEP, f"the event is nested over {MAX_DEPTH} levels deep")
