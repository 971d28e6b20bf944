"""`make bench`: how much of a bare uvicorn's throughput is left when it tracks and when it decides.

Raw and gateway are measured in turns, on the same pinned core, with the same flags and the same kind of requests, so
that whatever else the machine does falls on both. The figures are medians over the rounds. A run in which any answer
was not a 200, or in which the gateway stored another number of events than it answered, is void and says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.load import VISITORS, Load, Wrk, prepare
from benchmarks.machine import Machine, busy_share, pin
from benchmarks.subjects import Raw, Usage, cookie_minter, gateway_in, usage_of
from tests.integration.process import Gateway

KINDS = ("track", "decide", "decide-with-event")


class Void(Exception):
    """The run says nothing; the message says why."""


def main() -> None:
    """Measure and print; the exit status is 1 when the run was void or cannot be made here."""
    options = _options()
    # Ended from outside, it must still end what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if not shutil.which("wrk"):
        sys.exit("make bench needs wrk; install it with: apt-get install wrk (or brew install wrk)")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("make bench needs two cores: one for the server, one for the load")
    pin(os.getpid(), cores[1])  # and with it everything that is started below and not pinned elsewhere
    with (
        tempfile.TemporaryDirectory(prefix="tuttu-bench-") as folder,
        Raw(cores[0]) as raw,
        gateway_in(Path(folder), cores) as gateway,
    ):
        print(Machine.here(gateway, cores).describe(sys.argv[1:]), flush=True)
        prepare(Path(folder), cookie_minter(gateway))
        try:
            Bench(Wrk(Path(folder)), raw, gateway, cores[1], options).run()
        except Void as why:
            sys.exit(f"VOID: {why}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of raw, track, decide, decide-with-event")
    parser.add_argument("--seconds", type=float, default=6, help="seconds of each measurement")
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds: does it work at all?")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 2
    return options


class Bench:
    """One run: seeds, measures in turns, checks the sums, prints."""

    def __init__(self, wrk: Wrk, raw: Raw, gateway: Gateway, load_core: int, options: argparse.Namespace) -> None:
        self._wrk = wrk
        self._raw = raw
        self._gateway = gateway
        self._load_core = load_core
        self._rounds: int = options.rounds
        self._seconds: float = options.seconds
        self._busiest = 0.0
        self._p99_us: dict[str, list[int]] = {kind: [] for kind in KINDS}

    def run(self) -> None:
        """Do it all; raises Void."""
        self._seed()
        shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
        costs: dict[str, list[Usage]] = {kind: [] for kind in KINDS}
        for number in range(1, self._rounds + 1):
            raw = self._load(self._raw.url, "track")
            line = f"round {number}/{self._rounds}  raw {raw.rate:8,.0f}/s"
            for kind in KINDS:
                load, usage = self._measure(kind)
                shares[kind].append(load.rate / raw.rate)
                costs[kind].append(usage)
                line += f"  {kind} {load.rate:8,.0f}/s ({load.rate / raw.rate:.2f})"
            print(line, flush=True)
        print()
        for kind in KINDS:
            spread = f"{min(shares[kind]):.2f} to {max(shares[kind]):.2f}"
            print(f"{kind}/raw {median(shares[kind]):.2f}    ({spread} over {self._rounds} rounds)")
        print(f"\n{'CPU µs a hit':<20}{'gateway':>9}{'store':>9}{'commands':>10}{'p99 ms':>9}")
        for kind in KINDS:
            gateway = median(u.gateway_us for u in costs[kind])
            store = median(u.store_us for u in costs[kind])
            commands = median(u.store_commands for u in costs[kind])
            p99 = median(self._p99_us[kind]) / 1000
            print(f"{kind:<20}{gateway:>9.1f}{store:>9.1f}{commands:>10.2f}{p99:>9.1f}")
        print(f"\n{self._check_log()}")
        print(f"the load's core was busy to {self._busiest:.0%} at most" + self._warning())

    def _seed(self) -> None:
        start = time.monotonic()
        print(f"giving {VISITORS:,} visitors a past …", end=" ", flush=True)
        seeded = 0
        while seeded < VISITORS:
            seeded += self._load(self._gateway.public, "seed", 5, start=seeded).requests
            print(f"{min(seeded / VISITORS, 1):.0%}", end=" ", flush=True)
        self._load(self._gateway.public, "track", 2)  # warms caches; not measured
        self._busiest = 0
        print(f"in {time.monotonic() - start:.0f} s", flush=True)

    def _measure(self, kind: str) -> tuple[Load, Usage]:
        before, before_metrics = usage_of(self._gateway), self._settled_metrics()
        load = self._load(self._gateway.public, kind)
        after, metrics = usage_of(self._gateway), self._settled_metrics()
        hits = dict(_grown(before_metrics, metrics, "tuttu_hits_total"))
        answered = hits.pop(("200",), 0)
        # wrk leaves its last requests unanswered when the time is over; nothing else may be missing.
        hits.pop(("disconnected",), None)
        if hits:
            raise Void(f"{kind}: the gateway answered {_listed(hits)}")
        outcomes = dict(_grown(before_metrics, metrics, "tuttu_events_total"))
        expected = {} if kind == "decide" else {("stored", ""): answered}
        if outcomes != expected:
            raise Void(f"{kind}: {answered:,.0f} hits were answered 200, but the events ended as {_listed(outcomes)}")
        if not load.requests <= answered:
            raise Void(f"{kind}: wrk saw {load.requests:,} answers, the gateway counted {answered:,.0f}")
        self._p99_us[kind].append(load.p99_us)
        return load, after.since(before, answered)

    def _load(self, url: str, kind: str, seconds: float = 0, start: int | None = None) -> Load:
        with busy_share(self._load_core) as share:
            load = self._wrk.run(url, kind, seconds or self._seconds, start)
        self._busiest = max(self._busiest, share[0])
        _must_be_clean(kind, load)
        return load

    def _settled_metrics(self) -> Mapping[tuple[str, ...], float]:
        """Return the metrics once the hits that wrk left unanswered have been handled."""
        metrics = self._gateway.metrics()
        while True:
            time.sleep(0.1)
            latest = self._gateway.metrics()
            if dict(_grown(metrics, latest, "tuttu_hits_total")) == {}:
                return latest
            metrics = latest

    def _check_log(self) -> str:
        """Compare what is in the store with what was counted; raises Void."""
        metrics = self._settled_metrics()
        stored = int(metrics[("tuttu_events_total", "stored", "")])
        trimmed = int(metrics[("tuttu_log_trimmed_total",)])
        held = self._gateway.log_length()
        degraded = int(metrics.get(("tuttu_decisions_total", "degraded"), 0))
        if held + trimmed != stored:
            raise Void(f"{stored:,} events were answered as stored, the log holds {held:,} and let {trimmed:,} go")
        return f"stored {stored:,} = in the log {held:,} + trimmed {trimmed:,}; degraded decisions: {degraded:,}"

    def _warning(self) -> str:
        return "; the figures may be the load generator's" if self._busiest > 0.97 else ""


def _must_be_clean(kind: str, load: Load) -> None:
    if load.refused or load.broken or load.timeouts:
        raise Void(
            f"{kind}: {load.refused} answers over 399, {load.broken} broken connections, {load.timeouts} timeouts"
        )


def _grown(
    before: Mapping[tuple[str, ...], float], after: Mapping[tuple[str, ...], float], name: str
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the label values of a counter that grew, with by how much."""
    for key, value in after.items():
        if key[0] == name and value != before.get(key, 0):
            yield key[1:], value - before.get(key, 0)


def _listed(counts: Mapping[tuple[str, ...], float]) -> str:
    return ", ".join(f"{' '.join(filter(None, labels))}: {n:,.0f}" for labels, n in counts.items()) or "nothing"


if __name__ == "__main__":
    main()
