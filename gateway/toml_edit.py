"""One value of a TOML text exchanged for another; comments and whatever else stands there stay as they are.

A statement is found by reading line by line with the standard library's own parser, and the result is read back: what
does not come out as meant is refused, never written.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def with_value(text: str, table: Sequence[str], name: str, value: Any) -> str:
    """Return the text with this value of a table (the top for an empty path), without it for None.

    Raises ValueError where that cannot be done: the text is no TOML, or is written in an unforeseen way.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # a text may hold other characters that end lines elsewhere
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start, end = _region(lines, list(table))
    if start < 0:
        if value is None:
            return text
        lines += ["\n", f"[{'.'.join(map(_key, table))}]\n"]
        start = end = len(lines)
    begin, stop = _statement(lines, start, end, name)
    lines[begin:stop] = [] if value is None else [f"{name} = {written(value)}\n"]
    result = "".join(lines)
    if tomllib.loads(result) != _expected(tomllib.loads(text), table, name, value):
        raise ValueError(f"{'.'.join((*table, name))} cannot be found as a line of its own")
    return result


def written(value: Any) -> str:
    """Return a text, a time, a dict or a list as TOML; a list of dicts takes a line for each."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {written(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            return "[\n" + "".join(f"    {written(item)},\n" for item in value) + "]"
        return f"[{', '.join(map(written, value))}]"
    # JSON's escapes are TOML's, which asks for one more (TOML 1.0, basic strings).
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _region(lines: list[str], table: list[str]) -> tuple[int, int]:
    """Return from which line to which the values of a table stand; (-1, -1) when it is not there."""
    headers = [(at, path) for at, line in enumerate(lines) if (path := _header(line))]
    if not table:
        return 0, headers[0][0] if headers else len(lines)
    for number, (at, path) in enumerate(headers):
        if path == table:
            return at + 1, headers[number + 1][0] if number + 1 < len(headers) else len(lines)
    return -1, -1


def _header(line: str) -> list[str]:
    """Return the path of the table that a line opens, [] for any other line."""
    if not line.lstrip().startswith("["):
        return []
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return []
    path = []
    while isinstance(found, dict) and found:
        (name, found), *_ = found.items()
        path.append(name)
    return path


def _statement(lines: list[str], start: int, end: int, name: str) -> tuple[int, int]:
    """Return from which line to which a value stands, or twice the line where it is to be put."""
    opening = re.compile(rf"""\s*["']?{re.escape(name)}["']?\s*=""")
    for begin in range(start, end):
        if opening.match(lines[begin]):
            for stop in range(begin + 1, end + 1):
                try:
                    tomllib.loads("".join(lines[begin:stop]))
                except tomllib.TOMLDecodeError:
                    continue
                return begin, stop
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end, end


def _expected(found: dict[str, Any], table: Sequence[str], name: str, value: Any) -> dict[str, Any]:
    whole = inner = copy.deepcopy(found)
    for part in table:
        inner = inner.setdefault(part, {})
    if value is None:
        inner.pop(name, None)
    else:
        inner[name] = tomllib.loads(f"value = {written(value)}")["value"]
    return whole


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
