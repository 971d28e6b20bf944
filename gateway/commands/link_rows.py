"""A CSV file of people, row by row, each with its place in the file; it is never held as a whole."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from personalize.suggest import quoted, unknown

NAMES = ("userid", "user_id", "user id", "id")
"""Column names that mean the user id when none is named, in any case."""


class RowsUnreadable(Exception):
    """The file cannot be read any further; the message says where and why."""


@dataclass(slots=True, frozen=True)
class Header:
    """The names of the columns, the sign between them, and which of them has the user ids."""

    cells: list[str]
    delimiter: str
    at: int


@dataclass(slots=True, frozen=True)
class Row:
    """One row: the line on which it begins, its cells, its text as it stands, and how many bytes were read by now."""

    header: Header
    line: int
    cells: list[str]
    text: str
    read: int

    def value(self) -> str:
        """Return the user id, "" where the row is too short."""
        return self.cells[self.header.at].strip() if self.header.at < len(self.cells) else ""

    def column(self) -> int:
        """Return where the user id begins in its line, counted from 1; after the end where the row is too short."""
        begins, inside, place = 0, False, 0
        for at, sign in enumerate(self.text):
            if place == self.header.at:
                break
            if sign == '"':
                inside = not inside
            elif sign == self.header.delimiter and not inside:
                begins, place = at + 1, place + 1
        if place < self.header.at:
            begins = len(self.text.rstrip("\r\n"))
        return begins - (self.text.rfind("\n", 0, begins) + 1) + 1


def read_rows(path: Path, column: str | None) -> tuple[Header, Iterator[Row]]:
    """Return the header and the rows; raises RowsUnreadable, also on the way."""
    records = _records(path)
    _, first, text, _ = next(records, (1, [], "", 0))
    if not any(cell.strip() for cell in first):
        raise RowsUnreadable(f"{path}:1:1: the first line is empty; it names the columns, such as userId,email")
    delimiter = ";" if text.count(";") > text.count(",") else ","
    if delimiter == ";":
        records = _records(path, delimiter)
        _, first, _, _ = next(records)
    header = Header(first, delimiter, _place(path, first, column))
    # An empty line has no cells, and is nobody.
    return header, (Row(header, line, cells, text, read) for line, cells, text, read in records if cells)


def _place(path: Path, names: list[str], column: str | None) -> int:
    known = [name.strip().casefold() for name in names]
    for wanted in (column.strip().casefold(),) if column is not None else NAMES:
        if wanted in known:
            return known.index(wanted)
    sentence = f"there is no column {quoted(column or 'userId')} for the user ids"
    hint = "" if column is not None else "; name it with --column"
    raise RowsUnreadable(f"{path}:1:1: {unknown(column or 'userId', names, sentence)}{hint}")


def _records(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str], str, int]]:
    """Yield (first line, cells, text, bytes read) of each record; one may go over several lines."""
    read = line = 0
    lines: list[str] = []

    def counted(file: Iterator[bytes]) -> Iterator[str]:
        nonlocal read
        for number, each in enumerate(file):
            read += len(each)
            lines.append(each.decode("utf-8-sig" if number == 0 else "utf-8"))
            yield lines[-1]

    try:
        with path.open("rb") as file:
            for cells in csv.reader(counted(file), delimiter=delimiter, strict=True):
                yield line + 1, cells, "".join(lines), read
                line += len(lines)
                lines.clear()
    except OSError as err:
        raise RowsUnreadable(f"{path}: it cannot be read: {err.strerror or err}") from err
    except UnicodeDecodeError as err:
        where = f"{path}:{line + len(lines) + 1}:1"
        raise RowsUnreadable(
            f"{where}: this is not UTF-8; save the file in that encoding (in Excel: CSV UTF-8)"
        ) from err
    except csv.Error as err:
        where = f"{path}:{line + 1}:1"
        raise RowsUnreadable(
            f'{where}: a double quote is not closed, or text follows it; write "" inside quotes'
        ) from err
