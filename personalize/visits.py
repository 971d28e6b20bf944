"""Visits: stretches of browsing that end after 30 minutes without an event.

The state is a flat list in whole seconds, `[older, older_end, first, last, first, last, …]`: how many visits ended more
than 8 days ago and when the last of them ended, then the recent ones in order. Recent visits keep both ends, because an
event may arrive up to 7 days late and join two of them; so the order of arrival does not matter.
"""

from __future__ import annotations

Visits = list[int]

GAP_S = 1800
_RECENT_S = 8 * 86_400


def added(visits: Visits, at: int, now: int) -> Visits:
    """Return the visits with a browsing event at second `at`; the same list when nothing changes."""
    if len(visits) > 2 and visits[-2] <= at < visits[-1] + GAP_S:
        # Nearly always the present visit goes on.
        return visits if at <= visits[-1] else collapsed([*visits[:-1], at], now)
    old, old_end, *spans = visits or [0, 0]
    if at < now - _RECENT_S:
        # Only a replay is this late: it cannot be joined exactly, so it counts once if it lies after what was counted.
        return (
            visits
            if at < old_end + GAP_S or any(f <= at <= last for f, last in _pairs(spans))
            else ([old + 1, at, *spans])
        )
    first = last = at
    before: list[int] = []
    after: list[int] = []
    for start, end in _pairs(spans):
        if end + GAP_S <= first:
            before += (start, end)
        elif start - GAP_S >= last:
            after += (start, end)
        else:
            first, last = min(first, start), max(last, end)
    return collapsed([old, old_end, *before, first, last, *after], now)


def collapsed(visits: Visits, now: int) -> Visits:
    """Return the visits with those that ended more than 8 days before second `now` reduced to a count."""
    while len(visits) > 2 and visits[3] < now - _RECENT_S:
        visits = [visits[0] + 1, max(visits[1], visits[3]), *visits[4:]]
    return visits


def merged(one: Visits, other: Visits) -> Visits:
    """Return the visits of two browsers together: recent ones joined where they touch, older ones added up."""
    if not one or not other:
        return one or other
    joined: list[int] = []
    for first, last in sorted([*_pairs(one[2:]), *_pairs(other[2:])]):
        if joined and first < joined[-1] + GAP_S:
            joined[-1] = max(joined[-1], last)
        else:
            joined += (first, last)
    return [one[0] + other[0], max(one[1], other[1]), *joined]


def count(visits: Visits) -> int:
    """Return the number of visits, the present one included."""
    return visits[0] + (len(visits) - 2) // 2 if visits else 0


def previous_end(visits: Visits, now: int) -> int | None:
    """Return when the last visit before the present one ended (seconds), or None if there was none."""
    ends = ([visits[1]] if visits and visits[0] else []) + (visits[3::2] if visits else [])
    if ends and now - ends[-1] < GAP_S:
        ends.pop()
    return ends[-1] if ends else None


def _pairs(spans: list[int]) -> list[tuple[int, int]]:
    return list(zip(spans[::2], spans[1::2], strict=True))
