"""The backup's file: gzip over JSON lines, the first says what it is, the last holds the checksum of all before it.

    {"tuttu":"backup","format":1,"made":<ms>}
    {"v":"<site>:<kind>:<id>","d":<document>,"x":<expires, ms>,"m":<marks>,"mx":<expires, ms>}     a visitor
    {"l":<partition>,"e":[["<stream id>",<entry>],…]}                                              a piece of a log
    {"n":<partition>,"notes":["…"]}                                                                erasures under way
    {"k":"<key>","d":<value>,"x":<expires, ms>}                                                    any other key
    {"end":<number of lines before this one>,"sha256":"…"}

Bytes are texts where they are UTF-8, else `{"b64":"…"}`. Expiries are absolute, 0 for none, so that time passes for a
backup too.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from gateway.durable import sync_folder
from gateway.errors import GatewayError

FORMAT = 1
_LEVEL = 5


class BackupFailed(GatewayError):
    """A backup could not be made, read or restored; the message says why and the hint what to do."""

    code = "backup"


class Writer:
    """A context manager that writes a backup beside `path` and puts it there when all of it is on disk."""

    def __init__(self, path: Path, made: int) -> None:
        self._path = path
        self._aside = path.with_name(f".{path.name}.part")
        self._sum = hashlib.sha256()
        self._lines = 0
        self.bytes = 0
        try:
            self._file = os.fdopen(os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError as err:
            raise BackupFailed(f"{path} cannot be written: {err.strerror}", hint="name another file") from err
        self._zip = gzip.GzipFile("", "wb", _LEVEL, self._file, mtime=0)
        self.add({"tuttu": "backup", "format": FORMAT, "made": made})

    def add(self, record: dict[str, Any]) -> None:
        """Write one record; raises OSError on a full disk."""
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self._sum.update(line)
        self._lines += 1
        self._zip.write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._zip.write(orjson.dumps({"end": self._lines, "sha256": self._sum.hexdigest()}) + b"\n")
                self._zip.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self.bytes = os.fstat(self._file.fileno()).st_size
                self._aside.replace(self._path)
                sync_folder(self._path.parent)
        finally:
            self._file.close()
            self._aside.unlink(missing_ok=True)


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a backup's records, the first one is its header; raises BackupFailed, at its end at the latest."""
    total = hashlib.sha256()
    number = 0
    try:
        with gzip.open(path) as lines:
            for line in lines:
                record = orjson.loads(line)
                if number == 0:
                    _check_header(path, record)
                if "end" in record:
                    if record["end"] != number or record["sha256"] != total.hexdigest() or lines.read(1):
                        raise BackupFailed(f"{path} is damaged: its checksum is wrong", hint="take another backup")
                    return
                total.update(line)
                number += 1
                yield record
    except (gzip.BadGzipFile, zlib.error, orjson.JSONDecodeError, KeyError, TypeError) as err:
        what = "is damaged" if number else "is no backup of tuttu"
        raise BackupFailed(f"{path} {what}: {err}", hint="take another backup") from err
    except EOFError as err:
        raise BackupFailed(f"{path} is cut off after {number} records", hint="take another backup") from err
    except OSError as err:
        raise BackupFailed(f"{path} cannot be read: {err.strerror or err}", hint="name the file of a backup") from err
    raise BackupFailed(f"{path} is cut off after {number} records", hint="take another backup")


def text_of(value: bytes) -> Any:
    """Return bytes as a record holds them."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": b64encode(value).decode()}


def bytes_of(value: Any) -> bytes:
    """Return the bytes that a record holds."""
    return value.encode() if isinstance(value, str) else b64decode(value["b64"])


def _check_header(path: Path, record: Any) -> None:
    if not isinstance(record, dict) or record.get("tuttu") != "backup":
        raise BackupFailed(f"{path} is no backup of tuttu", hint="`tuttu backup FILE` makes one")
    if record.get("format") != FORMAT:
        raise BackupFailed(
            f"{path} has the format {record.get('format')}, and this release reads {FORMAT}",
            hint="restore it with the release that made it, or a later one",
        )
