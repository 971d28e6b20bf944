from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from personalize import counters, windows

DAYS = st.lists(st.integers(20_000, 20_120), max_size=60)


def row_of(days: list[int], floor: int = 0) -> list[int]:
    row = None
    for day in days:
        row = counters.added(row, day, floor)
    return row or [0]


@given(DAYS, st.randoms(use_true_random=False))
def test_a_row_does_not_depend_on_the_order_of_its_days(days: list[int], random: Random) -> None:
    shuffled = days.copy()
    random.shuffle(shuffled)
    assert row_of(days, 20_030) == row_of(shuffled, 20_030)


@given(DAYS)
def test_a_row_gives_back_what_went_in(days: list[int]) -> None:
    row = row_of(days)
    assert row[0] == len(days)
    assert dict(counters.days(row)) == Counter(days)
    assert [day for day, _ in counters.days(row)] == sorted(set(days), reverse=True)


@given(DAYS, DAYS)
def test_merged_rows_hold_the_occurrences_of_both(one: list[int], other: list[int]) -> None:
    assert counters.merged(row_of(one), row_of(other)) == row_of([*one, *other])


@given(DAYS, st.integers(19_990, 20_130))
def test_pruning_takes_old_days_and_keeps_the_total(days: list[int], floor: int) -> None:
    row = counters.pruned(row_of(days), floor)
    assert row[0] == len(days)
    assert dict(counters.days(row)) == Counter(d for d in days if d > floor)


@given(DAYS, st.integers(19_990, 20_130))
def test_windows_count_occurrences_and_days(days: list[int], first: int) -> None:
    row = row_of(days)
    inside = [d for d in days if d >= first]
    assert windows.counted(row, first) == (len(inside), len(set(inside)))


@given(DAYS, st.integers(1, 4), st.sampled_from([0, 1, 7, 30]))
def test_a_cap_keeps_the_most_recent_and_holds_in_every_window(days: list[int], most: int, span: int) -> None:
    kept = dict(counters.kept(row_of(days), most, span))
    for day in kept:
        assert sum(n for d, n in kept.items() if not span or day - span < d <= day) <= most
    if days:
        assert max(days) in kept
    # What was left out would break the cap if it were added.
    for day, n in Counter(days).items():
        left = n - kept.get(day, 0)
        if left:
            assert sum(m for d, m in kept.items() if not span or 0 <= d - day < span) >= most
