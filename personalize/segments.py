"""Named groups of conditions: segments, and the ladders of lifecycle stages and temperatures.

Both are made first and filled afterwards, because conditions of one may name another in any order of files. The loader
has refused cycles by then. What a view found out is kept in the view's memo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from personalize.condition import AllOf, Condition, all_hold
from personalize.decision import Reached, Unmet
from personalize.expression import Expression, expression, once
from personalize.view import View


class Segment:
    """A named set of visitors, worked out when it is read.

    `holds` tells whether the visitor is in it, `lacking` gives the first condition that keeps the visitor out, or None.
    """

    __slots__ = ("_needs", "about", "holds", "lacking", "name", "where")

    holds: Callable[[View], bool]

    def __init__(self, name: str, about: str, where: str) -> None:
        self.name = name
        self.about = about
        self.where = where

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the visitor must fulfil."""
        return self._needs.conditions

    def fill(self, conditions: Sequence[Condition]) -> None:
        """Set what the visitor must fulfil."""
        self._needs = AllOf(conditions)
        self.holds = once(expression("known = True if {} else False", all_hold(self._needs.conditions)))
        self.lacking = self._needs.unmet


class Ladder:
    """Steps from top to bottom of which the first that fits is the visitor's: stages, temperatures.

    `name` gives the name of the visitor's step, "" when there is none. With `forward_only` the furthest step that the
    profile has reached is the least that the visitor has.
    """

    __slots__ = ("_needs", "_places", "forward_only", "name", "steps")

    name: Callable[[View], str]

    def __init__(self) -> None:
        self.forward_only = False

    def fill(self, steps: Sequence[tuple[str, Sequence[Condition]]]) -> None:
        """Set the steps: names with their conditions."""
        self.steps = tuple((name, tuple(conditions)) for name, conditions in steps)
        self._needs = tuple(AllOf(conditions) for _, conditions in self.steps)
        self._places = {name.lower(): place for place, (name, _) in enumerate(self.steps)}
        fits = [(all_hold(conditions), name) for name, conditions in self.steps]
        if self.forward_only:
            fits = [(expression("{}(view, {}) or {}", _has_reached, name.lower(), it), name) for it, name in fits]
        # A loop of one round, to be left at the first step that fits.
        lines = (expression(" if {}: known = {}; break", it, name) for it, name in fits)
        self.name = once(Expression("while True:"), *lines, expression(" known = {}; break", ""))

    def place(self, name: str) -> int:
        """Return how many steps stand above this one; for a name that the ladder does not have, all of them."""
        return self._places.get(name.lower(), len(self.steps))

    def considered(self, view: View) -> list[tuple[str, Unmet | Reached | None]]:
        """Return the steps down to the visitor's own, each with its first condition that is unmet, None for its own.

        A step that is the visitor's only because it was reached before has the day of that.
        """
        own = self.name(view)
        found: list[tuple[str, Unmet | Reached | None]] = []
        for (name, _), needs in zip(self.steps, self._needs, strict=True):
            lacking = needs.unmet(view)
            if name != own:
                found.append((name, lacking))
                continue
            found.append((name, None if lacking is None else _reached(view)))
            break
        return found


def _has_reached(view: View, step: str) -> bool:
    """Tell whether this step is the furthest that the profile has reached."""
    furthest = view.profile.furthest
    return bool(furthest) and furthest[0].lower() == step


def _reached(view: View) -> Reached:
    return Reached(f"{view.plan.calendar.local(view.profile.furthest[1]):%Y-%m-%d}")
