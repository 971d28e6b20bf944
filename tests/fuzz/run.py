"""`make fuzz`: requests by the hundred thousand, to the gateway in this process or over sockets to a real one.

    make fuzz ARGS="--requests 1000000 --seed 7"
    make fuzz ARGS="--sockets --requests 100000"
    make fuzz ARGS="--replay .fuzz/7-1744.json"

A request that breaks something is written to .fuzz/ and the run goes on. The exit status is 1 if there was any, or if
memory went on growing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import coverage
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.spool.tail import KEPT_S
from tests.fuzz import failures
from tests.fuzz.harness import Broken, Harness, harness
from tests.fuzz.mutations import Mutator
from tests.fuzz.sockets import Client
from tests.integration.process import Gateway

FOLDER = Path(".fuzz")
AT_ONCE = 8
CLEARED = 10_000
"""Requests after which the store in memory is read back and emptied: it has no lifetimes, and would hide what grows."""
COVERED = 10_000
"""The first so many requests run under coverage, which makes them several times slower."""
MOST_FAILURES = 20
console = Console()

GROWTH_MB = 30.0
"""What may come on top in the second half; memos of rare things, such as agents, are not full then."""


def main(measured: coverage.Coverage) -> None:
    """Run as the command line says; `measured` has been started, before any decoder was imported."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sockets", action="store_true", help="against a real gateway with two workers")
    parser.add_argument("--replay", type=Path, help="send the requests of a file again, and nothing else")
    options = parser.parse_args()
    logging.getLogger("tuttu").propagate = False  # warnings about keys and origins are what was asked for
    if options.replay:
        sys.exit(asyncio.run(_replay(options.replay)))
    if options.sockets:
        measured.stop()
        sys.exit(asyncio.run(_over_sockets(options.requests, options.seed)))
    sys.exit(asyncio.run(_in_process(options.requests, options.seed, measured)))


async def _replay(path: Path) -> int:
    broken = 0
    async with harness() as gateway:
        for why, sent in failures.read(path):
            try:
                status, body = await gateway.send(sent)
                gateway.read_all(sent)
            except Broken as err:
                broken += 1
                console.print(f"{sent.method} {sent.path}: {err.why}", markup=False)
            else:
                told = f"{sent.method} {sent.path}: {status} {body[:200]!r} (was: {why[:100]})"
                console.print(told, markup=False)
    return min(broken, 1)


async def _in_process(requests: int, seed: int, measured: coverage.Coverage) -> int:
    found: Counter[str] = Counter()
    long = requests >= 10 * CLEARED  # a shorter run has not even filled the caches
    async with harness() as gateway:
        mutator = Mutator(seed, *gateway.given_out())
        settled = math.inf
        began = time.monotonic()
        with _progress() as progress:
            task = progress.add_task("requests", total=requests)
            for first in range(0, requests, AT_ONCE):
                if first >= COVERED:
                    measured.stop()
                batch = [mutator.request(number) for number in range(first, min(first + AT_ONCE, requests))]
                try:
                    await gateway.send_all(batch)
                except Broken as err:
                    _note(found, err, f"{seed}-{first}")
                    if len(found) >= MOST_FAILURES:
                        break
                if first // CLEARED != (first + AT_ONCE) // CLEARED:
                    gateway.read_all(batch[-1])
                    gateway.empty()
                if long and first < requests // 2 <= first + AT_ONCE:
                    settled = await _kept_mb(gateway, mutator)
                progress.advance(task, len(batch))
        measured.stop()
        seconds = time.monotonic() - began
        grown = await _kept_mb(gateway, mutator) - settled if long else 0.0
        table = _table(seed, gateway.statuses, gateway.kinds, found)
        table.add_row("a second", f"{gateway.sent / seconds:,.0f}")
        table.add_row("outcomes", _told(gateway.app.outcomes()))
        table.add_row("profiles read back", f"{gateway.documents_read:,}")
        table.add_row("slowest, with those beside it", f"{gateway.slowest * 1000:.0f} ms")
        if long:
            table.add_row("kept in memory at half", f"{settled:.0f} MB")
            table.add_row("grown since", f"{grown:+.1f} MB")
        table.add_row(f"decoders covered by the first {min(COVERED, requests):,}", _covered(measured))
        console.print(table)
    return 1 if found or grown > GROWTH_MB else 0


async def _over_sockets(requests: int, seed: int) -> int:
    found: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="tuttu-fuzz-") as name,
        Gateway(Path(name) / "data", "--workers", "2", env={"TUTTU_LOG_ENTRIES": "20000"}) as gateway,
    ):
        mutator = Mutator(seed)
        before = sum(map(peak_mb, gateway.worker_pids()))
        clients = [Client(gateway.public) for _ in range(AT_ONCE)]
        began = time.monotonic()
        with _progress() as progress:
            task = progress.add_task("requests", total=requests)

            async def play(client: Client, start: int) -> None:
                for number in range(start, requests, AT_ONCE):
                    sent = mutator.request(number)
                    kinds[sent.kind] += 1
                    status = await client.send(sent)
                    if status >= 500 and len(found) < MOST_FAILURES:
                        _note(found, Broken(sent, f"answered {status}"), f"{seed}-{number}")
                    progress.advance(task)
                await client.close()

            await asyncio.gather(*(play(client, start) for start, client in enumerate(clients)))
        seconds = time.monotonic() - began
        metrics = gateway.metrics()
        outcomes = Counter[str]()
        for key, value in metrics.items():
            if key[0] == "tuttu_events_total":
                outcomes[key[1]] += int(value)
        statuses = sum((client.statuses for client in clients), Counter())
        table = _table(seed, statuses, kinds, found)
        table.add_row("a second", f"{requests / seconds:,.0f}")
        table.add_row("outcomes", _told(outcomes))
        received = int(metrics["tuttu_events_received_total",])
        table.add_row("received", f"{received:,}, the sum of outcomes is {sum(outcomes.values()):,}")
        after = sum(map(peak_mb, gateway.worker_pids()))
        table.add_row("peak memory of both workers", f"{before:.0f} MB before, {after:.0f} MB after")
        traceback = "Traceback" in gateway.errors()
        table.add_row("tracebacks", gateway.errors() if traceback else "none")
        console.print(table)
    return 1 if found or traceback or received != sum(outcomes.values()) else 0


def _note(found: Counter[str], err: Broken, name: str) -> None:
    why = err.why[:200] + "…" + err.why[-200:] if len(err.why) > 400 else err.why
    found[why] += 1
    if found[why] == 1:
        console.print(f"{failures.write(FOLDER, name, err.sent, err.why)}: {why}", markup=False)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _table(seed: int, statuses: Counter[int], kinds: Counter[str], found: Counter[str]) -> Table:
    table = Table("what", "figure", title=f"fuzzed with seed {seed}")
    table.add_row("requests", f"{sum(statuses.values()):,}")
    table.add_row("kinds", _told(kinds))
    table.add_row("statuses", _told(Counter({str(status): n for status, n in sorted(statuses.items())})))
    table.add_row("5xx", f"{sum(n for status, n in statuses.items() if status >= 500):,}")
    table.add_row("broken", _told(found) or "none")
    return table


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _covered(measured: coverage.Coverage) -> str:
    """Return the share of lines and of branches that were reached."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        measured.json_report(outfile=file.name)
        totals = orjson.loads(Path(file.name).read_text("utf-8"))["totals"]
    lines = 100 * totals["covered_lines"] / totals["num_statements"]
    branches = 100 * totals["covered_branches"] / totals["num_branches"]
    return f"{lines:.1f} % of lines, {branches:.1f} % of branches"


async def _kept_mb(gateway: Harness, mutator: Mutator) -> float:
    """Return what this process keeps in memory with an empty store, and an empty tail of what that had taken last.

    The free memory that the allocator holds back is given away first: it is as large as the largest moment was.
    """
    await asyncio.sleep(KEPT_S + 0.1)
    with contextlib.suppress(Broken):  # noted, if it was one, when it was sent the first time
        await gateway.send_all([mutator.request(number) for number in range(AT_ONCE)])
    gateway.empty()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _memory_mb()


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096 / 1e6


def peak_mb(pid: int) -> float:
    """Return the most that a process has kept in memory."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
