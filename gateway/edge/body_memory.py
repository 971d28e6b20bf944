"""How much memory the large bodies of one worker may take together; small ones never wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

SMALL_BYTES = 65_536
"""What every request may bring without a share of the memory."""


class BodyMemory:
    """Shares of `size` bytes, given in the order in which they were asked for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, wanted: int) -> int:
        """Wait for a share, and return its size, which is to be given back; one that is too large becomes all."""
        wanted = min(wanted, self._size)
        if self._waiting or wanted > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((wanted, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.cancelled():
                    with contextlib.suppress(ValueError):  # passed over already
                        self._waiting.remove((wanted, turn))
                    self._call_next()
                else:
                    self.give_back(wanted)
                raise
        else:
            self._free -= wanted
        return wanted

    def give_back(self, share: int) -> None:
        """Let go of a share."""
        self._free += share
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self._free -= wanted
            turn.set_result(None)
