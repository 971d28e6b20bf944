"""One compiled condition, and several that must all hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from personalize.decision import Unmet, Written
from personalize.expression import Expression, first_false, joined
from personalize.view import View


@dataclass(slots=True)
class Condition:
    """A test of a view, with what explains it: what the rule says, and how to read what the visitor has.

    `actual` gives the data that Unmet describes; it is only called for receipts and explanations.
    """

    holds: Expression
    written: Written
    actual: Callable[[View], Any]

    def unmet(self, view: View) -> Unmet:
        """Return what the rule says and what the visitor has instead."""
        return Unmet(self.written, self.actual(view))


class AllOf:
    """Conditions that must all hold; none always holds. `lacking` gives the place of the first that does not, or -1."""

    __slots__ = ("conditions", "lacking")

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(conditions)
        self.lacking = first_false([condition.holds for condition in self.conditions])

    def unmet(self, view: View) -> Unmet | None:
        """Return the first condition that does not hold, or None."""
        place = self.lacking(view)
        if place < 0:
            return None
        lacks = self.conditions[place]
        return Unmet(lacks.written, lacks.actual(view))


def all_hold(conditions: Iterable[Condition]) -> Expression:
    """Return the expression that holds when all conditions do; no condition always holds."""
    return joined("and", [condition.holds for condition in conditions])
