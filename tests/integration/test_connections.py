"""What a client can do to a connection, by raw sockets: slow, endless, ambiguous, too many, never reading."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.integration.process import Gateway, eventually
from tests.integration.sockets import Raw, post

LIMITS = {
    "TUTTU_HEADER_DEADLINE_S": "0.4",
    "TUTTU_BODY_DEADLINE_S": "0.6",
    "TUTTU_KEEP_ALIVE_S": "1",
    "TUTTU_CONNECTIONS": "8",
}
EVENT = {"writeKey": "demo", "properties": {"path": "/"}}
CHUNKED = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("connections") / "data", env=LIMITS) as running:
        yield running
        assert "Traceback" not in running.errors()
        assert "Invalid HTTP" not in running.errors()


def ended(gateway: Gateway, cause: str) -> float:
    return gateway.metrics().get(("tuttu_connections_ended_total", cause), 0)


def stored(gateway: Gateway) -> float:
    return gateway.metrics().get(("tuttu_events_total", "stored", ""), 0)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"GET /live HTTP/1.1\nHost: x\n\n",
        b"GET /live HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        b"GET /live HTTP/1.1\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /live HTTP/1.9\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        post(EVENT, "Content-Length: 5"),
        post(EVENT, "Transfer-Encoding: chunked"),
        post(EVENT).replace(b"Length: ", b"Length: +"),
        post(EVENT).replace(b"Length: ", b"Length: 5, "),
        post(EVENT).replace(b"Length: ", b"Length: 0x"),
        CHUNKED.replace(b"chunked", b"chunked, identity") + chunks(b"{}") + b"\r\n",
        CHUNKED.replace(b"chunked", b"gzip, chunked") + chunks(b"{}") + b"\r\n",
        CHUNKED.replace(b"chunked", b"identity") + chunks(b"{}") + b"\r\n",
        CHUNKED.replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked") + chunks(b"{}") + b"\r\n",
        CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + chunks(b"{}") + b"\r\n",
        CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2\n{}\n0\n\n",
        CHUNKED + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"ffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"3\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused_and_nothing_behind_it_is_read(
    gateway: Gateway, request_bytes: bytes
) -> None:
    before = stored(gateway)
    with Raw(gateway.public) as raw:
        answers = raw.send(request_bytes + post(EVENT)).answers()
    assert [(answer.status, answer.code) for answer in answers] == [(400, "bad_shape")]
    assert answers[0].headers["connection"] == "close"
    assert stored(gateway) == before


def test_what_is_refused_comes_after_the_answers_to_what_was_understood(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        answers = raw.send(post(EVENT) + post(EVENT) + post(EVENT, "Content-Length: 3")).answers()
    assert [answer.status for answer in answers] == [200, 200, 400]


def test_a_bad_body_behind_a_good_request_is_refused_alone(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        answers = raw.send(post(EVENT) + CHUNKED + b"2\r\n{}").send(b"\r\nzz\r\n").answers()
    assert [answer.status for answer in answers] == [200, 400]


def test_nothing_is_read_behind_a_request_that_closes_the_connection(gateway: Gateway) -> None:
    before = stored(gateway)
    with Raw(gateway.public) as raw:
        answers = raw.send(post(EVENT, "Connection: close") + post(EVENT)).answers()
    assert [answer.status for answer in answers] == [200]
    assert stored(gateway) == before + 1


def test_an_offer_to_upgrade_is_not_taken_and_the_request_answered(gateway: Gateway) -> None:
    offer = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with Raw(gateway.public) as raw:
        answers = raw.send(offer + post(EVENT)).answers()
    assert [answer.status for answer in answers] == [200]
    assert answers[0].headers["connection"] == "close"
    with Raw(gateway.public) as raw:
        answers = raw.send(post(EVENT, "Connection: Upgrade", "Upgrade: h2c") + post(EVENT)).answers()
    assert [answer.status for answer in answers] == [400]


def test_a_chunked_body_is_read_with_its_extensions_and_without_its_trailers(gateway: Gateway) -> None:
    body = b'{"writeKey":"demo","properties":{"path":"/"}}'
    half = chunks(body[:9], body[9:]).replace(b"\r\n", b";a=b\r\n", 1)
    with Raw(gateway.public) as raw:
        raw.send(CHUNKED + half + b"Host: y\r\nOrigin: https://evil.example\r\n\r\n")
        answer = raw.answer()
        assert answer is not None
        assert (answer.status, "access-control-allow-origin" in answer.headers) == (200, False)
        assert raw.send(post(EVENT)).answer() is not None, "the connection goes on"


def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        raw.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" + post(EVENT) * 20 + post(b"{", "Connection: close"))
        assert [answer.status for answer in raw.answers()] == [200] * 21 + [400]


def test_over_64_pipelined_requests_are_refused(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        answers = raw.send(post(EVENT) * 200).answers()
    assert 65 <= len(answers) <= 200
    assert answers[-1].status in (200, 400)
    assert {answer.status for answer in answers[:-1]} == {200}


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"]
)
def test_an_endless_head_is_refused_at_64_kb(gateway: Gateway, start: bytes) -> None:
    more = {b"GET / HTTP/1.1\r\nHost: x\r\n": b"A: b\r\n", b"\r\n": b"\r\n"}.get(start, b"a")
    sent = 0
    with Raw(gateway.public) as raw:
        raw.send(start)
        try:
            while sent < 10_000_000:
                raw.send(more * (10_000 // len(more)))
                sent += 10_000
        except ConnectionError:
            return
        answer = raw.answer()
    assert answer is not None
    assert (answer.status, answer.code) == (431, "too_large")


def test_headers_of_64_kb_are_taken_and_a_byte_more_is_not(gateway: Gateway) -> None:
    room = 65_536 - len("/live") - len("Host") - 4 - len("x") - len("A") - 4
    for size, status in ((room, 200), (room + 1, 431)):
        with Raw(gateway.public) as raw:
            answer = raw.send(b"GET /live HTTP/1.1\r\nHost: x\r\nA: " + b"a" * size + b"\r\n\r\n").answer()
            assert answer is not None
            assert answer.status == status


def test_endless_trailers_and_extensions_are_refused(gateway: Gateway) -> None:
    for framing in (b"0\r\n" + b"A: b\r\n" * 50_000, b"0\r\nA: " + b"b" * 300_000, b"2;" + b"a" * 300_000):
        with Raw(gateway.public) as raw:
            try:
                raw.send(CHUNKED + framing)
            except ConnectionError:
                continue
            answer = raw.answer()
            assert answer is None or answer.status == 400


def test_headers_that_do_not_arrive_are_answered_408(gateway: Gateway) -> None:
    before = ended(gateway, "too_slow")
    with Raw(gateway.public) as raw, Raw(gateway.public) as later:
        raw.send(b"POST /v1/page HTTP/1.1\r\nHo")
        later.send(post(EVENT))
        assert later.answer() is not None
        later.send(b"GET /")
        for slow in (raw, later):
            answer = slow.answer()
            assert answer is not None
            assert (answer.status, answer.code) == (408, "too_slow")
            assert slow.closed()
    assert ended(gateway, "too_slow") == before + 2


def test_a_byte_now_and_then_does_not_keep_a_head_open(gateway: Gateway) -> None:
    start = time.monotonic()
    with Raw(gateway.public) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
        raw.socket.settimeout(0.05)
        answer = None
        while answer is None and time.monotonic() - start < 5:
            try:
                answer = raw.send(b"a").answer()
            except TimeoutError:
                continue
    assert answer is not None
    assert answer.status == 408


def test_an_idle_connection_is_closed_without_a_word(gateway: Gateway) -> None:
    before = ended(gateway, "idle")
    with Raw(gateway.public) as silent, Raw(gateway.public) as used:
        assert used.send(post(EVENT)).answer() is not None
        assert silent.closed()
        assert used.closed()
    assert ended(gateway, "idle") == before + 2


def test_a_body_that_nobody_reads_any_more_has_a_deadline_too(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        raw.send(b"POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        answer = raw.answer()
        assert answer is not None
        assert answer.status == 413
        assert raw.closed()


def test_who_half_closes_behind_the_request_is_answered(gateway: Gateway) -> None:
    with Raw(gateway.public) as raw:
        raw.send(post(EVENT)).socket.shutdown(1)
        assert [answer.status for answer in raw.answers()] == [200]


def test_the_connection_that_is_idle_longest_makes_room_and_with_none_the_new_one_is_refused(gateway: Gateway) -> None:
    eventually(lambda: gateway.metrics()[("tuttu_connections",)] == 0, 5)
    begun = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    busy = [Raw(gateway.public).send(begun) for _ in range(7)]
    with Raw(gateway.public) as idle, Raw(gateway.public) as newcomer:
        assert newcomer.send(post(EVENT)).answer() is not None
        assert idle.closed()
        newcomer.send(begun)
        time.sleep(0.05)
        with Raw(gateway.public) as refused:
            answer = refused.answer()
            assert answer is not None
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "unavailable", "2")
            assert refused.closed()
    for one in busy:
        one.socket.close()
