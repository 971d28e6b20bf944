from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from growthbook.core import chooseVariation, gbhash, getBucketRanges
from hypothesis import assume, given
from hypothesis import strategies as st

from personalize.bucketing import BUCKETS, bucket, choose, ranges

TEXTS = st.text(max_size=20) | st.text("aäö😀\ud83d0123", max_size=8)
WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any)
COVERAGES = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@pytest.mark.parametrize(
    ("seed", "value", "expected"),
    [
        # From the test vectors that all of GrowthBook's SDKs share (cases.json, its hashes of version 2).
        ("seed", "a", 505),
        ("seed", "b", 2696),
        ("foo", "ab", 2575),
        ("foo", "def", 2019),
        ("90850943850283058242805", "123", 7516),
        ("()**(%$##$%#$#", '___)((*":&', 128),
        ("feature", "123", 5231),
        ("experiment", "1", 4413),
        ("holdout", "1", 8043),
    ],
)
def test_the_published_vectors_of_growthbook_hold(seed: str, value: str, expected: int) -> None:
    assert bucket(seed, value) == expected


@given(TEXTS, TEXTS)
def test_a_bucket_is_that_of_growthbook(seed: str, value: str) -> None:
    assert bucket(seed, value) / BUCKETS == gbhash(seed, value, 2)


def test_ten_thousand_visitors_are_in_the_buckets_of_growthbook_and_evenly_spread() -> None:
    visitors = [f"visitor-{n}" for n in range(10_000)] + [f"kävijä-{n}-😀" for n in range(1_000)]
    buckets = [bucket("demo wording", visitor) for visitor in visitors]
    assert [at / BUCKETS for at in buckets] == [gbhash("demo wording", visitor, 2) for visitor in visitors]
    tenths = [sum(low <= at < low + 1000 for at in buckets) for low in range(0, BUCKETS, 1000)]
    # Chi-squared of nine degrees of freedom exceeds 27.9 once in a thousand seeds; this seed is fixed.
    assert sum((n - len(buckets) / 10) ** 2 for n in tenths) / (len(buckets) / 10) < 27.9


@given(WEIGHTS, COVERAGES)
def test_an_arm_is_that_of_growthbook_save_for_one_bucket_at_an_edge(weights: list[int], coverage: float) -> None:
    total = sum(weights)
    theirs = getBucketRanges(len(weights), coverage, [weight / total for weight in weights])
    ours = ranges(weights, coverage)
    assume(len(theirs) == len(ours))
    edges = {edge for both in ours for edge in both}
    # An edge of theirs is a sum of rounded fractions: the bucket on it may fall to either side.
    near = {at for edge in edges for at in (edge - 1, edge)}
    for at in {*range(0, BUCKETS, 97), *near, *(edge + 1 for edge in edges), *(edge - 2 for edge in edges)}:
        if 0 <= at < BUCKETS:
            found = choose(at, ours)
            same = chooseVariation(at / BUCKETS, theirs) == (-1 if found is None else found)
            assert same or at in near


@pytest.mark.parametrize(
    ("weights", "coverage"),
    [([50, 50], 1), ([50, 50], 0.8), ([50, 50], 0.1), ([90, 10], 1), ([25, 25, 50], 0.5), ([1, 1, 1], 1), ([5, 95], 1)],
)
def test_for_usual_weights_every_bucket_is_in_the_arm_of_growthbook(weights: list[int], coverage: float) -> None:
    theirs = getBucketRanges(len(weights), coverage, [weight / sum(weights) for weight in weights])
    ours = ranges(weights, coverage)
    for at in range(BUCKETS):
        arm = choose(at, ours)
        assert chooseVariation(at / BUCKETS, theirs) == (-1 if arm is None else arm)


def test_where_sums_of_fractions_miss_their_mark_the_shares_here_are_exact() -> None:
    weights = [0.1, 0.7, 0.2]
    assert getBucketRanges(3, 1, weights)[1] == (0.1, 0.7999999999999999)
    assert ranges(weights) == ((0, 1000), (1000, 8000), (8000, 10_000))
    assert ranges([0.1, 0.2, 0.7]) == ((0, 1000), (1000, 3000), (3000, 10_000))
    assert chooseVariation(3000 / BUCKETS, getBucketRanges(3, 1, [0.1, 0.2, 0.7])) == 1, "theirs reaches one too far"
    assert ranges([5, 95], 0.1)[0] == (0, 50)
    assert chooseVariation(50 / BUCKETS, getBucketRanges(2, 0.1, [0.05, 0.95])) == 0, "and so with a coverage"


@given(WEIGHTS)
def test_with_everybody_included_the_arms_cover_every_bucket_once(weights: list[int]) -> None:
    arms = ranges(weights)
    assert arms[0][0] == 0
    assert arms[-1][1] == BUCKETS
    assert all(one[1] == other[0] for one, other in pairwise(arms))
    for weight, (low, high) in zip(weights, arms, strict=True):
        assert abs(high - low - Fraction(weight * BUCKETS, sum(weights))) < 1


@given(WEIGHTS, COVERAGES, COVERAGES, st.integers(0, BUCKETS - 1))
def test_raising_the_coverage_moves_nobody_to_another_arm(
    weights: list[int], one: float, other: float, at: int
) -> None:
    less, more = sorted((one, other))
    before, after = choose(at, ranges(weights, less)), choose(at, ranges(weights, more))
    assert before in {None, after}


@given(WEIGHTS, COVERAGES)
def test_a_coverage_includes_its_share_of_each_arm(weights: list[int], coverage: float) -> None:
    for (low, high), (_, whole) in zip(ranges(weights, coverage), ranges(weights), strict=True):
        assert low <= high <= whole
        assert abs((high - low) - coverage * (whole - low)) <= 1


def test_only_the_proportion_of_weights_counts() -> None:
    assert ranges([50, 50]) == ranges([1, 1]) == ranges([0.5, 0.5]) == ((0, 5000), (5000, 10_000))
    assert ranges([50, 50], 0.8) == ((0, 4000), (5000, 9000))
    assert ranges([0, 1]) == ((0, 0), (0, 10_000))
    assert choose(9_500, ranges([50, 50], 0.8)) is None


@pytest.mark.parametrize(
    ("weights", "coverage", "reason"),
    [
        ([], 1, "share out nothing"),
        ([0, 0], 1, "share out nothing"),
        ([2, -1], 1, "0 or more"),
        ([1], 1.2, "1.2"),
        ([1], -1, "no share"),
    ],
)
def test_what_shares_out_nothing_is_refused(weights: list[float], coverage: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ranges(weights, coverage)
