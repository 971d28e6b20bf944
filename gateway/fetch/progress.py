"""How far a long step is: a bar when a person watches, one plain line for each step otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Told how much is done by now, in the step's unit."""


class Progress:
    """Shows steps on standard error."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Write a line."""
        sys.stderr.write(f"{line}\n")

    @contextmanager
    def step(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Show a step of about so many units: "MB" (counted in bytes) or the name of what is counted."""
        if self._watched:
            with _bar(title, total, unit) as advance:
                yield advance
            return
        self.say(f"{title}, about {_amount(total, unit)} …")
        started = time.monotonic()
        seen = [0]
        yield seen.append
        self.say(f"{title}: {_amount(seen[-1], unit)} in {time.monotonic() - started:.1f} s")


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    # Only here: rich takes 0.13 s to import, and every command would pay for it.
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - same
    from rich.progress import Progress as Bars  # noqa: PLC0415 - same

    amount = TextColumn("{task.fields[amount]}")
    with Bars(
        TextColumn("{task.description}"), BarColumn(), amount, TimeElapsedColumn(), console=Console(stderr=True)
    ) as bars:
        task = bars.add_task(title, total=total, amount="")

        def advance(done: int) -> None:
            bars.update(task, completed=min(done, total), amount=f"{_amount(done, unit)} of {_amount(total, unit)}")

        yield advance
        bars.update(task, completed=total)


def _amount(number: int, unit: str) -> str:
    return f"{number / 1_000_000:.1f} MB" if unit == "MB" else f"{number:,} {unit}"
