"""Named groups of conditions: segments, and the ladders of lifecycle stages and temperatures.

Both are made empty and filled afterwards, because conditions of one may name another in any order of files. The loader
has refused cycles by then. What a view found out is kept in the view's memo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from personalize.condition import AllOf, Condition
from personalize.decision import Unmet
from personalize.expression import Expression, expression, function, once
from personalize.view import View


class Segment:
    """A named set of visitors, worked out when it is read. `holds` tells whether the visitor is in it."""

    __slots__ = ("_needs", "about", "holds", "name", "where")

    holds: Callable[[View], bool]

    def __init__(self, name: str, about: str, where: str) -> None:
        self.name = name
        self.about = about
        self.where = where
        self.fill(())

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the visitor must fulfil."""
        return self._needs.conditions

    def fill(self, conditions: Sequence[Condition]) -> None:
        """Set what the visitor must fulfil."""
        self._needs = AllOf(conditions)
        self.holds = once(self, expression("True if {} else False", self._needs.holds))

    def lacking(self, view: View) -> Unmet | None:
        """Return the first condition that keeps the visitor out, None for one who is in it."""
        return self._needs.unmet(view)


class Ladder:
    """Steps from top to bottom of which the first that fits is the visitor's: stages, temperatures."""

    __slots__ = ("_find", "_key", "_names", "_needs", "steps")

    def __init__(self, kind: str) -> None:
        self._key = kind
        self.fill(())

    def fill(self, steps: Sequence[tuple[str, Sequence[Condition]]]) -> None:
        """Set the steps: names with their conditions."""
        self.steps = tuple((name, tuple(conditions)) for name, conditions in steps)
        self._needs = tuple(AllOf(conditions) for _, conditions in self.steps)
        self._names = (*(name for name, _ in self.steps), "")
        self._find = _first_true([needs.holds for needs in self._needs])

    def name(self, view: View) -> str:
        """Return the name of the visitor's step, "" when there is none."""
        known: str | None = view.memo.get(self._key)
        if known is None:
            known = view.memo[self._key] = self._names[self._find(view)]
        return known

    def considered(self, view: View) -> list[tuple[str, Unmet | None]]:
        """Return the steps down to the visitor's own, each with its first condition that is unmet, None for its own."""
        found = []
        for (name, _), needs in zip(self.steps, self._needs, strict=True):
            lacking = needs.unmet(view)
            found.append((name, lacking))
            if lacking is None:
                break
        return found


def _first_true(parts: Sequence[Expression]) -> Callable[[View], int]:
    """Return the function that finds the place of the first that holds, or how many there are when none does."""
    lines = [expression(f"if {{}}: return {place}", part) for place, part in enumerate(parts)]
    return function(*lines, Expression(f"return {len(parts)}"))
