"""What an import tells: a file with every problem, one line each, and the sentences at the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import orjson

from gateway.crm.columns import About, Column
from gateway.crm.errors import ImportRefused, Problem, shown
from gateway.crm.progress import Progress

_HEADER = ("line", "column", "name", "problem", "value")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a cell a formula in spreadsheets (OWASP, CSV injection); the file of problems is opened in one."""

_SINGULAR = {"people": "person", "companies": "company"}
_SHOWN_TRAITS = 12


class Problems:
    """The file of problems, which is there only when there are any; the first few are kept for showing."""

    def __init__(self, path: Path, most: int = 20) -> None:
        self._path = path
        self._most = most
        self._file: io.TextIOWrapper | None = None
        self.count = 0
        self.first: list[Problem] = []

    def __enter__(self) -> Self:
        if self._is_ours():
            self._path.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, problem: Problem) -> None:
        """Write a problem down; raises ImportRefused when that cannot be."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(problem)
        try:
            if self._file is None:
                if self._path.exists():
                    raise ImportRefused(f"{self._path} is something else already; say --errors FILE")
                self._file = self._path.open("w", encoding="utf-8", newline="", errors="backslashreplace")
                csv.writer(self._file).writerow(_HEADER)
                self._file.flush()  # whatever stops the import, the next one knows this file as its own
            value = problem.value[:1_000]
            guarded = f"'{value}" if value.startswith(_FORMULA) else value
            csv.writer(self._file).writerow((problem.line, problem.column, problem.name, problem.message, guarded))
        except OSError as err:
            raise ImportRefused(f"{self._path}: {err.strerror or err}; say --errors FILE") from err

    def _is_ours(self) -> bool:
        """Tell whether the file there is one that an earlier import wrote."""
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                return file.readline(200).strip() in ("", ",".join(_HEADER))
        except (OSError, UnicodeDecodeError):
            return False


def reading_lines(about: About, columns: Sequence[Column], kinds: Mapping[int, str]) -> Iterator[str]:
    """Say what each column is taken for."""
    yield f"about {about}; each column and what it is:"
    width = max(len(column.name) for column in columns)
    for column in columns:
        kind = kinds.get(column.index, "text")
        said = {"number": ", a number", "truth": ", true or false"}.get(kind, "")
        yield f"  {column.name:{width}}  {column.field}{said}"


def problem_lines(file: str, problems: Problems, errors: Path) -> Iterator[str]:
    """Say the first problems, and where the others are."""
    for problem in problems.first:
        name = f"{problem.name}: " if problem.name else ""
        yield f"{file}:{problem.line}:{problem.column}: {name}{problem.message}"
    if more := problems.count - len(problems.first):
        yield f"… and {more:,} more"
    if problems.count:
        yield f"every problem is in {errors}"


def sample_lines(key: str, events: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Say what would be sent for one row."""
    yield f"  {shown(key)}"
    for event in events:
        what = {"identify": "traits", "group": "traits", "track": "properties"}[str(event["type"])]
        told = event[what]
        pairs = list(told.items()) if isinstance(told, dict) else []
        said = ", ".join(f"{name}={_short(value)}" for name, value in pairs[:_SHOWN_TRAITS])
        group = f" {shown(str(event['groupId']))}" if event["type"] == "group" else ""
        name = f" {event['event']}" if event["type"] == "track" else ""
        yield f"    {event['type']}{group}{name} at {event['timestamp']}: {said or 'no traits'}"
        if "context" in event:
            yield f"      with {orjson.dumps(event['context']).decode()}"


def _short(value: object) -> str:
    return shown(value) if isinstance(value, str) else shown(orjson.dumps(value).decode())[1:-1]


def counted(number: int, what: str) -> str:
    """Return "1 row" or "1,000 rows"."""
    return f"{number:,} {what if number == 1 else what + 's'}"


def summary_lines(about: About, progress: Progress, rows: int, refused: int) -> Iterator[str]:
    """Say what became of all rows and events."""
    events = dict(progress.events)
    seconds = max(progress.seconds, 0.001)
    good = rows - refused
    yield (
        f"{counted(rows, 'row')}: {good:,} {about if good != 1 else _SINGULAR[about]} sent in {seconds:.1f} s "
        f"({good / seconds:,.0f} a second), {refused:,} left out"
    )
    yield f"  accepted   {counted(events.get('stored', 0) + events.get('duplicate', 0), 'event')}"
    if duplicates := events.get("duplicate"):
        yield f"  duplicates {duplicates:,} of them were there already"
    for reason in sorted(events):
        if reason.startswith("dropped"):
            yield f"  {reason.replace('dropped ', 'dropped    ', 1)} {counted(events[reason], 'event')}"
    if rejected := events.get("rejected"):
        yield f"  rejected   {counted(rejected, 'event')}, see the problems"
