"""Named groups of conditions: segments, and the ladders of lifecycle stages and temperatures.

Both are made empty and filled afterwards, because conditions of one may name another in any order of files. The loader
has refused cycles by then. What a view found out is kept in the view's memo.
"""

from __future__ import annotations

from collections.abc import Sequence

from personalize.condition import Condition, ViewTest, all_hold, first_unmet
from personalize.decision import Unmet
from personalize.view import View


class Segment:
    """A named set of visitors, worked out when it is read."""

    __slots__ = ("_key", "_test", "about", "conditions", "name", "where")

    def __init__(self, name: str, about: str, where: str) -> None:
        self.name = name
        self.about = about
        self.where = where
        self._key = f"segment {name}"
        self.fill(())

    def fill(self, conditions: Sequence[Condition]) -> None:
        """Set what the visitor must fulfil."""
        self.conditions = tuple(conditions)
        self._test = all_hold(self.conditions)

    def holds(self, view: View) -> bool:
        """Tell whether the visitor is in the segment."""
        known: bool | None = view.memo.get(self._key)
        if known is None:
            known = view.memo[self._key] = self._test(view)
        return known

    def lacking(self, view: View) -> Unmet | None:
        """Return the first condition that keeps the visitor out, None for one who is in it."""
        return first_unmet(self.conditions, view)


class Ladder:
    """Steps from top to bottom of which the first that fits is the visitor's: stages, temperatures."""

    __slots__ = ("_key", "_tests", "steps")

    def __init__(self, kind: str) -> None:
        self._key = kind
        self.fill(())

    def fill(self, steps: Sequence[tuple[str, Sequence[Condition]]]) -> None:
        """Set the steps: names with their conditions."""
        self.steps = tuple((name, tuple(conditions)) for name, conditions in steps)
        self._tests: tuple[tuple[str, ViewTest], ...] = tuple((name, all_hold(c)) for name, c in self.steps)

    def name(self, view: View) -> str:
        """Return the name of the visitor's step, "" when there is none."""
        known: str | None = view.memo.get(self._key)
        if known is None:
            known = view.memo[self._key] = self._find(view)
        return known

    def considered(self, view: View) -> list[tuple[str, Unmet | None]]:
        """Return the steps down to the visitor's own, each with its first condition that is unmet, None for its own."""
        found = []
        for name, conditions in self.steps:
            lacking = first_unmet(conditions, view)
            found.append((name, lacking))
            if lacking is None:
                break
        return found

    def _find(self, view: View) -> str:
        for name, test in self._tests:
            if test(view):
                return name
        return ""
