"""Reading day counts over a window of days: the loops that decisions spend their time in.

A row is `[total, day, count, gap, count, …]`, the newest day first (see `counters`). These functions walk it in place.
"""

from __future__ import annotations

from collections.abc import Sequence

from personalize.counters import KEPT_DAYS, Row, days

UNLIMITED = 1 << 62
"""A cap that never binds."""


def counted(row: Row, first_day: int) -> tuple[int, int]:
    """Return (number, on how many different days) of the occurrences on `first_day` or later."""
    end = len(row)
    if end == 1 or row[1] < first_day:
        return 0, 0
    day = row[1]
    number = row[2]
    on_days = 1
    at = 3
    while at < end:
        day -= row[at]
        if day < first_day:
            break
        number += row[at + 1]
        on_days += 1
        at += 2
    return number, on_days


def reaches(row: Row, first_day: int, times: int, on_days: int) -> bool:
    """Tell whether it happened so many times (at least 1) on so many different days, on `first_day` or later."""
    end = len(row)
    if end == 1 or row[1] < first_day:
        return False
    day = row[1]
    times -= row[2]
    on_days -= 1
    at = 3
    while times > 0 or on_days > 0:
        if at >= end:
            return False
        day -= row[at]
        if day < first_day:
            return False
        times -= row[at + 1]
        on_days -= 1
        at += 2
    return True


def last_reached(row: Row, first_day: int, window: int, times: int, on_days: int) -> int:
    """Return the newest day that ends a window of so many days in which it happened so often, or 0.

    So often: so many times, on so many different days, all of them on `first_day` or later.
    """
    kept = [(day, count) for day, count in days(row) if day >= first_day]
    for place, (day, _) in enumerate(kept):
        counts = [count for older, count in kept[place:] if older > day - window]
        if sum(counts) >= times and len(counts) >= on_days:
            return day
    return 0


def weighted(row: Row, today: int, weights: Sequence[float], most: int) -> float:
    """Return the sum over the kept days of min(count, most) x weight of the day's age; today's age is 0.

    A day after today (an event folded by a clock that runs ahead) counts as today.
    """
    # Written out flat, and with comparisons instead of min and max: a third faster, and this is most of a score's time.
    end = len(row)
    if end == 1:
        return 0.0
    age = today - row[1]
    if age >= KEPT_DAYS:
        return 0.0
    count = row[2]
    total = (count if count < most else most) * weights[age if age > 0 else 0]  # noqa: FURB136 - see above
    at = 3
    while at < end:
        age += row[at]
        if age >= KEPT_DAYS:
            break
        count = row[at + 1]
        total += (count if count < most else most) * weights[age if age > 0 else 0]  # noqa: FURB136 - see above
        at += 2
    return total
