"""One run: a store, a proxy before it, a gateway, a client; then recovery, and the audit.

Everything here is started by us, in a folder of its own, and ended whatever happens.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from tests.faults.ledger import Audit, Book, audit, merges_under_way, read_book
from tests.faults.proxy import StoreProxy
from tests.faults.stores import Store
from tests.integration.process import Gateway, alive, children, eventually

RULES = Path(__file__).with_name("rules")
ROOT = Path(__file__).parents[2]
RECOVERED_WITHIN_S = 60
METRICS_S = 1.3
"""The parent asks its workers for their counts every second."""
PHASE_WITHIN_S = 240
WAITING = ("tuttu_spool_bytes",)
"""Gauges that are 0 once all that was spooled has reached the store."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is sent: requests, at which rate (1/s), by how many visitors, with how many workers.

    The fault begins after `before` of the requests and holds for `hold_s`.
    """

    hits: int
    rate: float
    visitors: int = 200
    workers: int = 1
    before: float = 0.25
    hold_s: float = 1.5


@dataclass(slots=True)
class Result:
    """What a run came to."""

    name: str
    grade: str
    book: Book
    audit: Audit
    outcomes: dict[str, int]
    received: int
    never_accepted: int
    recovery_s: float
    fault_at: float = 0.0
    lag_since: float = 0.0
    notes: list[str] = field(default_factory=list)


class Client:
    """The client's process."""

    def __init__(self, folder: Path, gateway: Gateway, size: Size, seed: int) -> None:
        self.book = folder / "book.jsonl"
        self._size = size
        url = urlsplit(gateway.public)
        settings = {
            "host": url.hostname,
            "port": url.port,
            "secret_key": gateway.secret_key(),
            "seed": seed,
            "visitors": size.visitors,
            "connections": 128,
            "hits": size.hits,
            "rate": size.rate,
            "book": str(self.book),
        }
        command = [sys.executable, "-m", "tests.faults.client", json.dumps(settings)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_for(self, word: str, within: float = PHASE_WITHIN_S) -> str:
        """Return what follows the word on the next line that the client says."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], within)
        assert ready, f'the client did not say "{word}" within {within:g} s'
        line = self.process.stdout.readline().split()
        assert line[:1] == [word], f'the client said {line} instead of "{word}"'
        return " ".join(line[1:])

    def go_on(self) -> None:
        """Let it begin its next phase."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """End it if it has not ended, and close its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


class Rig:
    """Store, proxy and gateway of one run. `store` is the one that is audited at the end."""

    def __init__(self, stack: ExitStack, folder: Path, size: Size) -> None:
        self.stack = stack
        self.folder = folder
        self.size = size
        self.notes: list[str] = []
        self.fault_at = 0.0
        """When (monotonic, s) what may lose answered hits happened last."""
        self.lag_since = 0.0
        """Since when a replica got nothing any more."""
        self.store = self.new_store("store")
        self.proxy = stack.enter_context(StoreProxy(self.store.address))
        self.gateway: Gateway | None = None
        self.replica: Store | None = None
        self.replica_line: StoreProxy | None = None
        self.frozen = 0
        self.embedded = False
        self.clock_file = folder / "clock"

    def new_store(self, name: str, **options: str) -> Store:
        """Start one more store, which ends with the run."""
        return self.stack.enter_context(Store(self.folder / name, **options))

    def use(self, store: Store) -> None:
        """Let the address lead to another store, which is the audited one from now on."""
        self.store = store
        self.proxy.retarget(store.address)

    @property
    def running(self) -> Gateway:
        """The gateway."""
        assert self.gateway
        return self.gateway

    def workers(self) -> list[int]:
        """Return the workers' process ids."""
        return self.running.worker_pids() if self.embedded else children(self.running.pid)

    def audited(self) -> redis.Redis:
        """Return a client of the store that is audited, past any proxy."""
        return self.running.store() if self.embedded else self.store.client()

    def kill_gateway(self) -> None:
        """kill -9 of the parent, and of its workers at the same moment: the whole container is gone."""
        family = self.workers()
        self.running.kill()
        for pid in family:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(alive(pid) for pid in family), within=5)

    def wait_recovered(self) -> float:
        """Wait until the gateway is ready and nothing waits in its spool; return how long that took (s)."""
        return eventually(self._has_recovered, RECOVERED_WITHIN_S)

    def _has_recovered(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.running.internal}/ready", timeout=5) as answer:
                ready = bool(json.load(answer)["ready"])
            samples = self.running.metrics()
        except (OSError, ValueError, urllib.error.HTTPError):
            return False
        return ready and not any(value for key, value in samples.items() if key[0] in WAITING)


Act = Callable[[Rig], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run is set up: the gateway's environment, what is done before its start.

    `clock` names the library that steps the gateway's clock; `small_disk` gives its spool a tmpfs of a few MB;
    `embedded` lets the gateway keep its own store, without a proxy.
    """

    env: dict[str, str] = field(default_factory=dict)
    prepare: Act = lambda _rig: None
    clock: Callable[[], str] | None = None
    small_disk: bool = False
    embedded: bool = False


SMALL_DISK_MB = 4
_ON_SMALL_DISK = 'mkdir -p "$0" && mount -t tmpfs -o size={}m tmpfs "$0" && exec "$@"'


def _gateway(rig: Rig, setting: Setting) -> Gateway:
    env = dict(setting.env)
    if setting.clock:
        env |= {
            "LD_PRELOAD": setting.clock(),
            "FAKETIME_TIMESTAMP_FILE": str(rig.clock_file),
            "FAKETIME_CACHE_DURATION": "1",  # without a cache every look at the clock would read the file
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    data = rig.folder / "data"
    small = ["unshare", "-m", "sh", "-c", _ON_SMALL_DISK.format(SMALL_DISK_MB), str(data / "spool")]
    options = ["--rules", str(RULES), "--workers", str(rig.size.workers)]
    options += [] if setting.embedded else ["--redis", rig.proxy.url]
    return Gateway(data, *options, env=env, before=small if setting.small_disk else ())


def run(name: str, grade: str, setting: Setting, act: Act, folder: Path, size: Size, seed: int) -> Result:
    """Send the hits of a run while `act` does its worst and mends it again; return what came of it."""
    with ExitStack() as stack:
        rig = Rig(stack, folder, size)
        rig.embedded = setting.embedded
        setting.prepare(rig)
        rig.gateway = stack.enter_context(_gateway(rig, setting))
        client = Client(folder, rig.gateway, size, seed)
        stack.callback(client.end)
        client.wait_for("warm")
        client.go_on()
        time.sleep(size.before * size.hits / size.rate)
        act(rig)
        client.wait_for("sent")
        recovery = rig.wait_recovered()
        client.go_on()
        never = int(client.wait_for("done"))
        # What the last retries brought must be counted by now, and what came back with the store be spooled.
        time.sleep(METRICS_S)
        rig.wait_recovered()
        with rig.audited() as store:
            eventually(lambda: not merges_under_way(store), RECOVERED_WITHIN_S)
            book = read_book(client.book)
            found = audit(store, book)
        received, outcomes = _outcomes(rig.running)
    return Result(name, grade, book, found, outcomes, received, never, recovery, rig.fault_at, rig.lag_since, rig.notes)


def _outcomes(gateway: Gateway) -> tuple[int, dict[str, int]]:
    """Return how many events were received, and how many ended in each outcome, over all workers."""
    samples = gateway.metrics()
    found: dict[str, int] = {}
    for key, value in samples.items():
        if key[0] == "tuttu_events_total":
            found["/".join(part for part in key[1:] if part)] = int(value)
    return int(samples.get(("tuttu_events_received_total",), 0)), found


@contextmanager
def busy_disk(folder: Path, megabytes: int = 64) -> Iterator[None]:
    """Keep the disk busy from another process: it writes and fsyncs one bounded file over and over."""
    path = folder / "busy"
    program = (
        "import os,sys\n"
        f"f = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT)\n"
        "while os.getppid() == int(sys.argv[1]):\n"
        f"    for _ in range({megabytes}):\n"
        "        os.write(f, os.urandom(4096) * 256)\n"
        "        os.fsync(f)\n"
        "    os.lseek(f, 0, 0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(os.getpid())])
    try:
        yield
    finally:
        process.kill()
        process.wait(10)
        path.unlink(missing_ok=True)


def summary(result: Result) -> dict[str, Any]:
    """Return a result as plain values, for a table or a message."""
    book, found = result.book, result.audit
    return {
        "fault": result.name,
        "grade": result.grade,
        "sent": len(book.sent),
        "accepted": len(book.accepted),
        "lost": len(found.lost),
        "doubled": len(found.doubled),
        "effects": f"-{found.effects_lost} +{found.effects_doubled}",
        "gap_s": round(book.longest_gap_s, 2),
        "decisions": f"{book.decisions_answered}/{book.decisions}",
        "in_time": f"{100 * book.decisions_in_time / max(1, book.decisions_answered):.1f} %",
        "recovery_s": round(result.recovery_s, 1),
        "balanced": result.received == sum(result.outcomes.values()),
    }
