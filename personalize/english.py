"""Rules and reasons in English: what a rule says, what the visitor has instead, why a block won or lost.

Conditions read in the rule language's own words, so that a reader finds them again in the YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personalize import phrasing, syntax
from personalize.compare import text_of
from personalize.decision import Candidate, Limit, Unmet, Written
from personalize.values import DailyRange, DateRange, Moment, WeekdayRange

_DONE = {"click": "clicked", "dismiss": "dismissed", "convert": "converted"}


def condition(written: Written) -> str:
    """Return what a rule says: `viewed /prices*, at least 2 times, within 30 days`."""
    if isinstance(written, Limit):
        return _LIMITS[written.head](written)
    said: Callable[[Any], str] = _CONDITIONS[type(written)]
    return said(written)


def actual(unmet: Unmet) -> str:
    """Return what the visitor has instead: `once on 1 day`, `DE`, `missing`."""
    return _ACTUAL[unmet.written.head](unmet)


def sentence(unmet: Unmet) -> str:
    """Return both: `score fit at least 25 (is: 15)`."""
    return f"{condition(unmet.written)} (is: {actual(unmet)})"


def segment(lacking: Unmet | None) -> str:
    """Return whether a visitor is in a segment: `in it`, or what is lacking."""
    return "in it" if lacking is None else f"not in it, lacks {sentence(lacking)}"


def step(lacking: Unmet | None) -> str:
    """Return whether a step of a ladder fits: `fits`, or what is lacking."""
    return "fits" if lacking is None else f"lacks {sentence(lacking)}"


def grant(written: syntax.Grant) -> str:
    """Return what gives points: `viewed /prices*, at most twice per day`."""
    said = condition(written.condition)
    return f"{said}, at most {phrasing.cap(written.cap)}" if written.cap else said


def candidate(one: Candidate) -> str:
    """Return why a block won or lost, as a sentence."""
    return _CAUSES[one.because](one)


# -- what the rule says ---------------------------------------------------------------------------------------------
def _behaviour(written: syntax.Behaviour) -> str:
    parts = [f"{written.head} {phrasing.one_of(written.names)}"]
    if written.properties:
        parts.append(f"where {phrasing.tests(written.properties)}")
    if written.at_least is not None:
        parts.append(f"at least {phrasing.times(written.at_least)}")
    if written.at_most is not None:
        parts.append(f"at most {phrasing.times(written.at_most)}")
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


def _schedule(limit: Limit) -> str:
    ends = (("from", limit.block.starts), ("until", limit.block.until))
    return "a time " + " ".join(f"{word} {_moment(at)}" for word, at in ends if at)


def _cap(limit: Limit) -> str:
    most = limit.block.show_at_most
    return f"a block shown less than {phrasing.cap(most)}" if most else ""


def _rest(limit: Limit) -> str:
    ms = limit.block.rests[limit.after] if limit.after else None
    done = _DONE.get(limit.after, "")
    return f"never {done} before" if ms is None else f"{phrasing.length(ms)} of rest after it was {done}"


_LIMITS: Mapping[str, Callable[[Limit], str]] = {
    "schedule": _schedule,
    "owners": lambda limit: f"a visitor who does not own {phrasing.one_of(limit.block.owners)}",
    "cap": _cap,
    "rest": _rest,
}


def _moment(at: Moment) -> str:
    return str(at.day) if at.minute is None else phrasing.moment(at.naive())


# -- what the visitor has -------------------------------------------------------------------------------------------
def _counted(unmet: Unmet) -> str:
    count, on_days, total = unmet.actual
    if not total:
        return "never"
    if not count and isinstance(unmet.written, syntax.Behaviour):
        return f"not in these {unmet.written.within} days"
    return f"{phrasing.times(count)} on {phrasing.amount(on_days, 'day')}" if on_days else phrasing.times(count)


def _parts(unmet: Unmet) -> str:
    parts = unmet.actual
    return actual(parts[0]) if len(parts) == 1 else "; ".join(map(sentence, parts))


def _rested(unmet: Unmet) -> str:
    ago, until = unmet.actual
    done = _DONE[unmet.written.after] if isinstance(unmet.written, Limit) and unmet.written.after else ""
    return f"{done} {phrasing.ago(ago)}, rests {f'until {until}' if until else 'forever'}"


def _text(unmet: Unmet) -> str:
    return text_of(unmet.actual) or "missing"


def _since(unmet: Unmet) -> str:
    return "none" if unmet.actual is None else phrasing.ago(unmet.actual)


_ACTUAL: Mapping[str, Callable[[Unmet], str]] = {
    **dict.fromkeys(syntax.Behaviour.heads, _counted),
    **dict.fromkeys(syntax.Logic.heads, _parts),
    "in segment": lambda unmet: "; ".join(segment(lacking) for _, lacking in unmet.actual),
    **dict.fromkeys(("stage", "temperature"), lambda unmet: unmet.actual or "none"),
    **dict.fromkeys(("score", "interest", "visits"), lambda unmet: phrasing.number(unmet.actual)),
    "trait": _text,
    "company": lambda unmet: ", ".join(f"{name} {text_of(it) or 'missing'}" for name, it in unmet.actual.items()),
    **dict.fromkeys(syntax.Attribute.heads, _text),
    **dict.fromkeys(("consent", "owns"), lambda unmet: ", ".join(unmet.actual) or "none"),
    "visitor is": lambda unmet: " and ".join(unmet.actual),
    **dict.fromkeys(("first visit", "last visit"), _since),
    "time of day": lambda unmet: phrasing.clock(unmet.actual),
    "weekday": lambda unmet: phrasing.WEEKDAYS[unmet.actual],
    "date": lambda unmet: unmet.actual,
    "schedule": lambda unmet: unmet.actual,
    "owners": lambda unmet: "owns " + ", ".join(unmet.actual),
    "cap": lambda unmet: f"shown {phrasing.times(unmet.actual)}",
    "rest": _rested,
}


# -- why a block won or lost ----------------------------------------------------------------------------------------
def _outdone(one: Candidate) -> str:
    order = " and stands earlier" if one.worth == one.other_worth else ""
    return f'Worth {_points(one.worth)}; "{one.other}" is worth {_points(one.other_worth)}{order}.'


def _points(worth: float | None) -> str:
    return phrasing.number(worth or 0.0)


_CAUSES: Mapping[str, Callable[[Candidate], str]] = {
    "first": lambda _: "It is the first that fits.",
    "best": lambda one: f"It fits and is worth most: {_points(one.worth)}.",
    "fallback": lambda _: "Nothing else fits, so the fallback is shown.",
    "behind": lambda one: f'Stands after "{one.other}", which fits.',
    "unmet": lambda one: f"Needs {sentence(one.unmet)}." if one.unmet else "",
    "worthless": lambda one: f"It is worth {_points(one.worth)}; only blocks worth more than 0 compete.",
    "outdone": _outdone,
    "kept as fallback": lambda _: "It is shown only as the fallback.",
}
