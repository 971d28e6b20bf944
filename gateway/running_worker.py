"""What the parent knows of one of its workers, and how it asks for more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from gateway.control import Line

_MOST_OWED = 10
"""Reports that a worker may owe before it is not asked for more: one that stands still must not fill its line."""


@dataclass(slots=True, eq=False)
class RunningWorker:
    """A worker as its parent knows it."""

    number: int
    process: asyncio.subprocess.Process
    line: Line
    ready: asyncio.Event
    reported: asyncio.Event
    snapshot: dict[str, object] | None = None
    store_connected: bool = False
    spool_trouble: str = ""
    """Why the worker's spool takes nothing, "" when it does."""
    owed: int = 0
    """Reports that it was asked for and has not given yet."""
    heard: float = 0.0
    """When it last said something, or was started, by the loop's clock."""
    sent: int = 0
    """The latest rules or keys that it was sent, by the number that they were sent under."""
    prepared: int = 0
    """The latest of them that it has answered for: it holds them ready, or `refused` them."""
    refused: str = ""
    """Why it could not take what it was sent last."""

    def ask(self) -> None:
        """Ask for a report."""
        if self.owed < _MOST_OWED:
            self.owed += 1
            self.line.post({"ask": "report"})

    def take(self, message: dict[str, Any], now: float) -> None:
        """Take what the worker has said at `now`, by the loop's clock."""
        self.heard = now
        if "ready" in message:
            self.ready.set()
        elif "prepared" in message:
            self.prepared, self.refused = message["prepared"], message.get("error", "")
        else:
            self.snapshot = {"counters": message["counters"], "gauges": message["gauges"]}
            self.store_connected = bool(message["store_connected"])
            self.spool_trouble = str(message["spool_trouble"])
            self.owed = max(0, self.owed - 1)
            self.reported.set()
