"""The cycle collector in a worker: it looks at what is young, and leaves alone what stays.

What lives long has no reference cycles: cached profiles, and plans, which go as a whole when their last hit ends. With
Python's own thresholds the collector walks all of it again and again (docs/decisions/003), so it is frozen out of the
collector's sight. Whatever has cycles against that rule would stay for ever there; so once there is a quarter more
than there was, everything is walked a single time, when no hit is under way.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_GROWN = 1.25
_PATIENCE_S = 30.0
"""How long to wait for a moment without a hit."""
_PAUSE_S = 0.05


class Collector:
    """One worker's collector, calmed down; `calm` tells whether no hit is under way."""

    def __init__(self, calm: Callable[[], bool]) -> None:
        self._calm = calm
        self._tidying: asyncio.Task[None] | None = None
        gc.set_threshold(20_000, 50, 100)
        self._frozen = _collected()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let the collector rest while a plan is made, and never walk the plan afterwards."""
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            gc.enable()

    def tidy_soon(self) -> None:
        """Look, at a moment without hits, whether what was replaced has gone; see to it if too much stays."""
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        waited = 0.0
        while waited < _PATIENCE_S and (waited == 0 or not self._calm()):
            await asyncio.sleep(_PAUSE_S)  # at least once: the hits of before still hold the old plan
            waited += _PAUSE_S
        if gc.get_freeze_count() > _GROWN * self._frozen:
            self._frozen = _collected()


def _collected() -> int:
    """Walk everything, let go what nobody can reach, freeze the rest, and return how many objects that is."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()
