"""Day counts: how often something happened in all, and on which days of the last 90.

A row is a flat list of integers, `[total, day, count, gap, count, gap, count, …]`: the newest day first, every older
day as its distance to the day before it in the list. A row without days is `[total]`. Rows are never changed in place.
Because counts are kept and not points, scores, caps and decay are worked out when read, and the order in which events
arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator

Row = list[int]

KEPT_DAYS = 90
"""Days of which counts are kept, today included."""


def added(row: Row | None, day: int, floor: int) -> Row:
    """Return the row with one more occurrence on `day`; on a day at or before `floor` only the total grows."""
    if row is None:
        return [1, day, 1] if day > floor else [1]
    total = row[0] + 1
    if day <= floor:
        return [total, *row[1:]]
    if len(row) == 1:
        return [total, day, 1]
    newest = row[1]
    if day == newest:
        return [total, day, row[2] + 1, *row[3:]]
    if day > newest:
        return [total, day, 1, day - newest, *row[2:]]
    counts = dict(days(row))
    counts[day] = counts.get(day, 0) + 1
    return packed(total, counts)


def packed(total: int, counts: dict[int, int]) -> Row:
    """Return the row for a total and counts by day."""
    row = [total]
    before = 0
    for day in sorted(counts, reverse=True):
        row += (before - day if before else day, counts[day])
        before = day
    return row


def merged(one: Row, other: Row) -> Row:
    """Return the row of the occurrences of both."""
    counts = dict(days(one))
    for day, count in days(other):
        counts[day] = counts.get(day, 0) + count
    return packed(one[0] + other[0], counts)


def days(row: Row) -> Iterator[tuple[int, int]]:
    """Yield (day, count), the newest day first."""
    if len(row) > 1:
        day = row[1]
        yield day, row[2]
        for at in range(3, len(row), 2):
            day -= row[at]
            yield day, row[at + 1]


def pruned(row: Row, floor: int) -> Row:
    """Return the row without the days at or before `floor`; the total stays. The same list when nothing goes."""
    if len(row) == 1:
        return row
    day = row[1]
    if day <= floor:
        return row[:1]
    for at in range(3, len(row), 2):
        day -= row[at]
        if day <= floor:
            return row[:at]
    return row


def kept(row: Row, cap_count: int, cap_days: int) -> Iterator[tuple[int, int]]:
    """Yield (day, count) of the most recent occurrences that a cap lets through.

    At most `cap_count` in any `cap_days` consecutive days (0: ever), filled from the newest day backwards.
    """
    passed: list[tuple[int, int]] = []
    for day, count in days(row):
        room = cap_count - sum(n for d, n in passed if not cap_days or d - day < cap_days)
        take = min(count, room)
        if take > 0:
            passed.append((day, take))
            yield day, take
