"""What a worker holds of a visitor between hits: the state that the store confirmed last, and the token bucket."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import orjson

from gateway.errors import StoreUnavailable
from gateway.ports import Stored, VisitorKey
from personalize import aliases
from personalize.aliases import Alias
from personalize.marks import Marks
from personalize.profiles import Profile

log = logging.getLogger("tuttu")

BUCKET_EVENTS = 5_000
BUCKET_REFILL_PER_S = 50


@dataclass(slots=True)
class Held:
    """A visitor's state: a profile, or the alias that stands in its place."""

    profile: Profile
    marks: Marks
    room: float = BUCKET_EVENTS
    room_at: int = 0
    alias: Alias | None = None
    size: int = 0
    """Bytes that the document and the marks take in the store; in memory they take several times that."""

    @property
    def revision(self) -> str:
        """The revision of what stands in the store."""
        return self.alias.revision if self.alias is not None else self.profile.revision

    def room_now(self, now: int) -> float:
        """Return how many events the visitor may still send at `now` (ms)."""
        # A clock that was set back must not empty the bucket for as long as it was ahead.
        return min(BUCKET_EVENTS, self.room + max(0, now - self.room_at) * BUCKET_REFILL_PER_S / 1000)


def from_store(key: VisitorKey, stored: Stored, held: Held) -> Held:
    """Return what the store holds, with the bucket that this worker kept; raises StoreUnavailable."""
    try:
        found = aliases.decode(stored.document) if stored.document is not None else Profile()
    except (orjson.JSONDecodeError, LookupError, TypeError) as err:
        log.exception("what is stored of %s cannot be read", ":".join(key))
        raise StoreUnavailable("the stored profile cannot be read") from err
    marks = Marks(stored.marks)
    size = len(stored.document or b"") + len(stored.marks)
    if isinstance(found, Alias):
        return Held(Profile(), marks, held.room, held.room_at, found, size)
    return Held(found, marks, held.room, held.room_at, size=size)
