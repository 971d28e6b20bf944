"""The long form of the fault suite: `make faults`, or `python -m tests.faults.run [--only WORD] [--markdown FILE] …`.

Runs every fault with about 20,000 hits and then the random schedules, shows how far it is, and ends with the table.
Exit code 0 when the promise held in each, else 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.faults.rig import Result, Size, run, summary
from tests.faults.scenarios import SCENARIOS, Scenario, problems, random_schedule, sized

COLUMNS = {
    "fault": "Fault",
    "grade": "Grade",
    "accepted": "Accepted",
    "lost": "Lost",
    "doubled": "Doubled",
    "effects": "Effects",
    "gap_s": "Longest time without a 200 (s)",
    "decisions": "Decisions answered",
    "in_time": "in time",
    "recovery_s": "Recovery (s)",
}


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="make faults ARGS=…", description="The fault suite, long form.")
    parser.add_argument("--only", default="", help="run only the faults whose name has this in it")
    parser.add_argument("--hits", type=int, default=20_000, help="requests in each run")
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds for which a fault holds")
    parser.add_argument("--schedules", type=int, default=20, help="how many random schedules")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first schedule, the next has one more")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    chosen = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)  # a table that is read in a file needs its room
    size = Size(chosen.hits, chosen.rate, hold_s=chosen.hold)
    schedules = [random_schedule(chosen.seed + n) for n in range(chosen.schedules)]
    scenarios = [s for s in (*SCENARIOS, *schedules) if chosen.only in s.name]
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    failed: list[str] = []
    begun = time.monotonic()
    with console.status("") as status:
        for number, scenario in enumerate(scenarios):
            status.update(
                f"{number + 1} of {len(scenarios)}: {scenario.name} ({time.monotonic() - begun:.0f} s so far)"
            )
            if why := scenario.missing():
                skipped.append(f"{scenario.name}: {why}")
                console.print(f"[yellow]skipped[/] {skipped[-1]}")
                continue
            result, wrong = attempt(scenario, sized(scenario, size), chosen.seed)
            failed += [f"{scenario.name}: {sentence}" for sentence in wrong]
            console.print(f"[{'red]failed ' if wrong else 'green]ok     '}[/] {scenario.name}", highlight=False)
            for sentence in (*wrong, *(result.notes if result else ())):
                console.print(f"        {sentence}", highlight=False, markup=False)
            if result is not None:
                lost = len(result.audit.lost)
                allowed = " (the grade allows it)" if lost and not wrong else ""
                rows.append({**summary(result), "lost": f"{lost}{allowed}"})
                # Again after each: what was seen so far outlives a run that is broken off.
                if chosen.markdown:
                    chosen.markdown.write_text(markdown_of(rows, skipped), "utf-8")
    console.print(table_of(rows))
    for sentence in failed:
        console.print(f"[red]failed[/] {sentence}", highlight=False)
    console.print(f"{len(rows)} runs in {time.monotonic() - begun:.0f} s, {len(failed)} broken promises")
    return 1 if failed else 0


def attempt(scenario: Scenario, size: Size, seed: int) -> tuple[Result | None, list[str]]:
    """Run one; a run that breaks off is a broken promise as well, with the end of what the gateway wrote."""
    with tempfile.TemporaryDirectory(prefix="tuttu-faults-") as name:
        folder = Path(name)
        try:
            result = run(scenario.name, scenario.grade, scenario.setting, scenario.act, folder, size, seed)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other faults still have their turn
            told = (folder / "data.stderr").read_text("utf-8")[-2000:] if (folder / "data.stderr").exists() else ""
            return None, [f"broke off, {type(error).__name__}: {error}\n{told}"]
    return result, problems(scenario, result)


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table for a terminal."""
    table = Table()
    for name, title in COLUMNS.items():
        table.add_column(title, justify="left" if name in ("fault", "grade") else "right")
    for row in rows:
        table.add_row(*(f"{row[name]}" for name in COLUMNS))
    return table


def markdown_of(rows: Sequence[dict[str, Any]], skipped: Sequence[str]) -> str:
    """Return the table for docs/reliability.md."""
    lines = [f"| {' | '.join(COLUMNS.values())} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(f'{row[name]}' for name in COLUMNS)} |" for row in rows]
    lines += [f"\nNot run: {sentence}." for sentence in skipped]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
