"""A task that talks to the store ends when it is told to, in whatever moment that comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import ending
from gateway.ending import ended
from tests.gateway.real_store import stoppable

MOMENTS = 60
"""Turns of the loop after which a task is cancelled; it goes round in fewer."""


async def test_a_task_ends_in_whatever_moment_of_its_talk_with_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    rounds = 0

    async def talk(client: Redis) -> None:
        nonlocal rounds
        while True:
            await client.ping()
            rounds += 1

    async with stoppable(tmp_path) as server, Redis.from_url(server.url, socket_timeout=10) as client:
        for moment in range(MOMENTS):
            task = asyncio.create_task(talk(client))
            for _ in range(moment):
                await asyncio.sleep(0)
            await asyncio.wait_for(ended(task), 20)
            assert task.cancelled()
    assert rounds, "no moment was after a whole round"


async def test_what_a_task_failed_with_does_not_keep_others_from_ending() -> None:
    async def fail() -> None:
        raise RuntimeError("foreseen here")

    task = asyncio.create_task(fail())
    await asyncio.wait((task,))
    await ended(task)
    assert isinstance(task.exception(), RuntimeError)
