"""A large batch shares its worker with everybody else."""

from __future__ import annotations

import asyncio
import contextlib

import orjson

from gateway.jobs import MOST_EVENTS
from gateway.pipeline import BREATH
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running

EVENTS = 10 * BREATH


async def test_others_have_a_turn_while_a_batch_of_one_visitor_is_decoded_admitted_and_folded() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with running() as app:
        running_others = asyncio.create_task(others())
        small = [{"type": "page", "properties": {"path": "/"}}]
        assert (await app.post("/v1/batch", batch=small)).json()["accepted"] == 1
        for_a_small_one, turns = turns, 0
        assert (await app.post("/v1/batch", batch=small * EVENTS)).json()["accepted"] == EVENTS
        assert turns - for_a_small_one >= 3 * (EVENTS // BREATH - 1)
        running_others.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running_others


async def test_a_batch_of_one_visitor_goes_to_the_store_in_several_calls_and_in_order() -> None:
    store = FakeStore()
    async with running(store) as app:
        batch = [{"event": "e", "type": "track", "messageId": f"m{n}"} for n in range(2 * MOST_EVENTS + 1)]
        assert (await app.post("/v1/batch", batch=batch)).json()["accepted"] == len(batch)
        assert [len(write.entries) for write in store.writes] == [MOST_EVENTS, MOST_EVENTS, 1]
        assert len({write.visitor for write in store.writes}) == 1
        assert [orjson.loads(entry)["m"] for entry in store.logged()] == [event["messageId"] for event in batch]


async def test_what_waits_for_one_visitor_goes_in_calls_of_so_many_events() -> None:
    store = FakeStore()
    store.latency_s = 0.05

    async def sent(app: App, cookie: str, number: int) -> int:
        batch = [{"event": "e", "type": "track", "messageId": f"{number}-{n}"} for n in range(MOST_EVENTS // 2)]
        answer = await app.post("/v1/batch", headers={"cookie": cookie}, batch=batch)
        return int(answer.json()["accepted"])

    async with running(store) as app:
        cookie = (await app.post()).headers["set-cookie"].partition(";")[0]
        store.writes.clear()
        assert sum(await asyncio.gather(*(sent(app, cookie, n) for n in range(6)))) == 6 * (MOST_EVENTS // 2)
        sizes = [len(write.entries) for write in store.writes]
        assert sum(sizes) == 6 * (MOST_EVENTS // 2)
        assert max(sizes) == MOST_EVENTS
        assert len(sizes) <= 4
