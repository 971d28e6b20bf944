"""Value phrases about clock and calendar, in the site's time zone: "08:00 to 16:30", "monday to friday", "2026-11-23".

As in `values`, each `parse_…` returns its value or raises PhraseError with a whole sentence.
"""

from __future__ import annotations

import re
from datetime import date, time

from personalize.meant import date_meant, looks_like_date, span_meant
from personalize.suggest import nearest, quoted
from personalize.values import DailyRange, DateRange, Moment, PhraseError, WeekdayRange, near_word, wrong

FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Other years are slips of the pen, or mean "for ever", which is said by leaving the date out."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


def parse_daily_range(text: str) -> DailyRange:
    """Return a time of day such as "08:00 to 16:30"; it may wrap midnight."""
    what = 'a time of day such as "08:00 to 16:30"'
    low, high = _ends(text, what)
    if not high:
        raise wrong(text, what)
    return DailyRange(_minute(low, text, what), _minute(high, text, what))


def parse_weekday_range(text: str) -> WeekdayRange:
    """Return "monday to friday" or one weekday; it may wrap the week."""
    low, high = _ends(text, 'a weekday or a range such as "monday to friday"')
    return WeekdayRange(_weekday(low, text), _weekday(high or low, text))


def parse_date_range(text: str) -> DateRange:
    """Return "2026-11-23 to 2026-11-30", "from 2026-11-23", "until 2026-11-30" or one date."""
    what = 'a date or a range such as "2026-11-23 to 2026-11-30"'
    plain = text.casefold()
    if plain.startswith("from "):
        return DateRange(_date(plain[5:].strip(), what), None)
    if plain.startswith("until "):
        return DateRange(None, _date(plain[6:].strip(), what))
    if re.match(r"[^\W\d]", plain):
        raise wrong(text, what, near_word(plain, ("from", "until", "to")))
    low, high = _ends(text, what)
    first, last = _date(low, what), _date(high or low, what)
    if first > last:
        raise PhraseError(f"{quoted(text)} ends before it starts")
    return DateRange(first, last)


def parse_moment(text: str) -> Moment:
    """Return a date with or without a time, such as 2026-11-23 or "2026-11-23 10:00"."""
    what = 'a date such as 2026-11-23 or "2026-11-23 10:00"'
    day, *clocks = re.split(r"[ tT]+", text.strip())
    if len(clocks) > 1:
        raise wrong(text, what)
    if not clocks:
        return Moment(_date(day, what, text), None)
    minute = _minute(clocks[0], text, what)
    return Moment(_date(day, what, text), time(*divmod(minute, 60)))


def _ends(text: str, what: str) -> tuple[str, str]:
    """Return both ends of "A to B", the second "" when there is only one."""
    parts = re.split(r" +to +", text.strip().casefold())
    if len(parts) > 2 or not all(parts):
        raise wrong(text, what)
    if len(parts) == 1 and (meant := span_meant(parts[0])):
        raise wrong(text, what, meant)
    if len(parts) == 1 and len(words := parts[0].split()) == 3:
        # Three words without a "to" in the middle: the middle one is probably misspelt.
        raise wrong(text, what, nearest(words[1], ("to",)))
    return parts[0], parts[1] if len(parts) == 2 else ""


def _weekday(word: str, text: str) -> int:
    """Return the number of a weekday, Monday being 0."""
    if word not in WEEKDAYS:
        raise wrong(text, 'a weekday or a range such as "monday to friday"', nearest(word, WEEKDAYS))
    return WEEKDAYS.index(word)


def _minute(clock: str, text: str, what: str) -> int:
    """Return the minutes since midnight of a time such as 16:30."""
    found = _CLOCK.fullmatch(clock)
    if not found:
        guess = clock.replace(".", ":")
        raise wrong(text, what, guess if _CLOCK.fullmatch(guess) else "")
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        raise PhraseError(f"{quoted(clock)} is no time of day; they go from 00:00 to 23:59")
    return hour * 60 + minute


def _date(word: str, what: str, text: str = "") -> date:
    """Return a date that is written as 2026-11-23."""
    found = _DATE.fullmatch(word)
    if not found:
        if meant := date_meant(word):
            raise wrong(text or word, what, (text or word).replace(word, meant, 1))
        if looks_like_date(word):
            raise PhraseError(f"{quoted(word)} may mean two dates; write year, month and day, as in 2026-11-23")
        raise wrong(text or word, what)
    if not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        message = f"{quoted(word)} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}"
        raise PhraseError(f"{message}; leave out a start or an end that never comes")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise PhraseError(f"{quoted(word)} is not in the calendar") from None
