"""The one in-memory store for tests: a ProfileStore and a LogEraser that pass the same contract as the real ones.

It has no lifetimes: documents stay until a test takes them away. `lifetimes` holds what each write asked for.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field

import orjson

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Stored, VisitorKey, Write
from gateway.store import keys


@dataclass
class _Contents:
    documents: dict[VisitorKey, bytes] = field(default_factory=dict)
    lifetimes: dict[VisitorKey, int] = field(default_factory=dict)
    marks: dict[VisitorKey, bytes] = field(default_factory=dict)
    logs: dict[int, list[bytes]] = field(default_factory=dict)
    erasing: set[tuple[VisitorKey, int]] = field(default_factory=set)


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

    def entries(self) -> list[bytes]:
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
            contents.erasing.add((write.visitor, write.erase_before))
        elif write.marks:
            contents.marks[write.visitor] = write.marks
        log = contents.logs.setdefault(_partition(write.visitor), [])
        log += write.entries
        surplus = max(0, len(log) - self._log_cap)
        del log[:surplus]
        return Committed(surplus)

    async def pending(self) -> list[tuple[VisitorKey, int]]:
        """Return the visitors whose entries up to an event time (ms) still have to go."""
        await self._answer()
        return list(self._contents.erasing)

    async def erase(self, visitor: VisitorKey, before: int) -> int:
        """Delete the visitor's entries with event time at or before `before`, settle the note, return how many went."""
        await self._answer()
        log = self._contents.logs.get(_partition(visitor), [])
        kept = [entry for entry in log if not _is_theirs(orjson.loads(entry), visitor, before)]
        erased = len(log) - len(kept)
        log[:] = kept
        self._contents.erasing.discard((visitor, before))
        return erased

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


def _is_theirs(entry: dict[str, object], visitor: VisitorKey, before: int) -> bool:
    time = entry["t"]
    assert isinstance(time, int)
    return entry["v"] == f"{visitor.kind}:{visitor.id}" and entry["s"] == visitor.site and time <= before


def _partition(visitor: VisitorKey) -> int:
    return keys.partition_of(keys.visitor_name(visitor).encode())
