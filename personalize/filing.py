"""What a condition needs of a visitor, as far as it can be looked up: the keys and spans that blocks are filed under.

A key is a text that the visitor must have, or must not have, in one place: a country, a trait's value, something
counted, an owned product. A span is the range in which a number must lie. A filing may ask for less than its condition,
never for more: a visitor whom the condition fits always has the key and lies in the span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple, TypeAlias

from personalize import behaviour, syntax
from personalize.calendar import day_of
from personalize.compare import Test, closed_ends
from personalize.condition import Condition
from personalize.decision import Limit, Written
from personalize.globs import normal_path
from personalize.matchers import matcher_id
from personalize.scope import Scope
from personalize.values import DateRange, NumberRange

Place: TypeAlias = tuple[str, str]
"""Where a visitor's texts or number are found: a head word and what it names, such as ("trait", "plan")."""

COUNTED: Place = ("counted", "")
OWNED: Place = ("owns", "")
NOW: Place = ("now", "")
TODAY: Place = ("today", "")


class Keys(NamedTuple):
    """One of these keys must be in the place; where they are `barred`, none of them may.

    A key that ends in `*` stands for every text with that beginning.
    """

    place: Place
    keys: tuple[str, ...]
    barred: bool = False


class Span(NamedTuple):
    """The place's number must be from `low` to `high`, both included."""

    place: Place
    low: float
    high: float


Filing: TypeAlias = Keys | Span


def parts(checks: Sequence[Condition], scope: Scope) -> Iterator[Condition]:
    """Yield these conditions, and in the place of a segment those that it consists of; all of them must hold."""
    for check in checks:
        written = check.written
        if isinstance(written, syntax.Named) and written.head == "in segment" and len(written.names) == 1:
            yield from parts(scope.segments[written.names[0].lower()].conditions, scope)
        else:
            yield check


def is_told(written: Written) -> bool:
    """Tell whether the filings of a condition say all that it says, as long as what is found there is a plain value."""
    dated = isinstance(written, syntax.When) and written.head == "date"
    scheduled = isinstance(written, Limit) and written.head == "schedule"
    return dated or scheduled or isinstance(written, syntax.Points | syntax.Visits) or _exact(written) is not None


def filings(written: Written) -> Iterator[Filing]:
    """Yield what a condition can be filed under; all of it must hold."""
    exact = _exact(written)
    if exact is not None:
        yield exact
        return
    match written:
        case Limit(head="owners", block=block) if _are_keys(block.owners):
            yield Keys(OWNED, _lower(block.owners), barred=True)
        case syntax.Behaviour() if behaviour.least(written):
            yield Keys(COUNTED, (matcher_id(written),))
        case syntax.Trait(name=name, test=NumberRange() as test):
            yield Span(("trait", name), *closed_ends(test))
        case syntax.Company(attributes=attributes):
            for name, test in attributes.items():
                yield from _of_company(name, test)
        case syntax.Points(head=head, name=name, range=test):
            yield Span((head, name.lower()), *closed_ends(test))
        case syntax.Visits(range=test):
            yield Span(("visits", ""), *closed_ends(test))
        case syntax.When(range=DateRange(first=first, last=last)):
            yield Span(TODAY, -inf if first is None else day_of(first), inf if last is None else day_of(last))
        case syntax.Logic(head="all of", conditions=conditions):
            for condition in conditions:
                yield from filings(condition)
        case syntax.Logic(head="any of", conditions=conditions):
            yield from _one_of(conditions)
        case syntax.Logic(head="not" | "none of", conditions=conditions):
            for condition in conditions:
                yield from _none(condition)


def _exact(written: Written) -> Keys | None:
    """Return the keys that say just what a condition says, if there are such."""
    match written:
        case syntax.Attribute(head="page", texts=texts) if _are_keys(texts):
            return Keys(("page", ""), tuple(map(normal_path, texts)))
        case syntax.Attribute(head=head, texts=texts) | syntax.Listed(head=head, texts=texts) if _are_keys(texts):
            return Keys((head, ""), _lower(texts))
        case syntax.Trait(name=name, test=tuple(texts)) if _are_keys(texts):
            return Keys(("trait", name), _lower(texts))
        case syntax.Company(attributes=attributes) if len(attributes) == 1:
            filing = next(_of_company(*next(iter(attributes.items()))), None)
            return filing if isinstance(filing, Keys) else None
        case syntax.Named(head="stage" | "temperature" as head, names=names):
            return Keys((head, ""), _lower(names))
        case syntax.Behaviour(at_most=None, across=None, within=None) if behaviour.least(written) == 1:
            return Keys(COUNTED, (matcher_id(written),))
    return None


def _of_company(name: str, test: Test) -> Iterator[Filing]:
    if " " in name:
        return  # it has several spellings and is left to the condition itself
    if isinstance(test, NumberRange):
        yield Span(("company", name), *closed_ends(test))
    elif _are_keys(test):
        yield Keys(("company", name), _lower(test))


def _one_of(conditions: Sequence[syntax.Condition]) -> Iterator[Keys]:
    """Yield the keys of several conditions together, where each of them needs a key in the same place."""
    needed = [{f.place: f for f in filings(c) if isinstance(f, Keys) and not f.barred} for c in conditions]
    for place in needed[0]:
        if all(place in needs for needs in needed):
            yield Keys(place, tuple(key for needs in needed for key in needs[place].keys))


def _none(condition: syntax.Condition) -> Iterator[Filing]:
    """Yield what must be for a condition not to hold."""
    exact = _exact(condition)
    if exact is not None:
        yield exact._replace(barred=True)
    elif isinstance(condition, syntax.Logic):
        many = len(condition.conditions) > 1
        match condition.head:
            case "not":
                yield from filings(condition.conditions[0])
            case "none of":
                yield from _one_of(condition.conditions)
            case "any of" | "all of" if condition.head == "any of" or not many:
                for part in condition.conditions:
                    yield from _none(part)


def _are_keys(texts: Sequence[str]) -> bool:
    return not any("*" in text[:-1] for text in texts)


def _lower(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.lower() for text in texts)
