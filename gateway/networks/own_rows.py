"""The rows of a site's own list of companies, from CSV or YAML, each value with its place in the file.

CSV: a line of column names, then one row for each network; commas or semicolons, values with either in double quotes.
YAML: a list of maps with the same names. `cidr` and `company` are wanted, any others are the site's own.
"""

from __future__ import annotations

import csv
from pathlib import Path

from personalize.errors import Problem
from personalize.suggest import listed, quoted, unknown
from personalize.yaml_nodes import FORBIDDEN_NAMES, Items, Map, Text, compose

KNOWN = ("cidr", "company", "domain", "crm_id", "type")
OURS = frozenset({"name", "confidence", "source", "asn"})
"""What the gateway itself says about a company; a column of that name would contradict it."""

MOST_BYTES = 20_000_000
_LONGEST_VALUE = 500

Row = dict[str, Text]


def read_rows(path: Path) -> tuple[list[Row], list[Problem]]:
    """Return the rows that could be read and everything that is wrong; every row has a `cidr`."""
    file = str(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            return [], [Problem(file, 1, 1, f"the file is larger than {MOST_BYTES // 1_000_000} MB")]
        content = path.read_bytes()
    except OSError as err:
        return [], [Problem(file, 1, 1, f"the list of companies cannot be read: {err.strerror or err}")]
    if path.suffix in (".yaml", ".yml"):
        return _from_yaml(file, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content[: err.start].count(b"\n") + 1
        return [], [Problem(file, line, 1, "this is not UTF-8; save the file in that encoding (in Excel: CSV UTF-8)")]
    return _from_csv(file, text)


def _from_csv(file: str, text: str) -> tuple[list[Row], list[Problem]]:
    lines = text.splitlines()
    if not lines or not lines[0].strip():
        return [], [
            Problem(file, 1, 1, "the first line is empty; it names the columns: cidr,company,domain,crm_id,type")
        ]
    delimiter = ";" if lines[0].count(";") > lines[0].count(",") else ","
    problems: list[Problem] = []
    header = _cells(file, 1, lines[0], delimiter, problems)
    names = [_place(Text(name.strip().casefold().replace(" ", "_")), name) for name in header]
    problems += _wrong_names(names)
    if "cidr" not in names or len(set(names)) < len(names):
        return [], problems
    rows: list[Row] = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip(f"{delimiter} \t"):
            continue
        cells = _cells(file, number, line, delimiter, problems)
        if len(cells) != len(names):
            if cells:
                hint = (
                    f"put a value with a {delimiter} in it in double quotes"
                    if len(cells) > len(names)
                    else "fill it up"
                )
                problems.append(
                    Problem(file, number, 1, f"{len(cells)} values under {len(names)} column names; {hint}")
                )
            continue
        rows.append({str(name): cell for name, cell in zip(names, cells, strict=True)})
        problems += _too_long(rows[-1])
    return rows, problems


def _cells(file: str, number: int, line: str, delimiter: str, problems: list[Problem]) -> list[Text]:
    """Return one line's values where they stand; none when the line cannot be read."""
    try:
        values = next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except (csv.Error, StopIteration):
        problems.append(
            Problem(file, number, 1, 'a double quote is not closed, or text follows it; write "" inside quotes')
        )
        return []
    cells = []
    for value, column in zip(values, _columns(line, delimiter), strict=True):
        cell = Text(value.strip())
        cell.file, cell.line, cell.column = file, number, column
        cell.quoted = cell.comment = False
        cells.append(cell)
    return cells


def _columns(line: str, delimiter: str) -> list[int]:
    """Return where each value of a line begins, counted from 1; quotes count in a value that begins with one."""
    starts, begun, quotes, inside = [1], False, False, False
    for column, letter in enumerate(line, 1):
        if letter == delimiter and not inside:
            starts.append(column + 1)
            begun = quotes = False
        elif not begun and letter != " ":
            begun = True
            quotes = inside = letter == '"'
        elif quotes and letter == '"':
            inside = not inside
    return starts


def _from_yaml(file: str, content: bytes) -> tuple[list[Row], list[Problem]]:
    root, problems, whole = compose(file, content)
    if root is None or not whole:
        return [], problems or [Problem(file, 1, 1, "the file is empty; write a list of {cidr: …, company: …}")]
    if not isinstance(root, Items):
        return [], [*problems, Problem.at(root.where, 'a list is wanted: each company after "- "')]
    rows: list[Row] = []
    for item in root:
        if not isinstance(item, Map):
            problems.append(
                Problem.at(item.where, "a company is a map, such as {cidr: 192.0.2.0/24, company: Example}")
            )
            continue
        row = {}
        for key, value in item.items():
            if isinstance(value, Text):
                row[key.casefold().replace(" ", "_")] = value
            else:
                problems.append(Problem.at(value.where, f"{quoted(key)} is one text or number, not a list or a map"))
        problems += _wrong_names(list(item), item.where)
        problems += _too_long(row)
        if "cidr" in row:
            rows.append(row)
    return rows, problems


def _wrong_names(names: list[Text], where: str = "") -> list[Problem]:
    """Return what is wrong with the names of columns: ours, doubled, forbidden, or `cidr` is missing."""
    problems = []
    for number, name in enumerate(names):
        if not name:
            problems.append(Problem.at(name.where, "this column has no name"))
        elif name.casefold() in OURS:
            sentence = f"{quoted(name)} is what Tuttu itself says about a company; give the column another name"
            problems.append(Problem.at(name.where, sentence + (': "company"' if name == "name" else "")))
        elif name.casefold() in FORBIDDEN_NAMES:
            problems.append(Problem.at(name.where, f"{quoted(name)} cannot be used as a name"))
        elif name in names[:number]:
            problems.append(Problem.at(name.where, f"there are two columns {quoted(name)}; keep one"))
    if names and "cidr" not in (name.casefold() for name in names):
        message = unknown("cidr", names, f"there is no column {quoted('cidr')} for the network") if not where else ""
        place = where or names[0].where
        problems.append(
            Problem.at(place, message or f"there is no {quoted('cidr')}; it is {listed(KNOWN)} that a company has")
        )
    return problems


def _too_long(row: Row) -> list[Problem]:
    return [
        Problem.at(
            value.where, f"{quoted(name)} is longer than {_LONGEST_VALUE} signs; keep to what rules and sales read"
        )
        for name, value in row.items()
        if len(value) > _LONGEST_VALUE
    ]


def _place(text: Text, where: Text) -> Text:
    text.file, text.line, text.column = where.file, where.line, where.column
    text.quoted = text.comment = False
    return text
