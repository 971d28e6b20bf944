"""A score taken apart: what each grant gave, and on which days, with the weight of each day.

A score is the sum of its lines' `points` in their order, to the last bit; the days of a line are its detail. Readers
get `shown`, in hundredths: whoever adds the shown points of the lines gets the shown score, and whoever adds those of
the days gets the line. No shown figure is a whole hundredth away from the exact one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from personalize import counters, phrasing, syntax
from personalize.calendar import date_of
from personalize.matchers import matcher_id
from personalize.scoring import Line, Score
from personalize.view import View


@dataclass(slots=True, frozen=True)
class DayExplained:
    """One day of a line: how often it happened, how often it counted, and what each time is worth by now.

    `date` is an ISO date, "" for everything before the days that are kept one by one.
    """

    date: str
    happened: int
    counted: int
    weight: float
    points: float
    shown: int

    def weight_shown(self, each: float) -> str:
        """Return the weight so that whoever multiplies the shown factors gets the shown points."""
        return phrasing.weight(self.weight, self.counted * each, self.points, self.shown / 100)


@dataclass(slots=True, frozen=True)
class LineExplained:
    """What one grant gave: how often it counted, on how many days, the points after decay, and the days, newest first.

    Grants for what the visitor is have no days.
    """

    written: syntax.Grant
    count: int
    days: int
    points: float
    shown: int
    by_day: tuple[DayExplained, ...]


@dataclass(slots=True, frozen=True)
class ScoreExplained:
    """A score or an interest now, with all of its grants; `half_life` is in days."""

    kind: str
    name: str
    value: float
    shown: int
    half_life: int | None
    where: str
    lines: tuple[LineExplained, ...]


def explained_score(kind: str, score: Score, view: View) -> ScoreExplained:
    """Return a score or an interest with its lines."""
    value, lines = score.value(view), score.lines(view)
    shown = shares(round(round(value, 2) * 100), [line.points for line in lines])
    explained = (_explained(line, units, score.half_life, view) for line, units in zip(lines, shown, strict=True))
    return ScoreExplained(kind, score.name, value, sum(shown), score.half_life, score.where, tuple(explained))


def shares(total: int, parts: Sequence[float]) -> list[int]:
    """Return the parts in hundredths, each rounded up or down so that they add up to `total`, largest remainders up.

    `total` is the parts' sum in hundredths, rounded either way. Without parts there is nothing to share.
    """
    exact = [round(part * 100, 6) for part in parts]  # 28.999999999999996 stands for 29
    units = [floor(part) for part in exact]
    rest = total - sum(units)
    largest = sorted(range(len(exact)), key=lambda at: units[at] - exact[at])
    for at in largest[:rest]:
        units[at] += 1
    return units


def _explained(line: Line, shown: int, half_life: int | None, view: View) -> LineExplained:
    days = _days(line, half_life, view)
    units = shares(shown, [points for *_, points in days])
    by_day = tuple(DayExplained(*day, of_day) for day, of_day in zip(days, units, strict=True))
    return LineExplained(line.written, line.count, line.days, line.points, shown, by_day)


def _days(line: Line, half_life: int | None, view: View) -> list[tuple[str, int, int, float, float]]:
    """Return (date, happened, counted, weight, points) of every day that counted, as `scoring` counts them."""
    grant = line.written
    if not isinstance(grant.condition, syntax.Behaviour):
        return []
    row = counters.pruned(view.rows.get(matcher_id(grant.condition)) or [0], view.today - counters.KEPT_DAYS)
    happened = dict(counters.days(row))
    counted = happened.items() if grant.cap is None else counters.kept(row, grant.cap.count, grant.cap.days)
    found = []
    earlier = line.count
    for day, count in counted:
        weight = 2.0 ** (-max(view.today - day, 0) / half_life) if half_life else 1.0
        found.append((str(date_of(day)), happened[day], count, weight, grant.points * count * weight))
        earlier -= count
    if earlier:
        before = row[0] - sum(happened.values())
        found.append(("", before, earlier, 1.0, grant.points * earlier))
    return found
