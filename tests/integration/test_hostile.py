"""Hostile input on the hot routes of one real gateway: each has its clear answer, and nothing of it stays behind.

A table, sent one by one over sockets of their own; afterwards the sums are right, nothing was logged but notices, no
worker has grown, and whatever was stored can be read again.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from personalize.document_check import checked
from tests.fuzz.hostile_values import LISTS
from tests.fuzz.requests import Sent, plain
from tests.fuzz.run import peak_mb
from tests.fuzz.sockets import written
from tests.integration.conftest import RULES
from tests.integration.hostile_table import BODIES, HEADERS, batch, page
from tests.integration.process import Gateway, eventually

WORKER_MB = 260
"""What a worker may have used at its peak: some 90 MB at rest, and the largest bodies while they are read."""

HTTP = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    data = tmp_path_factory.mktemp("gateway") / "data"
    with Gateway(data, "--rules", str(RULES), "--workers", "2") as running:
        yield running
        _all_is_as_it_should_be(running)


@pytest.fixture(scope="module")
def ask(gateway: Gateway) -> HTTP:
    """Send bytes or a request on a connection of its own; return status and the answer's JSON."""
    address = urlsplit(gateway.public)

    def asked(sent: Sent | bytes) -> tuple[int, dict[str, Any]]:
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            with contextlib.suppress(OSError):  # it was refused before it was whole
                connection.sendall(sent if isinstance(sent, bytes) else written(sent))
            answer = http.client.HTTPResponse(connection, method=sent.method if isinstance(sent, Sent) else "POST")
            answer.begin()
            body = answer.read()
        return answer.status, orjson.loads(body) if body.startswith(b"{") else {}

    return asked


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [each[1:] for each in (*BODIES, *HEADERS)],
    ids=[each[0] for each in (*BODIES, *HEADERS)],
)
def test_what_is_hostile_has_its_clear_answer(
    sent: Sent, status: int, code: str | None, gateway: Gateway, ask: HTTP
) -> None:
    headers = [(name, gateway.secret_key().encode() if value == b"SECRET" else value) for name, value in sent.headers]
    found, answer = ask(Sent(sent.method, sent.path, sent.query, headers, sent.body))
    assert found == status, answer
    if code is not None:
        assert answer["code"] == code
        assert answer["message"]
        assert answer["hint"]


TYPES: dict[str, dict[str, Any]] = {
    "track": {"event": "x"},
    "page": {},
    "screen": {},
    "identify": {},
    "group": {"groupId": "g"},
    "alias": {"userId": "u", "previousId": "p"},
}
FIELDS = (
    "type", "event", "name", "category", "userId", "anonymousId", "groupId", "previousId", "messageId", "properties",
    "traits", "context", "timestamp", "originalTimestamp", "sentAt", "channel", "consent", "userHash", "integrations",
)  # fmt: skip
JSON_TYPES = (
    None,
    True,
    False,
    0,
    7,
    -1,
    1.5,
    1e300,
    "",
    "text",
    [],
    [1],
    ["a", None],
    {},
    {"a": 1},
    {"a": [{}]},
    *LISTS,
)


@pytest.mark.parametrize("kind", TYPES)
def test_each_field_of_each_type_takes_any_json_or_says_what_is_wrong(kind: str, ask: HTTP) -> None:
    events = [
        {"type": kind, "anonymousId": "hostile", **TYPES[kind], field: value}
        for field in FIELDS
        for value in JSON_TYPES
    ]
    status, answer = ask(plain("/v1/batch", batch(*events)))
    assert status == 200
    rejected = {each["index"]: each for each in answer["rejected"]}
    assert answer["accepted"] + answer["dropped"] + len(rejected) == len(events)
    assert answer["accepted"]
    for index, event in enumerate(events):
        field = FIELDS[index // len(JSON_TYPES)]
        if (
            field in ("properties", "traits", "context")
            and isinstance(event[field], list | str | float | int)
            and event[field]
        ):
            assert field in rejected[index]["message"]


@pytest.mark.parametrize(
    "field",
    [
        "batch",
        "consent",
        "context",
        "userId",
        "userHash",
        "visitor",
        "reset",
        "sentAt",
        "writeKey",
        "placements",
        "links",
        "locale",
    ],
)
def test_each_field_of_a_body_takes_any_json_or_says_what_is_wrong(field: str, gateway: Gateway, ask: HTTP) -> None:
    for path, key in (
        ("/v1/decide", "demo"),
        ("/v1/import", gateway.secret_key()),
        ("/v1/links", gateway.secret_key()),
    ):
        for value in JSON_TYPES:
            body = {**batch(page()), "placements": ["home hero"], "links": [], field: value}
            status, answer = ask(plain(path, body, key=key))
            assert status in (200, 400), (path, value, answer)
            assert status == 200 or (answer["code"] == "bad_shape" and answer["hint"])


def test_of_a_key_that_comes_twice_the_last_one_counts(gateway: Gateway, ask: HTTP) -> None:
    def twice(path: str, text: bytes) -> tuple[int, dict[str, Any]]:
        return ask(plain(path, text, key=""))

    assert twice("/v1/page", b'{"writeKey":"x","writeKey":"demo","anonymousId":"a"}')[0] == 200
    assert twice("/v1/page", b'{"writeKey":"demo","writeKey":"x","anonymousId":"a"}')[0] == 401
    both = b'{"writeKey":"demo","batch":[{"type":"page","anonymousId":"a"}],"batch":[]}'
    assert twice("/v1/batch", both)[1]["accepted"] == 0
    refused = b'{"writeKey":"demo","anonymousId":"a","consent":["analytics"],"consent":[]}'
    assert twice("/v1/page", refused)[1] | {"rejected": []} == {
        "success": True,
        "accepted": 0,
        "dropped": 1,
        "rejected": [],
    }
    allowed = b'{"writeKey":"demo","anonymousId":"a","consent":[],"consent":["analytics"]}'
    assert twice("/v1/page", allowed)[1]["accepted"] == 1
    named = b'{"writeKey":"demo","messageId":"twice","userId":"first","userId":"second"}'
    assert twice("/v1/page", named)[1]["accepted"] == 1
    assert [entry["e"]["userId"] for entry in gateway.log() if entry["m"] == "twice"] == ["second"]


def test_attacks_on_the_body_do_not_hold_up_others(gateway: Gateway, ask: HTTP) -> None:
    """The short form of `make bench-hostile`, which measures the times."""
    address = urlsplit(gateway.public)
    head = b"POST /v1/batch HTTP/1.1\r\nhost: a\r\nx-write-key: demo\r\ncontent-length: 1000\r\n"
    slow = [socket.create_connection((address.hostname, address.port)) for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(head[:30] if number % 2 else head + b"\r\n{")
        for _ in range(20):
            assert ask(plain("/v1/page", page()))[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_whoever_is_stored_can_be_exported_and_explained(gateway: Gateway, ask: HTTP, tmp_path: Path) -> None:
    hostile = "\x1b[31m\u202e\x00\n"
    ask(
        plain(
            "/v1/identify", {"userId": hostile, "traits": {hostile: hostile, "a": [hostile]}}, key=gateway.secret_key()
        )
    )
    status, answer = ask(plain("/v1/privacy/export", {"userId": hostile}, key=gateway.secret_key()))
    assert status == 200
    assert hostile in str(answer) or orjson.dumps(hostile)[1:-1] in orjson.dumps(answer)


def _all_is_as_it_should_be(gateway: Gateway) -> None:
    """Check, once all tests have run, that the gateway has counted, kept and told what it should."""
    errors = gateway.errors()
    assert "Traceback" not in errors
    assert " ERROR " not in errors
    assert len(errors) < 60_000, "notices are bounded"
    # Workers report to the parent once in a while.
    eventually(lambda: _received(gateway) == _outcomes(gateway), 10)
    assert not [key for key in gateway.metrics() if key[0] == "tuttu_hits_total" and key[1].startswith("5")]
    with gateway.store() as store:
        names = list(store.scan_iter(match="*:v:*", count=1_000))
        for name in names:
            document = store.get(name)
            assert len(document) <= 16_384
            checked(document)
    assert all(orjson.dumps(entry) for entry in gateway.log())
    assert max(map(peak_mb, gateway.worker_pids())) < WORKER_MB


def _received(gateway: Gateway) -> float:
    return gateway.metrics()["tuttu_events_received_total",]


def _outcomes(gateway: Gateway) -> float:
    return sum(value for key, value in gateway.metrics().items() if key[0] == "tuttu_events_total")
