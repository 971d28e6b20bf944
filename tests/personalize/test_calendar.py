"""The site's calendar against zoneinfo's wall clock, and local times that occur twice or not at all.

Hand-written moments come from the tz database: Helsinki changes at 01:00 UTC, Cairo and Havana at midnight, Lord Howe
by half an hour, and Apia had no 30 December 2011.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.calendar import Calendar, date_of, day_of

HELSINKI = Calendar("Europe/Helsinki")
CHANGES = {
    "Europe/Helsinki": ("2026-03-29 01:00", "2026-10-25 01:00", "2027-03-28 01:00", "2027-10-31 01:00"),
    "Africa/Cairo": ("2026-04-23 22:00", "2026-10-29 21:00"),
    "America/Havana": ("2026-03-08 05:00", "2026-11-01 05:00"),
    "Asia/Beirut": ("2026-03-28 22:00", "2026-10-24 21:00"),
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30"),
    "Asia/Kathmandu": ("2026-01-01 00:00",),
    "Pacific/Apia": ("2011-12-30 10:00",),
}
ZONES = st.sampled_from(sorted(CHANGES))


def ms(utc: str) -> int:
    return int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


@st.composite
def zones_and_moments(draw: st.DrawFn) -> tuple[str, int]:
    """Return a zone and a moment within two days of one of its changes."""
    zone = draw(ZONES)
    change = ms(draw(st.sampled_from(CHANGES[zone])))
    return zone, change + draw(st.integers(-2 * 86_400_000, 2 * 86_400_000))


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        ("2026-03-28 21:59", date(2026, 3, 28)),
        ("2026-03-28 22:00", date(2026, 3, 29)),  # still winter time
        ("2026-03-29 20:59", date(2026, 3, 29)),
        ("2026-03-29 21:00", date(2026, 3, 30)),  # a day of 23 hours
        ("2026-10-24 20:59", date(2026, 10, 24)),
        ("2026-10-25 21:59", date(2026, 10, 25)),  # a day of 25 hours
        ("2026-10-25 22:00", date(2026, 10, 26)),
    ],
)
def test_days_are_the_sites_calendar_days_over_both_changes(utc: str, day: date) -> None:
    assert date_of(HELSINKI.day(ms(utc))) == day


@given(st.integers(ms("1990-01-01"), ms("2060-01-01")), st.sampled_from(["Asia/Kathmandu", "Europe/Helsinki", "UTC"]))
def test_the_memo_gives_what_the_zone_gives(moment: int, zone: str) -> None:
    calendar = Calendar(zone)
    assert calendar.day(moment) == day_of(calendar.local(moment).date())


@given(zones_and_moments())
def test_days_and_clocks_near_changes_are_those_of_zoneinfo(place: tuple[str, int]) -> None:
    zone, moment = place
    clock = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))
    calendar = Calendar(zone)
    assert calendar.local(moment) == clock
    assert calendar.local(moment).replace(tzinfo=None) == clock.replace(tzinfo=None), "the same moment, the same clock"
    assert date_of(calendar.day(moment)) == clock.date()


def test_every_zone_changes_on_quarter_hours_today() -> None:
    """What Calendar.day rests on: no day begins inside a quarter of an hour."""
    odd = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for name in available_timezones():
        zone = ZoneInfo(name)
        offsets = [(at := start + timedelta(weeks=week), at.astimezone(zone).utcoffset()) for week in range(105)]
        for (before, offset), (after, other) in pairwise(offsets):
            if offset != other:
                low, high = int(before.timestamp()), int(after.timestamp())
                while high - low > 1:
                    middle = (low + high) // 2
                    same = datetime.fromtimestamp(middle, zone).utcoffset() == offset
                    low, high = (middle, high) if same else (low, middle)
                odd += [name] * (high % 900 != 0)
        odd += [name] * any(offset is None or offset % timedelta(minutes=15) for _, offset in offsets)
    assert odd == []


# Local time; its first moment; the moment at which that minute is over.
LOCAL_TIMES = [
    ("Europe/Helsinki", "2026-03-29 02:59", "2026-03-29 00:59", "2026-03-29 01:00"),
    ("Europe/Helsinki", "2026-03-29 03:00", "2026-03-29 01:00", "2026-03-29 01:00"),  # skipped
    ("Europe/Helsinki", "2026-03-29 03:30", "2026-03-29 01:00", "2026-03-29 01:00"),
    ("Europe/Helsinki", "2026-03-29 03:59", "2026-03-29 01:00", "2026-03-29 01:00"),
    ("Europe/Helsinki", "2026-03-29 04:00", "2026-03-29 01:00", "2026-03-29 01:01"),
    ("Europe/Helsinki", "2027-03-28 03:30", "2027-03-28 01:00", "2027-03-28 01:00"),
    ("Europe/Helsinki", "2026-10-25 02:59", "2026-10-24 23:59", "2026-10-25 00:00"),
    ("Europe/Helsinki", "2026-10-25 03:00", "2026-10-25 00:00", "2026-10-25 01:01"),  # twice
    ("Europe/Helsinki", "2026-10-25 03:30", "2026-10-25 00:30", "2026-10-25 01:31"),
    ("Europe/Helsinki", "2026-10-25 03:59", "2026-10-25 00:59", "2026-10-25 02:00"),
    ("Europe/Helsinki", "2026-10-25 04:00", "2026-10-25 02:00", "2026-10-25 02:01"),
    ("Europe/Helsinki", "2027-10-31 03:30", "2027-10-31 00:30", "2027-10-31 01:31"),
    ("Asia/Kathmandu", "2026-05-01 00:00", "2026-04-30 18:15", "2026-04-30 18:16"),
    ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45", "2026-04-04 15:16"),  # back by half an hour
    ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30", "2026-10-03 15:30"),
    ("Africa/Cairo", "2026-04-24 00:00", "2026-04-23 22:00", "2026-04-23 22:00"),  # a midnight that is not
    ("Africa/Cairo", "2026-10-29 23:30", "2026-10-29 20:30", "2026-10-29 21:31"),
    ("America/Havana", "2026-11-01 00:30", "2026-11-01 04:30", "2026-11-01 05:31"),  # the day begins twice
    ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", "2011-12-30 10:00"),  # a day that is not
]


@pytest.mark.parametrize(("zone", "clock", "first", "over"), LOCAL_TIMES)
def test_a_local_time_begins_at_its_first_moment_and_ends_after_its_last(
    zone: str, clock: str, first: str, over: str
) -> None:
    calendar = Calendar(zone)
    assert calendar.ms(local(clock)) == ms(first)
    assert calendar.minute_end(local(clock)) == ms(over)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "over"),
    [
        ("Europe/Helsinki", "2026-03-29", "2026-03-28 22:00", "2026-03-29 21:00"),
        ("Europe/Helsinki", "2026-10-25", "2026-10-24 21:00", "2026-10-25 22:00"),
        ("Africa/Cairo", "2026-04-23", "2026-04-22 22:00", "2026-04-23 22:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23 22:00", "2026-04-24 21:00"),
        ("Africa/Cairo", "2026-10-29", "2026-10-28 21:00", "2026-10-29 22:00"),
        ("America/Havana", "2026-11-01", "2026-11-01 04:00", "2026-11-02 05:00"),
        ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00"),
        ("UTC", "2999-12-31", "2999-12-31 00:00", "3000-01-01 00:00"),
    ],
)
def test_days_follow_one_another_without_a_gap(zone: str, day: str, begins: str, over: str) -> None:
    calendar = Calendar(zone)
    assert calendar.ms(local(day)) == ms(begins)
    assert calendar.day_end(date.fromisoformat(day)) == ms(over)


@given(zones_and_moments())
def test_a_day_holds_exactly_the_moments_of_its_number(place: tuple[str, int]) -> None:
    zone, moment = place
    calendar = Calendar(zone)
    day = date_of(calendar.day(moment))
    begins, over = calendar.ms(datetime.combine(day, datetime.min.time())), calendar.day_end(day)
    assert begins <= moment < over
    assert date_of(calendar.day(begins)) == day == date_of(calendar.day(over - 1))
    assert calendar.day(begins - 1) < day_of(day) < calendar.day(over)


@given(zones_and_moments())
def test_a_minute_holds_the_moments_at_which_the_clock_shows_it(place: tuple[str, int]) -> None:
    zone, moment = place
    calendar = Calendar(zone)
    shown = calendar.local(moment).replace(second=0, microsecond=0, tzinfo=None)
    assert calendar.ms(shown) <= moment < calendar.minute_end(shown)
