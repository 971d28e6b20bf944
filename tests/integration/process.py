"""The real gateway as a process of its own, and what a test may ask of it from outside: metrics, log, children.

Nothing here ends a process that it did not start, or that was not started by one that it started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
import redis
from prometheus_client.parser import text_string_to_metric_families

from gateway.store import keys
from gateway.store.folder import socket_path
from personalize import documents
from personalize.profiles import Profile

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
PATIENT = {"TUTTU_DECIDE_DEADLINE_MS": "5000", "TUTTU_STORE_DEADLINE_MS": "10000"}
"""Settings for tests that a busy machine must not give decisions without a profile, or they would test that."""


class Gateway:
    """`python -m gateway serve` on free ports with its data in `data`; a context manager that stops it at the end.

    `before` is a command that becomes the gateway in the end, such as `nice`.
    """

    def __init__(
        self, data: Path, *options: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.public = self.internal = ""
        self._options = options
        self._before = before
        self._env = {**os.environ, "TUTTU_DRAIN_DELAY_S": "0", **(env or {})}
        self._errors = data.with_suffix(".stderr")
        self._process: subprocess.Popen[bytes] | None = None
        self._family: set[int] = set()

    def __enter__(self) -> Self:
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
    def pid(self) -> int:
        """The process that was started: the parent of everything else."""
        assert self._process
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What the parent returned, None while it runs."""
        assert self._process
        return self._process.returncode

    def start(self) -> None:
        """Start it, again on the ports it had, and wait for its ready line; fails with what it wrote instead."""
        port = str(urlsplit(self.public).port or 0)
        serve = [sys.executable, "-m", "gateway", "serve", "--port", port, "--data", str(self.data)]
        command = [*self._before, *serve, *self._options]
        env = self._env | ({"TUTTU_INTERNAL_PORT": str(urlsplit(self.internal).port)} if self.internal else {})
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors)
        line = self._first_line(self._process)
        words = line.split()
        assert words[:1] == ["ready"], f"not ready but {line!r}: {self.errors()}"
        assert words[2] == "internal", line
        self.public, self.internal = words[1], words[3]
        self._family |= set(children(self.pid))

    def stop(self) -> None:
        """End it as an operator would, by SIGTERM, and see to it that nothing stays behind."""
        if self._process and self._process.poll() is None:
            self._family |= set(children(self.pid))
            self._process.terminate()
        try:
            self._reap()
        finally:
            for pid in self._family:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)

    def ended(self, within: float) -> float:
        """Wait until it has ended by itself and return when (time.monotonic)."""
        assert self._process
        self._process.wait(within)
        return time.monotonic()

    def kill(self) -> None:
        """kill -9 of the parent alone."""
        self._family |= set(children(self.pid))
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def errors(self) -> str:
        """Return what it wrote to standard error so far."""
        return self._errors.read_text("utf-8")[-4000:]

    def secret_key(self, site: str = "demo") -> str:
        """Return the site's key for servers."""
        key: str = tomllib.loads((self.data / "secrets.toml").read_text("utf-8"))["site"][site]["secret_key"]
        return key

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Return every sample of /metrics by its name followed by its label values."""
        with urllib.request.urlopen(f"{self.internal}/metrics", timeout=10) as response:
            text = response.read().decode()
        families = text_string_to_metric_families(text)
        return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}

    def store(self) -> redis.Redis:
        """Return a client of the embedded store."""
        return redis.Redis(unix_socket_path=str(socket_path(self.data / "store")), socket_timeout=10)

    def store_pid(self) -> int:
        """Return the embedded store's process id, as it says itself."""
        with self.store() as store:
            return int(store.info("server")["process_id"])

    def worker_pids(self) -> list[int]:
        """Return the parent's children that are not the store."""
        store = self.store_pid()
        return [pid for pid in children(self.pid) if pid != store]

    def log(self) -> list[dict[str, Any]]:
        """Return every log entry of every partition; in order within a partition."""
        with self.store() as store, store.pipeline(transaction=False) as pipe:
            for partition in range(keys.PARTITIONS):
                pipe.xrange(keys.log_key(partition))
            return [orjson.loads(fields[b"e"]) for entries in pipe.execute() for _, fields in entries]

    def profile(self, visitor: str, site: str = "demo") -> Profile:
        """Return the stored profile of a visitor, named as in the log: `<kind>:<id>`."""
        name = f"{site}:{visitor}"
        with self.store() as store:
            document = store.get(keys.profile_prefix(keys.partition_of(name.encode())) + name)
        assert isinstance(document, bytes)
        return documents.decode(document)

    def log_length(self) -> int:
        """Return how many entries all partitions' logs hold."""
        with self.store() as store, store.pipeline(transaction=False) as pipe:
            for partition in range(keys.PARTITIONS):
                pipe.xlen(keys.log_key(partition))
            return sum(pipe.execute())

    def _reap(self) -> None:
        if self._process:
            assert self._process.stdout
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise
            finally:
                self._process.stdout.close()

    def _first_line(self, process: subprocess.Popen[bytes]) -> str:
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
        return process.stdout.readline().decode().strip() if ready else "silence"


def children(parent: int) -> list[int]:
    """Return the ids of a process's direct children."""
    return [pid for pid, (ppid, _) in _processes().items() if ppid == parent]


def alive(pid: int) -> bool:
    """Tell whether a process is there and not just waiting to be reaped."""
    return _processes().get(pid, (0, "Z"))[1] not in "ZX"


def eventually(condition: Callable[[], bool], within: float) -> float:
    """Wait until the condition holds and return how many seconds that took; fails after `within` seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < within, f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - start


def _processes() -> dict[int, tuple[int, str]]:
    """Return parent and state of every process, see proc_pid_stat(5)."""
    found: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:  # it ended meanwhile
            continue
        state, ppid = text.rpartition(")")[2].split()[:2]
        found[int(path.parent.name)] = int(ppid), state
    return found
