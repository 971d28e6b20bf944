"""What must go on although something in it fails: the sweep of erasures, and the keeping of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import erasure
from gateway.ports import Erasure, VisitorKey
from gateway.rights.erasing import Eraser
from gateway.rights.ledger import Ledger
from gateway.rules_watch import RulesWatch
from gateway.secrets import Secrets
from gateway.settings import load_settings
from gateway.supervisor import Supervisor
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
