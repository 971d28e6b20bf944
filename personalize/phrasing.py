"""How rules and their values read: the phrases that receipts, explanations and messages are made of.

The opposite of `values`: what was parsed is written again in the rule language's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from math import isinf
from typing import Any

from personalize.compare import Test, text_of
from personalize.values import UNIT_MS, Cap, NumberRange

TIMES = "\N{MULTIPLICATION SIGN}"
MOST_OF_VALUE = 200
"""So many characters of a visitor's value are shown; programs get it whole."""
_MOST_DIGITS = 16
_A_LIFE_MS = 40 * 365 * UNIT_MS["day"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def number(value: float, digits: int = 2) -> str:
    """`5` for 5.0, `24.94` for 24.9438: a number rounded for reading."""
    value = round(value, digits)
    return str(int(value)) if value == int(value) else f"{value:.{digits}f}".rstrip("0")


def digits_outside(value: float, wanted: NumberRange) -> int:
    """Return with how many digits a number shows on which side of a range it lies: 24.996 must not read as 25."""
    holds = wanted.holds(value)
    return next((digits for digits in range(2, _MOST_DIGITS) if wanted.holds(round(value, digits)) is holds), 17)


def digits_apart(one: float, other: float) -> int:
    """Return with how many digits two numbers that differ read differently."""
    return next((n for n in range(2, _MOST_DIGITS) if one == other or round(one, n) != round(other, n)), 17)


def as_written(value: float) -> str:
    """`-0.333333333`, `1000000000`: a number of the rules with all of its digits, as somebody would write it."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def weight(exact: float, each: float, points: float, shown: float) -> str:
    """`0.743`: a weight with so many digits that `each` (points) times the weight rounds to the points as shown.

    What was rounded the other way, so that all days add up, lies less than a hundredth away.
    """
    within = 0.005 if abs(points - shown) < 0.005 else 0.01
    digits = (n for n in range(4, _MOST_DIGITS) if abs(each * round(exact, n) - shown) < within)
    return number(exact, next(digits, 17))


def number_range(wanted: NumberRange) -> str:
    """`at least 25`, `24 to 26`, `5`."""
    if wanted.low == wanted.high:
        return number(wanted.low)
    if isinf(wanted.high):
        return f"{'more than' if wanted.open_low else 'at least'} {number(wanted.low)}"
    if isinf(wanted.low):
        return f"{'less than' if wanted.open_high else 'at most'} {number(wanted.high)}"
    return f"{number(wanted.low)} to {number(wanted.high)}"


def test(wanted: Test) -> str:
    """The value of an `is:` or a `where` property."""
    return number_range(wanted) if isinstance(wanted, NumberRange) else one_of(wanted)


def tests(wanted: Mapping[str, Test]) -> str:
    """`type whitepaper or case, topic reporting`."""
    return ", ".join(f"{name} {test(value)}" for name, value in wanted.items())


def one_of(texts: Iterable[str]) -> str:
    """Join texts: `basic, plus or pro`."""
    *first, last = [*texts] or [""]
    return f"{', '.join(first)} or {last}" if first else last


def times(count: int) -> str:
    """`once`, `twice`, `3 times`, `never`."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def amount(count: int, unit: str) -> str:
    """`1 day`, `3 days`."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def length(ms: int) -> str:
    """`14 days`, `90 minutes`: in the largest unit up to days that leaves no rest."""
    for unit in ("day", "hour"):
        if ms and ms % UNIT_MS[unit] == 0:
            return amount(ms // UNIT_MS[unit], unit)
    return amount(ms // UNIT_MS["minute"], "minute")


def ago(ms: int) -> str:
    """`3 days ago`, `2 hours ago`, `just now`: how long something lies back, rounded down."""
    for unit in ("day", "hour", "minute"):
        if ms >= UNIT_MS[unit]:
            return f"{amount(ms // UNIT_MS[unit], unit)} ago"
    return "just now"


def reacted_ago(ms: int, *, today: str, long_ago: str) -> str:
    """Return a special word for a conversion that is known by its day or only as older than the kept days, else ""."""
    return today if ms < 0 else long_ago if ms > _A_LIFE_MS else ""


def cap(most: Cap) -> str:
    """`5 times per week`, `once ever`."""
    span = {0: "ever", 1: "per day", 7: "per week"}.get(most.days, f"per {most.days} days")
    return f"{times(most.count)} {span}"


def value(found: Any) -> str:
    """Return a JSON value of the visitor's as a text that fits into a sentence; "" for a map or nothing."""
    text = text_of(found)
    return text if len(text) <= MOST_OF_VALUE else f"{text[:MOST_OF_VALUE]}\N{HORIZONTAL ELLIPSIS}"


def clock(minute: int) -> str:
    """`08:30` for minute 510 of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def moment(when: datetime) -> str:
    """`2026-11-20 10:00`."""
    return when.strftime("%Y-%m-%d %H:%M")
