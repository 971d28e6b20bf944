"""One compiled condition, and how several become one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from personalize.view import View

ViewTest = Callable[[View], bool]


@dataclass(slots=True, frozen=True)
class Condition:
    """A test of a view, with what a reader needs: the rule's words, its place, and the visitor's own value.

    `text` reads like the rule; `where` is file:line:column; `actual` is short and only called for receipts.
    """

    test: ViewTest
    text: str
    where: str
    actual: Callable[[View], str]

    def unmet(self, view: View) -> str:
        """Return the condition and what the visitor has instead: `score fit at least 25 (is: 15)`."""
        return f"{self.text} (is: {self.actual(view)})"


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


def first_unmet(conditions: Iterable[Condition], view: View) -> Condition | None:
    """Return the first condition that does not hold, or None."""
    return next((c for c in conditions if not c.test(view)), None)


def _always(_: View) -> bool:
    return True
