"""How a task that runs for ever is brought to its end."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 0.2


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended; what it failed with is logged by asyncio.

    Once is not enough: Python 3.11's `asyncio.wait_for` loses a cancellation that comes just as it is done (fixed in
    3.12, python/cpython#86296), and redis-py sends every command through it. A task that goes round and round would
    then never end, nor whoever waits for it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=AGAIN_S)
