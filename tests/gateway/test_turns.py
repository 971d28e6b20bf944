"""A large batch shares its worker with everybody else."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.pipeline import BREATH
from tests.gateway.app import running

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
