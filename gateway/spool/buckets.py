"""The visitors' token buckets while the store is away: what is replayed later is not held to any."""

from __future__ import annotations

from gateway.held import BUCKET_EVENTS, BUCKET_REFILL_PER_S
from gateway.ports import VisitorKey

MOST = 20_000
"""Visitors that are remembered; the one that was away for longest is forgotten first, and has a full bucket again."""


class Buckets:
    """One worker's buckets."""

    def __init__(self) -> None:
        self._rooms: dict[VisitorKey, tuple[float, int]] = {}

    def take(self, visitor: VisitorKey, now: int) -> bool:
        """Take one event's room from a visitor's bucket at `now` (ms); False when it is empty."""
        room, at = self._rooms.pop(visitor, (BUCKET_EVENTS, now))
        room = min(BUCKET_EVENTS, room + max(0, now - at) * BUCKET_REFILL_PER_S / 1000)
        self._rooms[visitor] = (room - 1 if room >= 1 else room, now)
        if len(self._rooms) > MOST:
            del self._rooms[next(iter(self._rooms))]
        return room >= 1
