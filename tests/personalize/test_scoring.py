from __future__ import annotations

from collections import Counter
from datetime import datetime
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import english
from personalize.calendar import day_of
from tests.fakes.visitor import Visitor, plan_of

HALF_LIVES = [None, 1, 14, 30, 45]
CAPS = ["", "once per day", "4 times per day", "3 times per week", "5 times per 30 days", "once ever", "7 times ever"]


def one_grant(half_life: int | None, cap: str) -> str:
    decay = f"half-life: {half_life} days, " if half_life else ""
    most = f", at most: {cap}" if cap else ""
    return f"scores: [{{score: s, {decay}points: [{{give: 3, for viewed: /a{most}}}]}}]"


EDGES = [day * 24 * 60 + minute for day in (1, 6, 7, 8, 29, 30, 31, 88, 89, 90) for minute in (-1, 0, 1)]
"""Minutes around the days at which caps and the kept days end."""

PLANS = {(half, cap): plan_of(one_grant(half, cap)) for half in HALF_LIVES for cap in CAPS}


def kept_by_cap(ages: Counter[int], cap: str) -> dict[int, int]:
    """Let single occurrences through one by one, the most recent first: the cap as rules.md says it."""
    if not cap:
        return dict(ages)
    words = cap.split()
    most = 1 if words[0] == "once" else int(words[0])
    days = {"day": 1, "week": 7, "days": 30, "ever": 10**6}[words[-1]]
    kept: Counter[int] = Counter()
    for age in sorted(ages.elements()):
        if sum(n for other, n in kept.items() if age - other < days) < most:
            kept[age] += 1
    return dict(kept)


def expected(ages: Counter[int], half_life: int | None, cap: str) -> float:
    """Recompute a score of 3 points a view from the calendar days of the raw events."""
    if half_life is None and not cap:
        return 3.0 * ages.total()
    if half_life is None and cap.endswith("ever"):
        return 3.0 * min(ages.total(), 1 if cap.startswith("once") else int(cap.split(maxsplit=1)[0]))
    recent = Counter({age: n for age, n in ages.items() if age < 90})
    return 3.0 * sum(n * (2 ** (-age / half_life) if half_life else 1) for age, n in kept_by_cap(recent, cap).items())


@given(
    st.sampled_from(sorted(PLANS, key=str)),
    st.lists(st.integers(0, 100 * 24 * 60) | st.sampled_from(EDGES), max_size=30),
    # Nights around both daylight-saving changes of Europe/Helsinki in 2026, and an ordinary day.
    st.sampled_from(
        ["2026-03-29 00:10", "2026-03-29 23:50", "2026-10-25 03:30", "2026-10-25 23:59", "2026-07-01 12:00"]
    ),
)
def test_scores_equal_a_recomputation_from_the_raw_events_days(
    key: tuple[int | None, str], minutes: list[int], now: str
) -> None:
    half_life, cap = key
    plan = PLANS[key]
    visitor = Visitor(plan, now)
    today = day_of(datetime.fromisoformat(now).date())
    ages: Counter[int] = Counter()
    for ago in minutes:
        visitor.viewed("/a", minutes=ago)
        moment = plan.calendar.local(visitor.now - ago * 60_000)
        ages[today - day_of(moment.date())] += 1
    value = plan.scores["s"].value(visitor.view())
    assert isclose(value, expected(ages, half_life, cap), abs_tol=1e-9)


@given(st.lists(st.tuples(st.sampled_from(["/a", "/b", "/c"]), st.integers(0, 2400)), max_size=40))
def test_the_lines_of_an_explanation_add_up_to_the_score_exactly(events: list[tuple[str, int]]) -> None:
    plan = MIXED
    visitor = Visitor(plan, country="FI")
    for path, hours in events:
        visitor.viewed(path, hours=hours)
    view = visitor.view()
    score = plan.scores["mixed"]
    lines = score.lines(view)
    total = 0.0
    for line in lines:
        total += line.points
    assert total == score.value(view)
    assert sum(line.count for line in lines[:3]) <= len(events)
    assert all(line.days <= line.count for line in lines)


MIXED = plan_of("""
scores:
  - score: mixed
    half-life: 10 days
    points:
      - {give: 0.1, for viewed: /a}
      - {give: 0.7, for viewed: /b, at most: 2 times per day}
      - {give: -3.3, for viewed: /c, at most: 5 times per 30 days}
      - {give: 20, for country: [FI, SE]}
      - {give: 5, for trait: plan, is: pro}
""")


def test_attributes_count_once_and_never_decay() -> None:
    view = Visitor(MIXED, country="fi").is_known_by(plan="Pro").view()
    assert MIXED.scores["mixed"].value(view) == 25


def test_lines_say_what_counted() -> None:
    visitor = Visitor(MIXED, country="SE").viewed("/b", times=5).viewed("/b", days=10)
    lines = MIXED.scores["mixed"].lines(visitor.view())
    said = [(english.grant(line.written), line.written.where, line.count, line.days, line.points) for line in lines]
    assert said[1] == ("viewed /b, at most twice per day", "rules.yaml:7:9", 3, 2, pytest.approx(0.7 * 2.5))
    assert said[3] == ("country FI or SE", "rules.yaml:9:9", 1, 0, 20)
    assert said[4] == ("trait plan is pro", "rules.yaml:10:9", 0, 0, 0)


def test_an_event_of_a_clock_that_runs_ahead_counts_as_todays() -> None:
    plan = PLANS[14, ""]
    visitor = Visitor(plan).viewed("/a")
    visitor.now -= 3 * 86_400_000
    assert plan.scores["s"].value(visitor.view()) == 3


def test_days_past_the_ninetieth_count_no_more_though_the_profile_still_holds_them() -> None:
    for (half_life, cap), plan in PLANS.items():
        visitor = Visitor(plan).viewed("/a")
        visitor.now += 90 * 86_400_000
        lasting = half_life is None and (not cap or cap.endswith("ever"))
        (line,) = plan.scores["s"].lines(visitor.view())
        assert (line.points, line.count) == ((3, 1) if lasting else (0, 0))
