"""Conditions on who the visitor is, what the request says, and what the site's clock shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from personalize import compare, globs, syntax
from personalize.calendar import date_of, day_of
from personalize.condition import Condition, ViewTest
from personalize.scope import Scope
from personalize.values import DailyRange, DateRange, WeekdayRange
from personalize.view import View


def trait(condition: syntax.Trait, _: Scope) -> Condition:
    """Compile `trait: NAME, is: …`; names of traits are told apart by case, as the site's code writes them."""
    name, fits = condition.name, compare.compiled(condition.test)
    return Condition(lambda view: fits(view.traits.get(name)), condition, lambda view: view.traits.get(name))


def company(condition: syntax.Company, _: Scope) -> Condition:
    """Compile `company: {attribute: …}`; all attributes must fit."""
    tests = tuple((name, _spellings(name), compare.compiled(test)) for name, test in condition.attributes.items())

    def fits(view: View) -> bool:
        known = view.company
        for name, spellings, test in tests:
            value = known.get(name)
            if not test(_attribute(known, spellings) if value is None and spellings else value):
                return False
        return True

    def actual(view: View) -> dict[str, Any]:
        return {name: _attribute(view.company, (name, *spellings)) for name, spellings, _ in tests}

    return Condition(fits, condition, actual)


def of_request(condition: syntax.Attribute, _: Scope) -> Condition:
    """Compile `country: FI` and its like: the request's own text against one or several."""
    read: Callable[[Any], str] = attrgetter(condition.head)
    normal = globs.normal_path if condition.head == "page" else str.lower
    fits = globs.any_of([normal(text) for text in condition.texts])

    def test(view: View) -> bool:
        text = read(view.facts)
        return bool(text) and fits(normal(text))

    return Condition(test, condition, lambda view: read(view.facts))


def consent(condition: syntax.Listed, scope: Scope) -> Condition:
    """Compile `consent: PURPOSE`: the visitor allows one of them."""
    wanted = [text.lower() for text in condition.texts]
    scope.purposes.update(wanted)
    return _listed(condition, wanted, lambda view: view.purposes)


def owns(condition: syntax.Listed, _: Scope) -> Condition:
    """Compile `owns: PRODUCT`: the visitor owns one of them."""
    return _listed(condition, [text.lower() for text in condition.texts], lambda view: view.owned)


def visitor_is(condition: syntax.VisitorIs, _: Scope) -> Condition:
    """Compile `visitor is`: new (at most one visit), returning (more), known (identity verified), anonymous."""
    tests = [_KINDS[kind] for kind in condition.kinds]
    return Condition(
        tests[0] if len(tests) == 1 else lambda view: any(test(view) for test in tests),
        condition,
        lambda view: tuple(kind for kind, test in _KINDS.items() if test(view)),
    )


def visits(condition: syntax.Visits, _: Scope) -> Condition:
    """Compile `visits: at least 3`, the present visit included."""
    holds = compare.in_range(condition.range)
    return Condition(lambda view: holds(view.visits), condition, lambda view: view.visits)


def first_visit(condition: syntax.Since, _: Scope) -> Condition:
    """Compile `first visit: less than 7 days ago`."""
    return _since(condition, lambda view: view.profile.first_visit or None)


def last_visit(condition: syntax.Since, _: Scope) -> Condition:
    """Compile `last visit: more than 21 days ago`: when the visit before the present one ended."""
    return _since(condition, lambda view: view.last_visit)


def time_of_day(condition: syntax.When, _: Scope) -> Condition:
    """Compile `time of day: 08:00 to 16:30`; both minutes are included, and 22:00 to 06:00 goes over midnight."""
    span = condition.range
    assert isinstance(span, DailyRange)  # noqa: S101 - the loader made it so; this tells the type checker
    return Condition(_wrapping(span.low, span.high, _minute), condition, _minute)


def weekday(condition: syntax.When, _: Scope) -> Condition:
    """Compile `weekday: monday to friday`; friday to monday goes over the end of the week."""
    span = condition.range
    assert isinstance(span, WeekdayRange)  # noqa: S101 - as above
    return Condition(_wrapping(span.low, span.high, _weekday), condition, _weekday)


def date(condition: syntax.When, _: Scope) -> Condition:
    """Compile `date: 2026-11-23 to 2026-11-30`, both days included."""
    span = condition.range
    assert isinstance(span, DateRange)  # noqa: S101 - as above
    low = 0 if span.first is None else day_of(span.first)
    high = 1 << 32 if span.last is None else day_of(span.last)
    return Condition(lambda view: low <= view.today <= high, condition, lambda view: f"{date_of(view.today)}")


_KINDS: Mapping[str, ViewTest] = {
    "new": lambda view: view.visits <= 1,
    "returning": lambda view: view.visits > 1,
    "known": lambda view: view.context.known,
    "anonymous": lambda view: not view.context.known,
}


def _listed(condition: syntax.Listed, wanted: list[str], read: Callable[[View], frozenset[str]]) -> Condition:
    exact = frozenset(wanted) if not any("*" in text for text in wanted) else None
    fits = globs.any_of(wanted)
    return Condition(
        (lambda view: not exact.isdisjoint(read(view)))
        if exact is not None
        else (lambda view: any(map(fits, read(view)))),
        condition,
        lambda view: tuple(sorted(read(view))),
    )


def _since(condition: syntax.Since, read: Callable[[View], int | None]) -> Condition:
    older, ms = condition.ago.older, condition.ago.ms

    def test(view: View) -> bool:
        at = read(view)
        if at is None:
            return False
        return view.now - at > ms if older else view.now - at < ms

    def actual(view: View) -> int | None:
        at = read(view)
        return None if at is None else view.now - at

    return Condition(test, condition, actual)


def _minute(view: View) -> int:
    return view.local.hour * 60 + view.local.minute


def _weekday(view: View) -> int:
    return (view.today + 3) % 7  # 1970-01-01 was a Thursday


def _wrapping(low: int, high: int, read: Callable[[View], int]) -> ViewTest:
    if low <= high:
        return lambda view: low <= read(view) <= high
    return lambda view: not high < read(view) < low


def _spellings(name: str) -> tuple[str, ...]:
    """Return how else an attribute of two or more words may be spelt: as in a CSV file, as in a group call."""
    first, *rest = name.split()
    return ("_".join([first, *rest]), first + "".join(word.capitalize() for word in rest)) if rest else ()


def _attribute(known: Mapping[str, Any], spellings: tuple[str, ...]) -> Any:
    return next((known[name] for name in spellings if known.get(name) is not None), None)
