"""The embedded store's folder: its locks, its socket and its log file.

Two locks (flock) say who is there. The server process holds `store.lock`, inherited at its start, so as long as any
server lives on the folder no second one can start: two would destroy each other's writes. One gateway holds
`owner.lock`: it starts the server and ends it; any other gateway on the folder only uses the server that it finds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

OWNER_LOCK = "owner.lock"
LONGEST_SOCKET_PATH = 103
"""Bytes of a unix socket's path; macOS' limit, Linux has four more."""

LOG_LIMIT = 1 << 20


class StoreFolder:
    """The folder of one embedded store."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._log = self.path / "server.log"
        self._socket_note = self.path / "socket"

    def make(self) -> None:
        """Create the folder, for this user's eyes only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take_lock(self, name: str) -> int | None:
        """Return a file descriptor that holds the lock until it is closed everywhere, or None if another has it."""
        lock = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def socket(self) -> Path:
        """Return where the server listens: in this folder, or where the owner has put a socket with a shorter path."""
        socket = self.path / "store.sock"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH and self._socket_note.exists():
            return Path(self._socket_note.read_text("utf-8"))
        return socket

    def make_socket_place(self) -> Path:
        """Return where a new server shall listen; only for the owner."""
        socket = self.socket()
        if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH and (socket.parent == self.path or _is_ours(socket.parent)):
            return socket
        socket = Path(tempfile.mkdtemp(prefix="tuttu-")) / "store.sock"
        self._socket_note.write_text(str(socket), "utf-8")
        return socket

    def remove_socket(self) -> None:
        """Remove what a server that has ended leaves of its socket; only for the owner."""
        socket = self.socket()
        socket.unlink(missing_ok=True)
        if socket.parent != self.path:
            with contextlib.suppress(OSError):
                socket.parent.rmdir()
        self._socket_note.unlink(missing_ok=True)

    def open_log(self) -> int:
        """Return a file descriptor that appends to the server's log."""
        return os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def keep_log_short(self) -> None:
        """Move a log that has grown long aside; the server, which appends, goes on at the start of the same file."""
        with contextlib.suppress(OSError):  # a full disk must not end the watch over the server
            if self._log.stat().st_size > LOG_LIMIT:
                shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
                os.truncate(self._log, 0)

    def last_words(self) -> str:
        """Return the last warning in the server's log, else its last line."""
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        # Both engines mark what is serious by a lone #, behind process, role and time; advice begins with WARNING.
        marked = [line.partition(" # ")[2] for line in lines[-20:]]
        warnings = [text for text in marked if text and not text.startswith("WARNING")]
        return (warnings or lines or [""])[-1].strip()


def socket_path(folder: Path) -> Path:
    """Return where the server of the embedded store in `folder` listens."""
    return StoreFolder(folder).socket()


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder outside the data is ours alone: once removed from /tmp, its name is anybody's to take."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077 == 0
