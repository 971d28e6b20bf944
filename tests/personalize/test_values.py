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


LENGTH = 'is not a length of time such as "30 days"'
CAP = 'is not a cap such as "5 times per week" or "once ever"'
RANGE = 'is not a number such as 5, "at least 5" or "5 to 9"'
AGO = 'is not a time such as "more than 21 days ago"'
MOMENT = 'is not a date such as 2026-11-23 or "2026-11-23 10:00"'
DATES = 'is not a date or a range such as "2026-11-23 to 2026-11-30"'
DIFFER = f"{LENGTH}: months and years are not all alike, so write"


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (v.parse_length, "3 months", f'{DIFFER} "90 days"'),
        (v.parse_length, "a month", f'{DIFFER} "30 days"'),
        (v.parse_length, "1 year", f'{DIFFER} "365 days"'),
        (v.parse_length, "3 yeers", LENGTH),
        (v.parse_length, "30", f'{LENGTH}; did you mean "30 days"?'),
        (v.parse_length, "two days", f'{LENGTH}; did you mean "2 days"?'),
        (v.parse_length, "an hour", f'{LENGTH}; did you mean "1 hour"?'),
        (v.parse_length, "2h", f'{LENGTH}; did you mean "2 hours"?'),
        (v.parse_count, "at least 3 times", 'is not a count such as "once" or "3 times"; did you mean "3 times"?'),
        (v.parse_count, "3x", 'is not a count such as "once" or "3 times"; did you mean "3 times"?'),
        (v.parse_cap, "3 per week", f'{CAP}; did you mean "3 times per week"?'),
        (v.parse_cap, "1 per day", f'{CAP}; did you mean "once per day"?'),
        (v.parse_cap, "once a week", f'{CAP}; did you mean "once per week"?'),
        (v.parse_cap, "3x/week", f'{CAP}; did you mean "3 times per week"?'),
        (v.parse_cap, "at most twice every 2 weeks", f'{CAP}; did you mean "twice per 2 weeks"?'),
        (v.parse_cap, "once per month", f'{CAP}; did you mean "once per 30 days"?'),
        (v.parse_range, "at least 3 times", f'{RANGE}; did you mean "at least 3"?'),
        (v.parse_range, "3 times", f'{RANGE}; did you mean "3"?'),
        (v.parse_range, "> 5", f'{RANGE}; did you mean "more than 5"?'),
        (v.parse_range, "=< 5", f'{RANGE}; did you mean "at most 5"?'),
        (v.parse_range, "5 or more", f'{RANGE}; did you mean "at least 5"?'),
        (v.parse_range, "9-5", RANGE),
        (v.parse_ago, "within 7 days", f'{AGO}; did you mean "less than 7 days ago"?'),
        (v.parse_ago, "in the last week", AGO),
        (v.parse_ago, "last 7 days", f'{AGO}; did you mean "less than 7 days ago"?'),
        (v.parse_ago, "at least a week ago", f'{AGO}; did you mean "more than 1 week ago"?'),
        (v.parse_ago, "within few days", AGO),
        (
            v.parse_ago,
            "21 days ago",
            'needs "more than" or "less than" before it: write "more than 21 days ago" or "less than 21 days ago"',
        ),
        (t.parse_moment, "15.2.2027", f'{MOMENT}; did you mean "2027-02-15"?'),
        (t.parse_moment, "2027-3-1 10:00", f'{MOMENT}; did you mean "2027-03-01 10:00"?'),
        (t.parse_moment, "2/15/2027", f'{MOMENT}; did you mean "2027-02-15"?'),
        (t.parse_moment, "15/2/2027", f'{MOMENT}; did you mean "2027-02-15"?'),
        (t.parse_moment, "31.2.2027", MOMENT),
        (t.parse_moment, "2/3/2027", "may mean two dates; write year, month and day, as in 2026-11-23"),
        (t.parse_date_range, "from 1.2.2027", f'{DATES}; did you mean "2027-02-01"?'),
        (t.parse_date_range, "2027-02-01 - 2027-02-05", f'{DATES}; did you mean "2027-02-01 to 2027-02-05"?'),
        (
            t.parse_daily_range,
            "08:00-16:30",
            'is not a time of day such as "08:00 to 16:30"; did you mean "08:00 to 16:30"?',
        ),
        (
            t.parse_weekday_range,
            "monday-friday",
            'is not a weekday or a range such as "monday to friday"; did you mean "monday to friday"?',
        ),
    ],
)
def test_what_is_said_in_another_way_is_told_in_the_words_of_the_rules(
    parse: Callable[[str], Any], text: str, said: str
) -> None:
    with pytest.raises(PhraseError) as refused:
        parse(text)
    start, _, sentence = str(refused.value).partition('" ')
    assert start.removeprefix('"') in text
    assert sentence == said


def test_no_more_days_are_offered_than_are_possible() -> None:
    with pytest.raises(PhraseError, match=r'so write "45 days", the longest that is possible here$'):
        v.parse_length("2 months", 45)


def test_digits_of_other_scripts_are_no_numbers() -> None:
    with pytest.raises(PhraseError):
        v.parse_number("\u0665")
    with pytest.raises(PhraseError):
        v.parse_length("\u0665 days")


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("-3", -3), ("49.9", 49.9), ("1.10", None), ("-0", None)])
def test_a_number_is_taken_only_in_its_shortest_form(text: str, number: float | None) -> None:
    assert v.as_number(text) == number
