"""Segment files: records in the order in which they came, each with its checksum, in a folder that processes share.

A segment begins with 16 bytes that name the format, and 8 with the position up to which it has been replayed and the
CRC-32 of that: a position that is damaged counts as none, so that no record is skipped. Each record is a mark of 4
bytes, the payload's length and its CRC-32 (little-endian, 4 bytes each), and the payload, UTF-8.
The mark begins with a byte that UTF-8 never has, so a reader that met damage finds the next whole record.

Whoever writes or replays a segment holds a lock (flock) on the file; the kernel lets it go with the process. A segment
without a lock belongs to whoever locks it. It gets its name only when it is locked already. Nothing here is
asynchronous: all of it blocks on the disk and raises OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from gateway.durable import sync_folder

FOLDER = "spool"
SUFFIX = ".spool"
ASIDE = ".aside"
"""The suffix of segments that hold what could not be replayed."""

_NEW, _REWRITTEN = ".new", ".rewritten"
_WHILE_MS = 60_000
_MAGIC = b"tuttu spool 1\n\0\0"
_START = len(_MAGIC) + 8
_MARK = b"\xf5\x01TS"
_HEAD = struct.Struct("<4sII")


class Record(NamedTuple):
    """One record, and where the next one begins."""

    payload: bytes
    end: int


class Damage(NamedTuple):
    """Bytes that hold no whole record; `torn` when none follows, as after a crash in the middle of a write."""

    size: int
    end: int
    torn: bool


def segment_name(now: int, suffix: str = SUFFIX) -> str:
    """Return a name that sorts by time (`now`, ms since 1970) and that nobody else gives."""
    return f"{now:013d}-{secrets.token_hex(4)}{suffix}"


def made_at(path: Path) -> int:
    """Return when a segment was begun (ms), by its name; 0 for a file that is none."""
    text = path.name.partition("-")[0]
    return int(text) if text.isdigit() else 0


def listed(folder: Path, suffix: str = SUFFIX) -> list[Path]:
    """Return the segments of a folder, oldest first; none if there is no folder."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path for path in folder.iterdir() if path.name.endswith(suffix))
    return []


def size_of(folder: Path) -> int:
    """Return how many bytes a folder's files take."""
    total = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # replayed just now
                total += path.stat().st_size
    return total


def measured(folder: Path, now: int) -> dict[str, float]:
    """Return the gauges of a spool: what waits, for how long, and what was set aside."""
    sizes: dict[str, float] = {"spool_bytes": 0, "spool_aside_bytes": 0}
    paths = listed(folder)
    for name, some in (("spool_bytes", paths), ("spool_aside_bytes", listed(folder, ASIDE))):
        for path in some:
            with contextlib.suppress(FileNotFoundError):
                sizes[name] += path.stat().st_size
    return {**sizes, "spool_oldest_seconds": max(0.0, (now - made_at(paths[0])) / 1000) if paths else 0.0}


def packed(payload: bytes) -> bytes:
    """Return a record as it stands in a segment."""
    return _HEAD.pack(_MARK, len(payload), zlib.crc32(payload)) + payload


class Writer:
    """A segment that this process writes, and has locked."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / name
        self.size = _START
        self.records = 0
        new = folder / (name + _NEW)
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            about = folder.stat()
            if os.geteuid() == 0 and about.st_uid:  # what root writes here must not be shut to the gateway's own user
                os.fchown(self._file, about.st_uid, about.st_gid)
            _write_all(self._file, _MAGIC + _position(_START))
            os.fsync(self._file)
            new.rename(self.path)
            sync_folder(folder)
        except BaseException:
            os.close(self._file)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write records to the end; they are on disk when this returns. When it raises, none of them counts."""
        text = b"".join(map(packed, payloads))
        try:
            _write_all(self._file, text)
            os.fdatasync(self._file)
        except BaseException:
            # What was written of them must not stand in front of later records.
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(text)
        self.records += len(payloads)

    def close(self) -> None:
        """Let go of the segment; one without a record goes."""
        if not self.records:
            self.path.unlink(missing_ok=True)
        os.close(self._file)


class Content:
    """What a segment held when it was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._data)

    @property
    def readable(self) -> bool:
        """Whether it is in a format that this version knows."""
        return self._data.startswith(_MAGIC)

    def holds(self, texts: Sequence[bytes]) -> bool:
        """Tell whether one of the texts is in it."""
        return any(text in self._data for text in texts)

    @property
    def position(self) -> int:
        """Up to where it was replayed before."""
        found = _position_in(self._data[len(_MAGIC) : _START])
        return found if found <= len(self._data) else _START

    def records(self) -> Iterator[Record | Damage]:
        """Yield what it holds from its position on."""
        return _records(self._data, self.position)

    def replayed(self) -> int:
        """Return how many records stand before its position."""
        return sum(isinstance(one, Record) for one in _records(self._data[: self.position], _START))


class Claim(Content):
    """A segment that this process has locked to read it; see `claimed`."""

    def __init__(self, path: Path, file: int) -> None:
        super().__init__(os.pread(file, os.fstat(file).st_size, 0))
        self.path = path
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def note(self, position: int) -> None:
        """Remember up to where it was replayed; the end of this process does not lose that, a power cut may."""
        os.pwrite(self._file, _position(position), len(_MAGIC))

    def rewrite(self, change: Callable[[bytes], bytes | None]) -> int:
        """Replace records by what `change` makes of them (None: nothing); return how many were changed.

        What it gives back as it was stays; damage goes when anything changes.
        """
        before = [one.payload for one in self.records() if isinstance(one, Record)]
        after = [change(payload) for payload in before]
        changed = sum(new is not old for old, new in zip(before, after, strict=True))
        if not changed:
            return 0
        kept = [payload for payload in after if payload is not None]
        if kept:
            # A crash may have left one, which must not be in the way.
            new = Writer(self.path.parent, f"{self.path.name}-{secrets.token_hex(4)}{_REWRITTEN}")
            try:
                new.append(kept)
                new.path.replace(self.path)
                sync_folder(self.path.parent)
            finally:
                new.close()
        else:
            self.remove()
        return changed

    def remove(self) -> None:
        """Delete the segment."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)


def claimed(path: Path) -> Claim | None:
    """Lock a segment and return it; None when another has it, or it is gone."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it may have replaced or deleted it between our look and our lock.
        if os.fstat(file).st_ino == path.stat().st_ino:
            return Claim(path, file)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def content_of(path: Path) -> Content | None:
    """Read a segment without a lock: it may grow or go meanwhile. None when it is gone."""
    try:
        return Content(path.read_bytes())
    except FileNotFoundError:
        return None


def left_in(path: Path) -> int:
    """Return how many bytes of a segment wait, without a lock; 0 when it is gone, or not of this version."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        head = file.read(_START)
        size = os.fstat(file.fileno()).st_size
        if head.startswith(_MAGIC):
            return max(0, size - min(_position_in(head[len(_MAGIC) :]), size))
    return 0


def waiting(path: Path, texts: Sequence[bytes] = ()) -> Iterator[Record | Damage]:
    """Yield what a segment holds from its position on, without a lock: it may grow or go meanwhile.

    Nothing, if none of the `texts` is in it.
    """
    content = content_of(path)
    if content is not None and content.readable and (not texts or content.holds(texts)):
        yield from content.records()


def is_locked(path: Path) -> bool:
    """Tell whether a process writes or replays a segment just now; whoever asks for it meanwhile tries again later."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def swept(folder: Path, now: int) -> None:
    """Delete what writers left behind that ended before their segment had its name, a while before `now` (ms)."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for path in folder.iterdir():
            # A writer that has just made its file has not locked it yet.
            if path.suffix in (_NEW, _REWRITTEN) and 1000 * path.stat().st_mtime < now - _WHILE_MS:
                claim = claimed(path)
                if claim is not None:
                    with claim:
                        claim.remove()


def _position(at: int) -> bytes:
    text = struct.pack("<I", at)
    return text + struct.pack("<I", zlib.crc32(text))


def _position_in(head: bytes) -> int:
    at = int.from_bytes(head[:4], "little")
    return at if at >= _START and head == _position(at) else _START


def _records(data: bytes, at: int) -> Iterator[Record | Damage]:
    while at < len(data):
        found = _record_at(data, at)
        if found is not None:
            yield found
            at = found.end
            continue
        after = data.find(_MARK, at + 1)
        while after >= 0 and _record_at(data, after) is None:
            after = data.find(_MARK, after + 1)
        end = after if after >= 0 else len(data)
        yield Damage(end - at, end, torn=after < 0)
        at = end


def _record_at(data: bytes, at: int) -> Record | None:
    begin = at + _HEAD.size
    if begin > len(data):
        return None
    mark, size, checksum = _HEAD.unpack_from(data, at)
    if mark != _MARK or begin + size > len(data):
        return None
    payload = data[begin : begin + size]
    return Record(payload, begin + size) if zlib.crc32(payload) == checksum else None


def _write_all(file: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(file, rest) :]
