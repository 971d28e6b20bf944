"""One compiled condition, and how several become one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from personalize.decision import Unmet, Written
from personalize.view import View

ViewTest = Callable[[View], bool]


@dataclass(slots=True, frozen=True)
class Condition:
    """A test of a view, with what explains it: what the rule says, and how to read what the visitor has.

    `actual` gives the data that Unmet describes; it is only called for receipts and explanations.
    """

    test: ViewTest
    written: Written
    actual: Callable[[View], Any]

    def unmet(self, view: View) -> Unmet:
        """Return what the rule says and what the visitor has instead."""
        return Unmet(self.written, self.actual(view))


def all_hold(conditions: Sequence[Condition]) -> ViewTest:
    """Return one test for conditions that must all hold; no condition always holds."""
    tests = tuple(condition.test for condition in conditions)
    if not tests:
        return _always
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda view: first(view) and second(view)

    def all_of(view: View) -> bool:
        for test in tests:  # noqa: SIM110 - a generator for all() costs more than the tests themselves
            if not test(view):
                return False
        return True

    return all_of


def any_holds(conditions: Sequence[Condition]) -> ViewTest:
    """Return one test for conditions of which one must hold."""
    tests = tuple(condition.test for condition in conditions)
    if len(tests) == 1:
        return tests[0]

    def any_of(view: View) -> bool:
        for test in tests:  # noqa: SIM110 - see all_hold
            if test(view):
                return True
        return False

    return any_of


def first_unmet(conditions: Iterable[Condition], view: View) -> Unmet | None:
    """Return the first condition that does not hold, or None."""
    return next((c.unmet(view) for c in conditions if not c.test(view)), None)


def _always(_: View) -> bool:
    return True
