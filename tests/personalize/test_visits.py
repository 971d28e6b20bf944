from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from personalize import visits

NOW = 1_800_000_000
RECENT = st.lists(st.integers(NOW - 7 * 86_400, NOW), min_size=1, max_size=40)


def state(times: list[int], now: int = NOW) -> list[int]:
    v: list[int] = []
    for at in times:
        v = visits.added(v, at, now)
    return v


@given(RECENT, st.randoms(use_true_random=False))
def test_visits_do_not_depend_on_the_order_of_arrival(times: list[int], random: Random) -> None:
    shuffled = times.copy()
    random.shuffle(shuffled)
    assert state(times) == state(shuffled)


@given(RECENT)
def test_a_visit_ends_after_thirty_minutes_without_an_event(times: list[int]) -> None:
    ordered = sorted(times)
    expected = 1 + sum(later - earlier >= 1800 for earlier, later in pairwise(ordered))
    assert visits.count(state(times)) == expected


def test_an_event_between_two_visits_joins_them() -> None:
    v = state([NOW - 5000, NOW - 2000])
    assert visits.count(v) == 2
    assert state([NOW - 5000, NOW - 2000, NOW - 3500]) == [0, 0, NOW - 5000, NOW - 2000]
    assert visits.count(v) == 2, "a value is never changed in place"


def test_old_visits_become_a_count_and_a_last_end() -> None:
    v = state([NOW - 3000, NOW], NOW)
    later = visits.collapsed(v, NOW + 9 * 86_400)
    assert later == [2, NOW]
    assert visits.count(later) == 2
    assert visits.previous_end(later, NOW + 9 * 86_400) == NOW


def test_the_previous_visit_is_the_one_before_the_present_one() -> None:
    v = state([NOW - 90_000, NOW - 60])
    assert visits.previous_end(v, NOW) == NOW - 90_000
    assert visits.previous_end(v, NOW + 7200) == NOW - 60, "the last visit has ended by then"
    assert visits.previous_end([], NOW) is None
    assert visits.previous_end(state([NOW]), NOW) is None


def test_a_replay_after_eight_days_counts_once() -> None:
    v = visits.added([3, NOW - 20 * 86_400], NOW - 10 * 86_400, NOW)
    assert visits.count(v) == 4
    assert visits.count(visits.added(v, NOW - 10 * 86_400 + 60, NOW)) == 4
