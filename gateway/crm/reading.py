"""A CSV file as rows, one after the other, each with its place; a row that cannot be read costs that row only.

Any of comma, semicolon and tab, UTF-8 with or without a mark, UTF-16 with one. Memory does not grow with the file.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from gateway.crm.errors import ImportRefused, Problem, shown

MAX_CELL = 16_384
"""Characters of one cell. Far more than a profile keeps of one value, far less than would hurt."""
MAX_LINE = 1_000_000

_DELIMITERS = ",;\t"
_CHUNK = 1 << 20
_LOOK = 4_096


@dataclass(slots=True, frozen=True)
class Row:
    """A row of data: its number from 1, the line where it begins, its cells, and its text as it stands."""

    number: int
    line: int
    cells: list[str]
    text: str


@dataclass(slots=True, frozen=True)
class Source:
    """A file as it was found: its content's hash, about how many lines it has, how to read it."""

    path: Path
    digest: str
    lines: int
    encoding: str
    delimiter: str


def examine(path: Path) -> Source:
    """Read the file once for what a Source says; raises ImportRefused for what is no CSV file."""
    try:
        if not path.is_file():
            what = "is no file" if path.exists() else "there is no such file"
            raise ImportRefused(f"{path}: {what}; name a CSV file (a pipe cannot be read twice: save it first)")
        digest, lines, last = blake2b(digest_size=16), 0, b""
        with path.open("rb") as file:
            head = file.read(_LOOK)
            file.seek(0)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                lines += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
                last = chunk[-1:]
        encoding = _encoding(path, head)
        with path.open(encoding=encoding, errors="replace", newline="") as text:
            first = text.readline(MAX_LINE)
    except OSError as err:
        raise ImportRefused(f"{path}: it cannot be read: {err.strerror or err}") from err
    return Source(path, digest.hexdigest(), lines + (last not in b"\r\n"), encoding, _delimiter(first))


def _encoding(path: Path, head: bytes) -> str:
    if not head:
        raise ImportRefused(f"{path}: the file is empty; its first line names the columns")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ImportRefused(f"{path}: this is a workbook, no CSV; save it as CSV UTF-8")
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise ImportRefused(f"{path}: this is UTF-32; save the file as CSV UTF-8")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.count(0) > len(head) // 4:
        raise ImportRefused(f"{path}: this looks like UTF-16 without its mark; save the file as CSV UTF-8")
    return "utf-8-sig"


def _delimiter(line: str) -> str:
    """Return what stands between the names of the columns; `sep=;` is how Excel says it."""
    if line.startswith("sep=") and line[4:5] in tuple(_DELIMITERS):
        return line[4]
    outside = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


class Table:
    """The rows of a file; `header` are the names of its columns. A context manager."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._delimiter = source.delimiter
        errors = "surrogateescape" if source.encoding == "utf-8-sig" else "replace"
        file = source.path.open("rb")
        self._lines = _Lines(io.TextIOWrapper(file, encoding=source.encoding, errors=errors, newline=""))
        csv.field_size_limit(MAX_CELL)
        # Spaces after a delimiter would make the quotes that follow them ordinary letters.
        self._reader = csv.reader(self._lines, delimiter=source.delimiter, strict=True, skipinitialspace=True)
        try:
            self.header = self._header()
        except ImportRefused:
            self._lines.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def _header(self) -> list[str]:
        while True:
            found = self._next()
            if found is None:
                raise ImportRefused(f"{self._source.path}: it has no line that names the columns")
            if isinstance(found, Problem):
                raise ImportRefused(f"{self._source.path}:{found.line}:{found.column}: {found.message}")
            if any(cell.strip() for cell in found.cells) and not found.text.startswith("sep="):
                return [" ".join(cell.split()) for cell in found.cells]

    def rows(self) -> Iterator[Row | Problem]:
        """Yield every row that is not blank, or why it cannot be read."""
        number, width = 0, len(self.header)
        while (found := self._next()) is not None:
            if isinstance(found, Problem):
                yield found
                continue
            cells = found.cells
            if not any(cells):
                continue
            number += 1
            if len(cells) > width and not any(cells[width:]):
                del cells[width:]
            if len(cells) == width:
                yield Row(number, found.line, cells, found.text)
            else:
                yield self._uneven(found, width)

    def _uneven(self, row: Row, width: int) -> Problem:
        many = len(row.cells)
        line, column = place(row, min(width, many - 1), self._delimiter)
        hint = f"put a value with {shown(self._delimiter)} in it in double quotes" if many > width else "fill it up"
        return Problem(line, column, "", f"{many} values under {width} names of columns; {hint}")

    def _next(self) -> Row | Problem | None:
        """Return the next record, or why there is none that can be read; None at the end."""
        lines = self._lines
        lines.begin()
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as err:
            return self._unreadable(str(err))
        except _TooLong:
            return Problem(lines.at, 1, "", f"the line is over {MAX_LINE:,} characters; is a double quote not closed?")
        text = lines.text()
        problem = _bad_letters(text, lines.at)
        return problem or Row(0, lines.at, [cell.strip() for cell in cells], text)

    def _unreadable(self, message: str) -> Problem:
        lines = self._lines
        text, several = lines.text(), len(lines.taken) > 1
        below, column = _starts(text, self._delimiter)[-1]
        if "field larger" in message and not several:
            said = f"the value is over {MAX_CELL:,} characters; no profile keeps that"
        elif "expected after" in message and not several:
            said = 'text follows a closing double quote; write "" for a quote inside quotes'
        else:
            said = "a double quote is opened here and not closed"
            below, column = next(
                ((0, at) for line, at in reversed(_starts(lines.taken[0], self._delimiter)) if line == 0), (0, 1)
            )
        place = lines.at + below
        lines.only_the_first_was_read()
        return Problem(place, column, "", said)


def place(row: Row, cell: int, delimiter: str) -> tuple[int, int]:
    """Return the line and the column where a cell of a row begins."""
    below, column = _starts(row.text, delimiter)[cell]
    return row.line + below, column


class _TooLong(Exception):
    """A line is longer than any table's."""


class _Lines:
    """The lines of a file for the csv module, with those of the present record, which can be given back."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._given_back: deque[str] = deque()
        self._number = 0
        self.taken: list[str] = []
        self.at = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else self._file.readline(MAX_LINE)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            while (rest := self._file.readline(MAX_LINE)) and rest[-1] not in "\r\n":
                pass
            raise _TooLong
        self.taken.append(line)
        return line

    def begin(self) -> None:
        """Begin a new record."""
        self.taken.clear()
        self.at = self._number + 1

    def text(self) -> str:
        """Return the present record as it stands."""
        return "".join(self.taken)

    def only_the_first_was_read(self) -> None:
        """Give back all lines of the record but the first: a quote that was left open had swallowed them."""
        self._given_back.extendleft(reversed(self.taken[1:]))
        self._number -= len(self.taken) - 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _bad_letters(text: str, line: int) -> Problem | None:
    """Return what no text holds: bytes that are not UTF-8, and NULs."""
    if text.isascii():
        at = text.find("\0")
    else:
        at = next((i for i, letter in enumerate(text) if letter == "\0" or "\udc80" <= letter <= "\udcff"), -1)
    if at < 0:
        return None
    before = text[:at]
    nul = text[at] == "\0"
    message = "there is a NUL" if nul else "this is not UTF-8; save the file in that encoding (in Excel: CSV UTF-8)"
    return Problem(line + before.count("\n"), at - before.rfind("\n"), "", message)


def _starts(text: str, delimiter: str) -> list[tuple[int, int]]:
    """Return where each cell of a record begins: lines below the first, and the column, counted from 1."""
    starts, begun, quotes, inside = [(0, 1)], False, False, False
    line, column = 0, 0
    for letter in text:
        column += 1
        if letter == delimiter and not inside:
            starts.append((line, column + 1))
            begun = quotes = False
        elif not begun and letter != " ":
            begun = True
            quotes = inside = letter == '"'
        elif quotes and letter == '"':
            inside = not inside
        if letter == "\n":
            line, column = line + 1, 0
    return starts
