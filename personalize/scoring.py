"""Scores and interests, worked out from day counts when they are read.

points of a grant = points x sum over days of kept count x 2^(-age in days / half-life). Without a half-life nothing
decays: the total counts, a cap per some days is read over the 90 kept days, a cap `ever` limits the total. Grants for
what the visitor is (`for company`, `for country`) count once and never decay. A score is the sum of its grants in the
order in which they are written, so the lines of `Score.lines` add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from personalize import counters, syntax
from personalize.condition import Condition
from personalize.counters import KEPT_DAYS, Row
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
    """One reason for points: `points` is the figure, `tally` the (count, days) behind it."""

    written: syntax.Grant
    points: Callable[[View], float]
    tally: Callable[[View], tuple[int, int]]


class Score:
    """A score or an interest: a name, a half-life in days (None: never decays), and grants."""

    __slots__ = ("_key", "_points", "grants", "half_life", "name", "where")

    def __init__(self, kind: str, name: str, half_life: int | None, where: str) -> None:
        self.name = name
        self.half_life = half_life
        self.where = where
        self._key = f"{kind} {name}"
        self.fill(())

    def fill(self, grants: Sequence[Grant]) -> None:
        """Set what gives points."""
        self.grants = tuple(grants)
        self._points = tuple(grant.points for grant in grants)

    def value(self, view: View) -> float:
        """Return the visitor's points now."""
        known: float | None = view.memo.get(self._key)
        if known is None:
            known = 0.0
            for points in self._points:
                known += points(view)
            view.memo[self._key] = known
        return known

    def lines(self, view: View) -> list[Line]:
        """Return what each grant gave, those that gave nothing included."""
        return [Line(g.written, *g.tally(view), g.points(view)) for g in self.grants]


def attribute_grant(grant: syntax.Grant, condition: Condition) -> Grant:
    """Return a grant for what the visitor is; it counts once."""
    test, points = condition.test, grant.points
    return Grant(
        grant,
        lambda view: points if test(view) else 0.0,
        lambda view: (1, 0) if test(view) else (0, 0),
    )


def counted_grant(grant: syntax.Grant, matcher: str, half_life: int | None) -> Grant:
    """Return a grant for what the visitor did, its points for each time that the cap lets through."""
    tally = _tally(half_life, grant.cap)

    def tallied(view: View) -> tuple[int, int]:
        row = view.rows.get(matcher)
        return tally(row, view.today) if row else (0, 0)

    return Grant(grant, _given(grant.points, matcher, half_life, grant.cap), tallied)


def _given(points: float, matcher: str, half_life: int | None, cap: Cap | None) -> Callable[[View], float]:
    """Return the function that works out a grant's points, as cheap as its cap allows."""
    weights = tuple(2.0 ** (-age / half_life) if half_life else 1.0 for age in range(KEPT_DAYS))
    most = UNLIMITED if cap is None else cap.count

    def of_total(view: View) -> float:
        row = view.rows.get(matcher)
        return points * min(row[0], most) if row else 0.0

    def of_days(view: View) -> float:
        row = view.rows.get(matcher)
        return points * weighted(row, view.today, weights, most) if row else 0.0

    def of_kept(view: View) -> float:
        row = view.rows.get(matcher)
        kept = _capped(row, view.today, cap) if row else ()
        return points * sum(count * weights[max(view.today - day, 0)] for day, count in kept)

    if half_life is None and (cap is None or cap.days == 0):
        return of_total
    return of_days if cap is None or cap.days == 1 else of_kept


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
