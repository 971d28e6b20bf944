"""A real store that a test may stop, and connections to it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore


@contextlib.asynccontextmanager
async def stoppable(folder: Path) -> AsyncIterator[EmbeddedStore]:
    """Run a store; at the end it goes on first, for a test that failed may have left it stopped."""
    server = EmbeddedStore(folder, on_event=print)
    await server.start()
    yield server
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGCONT)
    await server.stop()


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[StoreConnection]:
    """Open a connection."""
    connection = StoreConnection(url, **options)
    await connection.start()
    try:
        yield connection
    finally:
        await connection.close()
