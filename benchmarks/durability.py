"""What it costs that a replica, or the disk, has a write before it is answered.

The three grades run in turn, round by round, each with servers of its own; beside the writers one reader reads as a
decision does. `python -m benchmarks.durability [--quick]`, or `make bench-durability`. Everything shares this machine:
a real replica adds its network, a real disk its own time for a flush.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks.machine import processor
from gateway.ports import Committed, VisitorKey, Write
from gateway.settings import Durability
from gateway.store.durability import connection_to
from gateway.store.keys import PROFILE_LIFETIME_S
from gateway.store.profiles import RedisProfiles
from tests.gateway.store_servers import NEWEST, Server, primary_and_replica, server

GRADES: tuple[Durability, ...] = ("store", "replica", "disk")
DOCUMENT, MARKS, ENTRY = 700, 96, 350
"""Bytes of a usual visitor, see `benchmarks/bench.py`."""
READ_EVERY_S = 0.002


@dataclass
class Figures:
    """What was measured of one grade under one number of writers; times in seconds."""

    rates: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return them as a line of the table."""
        cells = [f"{statistics.median(self.rates):>10,.0f}"]
        for times in (self.writes, self.reads):
            cuts = statistics.quantiles(times, n=100)
            cells += [f"{cuts[49] * 1000:>8.2f}", f"{cuts[98] * 1000:>8.2f}"]
        return f"{name:<18}" + "".join(cells)


async def run(profiles: RedisProfiles, writers: int, seconds: float, first: int, figures: Figures) -> int:
    """Let so many writers write for a while; return how many writes were answered."""
    end = time.perf_counter() + seconds
    done = 0

    async def go_on() -> None:
        nonlocal done
        while (begun := time.perf_counter()) < end:
            done += 1
            visitor = VisitorKey("demo", "a", f"{first + done:020}")
            document = b'{"r":"1","x":"%b"}' % (b"x" * DOCUMENT)
            entries = [b"e" * ENTRY]
            answer = await profiles.commit(Write(visitor, "", document, PROFILE_LIFETIME_S, b"m" * MARKS, entries))
            if not isinstance(answer, Committed):
                raise TypeError(f"not written: {answer}")
            figures.writes.append(time.perf_counter() - begun)

    async def read() -> None:
        while (begun := time.perf_counter()) < end:
            await profiles.read(VisitorKey("demo", "a", f"{first + 1:020}"), "1")
            figures.reads.append(time.perf_counter() - begun)
            await asyncio.sleep(READ_EVERY_S)

    begun = time.perf_counter()
    await asyncio.gather(read(), *(go_on() for _ in range(writers)))
    figures.rates.append(done / (time.perf_counter() - begun))
    return done


async def measure(servers: dict[Durability, Server], rounds: int, seconds: float) -> None:
    """Print the table."""
    found: dict[tuple[int, Durability], Figures] = {(n, grade): Figures() for n in (1, 64) for grade in GRADES}
    async with AsyncExitStack() as stack:
        profiles = {}
        for grade in GRADES:
            connection = connection_to(servers[grade].url, durability=grade)
            stack.push_async_callback(connection.close)
            await connection.start()
            profiles[grade] = RedisProfiles(connection, log_cap=10_000)
        written = 0
        for _ in range(rounds):
            for (writers, grade), figures in found.items():
                written += await run(profiles[grade], writers, seconds, written, figures)
    print(f"\n{'':<18}{'commits/s':>10}{'p50 ms':>8}{'p99 ms':>8}{'a read, p50 and p99':>24}")
    for (writers, grade), figures in found.items():
        print(figures.row(f"{grade}, {writers} writer{'s' if writers > 1 else ''}"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds of half a second")
    arguments = parser.parse_args()
    rounds, seconds = (2, 0.5) if arguments.quick else (5, 2.0)
    load = os.getloadavg()[0]
    print(f"machine  {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {load:.1f}")
    print(f"python   {platform.python_version()}; store {NEWEST}, TCP on this machine, AOF, everysec but for disk")
    print(
        f"command  make bench-durability{' ARGS=--quick' if arguments.quick else ''}; {rounds} rounds of {seconds:g} s"
    )
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        disk = Path(folder)
        with (
            server(disk / "store", appendonly="yes") as store,
            primary_and_replica(disk / "with-replica", appendonly="yes") as (primary, _),
            server(disk / "disk", appendonly="yes", appendfsync="always") as always,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(measure({"store": store, "replica": primary, "disk": always}, rounds, seconds))


if __name__ == "__main__":
    main()
