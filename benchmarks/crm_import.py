"""Import of a CRM's people, stopped by kill -9 at half and resumed: `make bench-import`, ARGS="--people 9000" for less.

One row in a hundred is bad, in six ways. Ends with 1 unless every bad row was reported by its line, every good one is
stored exactly once, and nobody has a visit or became "returning" by it.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.machine import Machine
from gateway.identity.visitor import hashed
from personalize import documents
from personalize.decide import decide
from personalize.loader import load
from personalize.model import Context, Facts
from personalize.plan import Plan, compile_rules
from tests.integration.process import Gateway

RULES = """
placements:
  - placement: hero
    blocks:
      - {block: back, when: [{visitor is: returning}], content: {title: Welcome back}}
      - {block: owner, when: [{owns: insight pro}], content: {title: Reports}}
      - {block: any, content: {title: Hello}}
segments:
  - {segment: buyer, when: [{did: order completed}]}
"""
HEADER = ("user id", "email", "first name", "last name", "lifecycle stage", "seats", "postcode", "newsletter", "owns",
          "company id", "company name", "company employees", "purchased", "purchased at", "updated at")  # fmt: skip
BAD_EACH = 100


def main() -> int:
    """Measure, check and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench-import", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000, help="rows (100,000)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tuttu-import-") as folder:
        return measure(Path(folder), args.people)


def measure(folder: Path, people: int) -> int:
    """Import, stop, resume, look at what is there."""
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(RULES, "utf-8")
    table = folder / "people.csv"
    bad = write_table(table, people)
    with Gateway(folder / "data", "--rules", str(folder / "rules"), "--workers", "1") as gateway:
        for line in Machine.here(gateway, (0, 0)).describe(sys.argv[1:]).splitlines()[:3]:
            print(line)
        print(f"command  make bench-import{f' ARGS={shlex.quote(shlex.join(sys.argv[1:]))}' if sys.argv[1:] else ''}")
        print(f"table    {people:,} rows, {len(bad):,} of them bad, {table.stat().st_size / 1e6:.1f} MB; 1 worker")
        first = run(gateway, table, stop_at=people // 2)
        print(f"stopped  by kill -9 after row {first.done:,}, {first.seconds:.1f} s, peak {first.peak_mb:.0f} MB")
        second = run(gateway, table, "--resume")
        print(f"resumed  {second.seconds:.1f} s, peak {second.peak_mb:.0f} MB, exit code {second.code}")
        seconds = first.seconds + second.seconds
        print(f"in all   {seconds:.1f} s, {people / seconds:,.0f} rows a second")
        print("\n".join(f"         {line}" for line in second.said.splitlines() if not line.startswith(str(table))))
        return look(gateway, table, people, bad)


def write_table(path: Path, people: int) -> set[int]:
    """Write the table; return the lines of its bad rows."""
    rng = random.Random(5)  # noqa: S311 - the same table in every run
    bad: set[int] = set()
    line = 1
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(people):
            line += 1
            row = list(person(number, rng))
            if number % BAD_EACH == BAD_EACH // 2:
                bad.add(line)
                spoil(row, number // BAD_EACH)
                if row[0] == "open":
                    file.write(f'open,"{row[1]}\r\n')
                    continue
            writer.writerow(row)
    return bad


def person(number: int, rng: random.Random) -> Iterator[str]:
    """Yield one person's cells."""
    company = number % 5_000
    bought = rng.random() < 0.3
    yield f"crm-{number}"
    yield f"person{number}@example.com"
    yield rng.choice(("Aino", "Väinö", "Bo", "Sofia"))
    yield rng.choice(("Virtanen", "Korhonen", 'Mäki "Mäkinen"', "Smith, Jr."))
    yield rng.choice(("lead", "customer", "evangelist", ""))
    yield str(rng.randrange(500))
    yield f"{rng.randrange(100_000):05}"
    yield rng.choice(("true", "false"))
    yield "Insight Pro;Insight Base" if bought else ""
    yield f"company-{company}"
    yield f"Company {company} Oy"
    yield str(company)
    yield "Insight Pro" if bought else ""
    yield f"{rng.randrange(2022, 2026)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}" if bought else ""
    yield "2026-01-15T08:30:00Z"


def spoil(row: list[str], kind: int) -> None:
    """Make a row bad in one of six ways."""
    match kind % 6:
        case 0:
            row[0] = ""
        case 1:
            row[-1] = "2025-13-02"
        case 2:
            row[0] = "undefined"
        case 3:
            del row[3:]
        case 4:
            row[0] = "crm-0"
        case _:
            row[0] = "open"  # with a double quote that nothing closes


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of the command went; `done` is the row that its file of progress names."""

    seconds: float
    peak_mb: float
    code: int
    done: int
    said: str


def run(gateway: Gateway, table: Path, *options: str, stop_at: int = 0) -> Run:
    """Run the command, until it ends or until it has done so many rows."""
    command = [sys.executable, "-m", "gateway", "import", str(table), "--url", gateway.public, *options]
    progress = table.with_name(f"{table.name}.tuttu-progress")
    output = table.with_suffix(".out")
    started, done = time.monotonic(), 0
    with output.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, "TUTTU_DATA": str(gateway.data)}, stdout=out)
        while stop_at and done < stop_at and process.poll() is None:
            time.sleep(0.05)
            if progress.exists():
                done = orjson.loads(progress.read_bytes())["done"]
        if stop_at:
            process.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(time.monotonic() - started, peak_of(usage), process.returncode, done, output.read_text("utf-8"))


def peak_of(usage: resource.struct_rusage) -> float:
    """Return the peak of resident memory in MB; Linux counts in KiB, see getrusage(2)."""
    return usage.ru_maxrss * 1024 / 1e6


def look(gateway: Gateway, table: Path, people: int, bad: set[int], others: Collection[str] = ()) -> int:
    """Compare what is stored and what was reported with the table; `others` are ids that were there before."""
    with table.with_name("people.errors.csv").open(encoding="utf-8", newline="") as file:
        reported = {int(row["line"]) for row in csv.DictReader(file)}
    rules, _ = load({"rules.yaml": RULES})
    assert rules is not None  # noqa: S101 - it stands above
    plan = compile_rules(rules, "UTC")
    good = people - len(bad)
    expected = {hashed("demo", "u", f"crm-{n}") for n in range(people) if n % BAD_EACH != BAD_EACH // 2}
    stored, visits, returning, twice = set(), 0, 0, 0
    now = time.time_ns() // 1_000_000
    for id_, document in profiles(gateway):
        if id_ in others:
            continue
        profile = documents.decode(document)
        stored.add(id_)
        visits += len(profile.visits) > 0 or profile.first_visit > 0
        returning += is_returning(plan, document, now)
        twice += any(row[0] > 1 for row in profile.matchers.values())
    checks = {
        f"bad rows reported, all by the right line: {len(reported):,}": reported == bad,
        f"people stored: {len(stored):,} of {good:,}": stored == expected,
        f"purchases that counted twice: {twice}": twice == 0,
        f"people with a visit: {visits}": visits == 0,
        f"people who are returning: {returning}": returning == 0,
    }
    for text, holds in checks.items():
        print(f"{'good' if holds else 'BAD '}     {text}")
    return 0 if all(checks.values()) else 1


def profiles(gateway: Gateway) -> Iterator[tuple[str, bytes]]:
    """Yield (id, document) of every known person."""
    with gateway.store() as store:
        for keys in batches(store.scan_iter(match="*:v:demo:k:*", count=5_000)):
            for key, document in zip(keys, store.mget(keys), strict=True):
                yield key.decode().rpartition(":")[2], document


def batches(keys: Iterator[bytes], size: int = 1_000) -> Iterator[list[bytes]]:
    """Yield the keys in lists."""
    found: list[bytes] = []
    for key in keys:
        found.append(key)
        if len(found) == size:
            yield found
            found = []
    if found:
        yield found


def is_returning(plan: Plan, document: bytes, now: int) -> bool:
    """Tell whether the rules take the person for one who has come back."""
    context = Context(Facts(), frozenset({"personalization"}), known=True)
    return decide(plan, documents.decode(document), context, ["hero"], now)[0].block == "back"


if __name__ == "__main__":
    sys.exit(main())
