"""`make bench-rules`: what a decision costs, in µs of CPU time, and how long rules take to load.

Everything is measured in turns, round after round on one pinned core, so that whatever else the machine does falls on
all of it; the figures are medians over the rounds, with the tenth that was fastest and the tenth that was slowest cut
off in the brackets. A decision is all of `decide`: the view of the visitor, segments, scores, the choice, the content.
Decoding the profile is not part of it. Before anything is measured, every case is asked once and must be right.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.machine import busy_share, pin, processor
from benchmarks.rule_cases import CANNOT, FILES, RULES, ZONE, Case, cannot_match, example, facts_of, fifty, files
from benchmarks.rule_engines import others
from personalize.decide import decide
from personalize.loader import load
from personalize.plan import compile_rules

SIZES = (10, 100, 1000)
BATCH_NS = 2_000_000
"""A round measures each case for about so long."""


@dataclass(slots=True)
class Measured:
    """A function to be measured: how often in a batch, and the ns of one call in each round."""

    run: Callable[[], object]
    times: int = 1
    figures: list[float] | None = None

    def calibrate(self) -> None:
        """Find out how many calls fill a batch, after a while of warming up."""
        for _ in range(50):
            self.run()
        cost = max(_cpu_ns(self.run, 20), 1)
        self.times = max(1, round(BATCH_NS / cost))
        self.figures = []

    def measure(self) -> None:
        """Run one batch."""
        assert self.figures is not None  # noqa: S101 - calibrate comes first
        self.figures.append(_cpu_ns(self.run, self.times))

    @property
    def us(self) -> float:
        """The median, in µs."""
        return median(self.figures or [0]) / 1000

    def spread(self) -> str:
        """Return the spread without the outer tenths."""
        tenths = quantiles(self.figures or [0, 0], n=10)
        return f"({tenths[0] / 1000:.1f} to {tenths[-1] / 1000:.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench-rules", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="rounds over all cases")
    parser.add_argument("--quick", action="store_true", help="six rounds: does it work at all?")
    options = parser.parse_args()
    *others_cores, core = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), core)
    command = "make bench-rules" + (f" ARGS={shlex.quote(shlex.join(sys.argv[1:]))}" if sys.argv[1:] else "")
    print(
        f"machine  {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; core {core} is used"
    )
    print(f"python   {platform.python_version()}; CPU time of this process")
    print(f"data     {RULES} rules of 4 conditions; rules-example; up to {SIZES[-1]:,} blocks; {FILES} rule files")
    print(f"command  {command}\n", flush=True)
    _report_loading(3 if options.quick else 9)
    rounds = 6 if options.quick else options.rounds
    cases = dict(_cases())
    for case in cases.values():
        case.calibrate()
    with ExitStack() as stack:
        shares = [stack.enter_context(busy_share(other)) for other in others_cores]
        for _ in range(rounds):
            for case in cases.values():
                case.measure()
    _report(cases)
    busy = max((share for (share,) in shares), default=0.0)
    print(f"\nthe other cores were busy to {busy:.0%} meanwhile")


def _cases() -> Iterator[tuple[str, Measured]]:
    beside = others()
    for name, case in fifty().items():
        yield f"fifty/{name}", _decision(case)
        if "nothing shared" in name:
            continue
        for engine, prepare in beside.items():
            run = prepare(facts_of(case))
            number = run()
            _must(case.expected == [f"b{number}" if number >= 0 else "last"], f"{engine} finds {number}: {name}")
            yield f"fifty/{name}/{engine}", Measured(run)
    for name, case in example().items():
        yield f"example/{name}/plain", _decision(case)
        yield f"example/{name}/receipts", _decision(case, explain=True)
        yield f"example/{name}/read", _read(case)
    for reason in (*CANNOT, "mixed"):
        for size in SIZES:
            yield f"cannot/{reason}/{size}", _decision(cannot_match(size, reason))


def _decision(case: Case, **options: Any) -> Measured:
    plan, profile, context, placements, now = case.plan, case.profile, case.context, case.placements, case.now
    shown = [decision.block for decision in decide(plan, profile, context, placements, now, **options)]
    right = all(wanted in {None, block} for wanted, block in zip(case.expected, shown, strict=True))
    _must(right, f"{shown} is shown and not {case.expected}")
    return Measured(lambda: decide(plan, profile, context, placements, now, **options))


def _read(case: Case) -> Measured:
    """Return the case in which every candidate of the receipts is also read as an object."""
    asked = _decision(case, explain=True).run
    return Measured(lambda: [decision.receipt.candidates for decision in asked()])  # type: ignore[attr-defined]  # they are decisions


def _report(cases: Mapping[str, Measured]) -> None:
    print(f"\n{RULES} rules of 4 conditions, µs")
    for name, case in _of(cases, "fifty/"):
        rule, _, engine = name.partition("/")
        # The fourth condition of each rule is no early exit: all 200 are asked, and none is like another.
        _line(f"  {engine}" if engine else rule, case, 0 if engine or "fourth" in rule else 10)
    print("\nboth placements of rules-example, µs")
    for name, case in _of(cases, "example/"):
        test, _, what = name.rpartition("/")
        words = {"plain": test, "receipts": "  with receipt data", "read": "  and every candidate read as an object"}
        _line(words[what], case, 12 if what == "receipts" else 0)
    print(f"\nblocks that cannot match, µs for {', '.join(f'{size:,}' for size in SIZES)} of them")
    for reason in (*CANNOT, "mixed"):
        figures = [cases[f"cannot/{reason}/{size}"].us for size in SIZES]
        ratio = figures[-1] / figures[0]
        columns = "".join(f"{figure:8.1f}" for figure in figures)
        print(f"{reason:<46}{columns}   {ratio:.1f} times{_target(ratio, 2)}")


def _report_loading(rounds: int) -> None:
    """Load, check and compile many files; in wall-clock time, because that is what a reload waits for."""
    texts = files()
    lines = sum(text.count("\n") for text in texts.values())
    loading, compiling = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        rules, problems = load(texts)
        checked = time.perf_counter()
        _must(rules is not None and not problems, f"the {FILES} files have problems: {problems[:3]}")
        assert rules is not None  # noqa: S101 - as above
        compile_rules(rules, ZONE)
        loading.append((checked - start) * 1000)
        compiling.append((time.perf_counter() - checked) * 1000)
    whole = [sum(both) for both in zip(loading, compiling, strict=True)]
    print(f"{FILES} rule files, {lines:,} lines, ms")
    for name, figures, target in (("load and check", loading, 300), ("compile", compiling, 0), ("all of it", whole, 0)):
        spread = f"({min(figures):.0f} to {max(figures):.0f})"
        print(f"{name:<46}{median(figures):8.0f}  {spread:<18}{_target(median(figures), target)}")


def _of(cases: Mapping[str, Measured], start: str) -> Iterator[tuple[str, Measured]]:
    return ((name.removeprefix(start), case) for name, case in cases.items() if name.startswith(start))


def _line(name: str, case: Measured, target: float) -> None:
    print(f"{name[:66]:<66}{case.us:8.1f}  {case.spread():<18}{_target(case.us, target)}")


def _target(figure: float, target: float) -> str:
    return f"   target {target:g}{'' if figure <= target else ': MISSED'}" if target else ""


def _cpu_ns(run: Callable[[], object], times: int) -> float:
    start = time.process_time_ns()
    for _ in range(times):
        run()
    return (time.process_time_ns() - start) / times


def _must(right: bool, why: str) -> None:  # noqa: FBT001 - like assert
    if not right:
        sys.exit(f"VOID: {why}")


if __name__ == "__main__":
    main()
