"""The ledger of erasures: `erasures.jsonl` in the data folder, one line for each erasure whose log entries went.

    {"key": "demo:a:GzqAhbi4SHX7d8cnAmRw", "before": 1795300000000, "at": 1795300001234}
    {"key": "demo:k:…", "via": "a:…", "before": …, "at": …}        only what came through one browser

It outlives the store: a restored backup must not bring back what was erased after it was made. Lines are appended and
flushed to disk before the store forgets the note of the erasure. Lines that are older than any tombstone go.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.durable import sync_folder
from gateway.ports import Erasure
from gateway.store.keys import TOMBSTONE_LIFETIME_S, named_visitor, visitor_name

FILE = "erasures.jsonl"


class Line(NamedTuple):
    """One erasure, and when it was written down (ms)."""

    erasure: Erasure
    at: int


class Ledger:
    """The ledger in one data folder; several processes may write. Methods block on the disk and raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / FILE

    def append(self, erasures: Iterable[Erasure], now: int) -> None:
        """Write erasures down; they are on disk when this returns."""
        text = b"".join(_written(Line(erasure, now)) for erasure in erasures)
        if not text:
            return
        with self._locked():
            is_new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    text = b"\n" + text  # a power cut left half a line
                if os.write(handle, text) != len(text):
                    raise OSError(f"{self.path} could not be written to its end")
                os.fsync(handle)
            finally:
                os.close(handle)
            if is_new:
                sync_folder(self._folder)

    def read(self) -> list[Line]:
        """Return the lines, oldest first; a line that cannot be read is left out."""
        return read_ledger(self.path) if self.path.exists() else []

    def compact(self, now: int) -> int:
        """Drop lines that no tombstone lives as long as, or that a later one covers; return how many went.

        The file is rewritten only when that halves it, so the work is bounded by what was appended.
        """
        with self._locked():
            lines = self.read()
            latest: dict[tuple[str, str], Line] = {}
            for line in lines:
                if line.at + 1000 * TOMBSTONE_LIFETIME_S > now:
                    name = visitor_name(line.erasure.visitor), line.erasure.via
                    if name not in latest or latest[name].erasure.before <= line.erasure.before:
                        latest[name] = line
            if 2 * len(latest) > len(lines) or not lines:
                return 0
            aside = self.path.with_suffix(".new")
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(map(_written, sorted(latest.values(), key=lambda line: line.at)))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
            sync_folder(self._folder)
        return len(lines) - len(latest)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def read_ledger(path: Path) -> list[Line]:
    """Return the lines of a ledger's file, wherever it lies; raises OSError."""
    found = []
    for text in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):
            line = orjson.loads(text)
            found.append(
                Line(Erasure(named_visitor(line["key"]), int(line["before"]), line.get("via", "")), line["at"])
            )
    return found


def _written(line: Line) -> bytes:
    visitor, before, via = line.erasure
    table = {"key": visitor_name(visitor), **({"via": via} if via else {}), "before": before, "at": line.at}
    return orjson.dumps(table, option=orjson.OPT_APPEND_NEWLINE)
