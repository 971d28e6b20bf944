"""An import from beginning to end: read, check, send, keep count, and be able to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from gateway.crm.columns import About, columns_of
from gateway.crm.errors import ImportRefused, Problem
from gateway.crm.mapping import Mapping
from gateway.crm.progress import Progress, load
from gateway.crm.reading import Row, Source, Table, examine
from gateway.crm.seen import SeenIds
from gateway.crm.sending import Answer, Batch, Gateway, Sender

SAMPLE_ROWS = 1_000
"""Rows by which the kinds of columns are judged."""
MOST_EVENTS = 3_500
MOST_BYTES = 3_000_000
"""Both below what the gateway takes at once; a batch ends at whichever comes first, or at its rows."""

MOST_AHEAD = 100
"""Batches that may be answered while an earlier one is still being sent again."""

_SAVE_EACH_S = 0.5

Event = dict[str, Any]


@dataclass(slots=True)
class Checked:
    """What reading has found so far."""

    rows: int = 0
    refused: int = 0


class Import:
    """One file's import. `on_problem` hears of every row that is left out, `on_progress` of the line that is done."""

    def __init__(  # noqa: PLR0913 - what an import is
        self,
        path: Path,
        *,
        name: str,
        about: About | None,
        maps: Sequence[tuple[str, str]],
        now: int,
        on_problem: Callable[[Problem], None],
        resume: bool = False,
    ) -> None:
        self.source: Source = examine(path)
        self.progress_path = path.with_name(f"{path.name}.tuttu-progress")
        self.stopped = self.progress_path.exists()
        """Whether an earlier import of this file did not end."""
        before = load(self.progress_path) if resume else None
        if before is not None and before.digest != self.source.digest:
            raise ImportRefused(f"{path} is another file than the one that was stopped; import it without --resume")
        self._on_problem = on_problem
        self.checked = Checked()
        now = before.now if before is not None else now
        with Table(self.source) as table:
            self.about, self.columns = columns_of(str(path), table.header, maps, about)
            sample = [row for row in islice(table.rows(), SAMPLE_ROWS) if isinstance(row, Row)]
        self.mapping = Mapping(self.about, self.columns, sample, delimiter=self.source.delimiter, name=name, now=now)
        if before is not None and before.mapping != self.mapping.fingerprint:
            raise ImportRefused(
                f"{path} was begun with other --map, --name or --kind; give the same, or import without --resume"
            )
        self.progress = before or Progress(self.source.digest, self.mapping.fingerprint, now)

    def events(self) -> Iterator[tuple[Row, list[Event]]]:
        """Yield every good row with its events; the others are told to `on_problem`."""
        seen = SeenIds(self.source.lines)
        with Table(self.source) as table:
            for row in table.rows():
                self.checked.rows += 1
                if isinstance(row, Problem):
                    self._refuse([row])
                    continue
                events, problems = self.mapping.events(row)
                first = seen.first(self.mapping.key(row), row.line) if not problems else 0
                if first:
                    problems = [self.mapping.key_problem(row, first)]
                if problems:
                    self._refuse(problems)
                else:
                    yield row, events

    def run(
        self, gateway: Gateway, *, batch: int, patience_s: float, on_progress: Callable[[int, int, str], None]
    ) -> None:
        """Send what is not done yet; `on_progress` gets line, rows and trouble. Raises ImportRefused when it stops.

        However it ends, the file says how far it came; it goes when everything is done.
        """
        for problem in self.progress.rejected:
            self._on_problem(problem)
        started, before = time.monotonic(), self.progress.seconds
        keeper = _Keeper(self.progress, self.progress_path, self._on_problem)
        keeper.save()
        try:
            with Sender(gateway, patience_s=patience_s) as sender:

                def take(within_s: float = 0.0) -> None:
                    for answer in sender.answers(within_s):
                        keeper.take(answer)
                    self.progress.seconds = before + time.monotonic() - started
                    on_progress(self.progress.done_line, self.progress.done, sender.trouble)

                for each in self._batches(batch):
                    while each.number >= keeper.wanted + MOST_AHEAD or not sender.put(each):
                        take(within_s=0.1)
                    take()
                while sender.busy:
                    take(within_s=0.2)
        finally:
            self.progress.seconds = before + time.monotonic() - started
            keeper.save()
        self.progress_path.unlink(missing_ok=True)

    def _refuse(self, problems: Sequence[Problem]) -> None:
        self.checked.refused += 1
        for problem in problems:
            self._on_problem(problem)

    def _batches(self, most_rows: int) -> Iterator[Batch]:
        done, number = self.progress.done, 0
        parts: list[bytes] = []
        lines: list[int] = []
        rows = size = last = last_line = 0
        for row, events in self.events():
            if row.number <= done:
                continue
            packed = [orjson.dumps(event) for event in events]
            weight = sum(map(len, packed)) + len(packed)
            if rows and (rows >= most_rows or len(parts) + len(packed) > MOST_EVENTS or size + weight > MOST_BYTES):
                yield Batch(number, _body(parts), lines, rows, last, last_line)
                number, parts, lines, rows, size = number + 1, [], [], 0, 0
            parts += packed
            lines += [row.line] * len(packed)
            rows, size, last, last_line = rows + 1, size + weight, row.number, row.line
        if rows:
            yield Batch(number, _body(parts), lines, rows, last, last_line)


class _Keeper:
    """Takes answers in any order and keeps how far all is done without a gap; `wanted` is the next batch's number."""

    def __init__(self, progress: Progress, path: Path, on_problem: Callable[[Problem], None]) -> None:
        self._progress = progress
        self._path = path
        self._on_problem = on_problem
        self.wanted = 0
        self._early: dict[int, Answer] = {}
        self._saved = 0.0

    def take(self, answer: Answer) -> None:
        """Count an answer once all before it are there."""
        self._early[answer.batch.number] = answer
        while (ready := self._early.pop(self.wanted, None)) is not None:
            self.wanted += 1
            for problem in self._progress.add(ready.said, ready.batch.lines):
                self._on_problem(problem)
            self._progress.done, self._progress.done_line = ready.batch.last, ready.batch.last_line
        if time.monotonic() - self._saved > _SAVE_EACH_S:
            self.save()

    def save(self) -> None:
        """Write how far it is."""
        self._progress.save(self._path)
        self._saved = time.monotonic()


def _body(parts: Sequence[bytes]) -> bytes:
    return b'{"batch":[' + b",".join(parts) + b"]}"
