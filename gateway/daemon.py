"""Work in a thread of its own that the process does not wait for when it ends: a dead network volume never answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def in_daemon(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # a caller that goes away does not keep the thread from ending well

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is the caller's, as in the standard library's own executors
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)
