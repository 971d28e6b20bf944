"""Conditions as literals that can be compared: which of them follow from which, and which cannot hold together.

A literal says that one quantity of the visitor (its subject: the country, the number of visits, the points of a score,
how often something was viewed) lies in a set of values, or, negated, that it does not. Only what is certain counts as
following or as excluded; where the language leaves doubt (a trait may be a list, a glob may fit anything), nothing
follows. This file knows the language's meaning, not its compiled form: it needs no visitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, floor, inf, isinf
from typing import NamedTuple, TypeAlias

from personalize import globs
from personalize.fields import KEPT_DAYS
from personalize.matchers import canonical
from personalize.syntax import (
    Attribute,
    Behaviour,
    Block,
    Company,
    Condition,
    Listed,
    Logic,
    Named,
    Points,
    Since,
    Test,
    Trait,
    VisitorIs,
    Visits,
    When,
)
from personalize.values import DailyRange, DateRange, NumberRange, WeekdayRange

DAY = 1440
"""Minutes of a day."""


class Counted(NamedTuple):
    """How often something happened in `window` days, and on how many of the last `days` days; inf: ever."""

    low: float
    high: float
    window: float
    across: int
    days: float


class Turns(NamedTuple):
    """Minutes of the day or days of the week, as the bits of a number."""

    bits: int


Wanted: TypeAlias = frozenset[str] | NumberRange | Counted | Turns
Subject: TypeAlias = tuple[object, ...]
Known: TypeAlias = "dict[Subject, list[Literal]]"

LARGEST = 30
"""Alternatives of more conditions than this are not compared with others."""

ALL_DAY = Turns((1 << DAY) - 1)
ALL_WEEK = Turns((1 << 7) - 1)

_WORDS = frozenset({"any of", "not", "many"})
"""Subjects that are no quantity but conditions themselves."""

# Of these a visitor may have several at once, so two of them exclude nothing.
_SEVERAL = frozenset({"trait", "company", "owns", "consent", "in segment", "visitor is"})


@dataclass(slots=True, unsafe_hash=True)  # frozen would triple the time that it takes to make one
class Literal:
    """The subject's value is one of those that are wanted, or, unless `holds`, it is none of them."""

    subject: Subject
    wanted: Wanted
    holds: bool = True
    where: str = field(default="", compare=False)


def literals(condition: Condition) -> list[Literal]:
    """Return the literals that hold together when a condition does."""
    return list(_of(condition))


def of_limits(block: Block) -> list[Literal]:
    """Return what a block's schedule and its owners ask for, as literals."""
    found = []
    if block.starts or block.until:
        low = -inf if block.starts is None else _minute(block.starts.naive())
        # An end is included whole: the day, or the minute.
        high = inf if block.until is None else _minute(block.until.naive()) + (1 if block.until.minute else DAY)
        found.append(Literal(("date",), NumberRange(low, high, open_high=True), where=block.where))
    if block.owners:
        found.append(Literal(("owns",), _folded(block.owners), holds=False, where=block.where))
    return found


def by_subject(known: Iterable[Literal]) -> Known:
    """Return literals by what they are about."""
    found: Known = {}
    for literal in known:
        found.setdefault(literal.subject, []).append(literal)
    return found


def follows(known: Known, sought: Literal) -> bool:
    """Tell whether a literal is certain where all of the known ones hold."""
    for literal in known.get(sought.subject, ()):
        if _implies(literal, sought):
            return True
    return sought.holds and any(all(follows(known, literal) for literal in way) for way in ways(sought))


def ways(literal: Literal) -> Iterable[frozenset[Literal]]:
    """Return the literals of each alternative of an `any of`; of anything else there are none."""
    return literal.subject[1] if literal.subject[0] == "any of" else ()  # type: ignore[return-value]  # as _of_logic made it


def size(literals: Iterable[Literal]) -> int:
    """Return how many literals these are, those inside of alternatives included."""
    return sum(1 + sum(map(len, ways(literal))) for literal in literals)


def exclude(one: Literal, other: Literal) -> bool:
    """Tell whether two literals cannot hold together."""
    if one.subject != other.subject or not (one.holds or other.holds):
        return False
    if one.holds and other.holds:
        return one.subject[0] not in _SEVERAL and apart(one.wanted, other.wanted)
    inner, outer = (one, other) if one.holds else (other, one)
    return inside(inner.wanted, outer.wanted)


def _implies(one: Literal, other: Literal) -> bool:
    """Tell whether one literal makes another one certain."""
    if one.subject != other.subject:
        return False
    if one.holds and other.holds:
        return inside(one.wanted, other.wanted)
    if one.holds:
        return one.subject[0] not in _SEVERAL and apart(one.wanted, other.wanted)
    return not other.holds and inside(other.wanted, one.wanted)


def inside(one: Wanted, other: Wanted) -> bool:
    """Tell whether whatever fits the one fits the other."""
    match one, other:
        case frozenset(), frozenset():
            return one <= other or (_exact(one) and all(map(globs.any_of(other), one)))
        case NumberRange(), NumberRange():
            low = one.low > other.low or (one.low == other.low and (one.open_low or not other.open_low))
            high = one.high < other.high or (one.high == other.high and (one.open_high or not other.open_high))
            return low and high
        case Turns(), Turns():
            return not one.bits & ~other.bits
        case Counted(), Counted():
            return (
                _at_least(one, other.low, other.window)
                and (isinf(other.high) or (one.high <= other.high and one.window >= other.window))
                and _across(one, other.across, other.days)
            )
    return False


def apart(one: Wanted, other: Wanted) -> bool:
    """Tell whether nothing fits both."""
    match one, other:
        case frozenset(), frozenset():
            if not _exact(one):
                one, other = other, one
            return _exact(one) and not any(map(globs.any_of(other), one))
        case NumberRange(), NumberRange():
            return _before(one, other) or _before(other, one)
        case Turns(), Turns():
            return not one.bits & other.bits
        case Counted(), Counted():
            return _too_often(one, other) or _too_often(other, one)
    return False


def never(wanted: Wanted) -> bool:
    """Tell whether nothing at all fits."""
    if isinstance(wanted, NumberRange):
        ends_meet = wanted.low == wanted.high and (wanted.open_low or wanted.open_high)
        return wanted.low > wanted.high or ends_meet
    if isinstance(wanted, Counted):
        return wanted.across > wanted.days or _too_often(wanted, wanted)
    return False


def always(wanted: Wanted) -> bool:
    """Tell whether a count fits whatever happened."""
    return isinstance(wanted, Counted) and wanted.low <= 0 and isinf(wanted.high) and not wanted.across


def _too_often(one: Counted, other: Counted) -> bool:
    """Tell whether the one asks for more than the other lets happen."""
    if one.low > other.high and one.window <= other.window:
        return True
    return one.across > other.high and one.days <= other.window


def _at_least(known: Counted, low: float, window: float) -> bool:
    """Tell whether it is certain to have happened so often in so many days."""
    if low <= 0 or (known.low >= low and known.window <= window):
        return True
    return known.across >= low and known.days <= window


def _across(known: Counted, across: int, days: float) -> bool:
    """Tell whether it is certain to have happened on so many of the last days."""
    if across <= 0 or (known.across >= across and known.days <= days):
        return True
    return across == 1 and known.low >= 1 and known.window <= days


def _before(one: NumberRange, other: NumberRange) -> bool:
    return one.high < other.low or (one.high == other.low and (one.open_high or other.open_low))


def _of(condition: Condition) -> Iterator[Literal]:
    """Yield the literals of one condition."""
    match condition:
        case Logic():
            yield from _of_logic(condition)
        case Company():
            for name, test in condition.attributes.items():
                yield Literal(("company", name), _test(test), where=condition.where)
        case VisitorIs():
            yield _of_kinds(condition)
        case _:
            yield Literal(*_quantity(condition), where=condition.where)


def _quantity(condition: Condition) -> tuple[Subject, Wanted]:  # noqa: PLR0911 - one line for each family
    """Return the subject of a condition of one quantity, and what is wanted of it."""
    match condition:
        case Behaviour():
            return ("counted", canonical(condition)), counted(condition)
        case Attribute():
            normal = globs.normal_path if condition.head == "page" else str.lower
            return (condition.head,), frozenset(map(normal, condition.texts))
        case Named() | Listed():
            return (condition.head,), _folded(condition.names if isinstance(condition, Named) else condition.texts)
        case Points():
            return (condition.head, condition.name.lower()), condition.range
        case Trait():
            return ("trait", condition.name), _test(condition.test)
        case Visits():
            return ("visits",), whole(condition.range)
        case Since():
            ago = condition.ago
            elapsed = NumberRange(ago.ms, inf, open_low=True) if ago.older else NumberRange(0, ago.ms, open_high=True)
            return (condition.head,), elapsed
        case When():
            return (condition.head,), _span(condition.range)
    raise TypeError(f"{type(condition).__name__} is no condition of one quantity")


def _of_logic(condition: Logic) -> Iterator[Literal]:
    """Yield the literals of `not`, `any of`, `none of`, `all of`; what is no conjunction is a subject of its own."""
    if condition.head == "all of":
        for part in condition.conditions:
            yield from _of(part)
    elif condition.head == "any of":
        found = [frozenset(_of(part)) for part in condition.conditions]
        if len(found) == 1:
            yield from found[0]
        else:
            yield Literal(_kept("any of", found, condition), Turns(1), where=condition.where)
    else:
        for part in condition.conditions:
            held = list(_of(part))
            if len(held) == 1:
                yield Literal(held[0].subject, held[0].wanted, not held[0].holds, condition.where)
            else:
                yield Literal(_kept("not", [frozenset(held)], condition), Turns(1), where=condition.where)


def _kept(word: str, found: Sequence[frozenset[Literal]], condition: Logic) -> Subject:
    """Return a subject that is the same for the same alternatives; many of them, or nested ones, are like no others."""
    nested = any(literal.subject[0] in _WORDS for way in found for literal in way)
    return ("many", condition.where) if nested or sum(map(len, found)) > LARGEST else (word, frozenset(found))


def _of_kinds(condition: VisitorIs) -> Literal:
    kinds = frozenset(condition.kinds)
    if kinds <= {"known", "anonymous"}:
        return Literal(("known",), kinds, where=condition.where)
    if len(kinds) == 1:
        # New is at most one visit, returning more.
        visits = NumberRange(0, 1) if kinds == {"new"} else NumberRange(2, inf)
        return Literal(("visits",), visits, where=condition.where)
    return Literal(("visitor is",), kinds, where=condition.where)


def counted(condition: Behaviour) -> Counted:
    """Return what `viewed` or `did` asks for; "at most" alone includes never, all else says that it happened."""
    across = condition.across or 0
    low = condition.at_least
    if low is None:
        low = 1 if condition.at_most is None else 0
    return Counted(
        low=max(low, 1) if across else low,
        high=inf if condition.at_most is None else condition.at_most,
        window=condition.within or inf,
        across=across,
        days=condition.within or KEPT_DAYS,
    )


def whole(wanted: NumberRange) -> NumberRange:
    """Return the range of the whole numbers in a range, both ends included."""
    low, high = wanted.low, wanted.high
    if not isinf(low):
        low = floor(low) + 1 if wanted.open_low else ceil(low)
    if not isinf(high):
        high = ceil(high) - 1 if wanted.open_high else floor(high)
    return NumberRange(low, high)


def _span(span: DailyRange | WeekdayRange | DateRange) -> Wanted:
    if isinstance(span, DateRange):
        low = -inf if span.first is None else span.first.toordinal() * DAY
        high = inf if span.last is None else (span.last.toordinal() + 1) * DAY
        return NumberRange(low, high, open_high=True)
    every = ALL_DAY if isinstance(span, DailyRange) else ALL_WEEK
    if span.low <= span.high:
        return Turns((1 << (span.high + 1)) - (1 << span.low))
    return Turns(every.bits & ~((1 << span.low) - (1 << (span.high + 1))))


def _minute(moment: datetime) -> int:
    """Return the minutes on the site's calendar up to a naive moment."""
    return moment.toordinal() * DAY + moment.hour * 60 + moment.minute


def _test(test: Test) -> Wanted:
    return test if isinstance(test, NumberRange) else _folded(test)


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text.lower() for text in texts)


def _exact(texts: frozenset[str]) -> bool:
    return not any("*" in text for text in texts)
