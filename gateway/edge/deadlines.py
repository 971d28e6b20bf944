"""One deadline for all request bodies that are on their way.

A timer for each would cost more than reading the body (asyncio.timeout: 9 µs, docs/decisions/004); so a single one
looks around now and then, and ends whatever has been waiting for too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

_LOOKS = 4
"""Looks in the time of one deadline; a read ends after at most a quarter more than its time."""


class Deadlines:
    """Ends reads after `seconds`, by cancelling them; `within` turns that into a TimeoutError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, read: Awaitable[T]) -> T:
        """Return what the awaitable returns; raises TimeoutError when it takes too long."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:  # not run by asyncio, so nothing can be cancelled
            return await read
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds / _LOOKS, self._look, loop)
        try:
            return await read
        except asyncio.CancelledError:
            if task in self._overdue and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._since.pop(task, None)
            self._overdue.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self._seconds
        for task, since in self._since.items():
            if since < latest and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._timer = loop.call_later(self._seconds / _LOOKS, self._look, loop) if self._since else None
