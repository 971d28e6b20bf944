import math
from collections.abc import Callable
from datetime import date, time
from typing import Any

import pytest

from personalize import time_values as t
from personalize import values as v
from personalize.values import Ago, Cap, DailyRange, DateRange, Length, Moment, NumberRange, PhraseError, WeekdayRange

DAY = v.DAY_MS


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (v.parse_number, "-20", -20),
        (v.parse_number, "0.5", 0.5),
        (v.parse_range, "5", NumberRange(5, 5)),
        (v.parse_range, "at least 5", NumberRange(5, math.inf)),
        (v.parse_range, "At Most 5", NumberRange(-math.inf, 5)),
        (v.parse_range, "more than 5", NumberRange(5, math.inf, open_low=True)),
        (v.parse_range, "less than -5.5", NumberRange(-math.inf, -5.5, open_high=True)),
        (v.parse_range, "50 to 500", NumberRange(50, 500)),
        (v.parse_range, "-2 to -1", NumberRange(-2, -1)),
        (v.parse_length, "30 minutes", Length(1_800_000, 0)),
        (v.parse_length, "1 hour", Length(3_600_000, 0)),
        (v.parse_length, "14 days", Length(14 * DAY, 14)),
        (v.parse_length, "2 weeks", Length(14 * DAY, 14)),
        (v.parse_length, "1 Day", Length(DAY, 1)),
        (v.parse_count, "once", 1),
        (v.parse_count, "twice", 2),
        (v.parse_count, "3 times", 3),
        (v.parse_count, "1 time", 1),
        (v.parse_cap, "5 times per week", Cap(5, 7)),
        (v.parse_cap, "twice per day", Cap(2, 1)),
        (v.parse_cap, "once per 30 days", Cap(1, 30)),
        (v.parse_cap, "once per 2 weeks", Cap(1, 14)),
        (v.parse_cap, "3 times ever", Cap(3, 0)),
        (v.parse_ago, "more than 21 days ago", Ago(older=True, ms=21 * DAY)),
        (v.parse_ago, "less than 2 hours ago", Ago(older=False, ms=7_200_000)),
        (v.parse_percent, "80 percent", 80),
        (v.parse_test, "50 to 500", NumberRange(50, 500)),
        (v.parse_test, "120", NumberRange(120, 120)),
        (v.parse_test, "1.10", ("1.10",)),
        (v.parse_test, "007", ("007",)),
        (v.parse_test, "whitepaper", ("whitepaper",)),
        (v.parse_test, "*.edu", ("*.edu",)),
        (t.parse_daily_range, "08:00 to 16:30", DailyRange(480, 990)),
        (t.parse_daily_range, "22:00 to 6:00", DailyRange(1320, 360)),
        (t.parse_weekday_range, "monday to friday", WeekdayRange(0, 4)),
        (t.parse_weekday_range, "Saturday", WeekdayRange(5, 5)),
        (t.parse_weekday_range, "friday to monday", WeekdayRange(4, 0)),
        (t.parse_date_range, "2026-11-23 to 2026-11-30", DateRange(date(2026, 11, 23), date(2026, 11, 30))),
        (t.parse_date_range, "from 2026-11-23", DateRange(date(2026, 11, 23), None)),
        (t.parse_date_range, "until 2026-11-30", DateRange(None, date(2026, 11, 30))),
        (t.parse_date_range, "2026-11-23", DateRange(date(2026, 11, 23), date(2026, 11, 23))),
        (t.parse_moment, "2026-11-23", Moment(date(2026, 11, 23), None)),
        (t.parse_moment, "2026-11-23 10:00", Moment(date(2026, 11, 23), time(10))),
        (t.parse_moment, "2026-11-23T10:30", Moment(date(2026, 11, 23), time(10, 30))),
    ],
)
def test_a_phrase_has_its_value(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (v.parse_number, "five", '"five" is not a number such as 5 or 0.5'),
        (v.parse_range, "at leest 5", 'did you mean "at least"?'),
        (v.parse_range, "5 tu 9", 'did you mean "to"?'),
        (v.parse_range, "9 to 5", 'write "5 to 9"'),
        (v.parse_range, "1,000", "is not a number"),
        (v.parse_length, "30 dayz", '"30 dayz" is not a length of time such as "30 days"; did you mean "days"?'),
        (v.parse_length, "30days", 'did you mean "30 days"?'),
        (v.parse_length, "a fortnight", "is not a length of time"),
        (v.parse_length, "1234567 days", "is not a length of time"),
        (v.parse_length, "999999 weeks", "is longer than a hundred years"),
        (v.parse_count, "3", 'did you mean "3 times"?'),
        (v.parse_count, "3 timez", 'did you mean "times"?'),
        (v.parse_count, "onse", 'did you mean "once"?'),
        (v.parse_cap, "5 times pr week", 'did you mean "per"?'),
        (v.parse_cap, "5 times per hour", "counted by day"),
        (v.parse_cap, "0 times ever", "never allow anything"),
        (v.parse_cap, "5 times per 0 days", "is not a cap"),
        (v.parse_ago, "more then 21 days ago", 'did you mean "than"?'),
        (
            v.parse_ago,
            "more than 21 dais ago",
            '"21 dais" is not a length of time such as "30 days"; did you mean "days"?',
        ),
        (v.parse_percent, "101 percent", "is not a share"),
        (v.parse_test, "at lest 50", 'did you mean "at least"?'),
        (v.parse_test, "50 tu 500", 'did you mean "to"?'),
        (t.parse_daily_range, "08.00 to 16:30", 'did you mean "08:00"?'),
        (t.parse_daily_range, "08:00", "is not a time of day"),
        (t.parse_daily_range, "08:00 to 24:00", "they go from 00:00 to 23:59"),
        (t.parse_weekday_range, "monday to fryday", 'did you mean "friday"?'),
        (t.parse_weekday_range, "monday tu friday", 'did you mean "to"?'),
        (t.parse_date_range, "2026-11-30 to 2026-11-23", "ends before it starts"),
        (t.parse_date_range, "untill 2026-11-30", 'did you mean "until"?'),
        (t.parse_moment, "23.11.2026", "is not a date"),
        (t.parse_moment, "2026-02-30", "is not in the calendar"),
        (t.parse_moment, "9999-12-31", "leave out a start or an end that never comes"),
        (t.parse_date_range, "0001-01-01 to 2026-11-30", "lies outside of the years 1970 to 2999"),
        (t.parse_moment, "2026-02-20 10:00 11:00", "is not a date"),
    ],
)
def test_a_text_that_is_no_such_phrase_is_refused_with_a_sentence(
    parse: Callable[[str], Any], text: str, said: str
) -> None:
    with pytest.raises(PhraseError) as refused:
        parse(text)
    assert said in str(refused.value)


def test_digits_of_other_scripts_are_no_numbers() -> None:
    with pytest.raises(PhraseError):
        v.parse_number("\u0665")
    with pytest.raises(PhraseError):
        v.parse_length("\u0665 days")


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("-3", -3), ("49.9", 49.9), ("1.10", None), ("-0", None)])
def test_a_number_is_taken_only_in_its_shortest_form(text: str, number: float | None) -> None:
    assert v.as_number(text) == number
