"""How what a visitor has is read in the places that blocks are filed by (see `filing`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import nan
from operator import attrgetter
from typing import Any

from personalize.filing import Place
from personalize.scope import Scope
from personalize.view import View

WORKED_OUT = frozenset({"score", "interest", "stage", "temperature"})
"""The places whose text or number the rules have to work out."""

Texts = Callable[[View], Collection[str] | None]
Number = Callable[[View], float | None]


def texts(place: Place, scope: Scope) -> Texts:
    """Return the function that reads a place's texts as they are filed, None where they cannot be told."""
    head, name = place
    if head in _TEXTS:
        return _TEXTS[head]
    if head in scope.ladders:
        ladder = scope.ladders[head]
        return lambda view: (ladder.name(view).lower(),)
    if head == "trait":
        return lambda view: _texts_of(view.traits.get(name))
    if head == "company":
        return lambda view: _texts_of(view.company.get(name))
    read: Callable[[Any], str] = attrgetter(head)
    return lambda view: (text.lower(),) if (text := read(view.facts)) else ()


def number(place: Place, scope: Scope) -> Number:
    """Return the function that reads a place's number: NaN when there is none, None where it cannot be told."""
    head, name = place
    if head in _NUMBERS:
        return _NUMBERS[head]
    if head == "trait":
        return lambda view: _number_of(view.traits.get(name))
    if head == "company":
        return lambda view: _number_of(view.company.get(name))
    return (scope.scores if head == "score" else scope.interests)[name].value


def _texts_of(value: Any) -> Collection[str] | None:
    """Return a JSON value's texts: the items of a list, None where something could fit both as number and as text."""
    if type(value) is str:
        return (value.lower(),)
    if value is None:
        return ()
    if isinstance(value, list) and all(type(item) is str for item in value):
        return [item.lower() for item in value]
    return None


def _number_of(value: Any) -> float | None:
    if value is None:
        return nan
    return value if type(value) is int or type(value) is float else None


_TEXTS: Mapping[str, Texts] = {
    "counted": lambda view: view.rows,
    "owns": lambda view: view.owned,
    "consent": lambda view: view.purposes,
    "page": lambda view: (view.page,) if view.facts.page else (),
}
_NUMBERS: Mapping[str, Number] = {
    "now": lambda view: view.now,
    "today": lambda view: view.today,
    "visits": lambda view: view.visits,
}
