"""What can be wrong with an import: with one row, which costs that row, or with the whole, which stops it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import GatewayError


class ImportRefused(GatewayError):
    """The import cannot begin or go on; the message says why and what to do."""

    code = "import"


@dataclass(slots=True, frozen=True)
class Problem:
    """Why a row is left out: where that stands (line and column count from 1), in which column, and its value."""

    line: int
    column: int
    name: str
    message: str
    value: str = ""


def shown(value: str, longest: int = 60) -> str:
    """Return a value in quotes for a message: on one line, cut short, nothing in it that a terminal would obey."""
    cut = value[:longest]
    safe = "".join(x if x.isprintable() else x.encode("unicode_escape", "backslashreplace").decode() for x in cut)
    return f'"{safe}{"…" if len(value) > longest else ""}"'
