from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize import counters, visits
from personalize.merge import merge
from personalize.model import Event, stamp_of
from personalize.profiles import Profile, fold, started
from tests.fakes.visitor import plan_of
from tests.personalize import strategies as random

PLAN = plan_of("""
stages: [{stage: customer, when: [{owns: basic}]}, {stage: Trial, when: [{viewed: /a*}]}, {stage: stranger}]
placements:
  - placement: hero
    blocks:
      - {block: a0, when: [{did: [order*, content *], where: {n: at least 3}}], content: {title: x}}
      - {block: a1, when: [{viewed: "*b"}, {viewed: /kä, across: 2 days}], content: {title: x}}
      - {block: a2, content: {title: x}}
""")
NOW = random.moment("2026-10-25 04:30")
TODAY = PLAN.calendar.day(NOW)
DAY = random.DAY


@st.composite
def profiles(draw: st.DrawFn, of: str, *, longest: int = 100) -> Profile:
    """Return a profile with some of everything, folded at different moments up to now."""
    erased = draw(random.pick(0, 0, 0, NOW - DAY, NOW - 9 * DAY))
    arriving = draw(random.arrivals(NOW, most=8, longest=longest, of=of)) + draw(random.habits(NOW, of=of))
    profile = random.arrived(PLAN, arriving, random.tombstone(erased)).copy()
    if draw(random.SELDOM):
        profile.matchers = {**profile.matchers, "QQQQQQ": [4, draw(random.pick(TODAY, TODAY - 60)), 3]}
        profile.unnamed = draw(st.sampled_from([{}, *({"QQQQQQ": TODAY - ago} for ago in (5, 29, 30))]))
    profile.furthest = draw(
        st.sampled_from([[], *([name, at] for name in ("customer", "Trial", "gone") for at in (7, 9))])
    )
    profile.aliases = draw(st.dictionaries(random.pick("a:x", "a:y", "k:z"), random.pick(7, -7, 8, -9), max_size=2))
    profile.unknown = draw(st.sampled_from([{}, {}, {"zz": 1}, {"zz": {"a": [1]}}, {"zy": None}]))
    if draw(random.SELDOM):
        cut(profile, TODAY - 40)
    return profile


def cut(profile: Profile, floor: int) -> None:
    """Let the oldest days go, as `documents` does with a profile that is too large."""
    profile.floor = max(profile.floor, floor)
    profile.matchers = {name: counters.pruned(row, floor) for name, row in profile.matchers.items()}
    profile.blocks = {name: [counters.pruned(h[0], floor), *h[1:]] for name, h in profile.blocks.items()}


def merged(*parts: Profile) -> Profile:
    whole = parts[0]
    for part in parts[1:]:
        whole = merge(PLAN, whole, part, NOW)
    return whole


def as_of_now(profile: Profile) -> Profile:
    """Return a profile without what is let go by now, and without its revision."""
    late = started(PLAN, profile, NOW)
    return replace(late, revision="", visits=visits.collapsed(late.visits, NOW // 1000))


@settings(max_examples=60, deadline=None)
@given(profiles("a"), profiles("b"), profiles("c"))
def test_neither_order_nor_grouping_matters(a: Profile, b: Profile, c: Profile) -> None:
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@settings(max_examples=40, deadline=None)
@given(profiles("a"))
def test_an_empty_profile_changes_nothing(a: Profile) -> None:
    assert merged(a, Profile()) == merged(Profile(), a) == as_of_now(a)


@settings(max_examples=60, deadline=None)
@given(profiles("a"), profiles("b"), random.arrivals(NOW, most=4, longest=7, of="later"))
def test_folding_first_or_merging_first_comes_to_the_same(
    a: Profile, b: Profile, later: Sequence[random.Arrival]
) -> None:
    erased = max(a.erased, b.erased)
    for event in (arrival.event for arrival in later if arrival.event.time > erased):
        assert fold(PLAN, merged(a, b), event, NOW) == merged(fold(PLAN, a, event, NOW), b)
        a = fold(PLAN, a, event, NOW)


@pytest.mark.parametrize("longest", [7, 100])
def test_two_browsers_merged_are_what_one_browser_would_have_been(longest: int) -> None:
    @settings(max_examples=40, deadline=None)
    @given(random.arrivals(NOW, most=8, longest=longest, of="a"), random.arrivals(NOW, most=8, longest=longest, of="b"))
    def check(one: list[random.Arrival], other: list[random.Arrival]) -> None:
        both = merged(random.arrived(PLAN, one), random.arrived(PLAN, other))
        whole = merged(random.arrived(PLAN, [*one, *other]), Profile())
        if longest > 7:  # visits that are long over are added up, also where they would have been one
            assert visits.count(both.visits) >= visits.count(whole.visits)
            both, whole = replace(both, visits=[]), replace(whole, visits=[])
        assert both == whole

    check()


@given(profiles("a", longest=7), profiles("b", longest=7))
@settings(max_examples=20, deadline=None)
def test_merging_leaves_both_as_they_were(a: Profile, b: Profile) -> None:
    before = repr(a), repr(b)
    merged(a, b)
    assert (repr(a), repr(b)) == before


def filled() -> Profile:
    """Return a profile with something in every field that is stored."""
    return Profile(
        erased=5, first_visit=6, first=[stamp_of(6, 1), "/a"], last=[stamp_of(7, 2), "/b", "", "autumn"],
        clicks={"gclid": [stamp_of(7, 2), "x"]}, ads_refused=6,
        floor=TODAY - 90, visits=[1, 2, NOW // 1000 - 9, NOW // 1000],
        matchers={"QQQQQQ": [2, TODAY, 2]}, unnamed={"QQQQQQ": TODAY}, traits=[[9, {"plan": "pro"}]], owns={"basic": 4},
        consent=[7, ["ads"]], company=[8, "g", {"name": "Acme"}], member=[8, "g"], user=[3, "u"],
        seen=[4, "FI", "", "", "", "", "", ""], blocks={"a0": [[1, TODAY, 1], 0, 5, 0]}, furthest=["Trial", 7],
        aliases={"a:x": 8}, contact=[6, "k1", 9], unknown={"zz": 1},
    )  # fmt: skip


def test_every_field_has_a_law() -> None:
    both = merged(filled(), Profile())
    lost = {f.name for f in fields(Profile) if getattr(both, f.name) != getattr(filled(), f.name)}
    assert lost == set()
    assert {f.name for f in fields(Profile) if not getattr(filled(), f.name)} == {"revision", "overflow"}


def test_what_adds_up_and_what_wins() -> None:
    both = merged(
        Profile(
            matchers={"x": [3, TODAY, 1, 2, 2]}, blocks={"a0": [[2, TODAY, 2], 5, 0, 9]}, consent=[7, ["ads", "email"]],
            traits=[[9, {"plan": "pro"}], [2, {"seats": 5}]], owns={"basic": 4}, furthest=["Trial", 5], first_visit=6,
            overflow=2,
        ),
        Profile(
            matchers={"x": [4, TODAY, 4]}, blocks={"a0": [[1, TODAY, 1], 4, 3, 0]}, consent=[7, ["email", "sms"]],
            traits=[[5, {"plan": "free", "seats": None}]], owns={"basic": 9}, furthest=["customer", 8], overflow=1,
        ),
    )  # fmt: skip
    assert both.matchers == {"x": [7, TODAY, 5, 2, 2]}
    assert both.blocks == {"a0": [[3, TODAY, 3], 5, 3, 9]}
    assert both.consent == [7, ["email"]], "of two choices at the same time what both allow"
    assert both.trait_values() == {"plan": "pro"}, "a trait that was removed later stays removed"
    assert both.owns == {"basic": 9}
    assert both.furthest == ["customer", 8]
    assert (both.first_visit, both.overflow) == (6, 3)


def test_visits_less_than_thirty_minutes_apart_become_one() -> None:
    at = NOW // 1000
    one, other = Profile(visits=[2, 50, at - 7200, at - 3600]), Profile(visits=[1, 90, at - 3600 + 1799, at - 60])
    assert merged(one, other).visits == [3, 90, at - 7200, at - 60]
    apart = Profile(visits=[1, 90, at - 3600 + 1800, at - 60])
    assert visits.count(merged(one, apart).visits) == 5


def test_an_erasure_takes_nothing_of_the_other_side_but_keeps_out_what_comes_late() -> None:
    seen = Event("page", "m", NOW - 2 * DAY, stamp_of(NOW - 2 * DAY, 1), path="/a", browser=True)
    other = fold(PLAN, Profile(), seen, NOW)
    both = merged(other, random.tombstone(NOW - DAY))
    assert both.matchers == other.matchers
    assert both.visits == other.visits
    assert both.erased == NOW - DAY
    assert both.consent == [NOW - DAY, []], "the withdrawal is the later choice"
    assert fold(PLAN, both, seen, NOW) is both


def test_merging_twice_counts_twice() -> None:
    once = merged(filled(), Profile())
    assert merged(once, once).matchers["QQQQQQ"] == [4, TODAY, 4]


@given(st.permutations(range(9)), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_what_stays_at_a_cap_is_chosen_by_time_on_both_sides(order: list[int], first: int) -> None:
    def happened(numbers: Sequence[int]) -> Profile:
        profile = Profile()
        for n in numbers:
            at = NOW - n
            traits = {f"t{n}-{i}": i for i in range(40)}
            bought = {"products": [f"p{n}-{i}" for i in range(20)]}
            profile = fold(PLAN, profile, Event("identify", f"i{n}", at, stamp_of(at, n), traits=traits), NOW)
            order_completed = Event("track", f"o{n}", at, stamp_of(at, n + 9), "purchase", properties=bought)
            profile = fold(PLAN, profile, order_completed, NOW)
        return profile

    both, whole = merged(happened(order[:first]), happened(order[first:])), happened(order)
    assert both.traits == whole.traits == happened(range(9)).traits
    assert both.owns == whole.owns == happened(range(9)).owns
    assert (len(both.trait_values()), len(both.owns)) == (100, 50)
