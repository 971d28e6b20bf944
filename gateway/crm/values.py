"""What a cell means: a number, true or false, a text, a moment; conservatively, so that no text is spoilt.

This file does not read the clock. An empty cell says nothing, `null` takes a value away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from gateway.crm.errors import shown
from gateway.wire.times import DAY_MS, SECRET_KEY_SPAN_MS

Kind = Literal["number", "truth", "text"]

REMOVED = "null"
PURPOSES = ("analytics", "personalization", "ads", "email", "sms")
_OF_A_CRM = ("email", "sms")
"""They are the trait `consent`, as a whole; the others are a choice of the gateway's own purposes."""

# Fifteen digits are exact in every program that reads JSON; a leading zero makes a text (RFC 8259, section 6).
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
_TRUTH = {"true": True, "false": False}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadValue(ValueError):
    """A cell that does not say what its column needs; the message is a sentence."""


def kind_of(cells: Sequence[str]) -> Kind:
    """Return what a column holds, judged by the first of its cells that are not empty."""
    told = [cell for cell in cells if cell and cell != REMOVED]
    if told and all(_NUMBER.fullmatch(cell) for cell in told):
        return "number"
    if told and all(cell.lower() in _TRUTH for cell in told):
        return "truth"
    return "text"


def value_of(cell: str, kind: Kind) -> Any:
    """Return the JSON value of a cell that is not empty; what does not fit its column's kind stays a text."""
    if cell == REMOVED:
        return None
    if kind == "number" and _NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    if kind == "truth" and cell.lower() in _TRUTH:
        return _TRUTH[cell.lower()]
    return cell


def moment(cell: str, now: int) -> int:
    """Return a date or a time as ms since 1970; raises BadValue. A bare date is its noon in UTC.

    At noon it is the same day in all time zones but those of a few islands. A time without a zone is UTC.
    """
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        raise BadValue(f"{shown(cell)} is not a date such as 2025-12-31") from None
    if _DATE.fullmatch(cell):
        found = found.replace(hour=12)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    ms = int(found.timestamp() * 1000)
    if ms > now + DAY_MS:
        raise BadValue(f"{shown(cell)} lies in the future")
    if ms < now - SECRET_KEY_SPAN_MS:
        raise BadValue(f"{shown(cell)} is over five years ago; nothing that old is kept, so leave the cell empty")
    return min(ms, now)


def listed(cell: str, more: str = ";") -> list[str]:
    """Return the texts of a list that is written with semicolons, or with one of `more`."""
    for other in more:
        cell = cell.replace(other, ";")
    return [text for item in cell.split(";") if (text := item.strip())]


def choices(cell: str) -> tuple[list[str], dict[str, bool]]:
    """Return what a cell says of a person's consent; raises BadValue.

    First the purposes that are the trait `consent`, then those of the gateway, as Segment's `categoryPreferences`.
    """
    given = [text.lower() for text in listed(cell, ";|,")]
    allowed = [] if given == ["none"] else given
    if unknown := [text for text in allowed if text not in PURPOSES]:
        raise BadValue(f"{shown(unknown[0])} is no consent; write some of {', '.join(PURPOSES)}, or none")
    own = [text for text in allowed if text not in _OF_A_CRM]
    return sorted(set(allowed).difference(own)), dict.fromkeys(own, True)
