"""Named groups of conditions: segments, and the ladders of lifecycle stages and temperatures.

Both are made empty and filled afterwards, because conditions of one may name another in any order of files. The loader
has refused cycles by then. What a view found out is kept in the view's memo.
"""

from __future__ import annotations

from collections.abc import Sequence

from personalize.condition import Condition, ViewTest, all_hold, first_unmet
from personalize.decision import Reached, Unmet
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
    """Steps from top to bottom of which the first that fits is the visitor's: stages, temperatures.

    With `forward_only` the furthest step that the profile has reached is the least that the visitor has.
    """

    __slots__ = ("_key", "_places", "_tests", "forward_only", "steps")

    def __init__(self, kind: str) -> None:
        self._key = kind
        self.forward_only = False
        self.fill(())

    def fill(self, steps: Sequence[tuple[str, Sequence[Condition]]]) -> None:
        """Set the steps: names with their conditions."""
        self.steps = tuple((name, tuple(conditions)) for name, conditions in steps)
        self._tests: tuple[tuple[str, ViewTest], ...] = tuple((name, all_hold(c)) for name, c in self.steps)
        self._places = {name.lower(): place for place, (name, _) in enumerate(self.steps)}

    def place(self, name: str) -> int:
        """Return how many steps stand above this one; for a name that the ladder does not have, all of them."""
        return self._places.get(name.lower(), len(self.steps))

    def name(self, view: View) -> str:
        """Return the name of the visitor's step, "" when there is none."""
        known: str | None = view.memo.get(self._key)
        if known is None:
            known = view.memo[self._key] = self._find(view)
        return known

    def considered(self, view: View) -> list[tuple[str, Unmet | Reached | None]]:
        """Return the steps down to the visitor's own, each with its first condition that is unmet, None for its own.

        A step that is the visitor's only because it was reached before has the day of that.
        """
        own = self.name(view)
        found: list[tuple[str, Unmet | Reached | None]] = []
        for name, conditions in self.steps:
            lacking = first_unmet(conditions, view)
            if name != own:
                found.append((name, lacking))
                continue
            found.append((name, None if lacking is None else _reached(view)))
            break
        return found

    def _find(self, view: View) -> str:
        furthest = view.profile.furthest if self.forward_only else ()
        reached = self.place(furthest[0]) if furthest else len(self.steps)
        for place, (name, test) in enumerate(self._tests):
            if place == reached or test(view):
                return name
        return ""


def _reached(view: View) -> Reached:
    return Reached(f"{view.plan.calendar.local(view.profile.furthest[1]):%Y-%m-%d}")
