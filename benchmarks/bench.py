"""`make bench`: how much of a bare uvicorn's throughput is left when it tracks and when it decides.

Raw and gateway are measured in turns, on the same pinned core, with the same flags and the same kind of requests, so
that whatever else the machine does falls on both. With `--before`, so is the gateway of another checkout, whose code
runs with the packages of this one. The figures are medians over the rounds. A run in which any answer was not a 200, or
in which a gateway stored another number of events than it answered, is void and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.load import VISITORS, Load, Wrk, prepare
from benchmarks.machine import Machine, busy_share, pin
from benchmarks.subjects import ROOT, Raw, Usage, cookie_minter, gateway_in, usage_of
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
    checkouts = {"gateway": ROOT} | ({"before": options.before} if options.before else {})
    with tempfile.TemporaryDirectory(prefix="tuttu-bench-") as folder, contextlib.ExitStack() as stack:
        raw = stack.enter_context(Raw(cores[0]))
        subjects = []
        for name, checkout in checkouts.items():
            place = Path(folder) / name
            place.mkdir()
            gateway = stack.enter_context(gateway_in(place, cores, checkout=checkout))
            prepare(place, cookie_minter(gateway))
            subjects.append(Subject(name, gateway, Wrk(place)))
        print(Machine.here(subjects[0].gateway, cores).describe(sys.argv[1:]), flush=True)
        try:
            Bench(subjects, raw, cores[1], options).run()
        except Void as why:
            sys.exit(f"VOID: {why}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of raw, track, decide, decide-with-event")
    parser.add_argument("--seconds", type=float, default=6, help="seconds of each measurement")
    parser.add_argument(
        "--before", type=_checkout, metavar="DIR", help="a checkout to be measured in turns with this one"
    )
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds: does it work at all?")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 2
    return options


def _checkout(text: str) -> Path:
    folder = Path(text).absolute()
    if not (folder / "gateway" / "__main__.py").exists():
        raise argparse.ArgumentTypeError(f"{text} is no checkout of Tuttu: it has no gateway/__main__.py")
    return folder


@dataclass(slots=True, eq=False)
class Subject:
    """A gateway that is measured, with the load that has its visitors' cookies, and what was measured."""

    name: str
    gateway: Gateway
    wrk: Wrk
    rates: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    costs: dict[str, list[Usage]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    p99_us: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in KINDS})


class Bench:
    """One run: seeds, measures in turns, checks the sums, prints."""

    def __init__(self, subjects: Sequence[Subject], raw: Raw, load_core: int, options: argparse.Namespace) -> None:
        self._subjects = subjects
        self._raw = raw
        self._load_core = load_core
        self._rounds: int = options.rounds
        self._seconds: float = options.seconds
        self._busiest = 0.0

    def run(self) -> None:
        """Do it all; raises Void."""
        for subject in self._subjects:
            self._seed(subject)
        raws = []
        for number in range(1, self._rounds + 1):
            raws.append(self._load(self._subjects[0].wrk, self._raw.url, "track").rate)
            print(f"round {number}/{self._rounds}  raw {raws[-1]:8,.0f}/s", end="", flush=True)
            for kind in KINDS:
                # Who comes first changes, for what went before may matter.
                for subject in self._subjects if number % 2 else reversed(self._subjects):
                    rate = self._measure(subject, kind)
                    print(f"  {_label(kind, subject)} {rate:8,.0f}/s ({rate / raws[-1]:.2f})", end="", flush=True)
            print(flush=True)
        print()
        for kind in KINDS:
            for subject in self._subjects:
                print(f"{_label(kind, subject)}/raw {_spread(subject.rates[kind], raws)}")
        self._print_costs()
        print()
        for subject in self._subjects:
            print(f"{subject.name}: {self._check_log(subject.gateway)}")
        print(f"the load's core was busy to {self._busiest:.0%} at most" + self._warning())

    def _print_costs(self) -> None:
        print(f"\n{'CPU µs a hit':<26}{'gateway':>9}{'store':>9}{'commands':>10}{'p99 ms':>9}")
        for kind in KINDS:
            for subject in self._subjects:
                costs = subject.costs[kind]
                gateway = median(u.gateway_us for u in costs)
                store = median(u.store_us for u in costs)
                commands = median(u.store_commands for u in costs)
                p99 = median(subject.p99_us[kind]) / 1000
                label = _label(kind, subject)
                print(f"{label:<26}{gateway:>9.1f}{store:>9.1f}{commands:>10.2f}{p99:>9.1f}")
        if len(self._subjects) > 1:
            print()
            now, before = self._subjects
            for kind in KINDS:
                rates = _spread(now.rates[kind], before.rates[kind])
                cpu = [[u.gateway_us for u in subject.costs[kind]] for subject in (now, before)]
                print(f"{kind}, now/before: answers a second {rates}, gateway CPU {_spread(*cpu)}")

    def _seed(self, subject: Subject) -> None:
        start = time.monotonic()
        print(f"{subject.name}: giving {VISITORS:,} visitors a past …", end=" ", flush=True)
        seeded = 0
        while seeded < VISITORS:
            seeded += self._load(subject.wrk, subject.gateway.public, "seed", 5, start=seeded).requests
            print(f"{min(seeded / VISITORS, 1):.0%}", end=" ", flush=True)
        self._load(subject.wrk, subject.gateway.public, "track", 2)  # warms caches; not measured
        self._busiest = 0
        print(f"in {time.monotonic() - start:.0f} s", flush=True)

    def _measure(self, subject: Subject, kind: str) -> float:
        """Send one kind for a while, keep what it cost, and return the answers a second."""
        gateway = subject.gateway
        before, before_metrics = usage_of(gateway), _settled_metrics(gateway)
        load = self._load(subject.wrk, gateway.public, kind)
        after, metrics = usage_of(gateway), _settled_metrics(gateway)
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
        subject.rates[kind].append(load.rate)
        subject.p99_us[kind].append(load.p99_us)
        subject.costs[kind].append(after.since(before, answered))
        return load.rate

    def _load(self, wrk: Wrk, url: str, kind: str, seconds: float = 0, start: int | None = None) -> Load:
        with busy_share(self._load_core) as share:
            load = wrk.run(url, kind, seconds or self._seconds, start)
        self._busiest = max(self._busiest, share[0])
        _must_be_clean(kind, load)
        return load

    @staticmethod
    def _check_log(gateway: Gateway) -> str:
        """Compare what is in the store with what was counted; raises Void."""
        metrics = _settled_metrics(gateway)
        stored = int(metrics[("tuttu_events_total", "stored", "")])
        trimmed = int(metrics[("tuttu_log_trimmed_total",)])
        held = gateway.log_length()
        degraded = int(metrics.get(("tuttu_decisions_total", "degraded"), 0))
        if held + trimmed != stored:
            raise Void(f"{stored:,} events were answered as stored, the log holds {held:,} and let {trimmed:,} go")
        return f"stored {stored:,} = in the log {held:,} + trimmed {trimmed:,}; degraded decisions: {degraded:,}"

    def _warning(self) -> str:
        return "; the figures may be the load generator's" if self._busiest > 0.97 else ""


def _settled_metrics(gateway: Gateway) -> Mapping[tuple[str, ...], float]:
    """Return the metrics once the hits that wrk left unanswered have been handled."""
    metrics = gateway.metrics()
    while True:
        time.sleep(0.1)
        latest = gateway.metrics()
        if dict(_grown(metrics, latest, "tuttu_hits_total")) == {}:
            return latest
        metrics = latest


def _label(kind: str, subject: Subject) -> str:
    return kind if subject.name == "gateway" else f"{kind} {subject.name}"


def _spread(these: Sequence[float], those: Sequence[float]) -> str:
    """Return the median of the ratios round by round, with the least and the largest."""
    ratios = [this / that for this, that in zip(these, those, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


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
