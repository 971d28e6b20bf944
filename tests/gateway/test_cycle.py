"""An answer that is whole leaves in one write, with the very bytes that uvicorn would have sent in two."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.cycle import Cycle

JSON = (b"Content-Type", b"application/json")
Message = dict[str, Any]


class Transport:
    """Keeps what is written, piece by piece."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Flow:
    """A connection whose client reads."""

    write_paused = False


def made(kind: type[RequestResponseCycle], transport: Any, *, method: str, keep_alive: bool) -> RequestResponseCycle:
    flow: Any = Flow()
    scope: Any = {"type": "http", "method": method}
    log = logging.getLogger("tests.cycle")
    return kind(
        scope=scope,
        transport=transport,
        flow=flow,
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[(b"x-default", b"1")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def start(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sized(length: int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % length)


ANSWERS: dict[str, list[Message]] = {
    "whole": [start(200, JSON, sized(2)), body(b"{}")],
    "with a cookie": [start(200, JSON, sized(2), (b"set-cookie", b"a=b; Path=/")), body(b"{}")],
    "an error": [start(503, JSON, sized(2), (b"retry-after", b"2")), body(b"{}")],
    "empty": [start(204), body(b"")],
    "body without a length": [start(200, JSON), body(b"{}")],
    "in two parts": [start(200, sized(4)), body(b"ab", more=True), body(b"cd")],
    "chunked": [start(200, (b"transfer-encoding", b"chunked")), body(b"ab", more=True), body(b"cd")],
    "length and chunked": [start(200, sized(2), (b"transfer-encoding", b"chunked")), body(b"ab")],
    "says close": [start(200, sized(2), (b"Connection", b"close")), body(b"{}")],
}

REFUSED: dict[str, list[Message]] = {
    "body longer than it says": [start(200, sized(1)), body(b"{}")],
    "body shorter than it says": [start(200, sized(3)), body(b"{}")],
    "line end in a value": [start(200, sized(2), (b"x-a", b"b\r\nset-cookie: c")), body(b"{}")],
    "line end in a name": [start(200, sized(2), (b"x-a\r\nb", b"c")), body(b"{}")],
    "body before the head": [body(b"{}")],
    "more after the end": [start(200, sized(2)), body(b"{}"), body(b"{}")],
    "another message": [{"type": "http.response.trailers"}],
}


async def played(
    kind: type[RequestResponseCycle], messages: Sequence[Message], **named: Any
) -> tuple[list[bytes], bool, bool]:
    """Return what was written, whether the connection was closed and whether the answer was complete."""
    transport = Transport()
    cycle = made(kind, transport, **{"method": "POST", "keep_alive": True, **named})
    for message in messages:
        await cycle.send(message)  # type: ignore[arg-type] # some are wrong on purpose
    return transport.written, transport.closed, cycle.response_complete


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_is_the_one_that_uvicorn_gives(name: str, method: str, keep_alive: bool) -> None:  # noqa: FBT001 - pytest names it
    ours = await played(Cycle, ANSWERS[name], method=method, keep_alive=keep_alive)
    theirs = await played(RequestResponseCycle, ANSWERS[name], method=method, keep_alive=keep_alive)
    assert b"".join(ours[0]) == b"".join(theirs[0])
    assert ours[1:] == theirs[1:]
    assert theirs[2]


@pytest.mark.parametrize("name", ["whole", "with a cookie", "an error"])
async def test_a_whole_answer_is_one_write(name: str) -> None:
    assert len((await played(Cycle, ANSWERS[name]))[0]) == 1
    assert len((await played(RequestResponseCycle, ANSWERS[name]))[0]) == 2


@pytest.mark.parametrize("name", REFUSED)
async def test_what_uvicorn_refuses_is_refused(name: str) -> None:
    for kind in (RequestResponseCycle, Cycle):
        with pytest.raises(RuntimeError):
            await played(kind, REFUSED[name])


async def test_who_answers_for_an_application_that_failed_after_its_head_is_heard() -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start(200, sized(2)))
        raise ValueError("it broke")

    transport = Transport()
    cycle = made(Cycle, transport, method="POST", keep_alive=True)
    await cycle.run_asgi(application)
    assert transport.written[0].startswith(b"HTTP/1.1 500 ")


async def test_who_does_not_read_or_has_gone_gets_what_uvicorn_gives_them() -> None:
    gone = Transport()
    cycle = made(Cycle, gone, method="POST", keep_alive=True)
    cycle.disconnected = True
    for message in ANSWERS["whole"]:
        await cycle.send(message)  # type: ignore[arg-type] # a plain dict
    assert gone.written == []
