"""The one in-memory store for tests: it passes the same contract as the real ones, for every port to the store.

It has no lifetimes: documents stay until a test takes them away. `lifetimes` holds what each write asked for.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Erasure, Merge, Stored, VisitorKey, Write
from gateway.store import keys


@dataclass
class _Contents:
    documents: dict[VisitorKey, bytes] = field(default_factory=dict)
    lifetimes: dict[VisitorKey, int] = field(default_factory=dict)
    marks: dict[VisitorKey, bytes] = field(default_factory=dict)
    logs: dict[int, list[bytes]] = field(default_factory=dict)
    erasing: set[Erasure] = field(default_factory=set)
    merging: set[Merge] = field(default_factory=set)
    reports: dict[str, bytes] = field(default_factory=dict)


class FakeStore:
    """A store in memory. Switches: `down` refuses every call, `latency_s` delays each, `roll_back` forgets writes."""

    def __init__(self, *, log_cap: int = 10_000) -> None:
        self.down = False
        self.latency_s = 0.0
        self.reads = 0
        self.writes: list[Write] = []
        self._log_cap = log_cap
        self._contents = _Contents()

    @property
    def documents(self) -> dict[VisitorKey, bytes]:
        """The documents as they are stored."""
        return self._contents.documents

    @property
    def marks(self) -> dict[VisitorKey, bytes]:
        """The message marks as they are stored."""
        return self._contents.marks

    @property
    def lifetimes(self) -> dict[VisitorKey, int]:
        """The lifetimes (s) that the last write of each document asked for."""
        return self._contents.lifetimes

    def log(self, visitor: VisitorKey) -> list[bytes]:
        """Return the entries of the visitor's partition, oldest first."""
        return list(self._contents.logs.get(_partition(visitor), ()))

    def logged(self) -> list[bytes]:
        """Return every entry of the log."""
        return [entry for log in self._contents.logs.values() for entry in log]

    def snapshot(self) -> object:
        """Return what is stored now, for `roll_back`."""
        return copy.deepcopy(self._contents)

    def roll_back(self, snapshot: object) -> None:
        """Forget every write since `snapshot`, as a store does that comes back from an older copy."""
        assert isinstance(snapshot, _Contents)
        self._contents = copy.deepcopy(snapshot)

    async def read(self, visitor: VisitorKey, revision: str) -> Stored | None:
        """Return what is stored, or None when its revision equals `revision`."""
        await self._answer()
        self.reads += 1
        return None if self._holds(visitor, revision) else self._stored(visitor)

    async def probe(self) -> None:
        """Return when the store takes writes."""
        await self._answer()

    async def commit(self, write: Write) -> Committed | Stored:
        """Apply the write if `write.expected` is the stored revision; else return what is stored."""
        await self._answer()
        if not self._holds(write.visitor, write.expected):
            return self._stored(write.visitor)
        self.writes.append(write)
        contents = self._contents
        contents.documents[write.visitor] = write.document
        contents.lifetimes[write.visitor] = write.lifetime_s
        contents.marks.pop(write.visitor, None)
        if write.erase_before:
            contents.erasing.add(Erasure(write.visitor, write.erase_before, write.via))
        if write.merging:
            contents.merging.add(Merge(write.visitor, write.merging))
        contents.merging.discard(Merge(write.visitor, write.merged))
        if write.marks:
            contents.marks[write.visitor] = write.marks
        log = contents.logs.setdefault(_partition(write.visitor), [])
        log += write.entries
        surplus = max(0, len(log) - self._log_cap)
        del log[:surplus]
        return Committed(surplus)

    async def pending(self) -> list[Erasure]:
        """Return the notes of what still has to go."""
        await self._answer()
        return list(self._contents.erasing)

    async def erase(self, erasure: Erasure) -> int:
        """Delete the entries, settle the note, and return how many went."""
        await self._answer()
        log = self._contents.logs.get(_partition(erasure.visitor), [])
        kept = [entry for entry in log if not _is_theirs(orjson.loads(entry), erasure)]
        erased = len(log) - len(kept)
        log[:] = kept
        self._contents.erasing.discard(erasure)
        return erased

    async def note(self, erasure: Erasure) -> None:
        """Leave a note, as a write with `erase_before` does."""
        await self._answer()
        self._contents.erasing.add(erasure)

    async def forget(self, contacts: Sequence[Erasure]) -> list[tuple[VisitorKey, Erasure]]:
        """Take erased contacts out of the entries of browsers; return each browser found, and for whom."""
        await self._answer()
        browsers: dict[tuple[VisitorKey, Erasure], None] = {}
        for log in self._contents.logs.values():
            for at, entry in enumerate(log):
                fields = orjson.loads(entry)
                for erasure in contacts:
                    (site, _, contact), before, _ = erasure
                    if (fields["s"], fields.get("p")) == (site, f"k:{contact}") and fields["t"] <= before:
                        del fields["p"]
                        log[at] = orjson.dumps(fields)
                        browsers[keys.named_visitor(f"{site}:{fields['v']}"), erasure] = None
        return list(browsers)

    async def merging(self) -> list[Merge]:
        """Return the notes of the merges that were begun."""
        await self._answer()
        return sorted(self._contents.merging)

    async def settle(self, merge: Merge) -> None:
        """Take a note away, as a write with `merged` does."""
        await self._answer()
        self._contents.merging.discard(merge)

    async def entries(self, visitor: VisitorKey, via: str, most: int) -> list[bytes]:
        """Return a visitor's entries, oldest first, at most so many; with `via` only those through this browser."""
        await self._answer()
        whole = Erasure(visitor, 1 << 62, via)
        return [entry for entry in self.log(visitor) if _is_theirs(orjson.loads(entry), whole)][:most]

    async def waiting(self, erasures: Sequence[Erasure]) -> int:
        """Return how many of these notes are not settled yet."""
        await self._answer()
        return sum(erasure in self._contents.erasing for erasure in erasures)

    async def put(self, name: str, report: bytes) -> None:
        """Keep a report."""
        await self._answer()
        self._contents.reports[name] = report

    async def get(self, name: str) -> bytes | None:
        """Return the report of that name, None when there is none."""
        await self._answer()
        return self._contents.reports.get(name)

    async def _answer(self) -> None:
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.down:
            raise StoreUnavailable("the store is down: the test wants it so")

    def _holds(self, visitor: VisitorKey, revision: str) -> bool:
        document = self._contents.documents.get(visitor)
        if document is None or not revision:
            return document is None and not revision
        return document.startswith(b'{"r":"%b"' % revision.encode())

    def _stored(self, visitor: VisitorKey) -> Stored:
        return Stored(self._contents.documents.get(visitor), self._contents.marks.get(visitor, b""))


def _is_theirs(entry: dict[str, object], erasure: Erasure) -> bool:
    visitor, before, via = erasure
    time = entry["t"]
    assert isinstance(time, int)
    theirs = entry["v"] == f"{visitor.kind}:{visitor.id}" and entry["s"] == visitor.site and time <= before
    return theirs and (not via or entry.get("w") == via)


def _partition(visitor: VisitorKey) -> int:
    return keys.partition_of(keys.visitor_name(visitor).encode())
