from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import BadEvent, Envelope, Rejected
from gateway.errors import BadRequest
from gateway.wire import segment
from tests.gateway.making import NOW, hit

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)
FIELDS = [
    *("type", "event", "name", "userId", "anonymousId", "groupId", "previousId", "messageId", "properties"),
    *("traits", "context", "timestamp", "originalTimestamp", "sentAt", "channel"),
]


def decoded(raw: Any, kind: str = "", **fields: Any) -> Envelope | BadEvent:
    return segment.decode_event(raw, 3, kind, hit(**fields), walk=True)


def good(raw: Any, kind: str = "", **fields: Any) -> Envelope:
    envelope = decoded(raw, kind, **fields)
    assert isinstance(envelope, Envelope), envelope
    return envelope


def bad(raw: Any, kind: str = "") -> tuple[str, str]:
    found = decoded(raw, kind)
    assert isinstance(found, BadEvent)
    assert found.index == 3
    return found.outcome.reason, found.outcome.message


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_clear_error(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert isinstance(segment.decode_body(body), dict)


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", "bad_json"), (b'{"a":"\xff"}', "bad_encoding"), (b"[]", "bad_shape")]
)
def test_an_unreadable_body_says_why(body: bytes, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        segment.decode_body(body)
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.hint


def test_a_body_of_too_many_values_is_refused_before_it_is_read() -> None:
    most = 100_000

    def body(values: int) -> bytes:  # its list's values are separated by commas, and it has two brackets itself
        return b'{"batch":[' + b",".join([b"1"] * (values - 1)) + b"]}"

    assert len(segment.decode_body(body(most))["batch"]) == most - 1
    with pytest.raises(BadRequest, match="over 100000 values"):
        segment.decode_body(body(most + 1))
    cut = body(most + 1)[:-1]
    with pytest.raises(BadRequest, match="over 100000 values"):
        segment.decode_body(cut)


@settings(max_examples=150)
@given(st.one_of(JSON, st.fixed_dictionaries({"type": st.sampled_from(["track", "page", "identify", "group", "alias"])},
                                             optional=dict.fromkeys(FIELDS[1:], JSON))))  # fmt: skip
def test_any_json_is_an_event_or_a_located_error(raw: Any) -> None:
    found = decoded(raw)
    if isinstance(found, BadEvent):
        assert found.index == 3
        assert found.outcome.reason in set(Rejected)
        assert found.outcome.message
    else:
        orjson.dumps(found.raw)
        assert NOW - 7 * 86_400_000 <= found.event.time <= NOW


@pytest.mark.parametrize(
    ("raw", "code", "part"),
    [
        ([], "bad_event", "not a JSON object"),
        ({}, "bad_event", '"type"'),
        ({"type": "purchase"}, "bad_event", '"type"'),
        ({"type": ["track"]}, "bad_event", '"type"'),
        ({"type": "track"}, "bad_event", '"event"'),
        ({"type": "track", "event": 7}, "bad_event", '"event"'),
        ({"type": "group", "userId": "u"}, "bad_event", '"groupId"'),
        ({"type": "alias", "userId": "u"}, "bad_event", '"previousId"'),
        ({"type": "page", "properties": []}, None, ""),
        ({"type": "page", "properties": [1]}, "bad_event", '"properties"'),
        ({"type": "page", "context": "x"}, "bad_event", '"context"'),
        ({"type": "page", "userId": {"$gt": ""}}, "bad_event", '"userId"'),
        ({"type": "page", "userId": "x" * 513}, "bad_event", '"userId"'),
        ({"type": "page", "userId": "undefined"}, "placeholder_id", "undefined"),
        ({"type": "page", "userId": 0}, "placeholder_id", '"0"'),
        ({"type": "page", "anonymousId": " Guest "}, "placeholder_id", "Guest"),
        ({"type": "page", "messageId": 5}, "bad_event", '"messageId"'),
        ({"type": "page", "messageId": "m" * 513}, "bad_event", '"messageId"'),
        ({"type": "page", "properties": {"a": [{"__proto__": 1}]}}, "forbidden_key", "__proto__"),
    ],
)
def test_each_bad_event_says_what_is_wrong(raw: Any, code: str | None, part: str) -> None:
    if code is None:
        good(raw)
        return
    assert bad(raw)[0] == code
    assert part in bad(raw)[1]


def test_deep_nesting_is_refused_and_the_limit_itself_is_not() -> None:
    value: Any = "x"
    for _ in range(segment.MAX_DEPTH - 2):
        value = {"a": value}
    good({"type": "page", "properties": value})
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert bad({"type": "page", "properties": {"a": deep}})[0] == "too_deep"


def test_a_body_is_walked_when_it_might_hide_something() -> None:
    assert segment.suspicious(b'{"__proto__":1}')
    assert segment.suspicious(b'{"\\u005f_proto__":1}')
    assert segment.suspicious(b"[" * 40)
    assert not segment.suspicious(b'{"type":"page","properties":{"path":"/"}}')


def test_null_counts_as_absent_and_numbers_become_texts() -> None:
    event = good({"type": "page", "anonymousId": None, "userId": 42, "properties": None, "messageId": None}).event
    assert event.user_id == "42"
    assert event.message_id.startswith("tuttu-"), "an event without an id gets one"


def test_traits_of_rudderstack_are_found_in_the_context() -> None:
    raw = {"type": "identify", "userId": "u", "context": {"traits": {"plan": "pro"}}}
    assert good(raw).event.traits == {"plan": "pro"}


def test_original_timestamp_counts_when_there_is_no_timestamp() -> None:
    raw = {"type": "page", "originalTimestamp": "2026-11-21T10:00:00Z", "sentAt": "2026-11-21T10:00:05Z"}
    assert good(raw).event.time == NOW - 5_000


def test_servers_do_not_browse() -> None:
    assert good({"type": "page"}).event.browser
    assert not good({"type": "page", "channel": "server"}).event.browser
    assert not good({"type": "page", "context": {"library": {"name": "analytics-python"}}}).event.browser
    assert not good({"type": "page", "userId": "u"}, secret=True).event.browser
    assert good({"type": "page"}, secret=True, visitor_id="v").event.browser, "a server that speaks for its visitor"


@pytest.mark.parametrize(
    ("headers", "query", "body", "key"),
    [
        ({b"authorization": b"Basic ZGVtbzo="}, b"", {"writeKey": "***"}, "demo"),
        ({b"authorization": b"Basic %%%"}, b"", {"writeKey": "x"}, ""),
        ({b"authorization": b"Bearer demo"}, b"", {}, "demo"),
        ({b"x-write-key": b"demo:secret"}, b"", {"writeKey": "***"}, "demo"),
        ({}, b"writeKey=demo&a=b", {}, "demo"),
        ({}, b"", {"writeKey": "demo"}, "demo"),
        ({}, b"", {"writeKey": 5}, ""),
        ({}, b"", {}, ""),
    ],
)
def test_the_write_key_is_found_where_clients_put_it(headers: Any, query: bytes, body: Any, key: str) -> None:
    assert segment.write_key_of(headers, query, body) == key


def test_the_page_path_comes_from_properties_then_context_then_address() -> None:
    page = {"page": {"path": "/b", "url": "https://x/c"}}
    assert good({"type": "page", "properties": {"path": "/a"}, "context": page}).event.path == "/a"
    assert good({"type": "page", "context": page}).event.path == "/b"
    assert good({"type": "page", "properties": {"url": "https://x/d?e=f"}}).event.path == "/d"
    assert good({"type": "page", "properties": {"url": "http://[bad"}}).event.path == ""


def test_oversized_events_are_found_by_their_own_size() -> None:
    items = [{"type": "page"}, {"type": "page", "properties": {"x": "y" * 33_000}}]
    raw = orjson.dumps(items)
    assert segment.oversized(items, len(raw)) == {1}
    assert segment.oversized(items[:1], 20) == frozenset()
