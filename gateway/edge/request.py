"""One HTTP request on raw ASGI: its headers as a dict, its body under a limit and a deadline, its answer."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from gateway.edge.deadlines import Deadlines
from gateway.errors import BadContentEncoding, BadRequest, GatewayError, TooLarge, TooSlow

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

RETRY_AFTER_S = 2
_MOST_DIGITS = 18

_JSON: Header = (b"content-type", b"application/json")
_NO_STORE: Header = (b"cache-control", b"no-store")
_EMPTY: MutableMapping[str, Any] = {"type": "http.response.body", "body": b""}


class Disconnected(Exception):
    """The client went away before its body had arrived; there is nobody to answer."""


class Request:
    """A request as ASGI gives it, with its headers by lower-case name (the last of equal ones counts)."""

    __slots__ = ("_receive", "headers", "query", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query: bytes = scope["query_string"]
        self._receive = receive

    def forwarded_for(self) -> bytes | None:
        """Return all X-Forwarded-For headers as one list (RFC 9110, section 5.2)."""
        if b"x-forwarded-for" not in self.headers:
            return None
        return b",".join(value for name, value in self.scope["headers"] if name == b"x-forwarded-for")

    async def body(self, limit: int, deadlines: Deadlines) -> bytes:
        """Return the decoded body; raises TooLarge, TooSlow, BadContentEncoding, BadRequest or Disconnected."""
        length = self.headers.get(b"content-length", b"").lstrip(b"0")  # int() refuses thousands of digits
        if length.isdigit() and (len(length) > _MOST_DIGITS or int(length) > limit):
            raise _too_large(limit)
        try:
            body = await deadlines.within(self._all(limit))
        except TimeoutError as err:
            raise TooSlow("the body did not arrive in time", hint="send it again, in smaller batches") from err
        encoding = self._encoding()
        if encoding in (b"gzip", b"x-gzip"):  # RFC 9110, section 8.4.1.3
            return _gunzipped(body, limit)
        if encoding != b"identity":
            raise BadContentEncoding(
                f'Content-Encoding "{encoding[:20].decode("latin-1")}" is not known here',
                hint="send gzip or no encoding",
            )
        if len(body) > limit:
            raise _too_large(limit)
        return body

    def _encoding(self) -> bytes:
        """Return what the body is encoded in; all headers of it count, in their order (RFC 9110, section 8.4)."""
        if b"content-encoding" not in self.headers:
            return b"identity"
        said = b", ".join(value.strip() for name, value in self.scope["headers"] if name == b"content-encoding")
        return said.lower() or b"identity"

    async def _all(self, limit: int) -> bytes:
        message = await self._receive()
        if not message.get("more_body"):
            return _chunk(message)
        chunks = [_chunk(message)]
        size = len(chunks[0])
        while message.get("more_body"):
            message = await self._receive()
            chunks.append(_chunk(message))
            size += len(chunks[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(chunks)


async def answer(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Send a JSON answer that nobody may store."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [_JSON, _NO_STORE, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def answer_empty(send: Send, headers: Sequence[Header]) -> None:
    """Send a 204."""
    await send({"type": "http.response.start", "status": 204, "headers": list(headers)})
    await send(_EMPTY)


async def answer_error(send: Send, error: GatewayError, headers: Sequence[Header] = ()) -> None:
    """Send an error as flat JSON with `code`, `message` and `hint` (rudder-python reads the first two)."""
    body = orjson.dumps({"code": error.code, "message": error.message, "hint": error.hint})
    if error.status in (429, 503):
        headers = [*headers, (b"retry-after", b"%d" % RETRY_AFTER_S)]
    await answer(send, error.status, body, headers)


def _chunk(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _gunzipped(body: bytes, limit: int) -> bytes:
    """Return the unzipped body, never making more than the limit."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        out = unzip.decompress(body, limit + 1)
    except zlib.error as err:
        raise BadRequest(f"the body is not gzip: {err}", code="bad_encoding", hint="zip the whole body once") from err
    if len(out) > limit:
        raise _too_large(limit)
    if not unzip.eof or unzip.unused_data:
        raise BadRequest("the gzip body is cut off or has a tail", code="bad_encoding", hint="zip the whole body once")
    return out


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the decoded body is over {limit} bytes", hint="split it into smaller batches")
