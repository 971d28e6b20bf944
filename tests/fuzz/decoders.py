"""The decoders one by one, each as a function of bytes that must return whatever the bytes are.

The same functions serve hypothesis, which runs with the tests, and atheris, which is led by coverage (`make
fuzz-decoders`). What a decoder may raise by its documentation is caught here; anything else is a find.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson

from gateway.edge.body_memory import BodyMemory
from gateway.edge.cors import Origins
from gateway.edge.deadlines import Deadlines
from gateway.edge.minting import BadLink, Mint
from gateway.edge.request import Request
from gateway.enrich import enriched
from gateway.enrich.address import TrustedProxies
from gateway.enrich.clicks import clicks_of, without_clicks
from gateway.envelope import BadEvent, Rejected
from gateway.errors import BadRequest, GatewayError
from gateway.identity import banners, consent
from gateway.identity.links import Links, lifetime_ms, recognition_in
from gateway.identity.tokens import Tokens
from gateway.identity.verified import proves
from gateway.identity.visitor import Cookies, cookies_in
from gateway.wire import segment, times
from personalize.link_targets import BadTarget, normal_target
from personalize.model import PURPOSES
from tests.gateway.making import NOW, hit, site

KEYS = ("k" * 32,)
_SITE = site()
"""One for all: to compile its rules takes longer than to read anything."""
_CATEGORIES = _SITE.consent_categories
_KINDS = ("", "track", "page", "screen", "identify", "group", "alias")


def events(data: bytes) -> None:
    """Read a body, its events, their consent, and what is logged of them."""
    first, data = data[:1], data[1:]
    try:
        body = segment.decode_body(data)
        items = segment.items_of(body, required=False) or [body]
    except BadRequest:
        return
    secret = bool(first and first[0] & 8)
    of = hit(site=_SITE, body=body, secret=secret, sent_at=times.parse_time(body.get("sentAt")))
    with contextlib.suppress(BadRequest):
        consent.put_signals(of)
    too_large = segment.oversized(items, len(data))
    walk = segment.suspicious(data)
    kind = _KINDS[first[0] % len(_KINDS)] if first else ""
    for index, item in enumerate(items):
        found = (
            segment.too_large(index) if index in too_large else segment.decode_event(item, index, kind, of, walk=walk)
        )
        if isinstance(found, BadEvent):
            assert found.outcome.reason in set(Rejected)
            assert found.outcome.message
            continue
        event = found.event
        assert NOW - (times.SECRET_KEY_SPAN_MS if secret else times.WRITE_KEY_SPAN_MS) <= event.time <= NOW
        assert len(event.user_id) <= segment.MAX_ID
        with contextlib.suppress(BadRequest):
            consent.put_event_signals(of, found)
        context = found.raw.get("context") or {}
        enriched(of, context, event.properties)
        clicks_of(context, event.properties)
        recognition_in(event.properties, context)
        without_clicks(orjson.dumps({"e": dict(found.raw)}, option=orjson.OPT_NON_STR_KEYS), ads=False)


def moments(data: bytes) -> None:
    """Read a time as text, and as whatever JSON the bytes are."""
    values: list[Any] = [data.decode("utf-8", "replace"), data.decode("latin-1")]
    with contextlib.suppress(orjson.JSONDecodeError):
        values.append(orjson.loads(data))
    for value in values:
        ms = times.parse_time(value)
        assert isinstance(ms, int)
        for sent_at in (0, NOW, ms):
            time, _ = times.event_time(ms, sent_at, NOW, times.WRITE_KEY_SPAN_MS)
            assert NOW - times.WRITE_KEY_SPAN_MS <= time <= NOW


def cookie_header(data: bytes) -> None:
    """Read a Cookie header: the visitor's own cookie and the banners'."""
    found = _cookies().found(_SITE, data)
    assert not found.visitor_id or _cookies().value(_SITE, found.visitor_id).encode() in data
    assert all(cookies_in(data, b"tuttu_id"))
    said = banners.said_in_cookies(data, banners.BANNERS, _CATEGORIES)
    assert said.limit <= PURPOSES
    assert said.signal is None or said.signal <= PURPOSES


def consent_words(data: bytes) -> None:
    """Read consent as clients write it, of whatever JSON the bytes are."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    tables = [value] if isinstance(value, dict) else []
    for table in [
        *tables,
        {"consent": value},
        {"consentManagement": value},
        {"consent": {"categoryPreferences": value}},
    ]:
        said = banners.said_in_context(table, _CATEGORIES)
        assert said.limit <= PURPOSES
        with contextlib.suppress(BadRequest):
            signal = consent.signal_of(table)
            assert signal is None or signal <= PURPOSES


def tokens(data: bytes) -> None:
    """Read bytes as a decision's token, as each of the tokens of links, and as a proof."""
    text = data.decode("utf-8", "replace")
    for value in (text, data.decode("latin-1")):
        assert _tokens().read("demo", "v", value) is None
        links = _tokens().links
        assert links.read(value) is links.read_pixel(value) is links.recognized("demo", value, NOW) is None
        assert not proves(_SITE, "u-1", value)
        _cookies().visitor_id(_SITE, value)
        with contextlib.suppress(ValueError):
            assert lifetime_ms(value) > 0


def addresses(data: bytes) -> None:
    """Read bytes as addresses of pages, of a link's target, of proxies, of an origin."""
    text = data.decode("utf-8", "replace")
    for properties, context in (({"url": text, "referrer": text}, {}), ({"path": text}, {"page": {"url": text}})):
        facts = enriched(hit(site=_SITE, headers={b"user-agent": data, b"accept-language": data}), context, properties)
        assert len(facts.page) <= 1_024
        assert len(facts.campaign) <= 200
    with contextlib.suppress(BadTarget):
        assert normal_target(normal_target(text)) == normal_target(text)
    with contextlib.suppress(BadLink):
        Mint(Links(KEYS), "demo", ("https://www.example.com",), text).make(text, text, text, NOW, 1_000)
    client = _proxies().client("127.0.0.1", data)
    assert not client or client.isprintable()
    if Origins(("https://www.example.com", "http://localhost:*")).lists(data):
        assert data.startswith((b"https://www.example.com", b"http://localhost"))


def headers(data: bytes) -> None:
    """Read the write key from each place where it may stand."""
    for name in (b"authorization", b"x-write-key"):
        assert isinstance(segment.write_key_of({name: data}, b"", {}), str)
    assert isinstance(segment.write_key_of({}, b"writeKey=" + data, {}), str)
    assert isinstance(segment.write_key_of({}, data, {"writeKey": data.decode("latin-1")}), str)


def bodies(data: bytes) -> None:
    """Unzip a body: never more than the limit, and what was zipped whole comes out as it was."""
    limit = 10_000
    zipped = zlib.compress(data, 1, 31)
    for sent, encoding in ((data, b"gzip"), (zipped, b"gzip"), (data, b"identity"), (data, data[:20])):
        try:
            found = _run(_body(sent, encoding, limit))
        except GatewayError:
            continue
        assert len(found) <= limit
        if sent is zipped:
            assert found == data


def logged(data: bytes) -> None:
    """Take click ids and our own parameter out of what is logged: the rest stays JSON."""
    text = data.decode("utf-8", "replace")
    entry = orjson.dumps({"url": text, text[:20]: [text], "gclid": text})
    for ads in (True, False):
        cleaned = without_clicks(entry, ads=ads)
        assert len(cleaned) <= len(entry)
        assert isinstance(orjson.loads(cleaned), dict)


DECODERS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (events, moments, cookie_header, consent_words, tokens, addresses, headers, bodies, logged)
}


async def _body(sent: bytes, encoding: bytes, limit: int) -> bytes:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    scope = {"headers": [(b"content-encoding", encoding)], "query_string": b""}
    return await Request(scope, receive, BodyMemory(1_000_000)).body(limit, Deadlines(5))


def _run(coroutine: Any) -> bytes:
    return _loop().run_until_complete(coroutine)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _cookies() -> Cookies:
    return Cookies(KEYS)


@cache
def _tokens() -> Tokens:
    return Tokens(KEYS)


@cache
def _proxies() -> TrustedProxies:
    return TrustedProxies(("127.0.0.0/8", "10.0.0.0/8"))
