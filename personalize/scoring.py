"""Scores and interests, worked out from day counts when they are read.

points of a grant = points x sum over days of kept count x 2^(-age in days / half-life). Without a half-life nothing
decays: the total counts, a cap per some days is read over the 90 kept days, a cap `ever` limits the total. Grants for
what the visitor is (`for company`, `for country`) count once and never decay. A score is the sum of its grants in the
order in which they are written, so the lines of `Score.lines` add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from personalize import counters, syntax
from personalize.condition import Condition
from personalize.counters import KEPT_DAYS, Row
from personalize.expression import Expression, expression, once, value_of
from personalize.values import Cap
from personalize.view import View
from personalize.windows import UNLIMITED, weighted


@dataclass(slots=True, frozen=True)
class Line:
    """What one grant gave: how often it counted, on how many different days, and the points after decay."""

    written: syntax.Grant
    count: int
    days: int
    points: float


@dataclass(slots=True, frozen=True)
class Grant:
    """One reason for points: `points` is the figure, `tally` the function for the (count, days) behind it."""

    written: syntax.Grant
    points: Expression
    tally: Callable[[View], tuple[int, int]]


class Score:
    """A score or an interest: a name, a half-life in days (None: never decays), and grants.

    `value` gives the visitor's points now.
    """

    __slots__ = ("_points", "grants", "half_life", "name", "value", "where")

    value: Callable[[View], float]

    def __init__(self, name: str, half_life: int | None, where: str) -> None:
        self.name = name
        self.half_life = half_life
        self.where = where

    def fill(self, grants: Sequence[Grant]) -> None:
        """Set what gives points."""
        self.grants = tuple(grants)
        # In the same order, and each as its line says, so that the lines add up to the last digit.
        given = (expression("known += {}", grant.points) for grant in grants)
        self.value = once(Expression("known = 0.0"), *given)
        self._points = tuple(value_of(grant.points) for grant in grants)

    def lines(self, view: View) -> list[Line]:
        """Return what each grant gave, those that gave nothing included."""
        return [
            Line(grant.written, *grant.tally(view), points(view))
            for grant, points in zip(self.grants, self._points, strict=True)
        ]


def attribute_grant(grant: syntax.Grant, condition: Condition) -> Grant:
    """Return a grant for what the visitor is; it counts once."""
    points = expression("{} if {} else 0.0", grant.points, condition.holds)
    return Grant(grant, points, value_of(expression("(1, 0) if {} else (0, 0)", condition.holds)))


def counted_grant(grant: syntax.Grant, matcher: str, half_life: int | None) -> Grant:
    """Return a grant for what the visitor did, its points for each time that the cap lets through."""
    tally = _tally(half_life, grant.cap)

    def tallied(view: View) -> tuple[int, int]:
        row = view.rows.get(matcher)
        return tally(row, view.today) if row else (0, 0)

    given = _given(half_life, grant.cap)
    points = expression("{} * {} if (row := view.rows.get({})) else 0.0", grant.points, given, matcher)
    return Grant(grant, points, tallied)


@lru_cache(maxsize=64)
def _weights(half_life: int | None) -> tuple[float, ...]:
    """Return what is left of a point by its age in days."""
    return tuple(2.0 ** (-age / half_life) if half_life else 1.0 for age in range(KEPT_DAYS))


def _given(half_life: int | None, cap: Cap | None) -> Expression:
    """Return how often a row counts now, each time as much as the decay leaves of it, as cheap as the cap allows."""
    weights = _weights(half_life)
    most = UNLIMITED if cap is None else cap.count
    if half_life is None and (cap is None or cap.days == 0):
        return expression("row[0] if row[0] < {} else {}", most, most)
    if cap is None or cap.days == 1:
        return expression("{}(row, view.today, {}, {})", weighted, weights, most)

    def of_kept(row: Row, today: int) -> float:
        return sum(count * weights[max(today - day, 0)] for day, count in _capped(row, today, cap))

    return expression("{}(row, view.today)", of_kept)


def _tally(half_life: int | None, cap: Cap | None) -> Callable[[Row, int], tuple[int, int]]:
    """Return the function from (row, today) to (count, days) behind the same figure, for explanations."""

    def tally(row: Row, today: int) -> tuple[int, int]:
        recent = _capped(row, today, cap)
        if half_life is None and (cap is None or cap.days == 0):
            return min(row[0], UNLIMITED if cap is None else cap.count), len(recent)
        return sum(count for _, count in recent), len(recent)

    return tally


def _capped(row: Row, today: int, cap: Cap | None) -> list[tuple[int, int]]:
    """Return (day, count) of what the cap lets through of the kept 90 days, the newest day first."""
    recent = counters.pruned(row, today - KEPT_DAYS)
    return list(counters.days(recent) if cap is None else counters.kept(recent, cap.count, cap.days))
