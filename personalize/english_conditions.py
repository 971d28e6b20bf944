"""Conditions in English: what a rule says, in the rule language's own words, and what the visitor has instead.

A new head word is a row in `_CONDITIONS` (for a new family) and one in `_ACTUAL`, here and in each other language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personalize import phrasing, syntax
from personalize.decision import Limit, Unmet, Written
from personalize.phrasing import number
from personalize.values import DailyRange, DateRange, Moment, WeekdayRange


def condition(written: Written) -> str:
    """Return what a rule says: `viewed /prices*, at least 2 times, within 30 days`."""
    if isinstance(written, Limit):
        return _WRITTEN_LIMITS[written.head](written)
    said: Callable[[Any], str] = _CONDITIONS[type(written)]
    return said(written)


def actual(unmet: Unmet) -> str:
    """Return what the visitor has instead: `once on 1 day`, `DE`, `missing`."""
    return _ACTUAL[unmet.written.head](unmet)


def lack(unmet: Unmet) -> str:
    """Return both: `score fit at least 25 (is: 15)`."""
    if isinstance(unmet.written, syntax.Logic):
        return _lack_of_parts(unmet.written, [lack(part) for part in unmet.actual])
    return f"{condition(unmet.written)} (is: {actual(unmet)})"


def _lack_of_parts(written: syntax.Logic, parts: list[str]) -> str:
    if written.head == "all of" and len(parts) < len(written.conditions):
        return " and ".join(parts)
    return f"not {parts[0]}" if written.head == "not" and len(parts) == 1 else f"{written.head} ({'; '.join(parts)})"


def segment(lacking: Unmet | None) -> str:
    """Return whether a visitor is in a segment: `in it`, or what is lacking."""
    return "in it" if lacking is None else f"not in it, lacks {lack(lacking)}"


def grant(written: syntax.Grant) -> str:
    """Return what gives points: `viewed /prices*, at most twice per day`."""
    said = condition(written.condition)
    return f"{said}, at most {phrasing.cap(written.cap)}" if written.cap else said


# -- what the rule says ---------------------------------------------------------------------------------------------
def _behaviour(written: syntax.Behaviour) -> str:
    parts = [f"{written.head} {phrasing.one_of(written.names)}"]
    if written.properties:
        parts.append(f"where {phrasing.tests(written.properties)}")
    if written.at_least is not None:
        parts.append(f"at least {phrasing.times(written.at_least) if written.at_least else '0 times'}")
    if written.at_most is not None:
        parts.append(f"at most {phrasing.times(written.at_most) if written.at_most else '0 times'}")
    if written.across:
        parts.append(f"across {phrasing.amount(written.across, 'day')}")
    if written.within:
        parts.append(f"within {phrasing.amount(written.within, 'day')}")
    return ", ".join(parts)


def _logic(written: syntax.Logic) -> str:
    if written.head == "not" and len(written.conditions) == 1:
        return f"not {condition(written.conditions[0])}"
    return f"{written.head} ({'; '.join(map(condition, written.conditions))})"


def _when(written: syntax.When) -> str:
    span = written.range
    match span:
        case DailyRange():
            words = f"{phrasing.clock(span.low)} to {phrasing.clock(span.high)}"
        case WeekdayRange():
            low, high = phrasing.WEEKDAYS[span.low], phrasing.WEEKDAYS[span.high]
            words = low if low == high else f"{low} to {high}"
        case DateRange(first=None):
            words = f"{span.last} or earlier"
        case DateRange(last=None):
            words = f"{span.first} or later"
        case DateRange():
            words = f"{span.first} to {span.last}"
    return f"{written.head} {words}"


_CONDITIONS: Mapping[type, Callable[[Any], str]] = {
    syntax.Behaviour: _behaviour,
    syntax.Logic: _logic,
    syntax.Named: lambda c: f"{c.head} {phrasing.one_of(c.names)}",
    syntax.Points: lambda c: f"{c.head} {c.name} {phrasing.number_range(c.range)}",
    syntax.Trait: lambda c: f"trait {c.name} is {phrasing.test(c.test)}",
    syntax.Company: lambda c: f"company {phrasing.tests(c.attributes)}",
    syntax.Attribute: lambda c: f"{c.head} {phrasing.one_of(c.texts)}",
    syntax.Listed: lambda c: f"{c.head} {phrasing.one_of(c.texts)}",
    syntax.VisitorIs: lambda c: f"visitor is {phrasing.one_of(c.kinds)}",
    syntax.Visits: lambda c: f"visits {phrasing.number_range(c.range)}",
    syntax.Since: lambda c: f"{c.head} {'more' if c.ago.older else 'less'} than {phrasing.length(c.ago.ms)} ago",
    syntax.When: _when,
}


def _written_schedule(limit: Limit) -> str:
    ends = (("from", limit.block.starts), ("until", limit.block.until))
    return " ".join(f"{word} {moment(at)}" for word, at in ends if at)


def _written_rest(limit: Limit) -> str:
    ms = limit.block.rests[limit.after] if limit.after else None
    return f"rest after {limit.after} {'forever' if ms is None else phrasing.length(ms)}"


_WRITTEN_LIMITS: Mapping[str, Callable[[Limit], str]] = {
    "schedule": _written_schedule,
    "owners": lambda limit: f"not for owners of {phrasing.one_of(limit.block.owners)}",
    "cap": lambda limit: f"show at most {phrasing.cap(limit.block.show_at_most)}" if limit.block.show_at_most else "",
    "rest": _written_rest,
}


def moment(at: Moment) -> str:
    """Return an end of a schedule as it is written."""
    return str(at.day) if at.minute is None else phrasing.moment(at.naive())


# -- what the visitor has -------------------------------------------------------------------------------------------
def _counted(unmet: Unmet) -> str:
    count, on_days, total = unmet.actual
    if not total:
        return "never"
    if not count and isinstance(unmet.written, syntax.Behaviour):
        return "not today" if unmet.written.within == 1 else f"not in these {unmet.written.within} days"
    return times_on_days(count, on_days)


def times_on_days(count: int, days: int) -> str:
    """Return `once`, `3 times on 2 days`; 0 days says nothing of days."""
    on_days = f" on {phrasing.amount(days, 'day')}" if days and count > 1 else ""
    return f"{phrasing.times(count)}{on_days}"


def _parts(unmet: Unmet) -> str:
    parts = unmet.actual
    return actual(parts[0]) if len(parts) == 1 else "; ".join(map(lack, parts))


def _points_had(unmet: Unmet) -> str:
    wanted = unmet.written.range if isinstance(unmet.written, syntax.Points) else None
    return number(unmet.actual, phrasing.digits_outside(unmet.actual, wanted) if wanted else 2)


def _segments(unmet: Unmet) -> str:
    found = unmet.actual
    if not found:
        return "not in it"
    return segment(found[0][1]) if len(found) == 1 else "; ".join(f"{name}: {segment(it)}" for name, it in found)


def _text(unmet: Unmet) -> str:
    return phrasing.value(unmet.actual) or "missing"


def _since(unmet: Unmet) -> str:
    return "none" if unmet.actual is None else phrasing.ago(unmet.actual)


_ACTUAL: Mapping[str, Callable[[Unmet], str]] = {
    **dict.fromkeys(syntax.Behaviour.heads, _counted),
    **dict.fromkeys(syntax.Logic.heads, _parts),
    "in segment": _segments,
    **dict.fromkeys(("stage", "temperature"), lambda unmet: unmet.actual or "none"),
    **dict.fromkeys(("score", "interest"), _points_had),
    "visits": lambda unmet: number(unmet.actual),
    "trait": _text,
    "company": lambda unmet: ", ".join(
        f"{name} {phrasing.value(it) or 'missing'}" for name, it in unmet.actual.items()
    ),
    **dict.fromkeys(syntax.Attribute.heads, _text),
    **dict.fromkeys(("consent", "owns"), lambda unmet: phrasing.value(unmet.actual) or "none"),
    "visitor is": lambda unmet: " and ".join(unmet.actual),
    **dict.fromkeys(("first visit", "last visit"), _since),
    "time of day": lambda unmet: phrasing.clock(unmet.actual),
    "weekday": lambda unmet: phrasing.WEEKDAYS[unmet.actual],
    "date": lambda unmet: unmet.actual,
}
