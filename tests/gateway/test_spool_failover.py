"""A store that forgets what it had answered: the erased stay erased, whatever comes back in whichever order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.app import clock
from tests.gateway.app import App, running
from tests.gateway.people import Browser, from_server, person, stored
from tests.gateway.spool_erasing import begun, deleted, logged, on_disk, spooled, sweep_of


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


async def resent(app: App) -> None:
    """Let the worker hear that the connection broke, and send its tail again."""
    app.gateway.store_lost()
    await asyncio.gather(*app.gateway._resending)


Step = str
ORDERS: Sequence[tuple[Step, Step]] = (("renew", "replay"), ("replay", "renew"))


async def recover(app: App, spool: Path, order: tuple[Step, Step]) -> None:
    sweep = sweep_of(app.store, spool)
    await resent(app)
    for step in order:
        await (sweep.renew() if step == "renew" else app.replay.once())
    await sweep.once()
    await sweep.once()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seen_before", [True, False])
async def test_an_answered_deletion_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step], *, seen_before: bool
) -> None:
    """It was answered a moment ago, so that no sweep has seen its note; the visitor may be as new as that."""
    async with running(spool=spool) as app:
        other = await begun(app)
        anna = await begun(app) if seen_before else Browser()
        older = app.store.snapshot()
        await anna.view(app, messageId="anna-1")
        await other.view(app, messageId="other-1")
        await asyncio.sleep(0.002)
        key = anna.key
        await deleted(app, anna)
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == ["first", "other-1"]
        assert stored(app.store, key).erased
        assert key.id not in "".join(map(str, app.store.logged()))


@pytest.mark.parametrize("order", ORDERS)
async def test_an_answered_deletion_of_a_person_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step]
) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        older = app.store.snapshot()
        await anna.log_in(app, "ann", messageId="login")
        await anna.view(app, messageId="anna-1")
        await asyncio.sleep(0.002)
        await from_server(app, "/v1/privacy/delete", userId="ann")
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == []
        assert person(app.store, "ann").erased
        assert not person(app.store, "ann").visits


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("swept", [True, False])
async def test_an_answered_withdrawal_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step], *, swept: bool
) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        older = app.store.snapshot()
        await anna.view(app, messageId="anna-1")
        await asyncio.sleep(0.002)
        key, cookie = anna.key, anna.cookie
        await anna.view(app, consent=[])
        if swept:
            await sweep_of(app.store, spool).once()
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == []
        assert stored(app.store, key).erased
        anna.cookie = cookie
        assert (await anna.view(app)).json()["accepted"] == 0, "the choice came back too"


async def test_what_was_replayed_just_before_a_failover_is_sent_again(spool: Path, monkeypatch: Any) -> None:
    hour_ago = clock() - 3_600_000
    moments = [hour_ago]
    monkeypatch.setattr("gateway.app.clock", lambda: moments[0])
    async with running(spool=spool) as app:
        anna = await begun(app)
        await spooled(app, (anna, "anna-1"))
        moments[0] += 1_800_000
        older = app.store.snapshot()
        await app.replay.once()
        app.store.roll_back(older)
        await resent(app)
        await app.replay.once()
        assert logged(app.store) == ["first", "anna-1"]


async def test_a_lost_withdrawal_is_done_again_up_to_the_moment_of_its_tombstone(spool: Path, monkeypatch: Any) -> None:
    """What was stored between its receipt and its tombstone was erased as well."""
    moments = itertools.count(clock(), 5)
    monkeypatch.setattr("gateway.app.clock", lambda: next(moments))
    async with running(spool=spool) as app:
        anna = await begun(app)
        key = anna.key
        await anna.view(app, consent=[])
        erased = stored(app.store, key).erased
        await resent(app)
        assert b'"x":%d,' % erased in on_disk(spool)
