"""The ports between the gateway's pipeline and what is outside: at most three methods each.

Every implementation, the fakes in `tests/fakes` included, passes the same contract tests in `tests/contract`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class VisitorKey(NamedTuple):
    """Whose profile: site, kind (`a` cookie, `k` known person, `c` claimed) and id.

    A tuple, because it is hashed several times for each hit.
    """

    site: str
    kind: str
    id: str


@dataclass(slots=True)
class Write:
    """One atomic change of one visitor's documents.

    `expected` is the revision that the writer built on, "" for "no document". `document` starts with
    `{"r":"<its new revision>"`, so the store can compare revisions without decoding JSON. `marks` replaces the message
    marks. `entries` go to the log in order. With `erase_before` (ms) the write is an erasure: the marks are deleted,
    and the visitor is noted as one whose log entries up to that event time must go.
    """

    visitor: VisitorKey
    expected: str
    document: bytes
    lifetime_s: int
    marks: bytes
    entries: list[bytes]
    erase_before: int = 0


@dataclass(slots=True, frozen=True)
class Committed:
    """The write was applied; `trimmed` log entries were pushed out by the hard cap."""

    trimmed: int


@dataclass(slots=True, frozen=True)
class Stored:
    """What the store holds instead of what the writer expected; `document` is None when there is none."""

    document: bytes | None
    marks: bytes


class ProfileStore(Protocol):
    """The hot path's view of the store; both methods raise StoreUnavailable, after its deadline at the latest."""

    async def read(self, visitor: VisitorKey, revision: str) -> Stored | None:
        """Return what is stored, or None when its revision equals `revision` ("" equals "no document")."""

    async def commit(self, write: Write) -> Committed | Stored:
        """Apply the write if `write.expected` is stored; else change nothing and return what is stored."""


class LogEraser(Protocol):
    """Removes an erased visitor's entries from the log; runs beside the hot path."""

    async def pending(self) -> list[tuple[VisitorKey, int]]:
        """Return the visitors whose entries up to an event time (ms) still have to go."""

    async def erase(self, visitor: VisitorKey, before: int) -> int:
        """Delete the visitor's entries with event time at or before `before`, settle the note, return how many went."""
