"""What must go on although something in it fails: the sweep of erasures, and the keeping of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import erasure
from gateway.ports import Committed, Erasure, VisitorKey, Write
from gateway.rights.erasing import Eraser
from gateway.rights.ledger import Ledger
from gateway.rules_watch import RulesWatch
from gateway.secrets import Secrets
from gateway.settings import load_settings
from gateway.supervisor import Supervisor
from personalize import documents
from personalize.profiles import Profile
from tests.fakes.store import FakeStore

SOMEBODY, ODD = VisitorKey("demo", "a", "v"), VisitorKey("demo", "a", "odd")


class OddLog(FakeStore):
    """A store whose log cannot be read at first, and never for one visitor."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: Iterator[Exception] = iter([OSError("away"), RuntimeError("unforeseen")])
        self.erased = asyncio.Event()

    async def pending(self) -> list[Erasure]:
        for failure in self.failures:
            raise failure
        return [Erasure(ODD, 5), Erasure(SOMEBODY, 5)]

    async def erase(self, erasure: Erasure) -> int:
        if erasure.visitor == ODD:
            raise KeyError("v")
        self.erased.set()
        return 1


async def test_an_entry_that_cannot_be_read_does_not_end_the_sweep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(erasure, "PAUSE_S", 0.001)
    log = OddLog()
    sweep = erasure.Sweep(log, Eraser(log, log, log, lambda: 7), Ledger(tmp_path), lambda: 7)
    running = asyncio.create_task(sweep.run())
    await asyncio.wait_for(log.erased.wait(), 20)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    lines = Ledger(tmp_path).read()
    assert {line.erasure for line in lines} == {Erasure(ODD, 5), Erasure(SOMEBODY, 5)}


async def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(None, {}, {})
    secrets = Secrets(("k" * 32,), "p", "t", {"demo": "s"})
    supervisor = Supervisor(settings, secrets, RulesWatch(settings, clock=lambda: 0))
    tries = 0

    async def live(number: int, listener: socket.socket, store_url: str) -> str:
        nonlocal tries
        tries += 1
        if tries == 3:
            supervisor._stopping.set()
        raise BlockingIOError(11, "no process to be had")

    monkeypatch.setattr(supervisor, "_live", live)
    with socket.socket() as listener:
        await asyncio.wait_for(supervisor._keep(0, listener, "unix:///none"), 5)
    assert tries == 3
    assert supervisor._own.counters[("worker_restarts",)] == 2


async def test_every_loss_of_the_store_lets_what_was_erased_be_erased_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(erasure, "PAUSE_S", 0.001)
    monkeypatch.setattr(erasure, "FRESH_MS", 10)
    store, ledger, now = FakeStore(), Ledger(tmp_path), 100_000_000
    eraser = Eraser(store, store, store, lambda: 7)
    older, newer = VisitorKey("demo", "a", "older"), VisitorKey("demo", "a", "newer")
    ledger.append([Erasure(older, 5)], 1000)
    ledger.append([Erasure(newer, 5)], 1100)

    for visitor in (older, newer):
        write = Write(visitor, "", documents.encode(Profile(first_visit=1), "old"), 100, b"", [])
        assert await store.commit(write) == Committed(0)
    before = store.snapshot()

    async def revision(visitor: VisitorKey) -> str:
        found = await store.read(visitor, "")
        assert found is not None
        return documents.decode(found.document).revision

    async def until_erased() -> None:
        while await revision(newer) == "old":  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.001)

    sweep = erasure.Sweep(store, eraser, ledger, lambda: now)
    running = asyncio.create_task(sweep.run())
    # Counted from the newest line, however long the store or the gateway was away; older ones were safe by then.
    await asyncio.wait_for(until_erased(), 10)
    store.down = True
    sweep.renew_soon()
    store.roll_back(before)
    await asyncio.sleep(0.02)
    store.down = False
    await asyncio.wait_for(until_erased(), 10)
    assert await revision(older) == "old"
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
