"""Replacing a file in one step, durably: a reader finds the old content or the new, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

_PRIVATE = 0o600


def replace_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Make this the file's content, at once and durably; raises OSError.

    A private file is for its owner alone, who stays the one it had: root may change what a service reads.
    """
    new = path.with_name(f"{path.name}.new")
    if private:
        new.unlink(missing_ok=True)  # its mode and owner may be others than ours
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE if private else 0o666), "wb") as file:
        if private and path.exists():
            _keep_owner(file.fileno(), path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _keep_owner(new: int, path: Path) -> None:
    before, now = path.stat(), os.fstat(new)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        os.chown(new, before.st_uid, before.st_gid)
