"""Conditions on who the visitor is, what the request says, and what the site's clock shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, get_args

from personalize import compare, globs, syntax
from personalize.calendar import date_of, day_of
from personalize.condition import Condition
from personalize.expression import Expression, expression, joined, truth_of, value_of
from personalize.model import PURPOSES
from personalize.scope import Scope
from personalize.values import DailyRange, DateRange, WeekdayRange
from personalize.view import View


def trait(condition: syntax.Trait, _: Scope) -> Condition:
    """Compile `trait: NAME, is: …`; names of traits are told apart by case, as the site's code writes them."""
    name = condition.name
    holds = compare.fits(condition.test, expression("view.traits.get({})", name))
    return Condition(holds, condition, lambda view: view.traits.get(name))


def company(condition: syntax.Company, _: Scope) -> Condition:
    """Compile `company: {attribute: …}`; all attributes must fit."""
    spelt = {name: (name, *_other_spellings(name)) for name in condition.attributes}

    def holds(name: str, test: compare.Test) -> Expression:
        if len(spelt[name]) == 1:
            return compare.fits(test, expression("view.company.get({})", name))
        return compare.fits(test, expression("{}(view.company, {})", _attribute, spelt[name]))

    def actual(view: View) -> dict[str, Any]:
        return {name: _attribute(view.company, spellings) for name, spellings in spelt.items()}

    return Condition(joined("and", [holds(*item) for item in condition.attributes.items()]), condition, actual)


def of_request(condition: syntax.Attribute, _: Scope) -> Condition:
    """Compile `country: FI` and its like: the request's own text against one or several."""
    read: Callable[[Any], str] = attrgetter(condition.head)
    normal = globs.normal_path if condition.head == "page" else str.lower
    return Condition(
        _fits(_REQUEST[condition.head], tuple(map(normal, condition.texts))),
        condition,
        lambda view: read(view.facts),
    )


def consent(condition: syntax.Listed, scope: Scope) -> Condition:
    """Compile `consent: PURPOSE`: the visitor allows one of them."""
    wanted = tuple(text.lower() for text in condition.texts)
    scope.purposes.update(wanted)
    # The gateway's own purposes are always those of this request, see View.purposes.
    read = "view.context.consent" if PURPOSES.issuperset(wanted) else "view.purposes"
    return Condition(_one_fits(read, wanted), condition, lambda view: tuple(sorted(view.purposes)))


def owns(condition: syntax.Listed, _: Scope) -> Condition:
    """Compile `owns: PRODUCT`: the visitor owns one of them."""
    return Condition(owned(condition.texts), condition, lambda view: tuple(sorted(view.owned)))


def owned(products: Sequence[str]) -> Expression:
    """Return the expression that holds for who owns one of these products."""
    return _one_fits("view.owned", tuple(product.lower() for product in products))


def visitor_is(condition: syntax.VisitorIs, _: Scope) -> Condition:
    """Compile `visitor is`: new (at most one visit), returning (more), known (identity verified), anonymous."""
    tests = {kind: truth_of(holds) for kind, holds in _KINDS.items()}
    return Condition(
        joined("or", [_KINDS[kind] for kind in condition.kinds]),
        condition,
        lambda view: tuple(kind for kind, test in tests.items() if test(view)),
    )


def visits(condition: syntax.Visits, _: Scope) -> Condition:
    """Compile `visits: at least 3`, the present visit included."""
    return Condition(compare.in_range(condition.range, Expression("view.visits")), condition, lambda view: view.visits)


def first_visit(condition: syntax.Since, _: Scope) -> Condition:
    """Compile `first visit: less than 7 days ago`."""
    return _since(condition, "view.profile.first_visit", lambda view: view.profile.first_visit)


def last_visit(condition: syntax.Since, _: Scope) -> Condition:
    """Compile `last visit: more than 21 days ago`: when the visit before the present one ended."""
    return _since(condition, "view.last_visit", lambda view: view.last_visit)


def time_of_day(condition: syntax.When, _: Scope) -> Condition:
    """Compile `time of day: 08:00 to 16:30`; both minutes are included, and 22:00 to 06:00 goes over midnight."""
    span = condition.range
    assert isinstance(span, DailyRange)  # noqa: S101 - the loader made it so; this tells the type checker
    return _wrapping(condition, span.low, span.high, Expression("view.minute"))


def weekday(condition: syntax.When, _: Scope) -> Condition:
    """Compile `weekday: monday to friday`; friday to monday goes over the end of the week."""
    span = condition.range
    assert isinstance(span, WeekdayRange)  # noqa: S101 - as above
    return _wrapping(condition, span.low, span.high, Expression("(view.today + 3) % 7"))  # day 0 was a Thursday


def date(condition: syntax.When, _: Scope) -> Condition:
    """Compile `date: 2026-11-23 to 2026-11-30`, both days included."""
    span = condition.range
    assert isinstance(span, DateRange)  # noqa: S101 - as above
    low = 0 if span.first is None else day_of(span.first)
    high = 1 << 32 if span.last is None else day_of(span.last)
    holds = expression("{} <= view.today <= {}", low, high)
    return Condition(holds, condition, lambda view: f"{date_of(view.today)}")


_REQUEST = {word: f"view.facts.{word}.lower()" for word in get_args(syntax.AttributeWord)} | {"page": "view.page"}
"""How a request's text is read, in the form in which it is compared."""

_KINDS: Mapping[str, Expression] = {
    "new": Expression("view.visits <= 1"),
    "returning": Expression("view.visits > 1"),
    "known": Expression("view.context.known"),
    "anonymous": Expression("not view.context.known"),
}


def _fits(read: str, wanted: tuple[str, ...]) -> Expression:
    """Return the expression that holds when a text is there and fits one of these."""
    if any("*" in text for text in wanted):
        return expression(f"(text := {read}) and {{}}(text)", globs.any_of(wanted))
    return expression(f"{read} in {{}}", frozenset(wanted) - {""})


def _one_fits(read: str, wanted: tuple[str, ...]) -> Expression:
    """Return the expression that holds when one of a set of texts fits one of these."""
    if any("*" in text for text in wanted):
        return expression(f"{{}}({{}}({{}}, {read}))", any, map, globs.any_of(wanted))
    return expression(f"not {{}}.isdisjoint({read})", frozenset(wanted))


def _since(condition: syntax.Since, read: str, at: Callable[[View], int | None]) -> Condition:
    older, ms = condition.ago.older, condition.ago.ms
    holds = expression(f"(at := {read}) and view.now - at {'>' if older else '<'} {{}}", ms)

    def actual(view: View) -> int | None:
        moment = at(view)
        return view.now - moment if moment else None

    return Condition(holds, condition, actual)


def _wrapping(condition: syntax.When, low: int, high: int, number: Expression) -> Condition:
    holds = (
        expression("{} <= {} <= {}", low, number, high)
        if low <= high
        else expression("not {} < {} < {}", high, number, low)
    )
    return Condition(holds, condition, value_of(number))


def _other_spellings(name: str) -> tuple[str, ...]:
    """Return how else an attribute of two or more words may be spelt: as in a CSV file, as in a group call."""
    first, *rest = name.split()
    return ("_".join([first, *rest]), first + "".join(word.capitalize() for word in rest)) if rest else ()


def _attribute(known: Mapping[str, Any], spellings: tuple[str, ...]) -> Any:
    return next((known[name] for name in spellings if known.get(name) is not None), None)
