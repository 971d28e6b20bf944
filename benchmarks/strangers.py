"""`make bench-strangers`: what a million strangers cost, in memory and beside visitors whom the worker remembers.

Every stranger's request has a user agent, an address, a claimed id and a badly signed cookie that nobody had before, so
it misses every cache that outside input fills. Strangers and remembered visitors are measured in turns on the same
worker. The embedded store may use so much memory only: its growth with claimed profiles is meant, and measured apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from benchmarks.load import CONNECTIONS
from benchmarks.machine import Machine, pin
from benchmarks.subjects import cookie_minter, gateway_in, usage_of
from gateway.networks.data import FOLDER
from tests.gateway.networks_data import make_data
from tests.integration.process import Gateway

REGULARS = 1_000
STORE_BYTES = 400_000_000
"""Beyond that the store lets keys with a lifetime go, whichever."""
LOG_ENTRIES = 100_000
"""The log has no lifetime; a whole one would leave the store no room for the claims."""
GOAL = 1_000_000
MOST = 2.0
"""A stranger may cost so many times what a remembered visitor costs."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One measurement: requests, CPU µs a hit of gateway and store, the worker's memory (MB) after it."""

    requests: int
    gateway_us: float
    store_us: float
    memory_mb: float


def main() -> None:
    """Measure and print; the exit status is 1 when a stranger costs too much, or the run is void."""
    parser = argparse.ArgumentParser(prog="strangers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60,000 strangers only")
    parser.add_argument("--minutes", type=float, default=30, help="end after these, with as many as have come (30)")
    options = parser.parse_args()
    goal = 60_000 if options.quick else GOAL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    cores = sorted(os.sched_getaffinity(0))
    if not shutil.which("wrk") or len(cores) < 2:
        sys.exit("make bench-strangers needs two cores and wrk; apt-get install wrk (or brew install wrk)")
    pin(os.getpid(), cores[1])
    with tempfile.TemporaryDirectory(prefix="tuttu-strangers-") as name:
        folder = Path(name)
        make_data(folder / "data" / FOLDER)
        with gateway_in(folder, cores, {"TUTTU_LOG_ENTRIES": str(LOG_ENTRIES)}) as gateway:
            print(Machine.here(gateway, cores).describe(sys.argv[1:]).replace("make bench", "make bench-strangers"))
            with gateway.store() as store:
                store.config_set("maxmemory", STORE_BYTES)
                store.config_set("maxmemory-policy", "volatile-random")
            mint = cookie_minter(gateway)
            (folder / "regulars.txt").write_text("\n".join(_headers(n, mint(n)) for n in range(REGULARS)), "utf-8")
            sys.exit(0 if Bench(gateway, folder, goal, options.minutes * 60).run() else 1)


class Bench:
    """One run over a gateway."""

    def __init__(self, gateway: Gateway, folder: Path, goal: int, longest_s: float) -> None:
        self._end = time.monotonic() + longest_s
        self._gateway = gateway
        self._folder = folder
        self._goal = goal
        self._sent = 0
        (self._worker,) = gateway.worker_pids()

    def run(self) -> bool:
        """Measure in turns until all strangers have come; return whether they cost little enough."""
        self._turn("cached", 3)  # warms caches; not measured
        keys, used = self._store_size()
        cached, strangers, came = [], [], 0
        start = self._memory_mb()
        seconds = 3 if self._goal < GOAL else 20
        print(f"{'strangers':>10}{'worker MB':>11}{'µs cached':>11}{'µs stranger':>13}{'ratio':>7}{'store µs':>10}")
        while came < self._goal and time.monotonic() < self._end:
            cached.append(self._turn("cached", 2))
            strangers.append(self._turn("strangers", seconds))
            if len(strangers) == 1:
                more_keys, more = self._store_size()
                of_claim = (more - used) / max((more_keys - keys) / 2, 1)  # each has a profile and its marks
            came += strangers[-1].requests
            one, other = cached[-1], strangers[-1]
            print(
                f"{came:>10,}{other.memory_mb:>11.1f}{one.gateway_us:>11.1f}{other.gateway_us:>13.1f}"
                f"{other.gateway_us / one.gateway_us:>7.2f}{other.store_us:>10.1f}",
                flush=True,
            )
        ratio = median(s.gateway_us / c.gateway_us for s, c in zip(strangers, cached, strict=True))
        half = len(strangers) // 2
        late = sum(turn.requests for turn in strangers[half + 1 :])
        slope = (strangers[-1].memory_mb - strangers[half].memory_mb) / max(late, 1) * 100_000
        print(
            f"\nworker memory: {start:.0f} MB before, {strangers[-1].memory_mb:.0f} MB after {came:,} strangers; ",
            end="",
        )
        print(f"over the last {late:,} it grew {slope:+.2f} MB for 100,000")
        print(f"stranger/cached {ratio:.2f} in gateway CPU (at most {MOST:g} wanted)")
        print(f"the store: {of_claim:,.0f} bytes for each claimed id, profile and marks with their keys and log entry")
        return ratio <= MOST

    def _turn(self, kind: str, seconds: float) -> Turn:
        """Send requests of one kind for a time; a refusal voids the run."""
        before = usage_of(self._gateway)
        script = Path(__file__).with_name("strangers.lua")
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script)]
        arguments = [self._gateway.public, "--", kind, str(self._folder), str(self._sent)]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
        requests, _, broken, timeouts, refused, _ = map(int, result.split()[1:])
        if broken or timeouts or refused:
            sys.exit(f"VOID: {kind}: {refused} answers over 399, {broken} broken connections, {timeouts} timeouts")
        self._sent += requests + CONNECTIONS
        cost = usage_of(self._gateway).since(before, requests)
        return Turn(requests, cost.gateway_us, cost.store_us, self._memory_mb())

    def _memory_mb(self) -> float:
        """Return the worker's resident memory, see proc_pid_status(5)."""
        lines = Path(f"/proc/{self._worker}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000

    def _store_size(self) -> tuple[int, int]:
        with self._gateway.store() as store:
            return cast("int", store.dbsize()), int(store.info("memory")["used_memory"])


def _headers(n: int, cookie: str) -> str:
    return "\t".join(
        [
            f"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{n % 100 + 50}",
            f"X-Forwarded-For: 8.8.{n // 256 % 8 + 8}.{n % 256}",
            "Content-Type: text/plain",
            "Origin: http://localhost:3000",
            "Sec-Fetch-Site: same-site",
            "Accept-Language: fi-FI,fi;q=0.9",
            f"Cookie: {cookie}",
        ]
    )


if __name__ == "__main__":
    main()
