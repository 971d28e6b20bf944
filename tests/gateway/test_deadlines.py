from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.edge.deadlines import Deadlines
from tests.gateway.app import running

SCOPE = {"type": "http", "method": "POST", "path": "/v1/page", "query_string": b"", "headers": [], "client": None}


async def test_what_is_there_in_time_is_returned() -> None:
    deadlines = Deadlines(0.1)

    async def soon() -> str:
        await asyncio.sleep(0.01)
        return "here"

    assert await deadlines.within(soon()) == "here"
    assert await asyncio.gather(*(deadlines.within(soon()) for _ in range(20))) == ["here"] * 20


async def test_what_takes_too_long_is_ended_and_its_task_goes_on() -> None:
    deadlines = Deadlines(0.05)
    with pytest.raises(TimeoutError):
        await deadlines.within(asyncio.sleep(30))
    await asyncio.sleep(0)
    assert await deadlines.within(asyncio.sleep(0, "still alive")) == "still alive"


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    task = asyncio.create_task(Deadlines(30).within(asyncio.sleep(30)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("first", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
async def test_a_body_that_does_not_come_is_answered_408(first: list[dict[str, Any]]) -> None:
    sent: list[dict[str, Any]] = []
    waiting = list(first)

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.sleep(30)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async with running(body_deadline_s=0.05) as app:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/page",
            "query_string": b"",
            "headers": [],
            "client": None,
        }
        await app.gateway.application(scope, receive, send)
    assert sent[0]["status"] == 408
    assert orjson.loads(sent[1]["body"])["code"] == "too_slow"


async def test_a_client_that_goes_away_is_nobody_to_answer() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async with running() as app:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/page",
            "query_string": b"",
            "headers": [],
            "client": None,
        }
        await app.gateway.application(scope, receive, send)
        assert app.gateway.telemetry.counters == {("hits", "disconnected"): 1}
    assert sent == []
