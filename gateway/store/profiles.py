"""Profiles on the hot path: one script call each, packed by hand.

A command is `*<count>` and then `$<size>` and the bytes of each argument, every one ended by CR LF. One f-string makes
all that stands before the document; hiredis's general packer takes about twice as long for a write.
"""

from __future__ import annotations

from gateway.ports import Committed, Stored, VisitorKey, Write
from gateway.store import keys
from gateway.store.connection import StoreConnection
from gateway.store.scripts import COMMIT, READ

_NOTHING_TRIMMED = Committed(0)
_PROFILE_PREFIXES = [keys.profile_prefix(partition) for partition in range(keys.PARTITIONS)]
_MARKS_PREFIXES = [keys.marks_prefix(partition) for partition in range(keys.PARTITIONS)]

_READ = f"*6\r\n$7\r\nEVALSHA\r\n$40\r\n{READ.sha}\r\n$1\r\n2\r\n"
_COMMIT = f"\r\n$7\r\nEVALSHA\r\n$40\r\n{COMMIT.sha}\r\n$1\r\n3\r\n"
_COMMIT_AND_NOTE = f"\r\n$7\r\nEVALSHA\r\n$40\r\n{COMMIT.sha}\r\n$1\r\n4\r\n"
_COMMIT_WORDS = 3 + 3 + 6
"""EVALSHA, hash and key count; three keys; six arguments. The log entries come on top."""


def _bulk(text: str) -> str:
    return f"${len(text.encode())}\r\n{text}\r\n"


_LOG_KEYS = [_bulk(keys.log_key(partition)) for partition in range(keys.PARTITIONS)]


class RedisProfiles:
    """A ProfileStore over one connection; `log_cap` is how many entries a partition's log may hold."""

    def __init__(self, connection: StoreConnection, *, log_cap: int) -> None:
        self._send = connection.send
        self._write = connection.write
        self._probe = connection.probe
        self._limits = f"\r\n{_bulk(str(keys.MARKS_LIFETIME_S))}{_bulk(str(log_cap))}".encode()

    async def read(self, visitor: VisitorKey, revision: str) -> Stored | None:
        """Return what is stored, or None when its revision equals `revision` ("" equals "no document")."""
        name = keys.visitor_name(visitor)
        encoded = name.encode()
        partition = keys.partition_of(encoded)
        prefix = _PROFILE_PREFIXES[partition]
        size = len(prefix) + len(encoded)
        known = _bulk(f'{{"r":"{revision}"') if revision else "$0\r\n\r\n"
        reply = await self._send(
            f"{_READ}${size}\r\n{prefix}{name}\r\n${size}\r\n{_MARKS_PREFIXES[partition]}{name}\r\n{known}".encode()
        )
        return None if reply is None else Stored(reply[0], reply[1] or b"")

    async def commit(self, write: Write) -> Committed | Stored:
        """Apply the write if `write.expected` is the stored revision; else change nothing and return what is stored."""
        reply = await self._write(_packed(write, self._limits))
        if reply == 0:
            return _NOTHING_TRIMMED
        return Committed(reply) if isinstance(reply, int) else Stored(reply[0], reply[1] or b"")

    async def probe(self) -> None:
        """Return when the store has taken a write that means nothing."""
        await self._write(self._probe)


def _packed(write: Write, limits: bytes) -> bytes:
    visitor = write.visitor
    name = keys.visitor_name(visitor)
    encoded = name.encode()
    partition = keys.partition_of(encoded)
    prefix = _PROFILE_PREFIXES[partition]
    size = len(prefix) + len(encoded)
    expected = _bulk(f'{{"r":"{write.expected}"') if write.expected else "$0\r\n\r\n"
    document = write.document
    marks = write.marks
    words = _COMMIT_WORDS + len(write.entries)
    start = _COMMIT
    notes = note = ""
    if write.erase_before or write.merging or write.merged:
        words += 3
        start = _COMMIT_AND_NOTE
        notes, note = _note(write, partition)
    head = (
        f"*{words}{start}${size}\r\n{prefix}{name}\r\n${size}\r\n{_MARKS_PREFIXES[partition]}{name}\r\n"
        f"{_LOG_KEYS[partition]}{notes}{expected}${len(document)}\r\n"
    )
    middle = f"\r\n{_bulk(str(write.lifetime_s))}${len(marks)}\r\n"
    pieces = [head.encode(), document, middle.encode(), marks, limits, note.encode()]
    for entry in write.entries:
        pieces += (b"$%d\r\n" % len(entry), entry, b"\r\n")
    return b"".join(pieces)


def _note(write: Write, partition: int) -> tuple[str, str]:
    """Return the set of notes that a write changes, and how, both packed."""
    if write.erase_before:
        note = keys.erase_note(write.visitor, write.erase_before, write.via)
        return _bulk(keys.erasing_key(partition)), _bulk("SADD") + _bulk(note)
    note = keys.merge_note(write.visitor, write.merging or write.merged)
    return _bulk(keys.merging_key(partition)), _bulk("SADD" if write.merging else "SREM") + _bulk(note)
