"""How what a visitor has is read in the places that blocks are filed by (see `filing`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import nan
from operator import attrgetter
from typing import Any

from personalize.filing import Place
from personalize.scope import Scope
from personalize.view import View

_NONE: tuple[str, ...] = ()


def texts(place: Place, scope: Scope) -> Callable[[View], Collection[str] | None]:
    """Return the function that reads a place's texts in lower case, None where they cannot be told."""
    head, name = place
    match head:
        case "counted":
            return lambda view: view.rows
        case "owns":
            return lambda view: view.owned
        case "consent":
            return lambda view: view.purposes
        case "stage" | "temperature":
            ladder = scope.ladders[head]
            return lambda view: (ladder.name(view).lower(),)
        case "trait":
            return lambda view: _texts_of(view.traits.get(name))
        case "company":
            return lambda view: _texts_of(view.company.get(name))
        case "page":
            return lambda view: (view.page,) if view.facts.page else _NONE
    read: Callable[[Any], str] = attrgetter(head)
    return lambda view: (text.lower(),) if (text := read(view.facts)) else _NONE


def number(place: Place, scope: Scope) -> Callable[[View], float | None]:
    """Return the function that reads a place's number: NaN when there is none, None where it cannot be told."""
    head, name = place
    match head:
        case "now":
            return lambda view: view.now
        case "today":
            return lambda view: view.today
        case "visits":
            return lambda view: view.visits
        case "trait":
            return lambda view: _number_of(view.traits.get(name))
        case "company":
            return lambda view: _number_of(view.company.get(name))
    score = (scope.scores if head == "score" else scope.interests)[name]
    return score.value


def _texts_of(value: Any) -> Collection[str] | None:
    """Return a JSON value's texts: its items when it is a list, None when a number could fit a text as well."""
    if type(value) is str:
        return (value.lower(),)
    if value is None:
        return _NONE
    if isinstance(value, list) and all(type(item) is str for item in value):
        return [item.lower() for item in value]
    return None


def _number_of(value: Any) -> float | None:
    if value is None:
        return nan
    return value if type(value) is int or type(value) is float else None
