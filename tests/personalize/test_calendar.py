from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.calendar import Calendar, date_of, day_of

HELSINKI = Calendar("Europe/Helsinki")


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("moment", "local"),
    [
        (ms(2026, 3, 28, 21, 59), date(2026, 3, 28)),
        (ms(2026, 3, 28, 22, 0), date(2026, 3, 29)),  # still winter time
        (ms(2026, 3, 29, 20, 59), date(2026, 3, 29)),
        (ms(2026, 3, 29, 21, 0), date(2026, 3, 30)),  # summer time since 03:00
        (ms(2026, 10, 24, 20, 59), date(2026, 10, 24)),
        (ms(2026, 10, 25, 21, 59), date(2026, 10, 25)),  # a day of 25 hours
        (ms(2026, 10, 25, 22, 0), date(2026, 10, 26)),
    ],
)
def test_days_are_the_sites_calendar_days_over_both_changes(moment: int, local: date) -> None:
    assert date_of(HELSINKI.day(moment)) == local


@given(st.integers(ms(1990, 1, 1), ms(2060, 1, 1)), st.sampled_from(["Asia/Kathmandu", "Europe/Helsinki", "UTC"]))
def test_the_memo_gives_what_the_zone_gives(moment: int, zone: str) -> None:
    calendar = Calendar(zone)
    assert calendar.day(moment) == day_of(calendar.local(moment).date())


def test_a_local_time_that_occurs_twice_means_its_first_occurrence() -> None:
    assert HELSINKI.ms(datetime(2026, 10, 25, 3, 30)) == ms(2026, 10, 25, 0, 30)  # noqa: DTZ001 - local by meaning
