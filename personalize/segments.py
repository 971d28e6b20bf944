"""Named groups of conditions: segments, and the ladders of lifecycle stages and temperatures.

Both are made empty and filled afterwards, because conditions of one may name another in any order of files. The loader
has refused cycles by then. What a view found out is kept in the view's memo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from personalize.condition import AllOf, Condition
from personalize.decision import Unmet
from personalize.expression import expression, first, once
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
        self.holds = once(self, expression("known = True if {} else False", self._needs.holds))

    def lacking(self, view: View) -> Unmet | None:
        """Return the first condition that keeps the visitor out, None for one who is in it."""
        return self._needs.unmet(view)


class Ladder:
    """Steps from top to bottom of which the first that fits is the visitor's: stages, temperatures.

    `name` gives the name of the visitor's step, "" when there is none.
    """

    __slots__ = ("_needs", "name", "steps")

    name: Callable[[View], str]

    def __init__(self) -> None:
        self.fill(())

    def fill(self, steps: Sequence[tuple[str, Sequence[Condition]]]) -> None:
        """Set the steps: names with their conditions."""
        self.steps = tuple((name, tuple(conditions)) for name, conditions in steps)
        self._needs = tuple(AllOf(conditions) for _, conditions in self.steps)
        names = (*(name for name, _ in self.steps), "")
        find = first(True, [needs.holds for needs in self._needs])
        self.name = once(self, expression("known = {}[{}(view)]", names, find))

    def considered(self, view: View) -> list[tuple[str, Unmet | None]]:
        """Return the steps down to the visitor's own, each with its first condition that is unmet, None for its own."""
        found = []
        for (name, _), needs in zip(self.steps, self._needs, strict=True):
            lacking = needs.unmet(view)
            found.append((name, lacking))
            if lacking is None:
                break
        return found
