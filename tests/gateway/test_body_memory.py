"""Large bodies share a bounded memory; small ones never wait; what is zipped wrongly is told."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.edge.body_memory import BodyMemory
from gateway.edge.deadlines import Deadlines
from gateway.edge.request import Request
from gateway.errors import BadRequest, Busy, GatewayError, TooLarge, TooSlow
from tests.gateway.app import running

LIMIT = 4_000_000


def request_of(memory: BodyMemory, *parts: bytes, hangs: bool = False, **headers: str) -> Request:
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if not waiting:
            await asyncio.sleep(30)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting) or hangs}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"headers": named, "query_string": b""}, receive, memory)


async def read(request: Request, seconds: float = 5) -> bytes:
    return await request.body(LIMIT, Deadlines(seconds))


async def test_shares_are_given_in_turn_and_what_waits_can_go_away() -> None:
    memory = BodyMemory(10)
    assert await memory.take(8) == 8
    large, gone, small = (asyncio.create_task(memory.take(n)) for n in (9, 2, 1))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    assert not small.done(), "it is behind the large one"
    memory.give_back(8)
    assert (await large, await small) == (9, 1)
    late = asyncio.create_task(memory.take(99))
    await asyncio.sleep(0)
    memory.give_back(9)
    memory.give_back(1)
    assert await late == 10, "more than there is becomes all there is"


async def test_one_that_was_called_and_is_cancelled_in_the_same_moment_gives_its_share_back() -> None:
    memory = BodyMemory(10)
    await memory.take(10)
    waiting = asyncio.create_task(memory.take(10))
    await asyncio.sleep(0)
    memory.give_back(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(memory.take(10), 1) == 10


async def test_one_that_is_cancelled_just_before_its_turn_is_passed_over() -> None:
    memory = BodyMemory(10)
    await memory.take(10)
    waiting = asyncio.create_task(memory.take(10))
    await asyncio.sleep(0)
    waiting.cancel()
    memory.give_back(10)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(memory.take(10), 1) == 10


async def test_a_large_body_waits_for_its_turn_and_a_small_one_does_not() -> None:
    memory = BodyMemory(LIMIT)
    first = request_of(memory, b"a" * 100_000, b"b" * 100_000)
    assert len(await read(first)) == 200_000
    assert first.share == LIMIT
    waiting = asyncio.create_task(read(second := request_of(memory, b"a" * 100_000, b"b")))
    assert await read(request_of(memory, b"{}")) == b"{}"
    assert len(await read(request_of(memory, b"a" * 30_000, b"b" * 30_000))) == 60_000
    zipped = request_of(memory, gzip.compress(b"c" * 60_000), content_encoding="gzip")
    assert len(await read(zipped)) == 60_000
    assert not waiting.done()
    first.release()
    assert len(await waiting) == 100_001
    second.release()
    assert await memory.take(LIMIT) == LIMIT


async def test_a_body_whose_turn_does_not_come_is_answered_503_and_a_slow_one_408() -> None:
    memory = BodyMemory(LIMIT)
    await memory.take(LIMIT)
    with pytest.raises(Busy):
        await read(request_of(memory, b"a" * 100_000, b"b"), 0.05)
    memory.give_back(LIMIT)
    slow = request_of(memory, b"a" * 100_000, hangs=True)
    with pytest.raises(TooSlow):
        await read(slow, 0.05)
    slow.release()
    assert await memory.take(LIMIT) == LIMIT


async def test_what_unzips_to_much_takes_a_share_and_too_much_is_refused() -> None:
    memory = BodyMemory(3 * LIMIT)
    good = request_of(memory, gzip.compress(b"a" * LIMIT), content_encoding="gzip")
    assert len(await read(good)) == LIMIT
    assert good.share >= LIMIT
    good.release()
    bomb = request_of(memory, gzip.compress(b"a" * (LIMIT + 1)), content_encoding="gzip")
    with pytest.raises(TooLarge):
        await read(bomb)
    bomb.release()
    noise = os.urandom(200_000)
    packed = gzip.compress(noise)
    chunked = request_of(memory, packed[:70_000], packed[70_000:], content_encoding="gzip")
    assert await read(chunked) == noise


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (gzip.compress(b"{}") + gzip.compress(b"{}"), "several gzip files"),
        (gzip.compress(b"{}") + b"tail", "4 other bytes"),
        (gzip.compress(b"{}")[:-3], "cut off"),
        (b"{}", "not gzip"),
        (b"", "cut off"),
        (gzip.compress(os.urandom(100_000))[:-3], "cut off"),
    ],
)
async def test_what_is_zipped_wrongly_is_told(body: bytes, says: str) -> None:
    with pytest.raises(GatewayError) as raised:
        await read(request_of(BodyMemory(LIMIT), body, content_encoding="gzip"))
    assert isinstance(raised.value, BadRequest)
    assert (raised.value.code, says in raised.value.message) == ("bad_encoding", True)


async def test_every_share_is_given_back_whatever_becomes_of_the_request() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"[" * 100_000
        yield b"x"

    async with running(body_memory=8_000_000) as app:
        event = {"type": "page", "properties": {"text": "a" * 1000}}
        for _ in range(5):
            assert (await app.post("/v1/batch", batch=[event] * 300)).status_code == 200
            assert (await app.http.post("/v1/batch", content=slowly())).status_code == 400
            bomb = gzip.compress(b" " * 5_000_000)
            headers = {"Content-Encoding": "gzip"}
            assert (await app.http.post("/v1/batch", content=bomb, headers=headers)).status_code == 413
        desk = app.gateway._desk
        assert await asyncio.wait_for(desk.body_memory.take(8_000_000), 1) == 8_000_000
