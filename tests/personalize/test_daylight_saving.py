"""The engine over daylight-saving changes: clocks, schedules, windows, decay, caps, rests and visits.

Moments are written in UTC. In Helsinki the clock goes from 03:00 to 04:00 on 29 March 2026 and 28 March 2027 and from
04:00 back to 03:00 on 25 October 2026 and 31 October 2027, always at 01:00 UTC. What is expected was worked out by hand
or comes from zoneinfo's wall clock, never from `personalize.calendar`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import rule_tests
from personalize.decide import decide
from personalize.loader import load
from personalize.plan import Plan, compile_rules
from tests.fakes.visitor import HELSINKI, Visitor, plan_of

DAY_MS = 86_400_000
FORWARD = ("2026-03-29 01:00", "2027-03-28 01:00")
BACK = ("2026-10-25 01:00", "2027-10-31 01:00")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def ms(utc: str) -> int:
    return int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)


def clock(moment: int, zone: str = HELSINKI) -> datetime:
    return datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))


def visitor(plan: Plan, now: str | int) -> Visitor:
    visitor = Visitor(plan)
    visitor.now = ms(now) if isinstance(now, str) else now
    return visitor


def viewed(visitor: Visitor, *moments: str | int) -> Visitor:
    for moment in moments:
        at = ms(moment) if isinstance(moment, str) else moment
        visitor.viewed("/a", milliseconds=visitor.now - at)
    return visitor


def segment(condition: str, zone: str = HELSINKI) -> Plan:
    return plan_of(f"segments: [{{segment: it, when: [{condition}]}}]", zone)


def holds(plan: Plan, visitor: Visitor) -> bool:
    return plan.segments["it"].holds(visitor.view())


def offer(words: str, zone: str = HELSINKI) -> Plan:
    return plan_of(
        f"""
placements:
  - placement: hero
    blocks:
      - {{block: offer, {words}, content: {{title: "Now"}}}}
      - {{block: welcome, content: {{title: "Hello"}}}}
""",
        zone,
    )


def offered(plan: Plan, visitor: Visitor) -> bool:
    (decision,) = decide(plan, visitor.profile, visitor.context, ["hero"], visitor.now)
    return decision.block == "offer"


moments = st.builds(
    lambda change, away: ms(change) + away, st.sampled_from(FORWARD + BACK), st.integers(-3 * DAY_MS, 3 * DAY_MS)
)
minutes = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


# -- the clock ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("now", "local", "fits"),
    [
        ("2026-03-28 23:59:59.999", "01:59", False),
        ("2026-03-29 00:00", "02:00", True),
        ("2026-03-29 00:59:59.999", "02:59", True),
        ("2026-03-29 01:00", "04:00", False),  # 03:00 to 03:59 do not exist
        ("2027-03-28 00:59", "02:59", True),
        ("2027-03-28 01:00", "04:00", False),
        ("2026-10-25 00:00", "03:00", True),
        ("2026-10-25 00:30:59.999", "03:30", True),
        ("2026-10-25 00:31", "03:31", False),
        ("2026-10-25 01:00", "03:00", True),  # 03:00 for the second time
        ("2026-10-25 01:30", "03:30", True),
        ("2026-10-25 01:31", "03:31", False),
        ("2027-10-31 00:31", "03:31", False),
        ("2027-10-31 01:30", "03:30", True),
    ],
)
def test_a_time_of_day_is_what_the_clock_shows(now: str, local: str, *, fits: bool) -> None:
    assert f"{clock(ms(now)):%H:%M}" == local
    plan = segment("{time of day: 02:00 to 03:30}")
    assert holds(plan, visitor(plan, now)) is fits


@pytest.mark.parametrize(
    ("now", "fits"),
    [
        ("2026-03-28 20:59", False),  # 22:59
        ("2026-03-28 21:00", True),  # 23:00, still Saturday
        ("2026-03-29 00:59", True),  # 02:59
        ("2026-03-29 01:00", False),  # 04:00, past 03:15
        ("2026-10-24 20:00", True),  # 23:00
        ("2026-10-25 00:15", True),  # 03:15
        ("2026-10-25 00:16", False),
        ("2026-10-25 01:15", True),  # 03:15 again
        ("2026-10-25 01:16", False),
    ],
)
def test_a_time_of_day_over_midnight_is_what_the_clock_shows(now: str, *, fits: bool) -> None:
    plan = segment("{time of day: 23:00 to 03:15}")
    assert holds(plan, visitor(plan, now)) is fits


@given(moments, minutes, minutes)
def test_any_time_of_day_agrees_with_the_wall_clock(now: int, low: str, high: str) -> None:
    shown = f"{clock(now):%H:%M}"
    expected = low <= shown <= high if low <= high else shown >= low or shown <= high
    plan = segment(f"{{time of day: {low} to {high}}}")
    assert holds(plan, visitor(plan, now)) is expected


@given(moments, st.sampled_from(WEEKDAYS), st.sampled_from(WEEKDAYS))
def test_any_weekday_agrees_with_the_wall_clock(now: int, low: str, high: str) -> None:
    first, last, today = WEEKDAYS.index(low), WEEKDAYS.index(high), clock(now).weekday()
    expected = today in {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    plan = segment(f"{{weekday: {low} to {high}}}")
    assert holds(plan, visitor(plan, now)) is expected


@pytest.mark.parametrize(
    ("now", "fits"),
    [
        ("2026-10-24 20:59:59.999", False),
        ("2026-10-24 21:00", True),
        ("2026-10-25 21:59:59.999", True),  # 25 hours later
        ("2026-10-25 22:00", False),
    ],
)
@pytest.mark.parametrize("condition", ["{date: 2026-10-25}", "{date: 2026-10-25 to 2026-10-25}"])
def test_a_date_is_the_whole_day_of_25_hours(condition: str, now: str, *, fits: bool) -> None:
    plan = segment(condition)
    assert holds(plan, visitor(plan, now)) is fits


@given(moments)
def test_any_date_agrees_with_the_wall_clock(now: int) -> None:
    plan = segment("{date: 2026-03-29 to 2026-10-24}")
    assert holds(plan, visitor(plan, now)) is (date(2026, 3, 29) <= clock(now).date() <= date(2026, 10, 24))


# -- schedules ------------------------------------------------------------------------------------------------------
# A schedule; its first moment; the first moment after it ("" when it is never shown).
SCHEDULES = [
    (HELSINKI, "from: 2026-03-29, until: 2026-03-29", "2026-03-28 22:00", "2026-03-29 21:00"),  # 23 hours
    (HELSINKI, "from: 2026-10-25, until: 2026-10-25", "2026-10-24 21:00", "2026-10-25 22:00"),  # 25 hours
    (HELSINKI, "from: 2027-03-28, until: 2027-03-28", "2027-03-27 22:00", "2027-03-28 21:00"),
    (HELSINKI, "from: 2027-10-31, until: 2027-10-31", "2027-10-30 21:00", "2027-10-31 22:00"),
    (HELSINKI, "from: 2026-03-29 03:30, until: 2026-03-29 04:10", "2026-03-29 01:00", "2026-03-29 01:11"),  # skipped
    (HELSINKI, "from: 2026-03-29 02:00, until: 2026-03-29 03:30", "2026-03-29 00:00", "2026-03-29 01:00"),
    (HELSINKI, "from: 2027-03-28 02:59, until: 2027-03-28 03:59", "2027-03-28 00:59", "2027-03-28 01:00"),
    (HELSINKI, "from: 2026-03-29 03:10, until: 2026-03-29 03:20", "2026-03-29 01:00", ""),  # nothing of it exists
    (HELSINKI, "from: 2026-10-25 03:30, until: 2026-10-25 03:30", "2026-10-25 00:30", "2026-10-25 01:31"),  # both
    (HELSINKI, "from: 2026-10-25 02:00, until: 2026-10-25 02:59", "2026-10-24 23:00", "2026-10-25 00:00"),
    (HELSINKI, "from: 2026-10-25 04:00, until: 2026-10-25 04:00", "2026-10-25 02:00", "2026-10-25 02:01"),
    (HELSINKI, "from: 2027-10-31 03:00, until: 2027-10-31 03:59", "2027-10-31 00:00", "2027-10-31 02:00"),
    ("Africa/Cairo", "from: 2026-04-24, until: 2026-04-24", "2026-04-23 22:00", "2026-04-24 21:00"),  # no midnight
    ("Africa/Cairo", "from: 2026-10-29, until: 2026-10-29", "2026-10-28 21:00", "2026-10-29 22:00"),
    ("America/Havana", "from: 2026-11-01, until: 2026-11-01", "2026-11-01 04:00", "2026-11-02 05:00"),
    ("Asia/Beirut", "from: 2026-03-29, until: 2026-03-29", "2026-03-28 22:00", "2026-03-29 21:00"),
    ("Asia/Kathmandu", "from: 2026-11-23 10:00, until: 2026-11-23", "2026-11-23 04:15", "2026-11-23 18:15"),
    ("Pacific/Apia", "from: 2011-12-30, until: 2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00"),  # no 30 December
]


@pytest.mark.parametrize(("zone", "words", "first", "after"), SCHEDULES)
def test_a_schedule_holds_from_its_first_moment_to_its_last(zone: str, words: str, first: str, after: str) -> None:
    plan = offer(words, zone)
    start = ms(first)
    end = ms(after) if after else start
    at = {now: offered(plan, visitor(plan, now)) for now in (start - 1, start, end - 1, end, end + 1)}
    assert at == {now: start <= now < end for now in at}


# -- windows, decay and caps: days are the site's own, of 23 or 25 hours too ----------------------------------------
@pytest.mark.parametrize(
    ("condition", "events", "now", "fits"),
    [
        # 29 March from 22:00 to 21:00 UTC
        ("within: 1 day", ["2026-03-28 22:00"], "2026-03-29 20:59:59.999", True),
        ("within: 1 day", ["2026-03-28 21:59:59.999"], "2026-03-29 00:00", False),
        ("within: 1 day", ["2026-03-29 20:59:59.999"], "2026-03-29 21:00", False),
        ("within: 2 days", ["2026-03-28 22:00"], "2026-03-30 20:59:59.999", True),  # 47 hours
        ("within: 2 days", ["2026-03-28 22:00"], "2026-03-30 21:00", False),
        # 25 October from 21:00 to 22:00 UTC
        ("within: 1 day", ["2026-10-24 21:00"], "2026-10-25 21:59:59.999", True),  # 25 hours
        ("within: 1 day", ["2026-10-24 21:00"], "2026-10-25 22:00", False),
        ("within: 2 days", ["2026-10-24 21:00"], "2026-10-26 21:59:59.999", True),  # 49 hours
        ("within: 30 days", ["2026-10-24 20:59:59.999"], "2026-11-22 21:59:59.999", True),
        ("within: 30 days", ["2026-10-24 20:59:59.999"], "2026-11-22 22:00", False),
        ("across: 2 days", ["2026-10-24 21:00", "2026-10-25 21:59:59.999"], "2026-10-26 10:00", False),
        ("across: 2 days", ["2026-10-25 21:59:59.999", "2026-10-25 22:00"], "2026-10-26 10:00", True),
        ("across: 2 days", ["2026-10-25 00:30", "2026-10-25 01:30"], "2026-10-26 10:00", False),  # 03:30 twice
        ("across: 2 days", ["2026-03-28 21:59:59.999", "2026-03-28 22:00"], "2026-03-29 10:00", True),
        ("across: 2 days", ["2026-03-28 22:00", "2026-03-29 20:59:59.999"], "2026-03-30 10:00", False),
        ("across: 3 days", ["2027-10-30 20:59", "2027-10-31 21:59", "2027-10-31 22:00"], "2027-11-02 10:00", True),
        ("across: 3 days", ["2027-03-27 21:59", "2027-03-28 20:59", "2027-03-28 20:00"], "2027-04-01 10:00", False),
    ],
)
def test_windows_count_the_sites_days(condition: str, events: list[str], now: str, *, fits: bool) -> None:
    plan = segment(f"{{viewed: /a, {condition}}}")
    assert holds(plan, viewed(visitor(plan, now), *events)) is fits


@given(moments, st.lists(st.integers(0, 6 * DAY_MS), min_size=1, max_size=6), st.integers(1, 6), st.integers(1, 4))
def test_any_window_agrees_with_the_wall_clocks_dates(now: int, ages: list[int], within: int, across: int) -> None:
    plan = segment(f"{{viewed: /a, across: {across} days, within: {within} days}}")
    days = {clock(now - age).date() for age in ages}
    expected = sum((clock(now).date() - day).days < within for day in days) >= across
    assert holds(plan, viewed(visitor(plan, now), *(now - age for age in ages))) is expected


@given(moments, st.lists(st.integers(0, 80 * DAY_MS), min_size=1, max_size=8), st.integers(1, 45))
def test_points_decay_by_midnights(now: int, ages: list[int], half_life: int) -> None:
    points = f"scores: [{{score: s, half-life: {half_life} days, points: [{{give: 8, for viewed: /a}}]}}]"
    plan = plan_of(points)
    midnights = [(clock(now).date() - clock(now - age).date()).days for age in ages]
    found = plan.scores["s"].value(viewed(visitor(plan, now), *(now - age for age in ages)).view())
    assert found == pytest.approx(sum(8 * 2 ** (-age / half_life) for age in midnights), abs=1e-9)


@pytest.mark.parametrize(
    ("events", "now", "points"),
    [
        (["2026-10-24 21:00", "2026-10-25 21:59:59.999"], "2026-10-26 00:00", 4),  # one day of 25 hours, cap 1
        (["2026-10-25 21:59:59.999", "2026-10-25 22:00"], "2026-10-26 00:00", 4 + 8),
        (["2026-03-28 21:59:59.999", "2026-03-28 22:00"], "2026-03-29 20:59", 4 + 8),
        (["2026-03-28 22:00", "2026-03-29 20:59:59.999"], "2026-03-29 21:00", 4),
    ],
)
def test_a_cap_per_day_is_for_the_sites_day(events: list[str], now: str, points: float) -> None:
    plan = plan_of("scores: [{score: s, half-life: 1 day, points: [{give: 8, for viewed: /a, at most: once per day}]}]")
    assert plan.scores["s"].value(viewed(visitor(plan, now), *events).view()) == points


@pytest.mark.parametrize(
    ("shown", "now", "again"),
    [
        ("2026-10-24 21:00", "2026-10-25 21:59:59.999", False),
        ("2026-10-24 21:00", "2026-10-25 22:00", True),
        ("2026-03-28 22:00", "2026-03-29 20:59:59.999", False),
        ("2026-03-28 22:00", "2026-03-29 21:00", True),
    ],
)
def test_show_at_most_counts_the_sites_days(shown: str, now: str, *, again: bool) -> None:
    plan = offer("show at most: once per day")
    somebody = visitor(plan, now)
    somebody.reacted("Shown", "offer", milliseconds=somebody.now - ms(shown))
    assert offered(plan, somebody) is again


# -- exact lengths: an hour is an hour ------------------------------------------------------------------------------
@pytest.mark.parametrize("dismissed", ["2026-03-28 12:00", "2026-10-24 12:00", "2027-03-27 12:00", "2027-10-30 12:00"])
def test_a_rest_of_one_day_is_24_hours(dismissed: str) -> None:
    plan = offer("rest after dismiss: 1 day")
    at = ms(dismissed)
    for now, again in ((at + DAY_MS - 1, False), (at + DAY_MS, True)):
        somebody = visitor(plan, now)
        somebody.reacted("Dismissed", "offer", milliseconds=now - at)
        assert offered(plan, somebody) is again


@pytest.mark.parametrize(
    ("viewed_at", "ends"),
    [("2026-10-24 21:00", "2026-10-25 22:00"), ("2026-03-28 22:00", "2026-03-29 21:00")],
)
def test_the_rest_of_a_counted_conversion_begins_when_its_day_is_over(viewed_at: str, ends: str) -> None:
    plan = offer('converts when: {viewed: /a}, rest after convert: "2 hours"')
    end = ms(ends) + 2 * 3_600_000
    for now, again in ((end - 1, False), (end, True)):
        assert offered(plan, viewed(visitor(plan, now), viewed_at)) is again


@pytest.mark.parametrize(
    ("events", "count"),
    [
        (["2026-03-29 00:45", "2026-03-29 01:05"], 1),  # 02:45 and 04:05, 20 minutes apart
        (["2026-03-29 00:45", "2026-03-29 01:15"], 2),
        (["2026-10-25 00:50", "2026-10-25 01:10"], 1),  # 03:50 and 03:10, 20 minutes apart
        (["2026-10-25 00:10", "2026-10-25 01:20"], 2),  # 03:10 and 03:20, 70 minutes apart
        (["2026-10-25 21:59:59.999", "2026-10-25 22:00"], 1),  # midnight does not end a visit
    ],
)
def test_a_visit_ends_after_thirty_real_minutes(events: list[str], count: int) -> None:
    plan = segment(f"{{visits: {count}}}")
    assert holds(plan, viewed(visitor(plan, events[-1]), *events))


@pytest.mark.parametrize("change", FORWARD + BACK)
@pytest.mark.parametrize("word", ["first visit", "last visit"])
def test_ago_is_an_exact_length(change: str, word: str) -> None:
    older, younger = segment(f"{{{word}: more than 1 day ago}}"), segment(f"{{{word}: less than 1 day ago}}")
    then = ms(change) - 12 * 3_600_000
    for now, is_older, is_younger in (
        (then + DAY_MS - 1000, False, True),
        (then + DAY_MS, False, False),
        (then + DAY_MS + 1000, True, False),
    ):
        assert holds(older, viewed(visitor(older, now), then, now)) is is_older
        assert holds(younger, viewed(visitor(younger, now), then, now)) is is_younger


# -- other zones ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("zone", "event", "now", "fits"),
    [
        ("Africa/Cairo", "2026-04-23 21:59:59.999", "2026-04-23 22:00", False),  # 23:59, then 01:00
        ("Africa/Cairo", "2026-10-29 20:59", "2026-10-29 21:59:59.999", True),  # 23:59, then 23:59 again
        ("Africa/Cairo", "2026-10-29 21:59:59.999", "2026-10-29 22:00", False),
        ("America/Havana", "2026-11-01 04:00", "2026-11-01 05:00", True),  # 00:00 twice
        ("Asia/Kathmandu", "2026-05-01 18:14", "2026-05-01 18:15", False),
        ("Pacific/Apia", "2011-12-30 09:59", "2011-12-30 10:00", False),
    ],
)
def test_today_is_today_everywhere(zone: str, event: str, now: str, *, fits: bool) -> None:
    plan = segment("{viewed: /a, within: 1 day}", zone)
    assert holds(plan, viewed(visitor(plan, now), event)) is fits


def test_a_day_that_the_calendar_skips_still_counts_as_a_day() -> None:
    plan = segment("{viewed: /a, within: 2 days}", "Pacific/Apia")
    assert not holds(plan, viewed(visitor(plan, "2011-12-30 10:00"), "2011-12-30 09:59")), (
        "the 29th is read on the 31st"
    )


# -- the test language ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("now", "clock"),
    [("2026-03-29 03:30", "04:00 to 04:00"), ("2026-10-25 03:30", "03:30 to 03:30"), ("2026-10-25", "00:00 to 00:00")],
)
def test_the_now_of_a_test_may_be_skipped_or_doubled(now: str, clock: str) -> None:
    rules, problems = load(
        {
            "rules.yaml": f"""
segments: [{{segment: it, when: [{{time of day: {clock}}}]}}]
tests: [{{test: at this time, now: {now}, expect: {{segments: it}}}}]
"""
        }
    )
    assert rules is not None, problems
    (result,) = rule_tests.run(compile_rules(rules, HELSINKI), rules.tests)
    assert result.passed, result.failures
