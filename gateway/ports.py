"""The ports between the gateway's pipeline and what is outside: at most three methods each.

Every implementation, the fakes in `tests/fakes` included, passes the same contract tests in `tests/contract`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class VisitorKey(NamedTuple):
    """Whose profile: site, kind (`a` cookie, `k` known person, `c` claimed) and id.

    A tuple, because it is hashed several times for each hit.
    """

    site: str
    kind: str
    id: str


class Erasure(NamedTuple):
    """The visitor's log entries with event time at or before `before` (ms) have to go.

    With `via`, a browser's `<kind>:<id>`, only those that came through this browser to the person it was linked to.
    """

    visitor: VisitorKey
    before: int
    via: str = ""


class Merge(NamedTuple):
    """A merge that was begun: whose history goes to somebody else, and the alias' moment (ms), unlike any other."""

    visitor: VisitorKey
    at: int


@dataclass(slots=True)
class Write:
    """One atomic change of one visitor's documents.

    `expected` is the revision that the writer built on, "" for "no document". `document` starts with
    `{"r":"<its new revision>"`, so the store can compare revisions without decoding JSON. `marks` replaces the message
    marks. `entries` go to the log in order. With `erase_before` (ms) the write is an erasure: the visitor is noted as
    one whose log entries up to that event time must go, with `via` only those that came through that browser. With
    `merging` (an alias' moment, ms) the write begins a merge and leaves a note of it; with `merged` it ends that merge
    and takes the note away. A write does one of the three.
    """

    visitor: VisitorKey
    expected: str
    document: bytes
    lifetime_s: int
    marks: bytes
    entries: list[bytes]
    erase_before: int = 0
    via: str = ""
    merging: int = 0
    merged: int = 0


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
    """The hot path's view of the store; every method raises StoreUnavailable, after its deadline at the latest."""

    async def read(self, visitor: VisitorKey, revision: str) -> Stored | None:
        """Return what is stored, or None when its revision equals `revision` ("" equals "no document")."""

    async def commit(self, write: Write) -> Committed | Stored:
        """Apply the write if `write.expected` is stored; else change nothing and return what is stored."""

    async def probe(self) -> None:
        """Return when the store has taken a write that means nothing."""


class LogEraser(Protocol):
    """Removes erased visitors' entries from the log; runs beside the hot path."""

    async def pending(self) -> list[Erasure]:
        """Return the notes of what still has to go."""

    async def erase(self, erasure: Erasure) -> int:
        """Delete the entries, settle the note, and return how many went."""

    async def note(self, erasure: Erasure) -> None:
        """Leave a note, as a write with `erase_before` does in its own step."""


class Recognitions(Protocol):
    """Knows whose log entries say that an e-mail's link recognized the browser; runs beside the hot path."""

    async def forget(self, contacts: Sequence[Erasure]) -> list[tuple[VisitorKey, Erasure]]:
        """Take erased contacts (kind `k`) out of the entries of browsers; return each browser found, and for whom."""


class MergeNotes(Protocol):
    """Knows the merges that were begun and perhaps not brought to their end; runs beside the hot path."""

    async def merging(self) -> list[Merge]:
        """Return the notes of the merges that were begun."""

    async def settle(self, merge: Merge) -> None:
        """Take a note away, as a write with `merged` does in its own step."""


class LogReader(Protocol):
    """Reads one visitor's part of the log; runs beside the hot path."""

    async def entries(self, visitor: VisitorKey, via: str, most: int) -> list[bytes]:
        """Return a visitor's entries, oldest first, at most so many; with `via` only those through this browser."""

    async def waiting(self, erasures: Sequence[Erasure]) -> int:
        """Return how many of these notes are not settled yet."""


class ReportStore(Protocol):
    """Keeps the reports of deletions for a while."""

    async def put(self, name: str, report: bytes) -> None:
        """Keep a report under a name that nobody can guess."""

    async def get(self, name: str) -> bytes | None:
        """Return the report of that name, None when there is none."""
