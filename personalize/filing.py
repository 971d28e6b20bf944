"""What a condition needs of a visitor, as far as it can be looked up: the keys and spans that blocks are filed under.

A key is a text that the visitor must have, or must not have, in one place: a country, a trait's value, something
counted, an owned product. A span is the range in which a number must lie. A filing may ask for less than its condition,
never for more: a visitor whom the condition fits always has the key and lies in the span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, TypeAlias

from personalize import behaviour, syntax
from personalize.calendar import day_of
from personalize.compare import closed_ends
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
VISITS: Place = ("visits", "")


class Keys(NamedTuple):
    """One of these keys must be in the place; where they are `barred`, none of them may.

    A key that ends in `*` stands for every text with that beginning, one within two `*` for every text that holds it.
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


def filings(written: Written) -> Iterator[Filing]:
    """Yield what a condition can be filed under; all of it must hold."""
    exact = _exact(written)
    if exact is not None:
        yield exact
    elif type(written) in _NEEDS:
        yield from _NEEDS[type(written)](written)


def is_told(written: Written) -> bool:
    """Tell whether the filings of a condition say all that it says, as long as what is found there is a plain value."""
    if isinstance(written, syntax.Points | syntax.Visits):
        return True
    return written.head in {"date", "schedule"} or _exact(written) is not None


def _exact(written: Written) -> Keys | None:
    """Return the keys that say just what a condition says, if there are such."""
    return _EXACT[type(written)](written) if type(written) in _EXACT else None


# -- conditions that are keys and no more ---------------------------------------------------------------------------
def _keys(place: Place, texts: Sequence[str], normal: Callable[[str], str] = str.lower) -> Keys | None:
    """Return the keys of texts, None where a glob of them cannot be written as a key."""
    keys = tuple(map(normal, texts))
    return Keys(place, keys) if keys == tuple(map(key_of, keys)) else None


def key_of(pattern: str) -> str:
    """Return the key of a text or glob; of a glob that no key says in full, the longest part that it must hold."""
    if "*" not in pattern[:-1]:
        return pattern
    return f"*{max(pattern.split('*'), key=len)}*"


def _attribute(written: syntax.Attribute) -> Keys | None:
    return _keys(*_of_request(written))


def _of_request(written: syntax.Attribute) -> tuple[Place, Sequence[str], Callable[[str], str]]:
    return (written.head, ""), written.texts, normal_path if written.head == "page" else str.lower


def _trait(written: syntax.Trait) -> Keys | None:
    return None if isinstance(written.test, NumberRange) else _keys(("trait", written.name), written.test)


def _only_attribute(written: syntax.Company) -> Keys | None:
    (name, test), *more = written.attributes.items()
    if more or " " in name or isinstance(test, NumberRange):
        return None
    return _keys(("company", name), test)


def _named(written: syntax.Named) -> Keys | None:
    return None if written.head == "in segment" else _keys((written.head, ""), written.names)


def _ever(written: syntax.Behaviour) -> Keys | None:
    bare = written.at_most is None and written.across is None and written.within is None
    return Keys(COUNTED, (matcher_id(written),)) if bare and behaviour.least(written) == 1 else None


_EXACT: Mapping[type, Callable[[Any], Keys | None]] = {
    syntax.Attribute: _attribute,
    syntax.Listed: lambda written: _keys((written.head, ""), written.texts),
    syntax.Trait: _trait,
    syntax.Company: _only_attribute,
    syntax.Named: _named,
    syntax.Behaviour: _ever,
}


# -- conditions that need keys or spans, and more -------------------------------------------------------------------
def _parts_of(place: Place, texts: Sequence[str], normal: Callable[[str], str] = str.lower) -> Iterator[Keys]:
    yield Keys(place, tuple(key_of(normal(text)) for text in texts))


def _company(written: syntax.Company) -> Iterator[Filing]:
    for name, test in written.attributes.items():
        if " " in name:
            continue  # it has several spellings and is left to the condition itself
        if isinstance(test, NumberRange):
            yield Span(("company", name), *closed_ends(test))
        else:
            yield from _parts_of(("company", name), test)


def _behaviour(written: syntax.Behaviour) -> Iterator[Filing]:
    if behaviour.least(written):
        yield Keys(COUNTED, (matcher_id(written),))


def _inexact_trait(written: syntax.Trait) -> Iterator[Filing]:
    if isinstance(written.test, NumberRange):
        yield Span(("trait", written.name), *closed_ends(written.test))
    else:
        yield from _parts_of(("trait", written.name), written.test)


def _date(written: syntax.When) -> Iterator[Filing]:
    span = written.range
    if isinstance(span, DateRange):
        low = -inf if span.first is None else day_of(span.first)
        yield Span(TODAY, low, inf if span.last is None else day_of(span.last))


def _limit(written: Limit) -> Iterator[Filing]:
    keys = _keys(OWNED, written.block.owners) if written.head == "owners" else None
    if keys is not None:
        yield keys._replace(barred=True)


def _logic(written: syntax.Logic) -> Iterator[Filing]:
    if written.head == "any of":
        yield from _one_of(written.conditions)
    else:
        for condition in written.conditions:
            yield from filings(condition) if written.head == "all of" else _none(condition)


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
        parts = condition.conditions
        if condition.head == "not":
            yield from filings(parts[0])
        elif condition.head == "none of":
            yield from _one_of(parts)
        elif condition.head == "any of" or len(parts) == 1:
            for part in parts:
                yield from _none(part)


_NEEDS: Mapping[type, Callable[[Any], Iterator[Filing]]] = {
    syntax.Attribute: lambda written: _parts_of(*_of_request(written)),
    syntax.Listed: lambda written: _parts_of((written.head, ""), written.texts),
    syntax.Behaviour: _behaviour,
    syntax.Trait: _inexact_trait,
    syntax.Company: _company,
    syntax.Points: lambda written: iter([Span((written.head, written.name.lower()), *closed_ends(written.range))]),
    syntax.Visits: lambda written: iter([Span(VISITS, *closed_ends(written.range))]),
    syntax.When: _date,
    syntax.Logic: _logic,
    Limit: _limit,
}
