"""What must go on although something in it fails: the sweep of erasures, and the keeping of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from gateway import erasure
from gateway.ports import VisitorKey
from gateway.rules_watch import RulesWatch
from gateway.secrets import Secrets
from gateway.settings import load_settings
from gateway.supervisor import Supervisor

SOMEBODY = VisitorKey("demo", "a", "v")


class OddLog:
    """A log whose first entries cannot be read."""

    def __init__(self) -> None:
        self.tries = 0
        self.erased = asyncio.Event()

    async def pending(self) -> list[tuple[VisitorKey, int]]:
        return [(SOMEBODY, 5)]

    async def erase(self, visitor: VisitorKey, before: int) -> int:
        self.tries += 1
        if self.tries < 3:
            raise KeyError("v")
        self.erased.set()
        return 1


async def test_an_entry_that_cannot_be_read_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "PAUSE_S", 0.001)
    log = OddLog()
    sweep = asyncio.create_task(erasure.sweep(log))
    await asyncio.wait_for(log.erased.wait(), 5)
    sweep.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweep
    assert log.tries >= 3


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
