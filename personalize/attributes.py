"""Conditions on who the visitor is, what the request says, and what the site's clock shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from personalize import compare, globs, phrasing, syntax
from personalize.calendar import day_of
from personalize.condition import Condition, ViewTest
from personalize.scope import Scope
from personalize.values import DailyRange, DateRange, WeekdayRange
from personalize.view import View

_MISSING = "missing"


def trait(condition: syntax.Trait, _: Scope) -> Condition:
    """Compile `trait: NAME, is: …`; names of traits are told apart by case, as the site's code writes them."""
    name, fits = condition.name, compare.compiled(condition.test)
    return Condition(
        lambda view: fits(view.traits.get(name)),
        f"trait {name} is {phrasing.test(condition.test)}",
        condition.where,
        lambda view: compare.text_of(view.traits.get(name)) or _MISSING,
    )


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

    def actual(view: View) -> str:
        texts = ((name, compare.text_of(_attribute(view.company, (name, *spellings)))) for name, spellings, _ in tests)
        return ", ".join(f"{name} {text or _MISSING}" for name, text in texts)

    return Condition(fits, f"company {phrasing.tests(condition.attributes)}", condition.where, actual)


def of_request(condition: syntax.Attribute, _: Scope) -> Condition:
    """Compile `country: FI` and its like: the request's own text against one or several."""
    read: Callable[[Any], str] = attrgetter(condition.head)
    normal = globs.normal_path if condition.head == "page" else str.lower
    fits = globs.any_of([normal(text) for text in condition.texts])

    def test(view: View) -> bool:
        text = read(view.facts)
        return bool(text) and fits(normal(text))

    return Condition(
        test,
        f"{condition.head} {phrasing.one_of(condition.texts)}",
        condition.where,
        lambda view: read(view.facts) or _MISSING,
    )


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
        f"visitor is {phrasing.one_of(condition.kinds)}",
        condition.where,
        lambda view: " and ".join(kind for kind, test in _KINDS.items() if test(view)),
    )


def visits(condition: syntax.Visits, _: Scope) -> Condition:
    """Compile `visits: at least 3`, the present visit included."""
    holds = compare.in_range(condition.range)
    return Condition(
        lambda view: holds(view.visits),
        f"visits {phrasing.number_range(condition.range)}",
        condition.where,
        lambda view: str(view.visits),
    )


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
    return Condition(
        _wrapping(span.low, span.high, lambda view: view.local.hour * 60 + view.local.minute),
        f"time of day {phrasing.clock(span.low)} to {phrasing.clock(span.high)}",
        condition.where,
        lambda view: f"{view.local:%H:%M}",
    )


def weekday(condition: syntax.When, _: Scope) -> Condition:
    """Compile `weekday: monday to friday`; friday to monday goes over the end of the week."""
    span = condition.range
    assert isinstance(span, WeekdayRange)  # noqa: S101 - as above
    low, high = phrasing.WEEKDAYS[span.low], phrasing.WEEKDAYS[span.high]
    return Condition(
        _wrapping(span.low, span.high, lambda view: (view.today + 3) % 7),  # 1970-01-01 was a Thursday
        f"weekday {low}" if low == high else f"weekday {low} to {high}",
        condition.where,
        lambda view: phrasing.WEEKDAYS[(view.today + 3) % 7],
    )


def date(condition: syntax.When, _: Scope) -> Condition:
    """Compile `date: 2026-11-23 to 2026-11-30`, both days included."""
    span = condition.range
    assert isinstance(span, DateRange)  # noqa: S101 - as above
    low = 0 if span.first is None else day_of(span.first)
    high = 1 << 32 if span.last is None else day_of(span.last)
    text = {
        (True, True): f"date {span.first} to {span.last}",
        (True, False): f"date {span.first} or later",
        (False, True): f"date {span.last} or earlier",
        (False, False): "date",
    }[span.first is not None, span.last is not None]
    return Condition(
        lambda view: low <= view.today <= high, text, condition.where, lambda view: f"{view.local:%Y-%m-%d}"
    )


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
        f"{condition.head} {phrasing.one_of(condition.texts)}",
        condition.where,
        lambda view: ", ".join(sorted(read(view))) or "none",
    )


def _since(condition: syntax.Since, read: Callable[[View], int | None]) -> Condition:
    older, ms = condition.ago.older, condition.ago.ms

    def test(view: View) -> bool:
        at = read(view)
        if at is None:
            return False
        return view.now - at > ms if older else view.now - at < ms

    def actual(view: View) -> str:
        at = read(view)
        return "none" if at is None else phrasing.ago(view.now - at)

    words = f"{condition.head} {'more' if older else 'less'} than {phrasing.length(ms)} ago"
    return Condition(test, words, condition.where, actual)


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
