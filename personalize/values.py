"""Value phrases of the rule language: "at least 5", "30 days", "2 times per week", "more than 21 days ago".

Each `parse_…` takes the text as written and returns its value, or raises PhraseError with a sentence that says what
was expected and, where one is near, a suggestion. Texts are compared without regard to case.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time

from personalize.meant import ago_meant, cap_meant, count_meant, in_months, length_meant, range_meant
from personalize.suggest import LONGEST, did_you_mean, nearest, quoted

DAY_MS = 86_400_000
LONGEST_LENGTH_MS = 36_525 * DAY_MS
UNIT_MS = {"minute": 60_000, "hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS}


class PhraseError(ValueError):
    """A text that is not the phrase that is wanted here; the message is a whole sentence for the rule's writer."""


@dataclass(slots=True, frozen=True)
class NumberRange:
    """`5`, `at least 5`, `at most 5`, `more than 5`, `less than 5`, `5 to 9`; both ends included unless `open_…`."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether the value lies in the range."""
        if value < self.low or (self.open_low and value == self.low):
            return False
        return not (value > self.high or (self.open_high and value == self.high))


@dataclass(slots=True, frozen=True)
class Length:
    """`30 minutes`, `14 days`, `2 weeks`. `days` is set when the length is whole days (days and weeks), else 0."""

    ms: int
    days: int


@dataclass(slots=True, frozen=True)
class Cap:
    """`5 times per week`: at most `count` in each `days` days; `days` is 0 for "ever"."""

    count: int
    days: int


@dataclass(slots=True, frozen=True)
class Ago:
    """`more than 21 days ago` (older=True) or `less than 2 hours ago` (older=False)."""

    older: bool
    ms: int


@dataclass(slots=True, frozen=True)
class DailyRange:
    """`08:00 to 16:30`: minutes since midnight, both minutes included; wraps midnight when low > high."""

    low: int
    high: int


@dataclass(slots=True, frozen=True)
class WeekdayRange:
    """`monday to friday`: 0 is Monday, both included; wraps the week when low > high."""

    low: int
    high: int


@dataclass(slots=True, frozen=True)
class DateRange:
    """`2026-11-23 to 2026-11-30`, local to the site; None is an open end; an end is included whole."""

    first: date | None
    last: date | None


@dataclass(slots=True, frozen=True)
class Moment:
    """A `from` or `until`: a local date, with a local minute where one was given (included whole as an end)."""

    day: date
    minute: time | None

    def naive(self) -> datetime:
        """Return the moment's start as a naive local datetime."""
        return datetime.combine(self.day, self.minute or time())


_NUMBER = r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?"
_COMPARED = re.compile(rf"(at least|at most|more than|less than) +({_NUMBER})")
_BETWEEN = re.compile(rf"({_NUMBER}) +to +({_NUMBER})")
_LENGTH = re.compile(r"([0-9]{1,6}) +(minute|hour|day|week)s?")
_TIMES = re.compile(r"([0-9]{1,6}) +times?")
_PER = re.compile(
    r"(?P<count>.+?) +(?:(?P<ever>ever)|per +(?:(?P<one>day|week)|(?P<number>[0-9]{1,4}) +(?P<unit>day|week)s?))"
)
_FINER = re.compile(r"per +(?:[0-9]+ +)?(?:hour|minute)s?")
_AGO = re.compile(r"(more than|less than) +(.+?) +ago")
_SHAPED = re.compile(rf"(?:(?P<compared>[^\W\d]+ [^\W\d]+) +{_NUMBER}|{_NUMBER} +(?P<to>[^\W\d]+) +{_NUMBER})")

_COMPARISONS = ("at least", "at most", "more than", "less than")
_UNITS = ("minutes", "hours", "days", "weeks")
_ONE_UNIT = ("minute", "hour", "day", "week")
_VAGUE = ("months", "years")


def wrong(text: str, what: str, guess: str = "") -> PhraseError:
    """Return the error that says what the text is not, with a guess at the word that was meant."""
    return PhraseError(f"{quoted(text)} is not {what}{did_you_mean(guess)}")


def near_word(text: str, words: tuple[str, ...], right: tuple[str, ...] = ()) -> str:
    """Return what the first misspelt word of the text was probably meant to be, or ""; `right` are right as well."""
    for word in re.findall(r"[^\W\d_]+", text.casefold()[:LONGEST]):
        if word not in words and word not in right and (guess := nearest(word, words)):
            return guess
    return ""


def parse_number(text: str) -> float:
    """Return a plain number such as 5, -20 or 0.5."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    raise wrong(text, "a number such as 5 or 0.5")


def parse_range(text: str) -> NumberRange:
    """Return a number phrase: 5, "at least 5", "at most 5", "more than 5", "less than 5" or "5 to 9"."""
    plain = text.casefold()
    if re.fullmatch(_NUMBER, plain, re.ASCII):
        return NumberRange(float(plain), float(plain))
    if found := _COMPARED.fullmatch(plain):
        number = float(found[2])
        if found[1] in ("at least", "more than"):
            return NumberRange(number, math.inf, open_low=found[1] == "more than")
        return NumberRange(-math.inf, number, open_high=found[1] == "less than")
    if found := _BETWEEN.fullmatch(plain):
        low, high = float(found[1]), float(found[2])
        if low > high:
            raise PhraseError(f'{quoted(text)} ends before it starts; write "{found[2]} to {found[1]}"')
        return NumberRange(low, high)
    what = 'a number such as 5, "at least 5" or "5 to 9"'
    raise wrong(text, what, range_meant(text) or _near_comparison(plain))


def _near_comparison(plain: str) -> str:
    """Return the word of number phrases that the text probably misspells, or ""."""
    words = " ".join(re.findall(r"[^\W\d_]+", plain))
    if re.match(r"[-+0-9]", plain):
        return "to" if words and nearest(words, ("to",)) else ""
    return "" if words in _COMPARISONS else nearest(words, _COMPARISONS)


def parse_test(text: str) -> NumberRange | tuple[str, ...]:
    """Return a number phrase, else the text itself; a number that is not in its shortest form (1.10) is a text."""
    plain = text.casefold()
    if _COMPARED.fullmatch(plain) or _BETWEEN.fullmatch(plain) or as_number(text) is not None:
        return parse_range(text)
    shaped = _SHAPED.fullmatch(plain)
    if shaped and (guess := _near_comparison(plain)):
        message = f"{quoted(text)} is no number phrase; put it in quotes if it is a text{did_you_mean(guess)}"
        raise PhraseError(message)
    return (text,)


def as_number(text: str) -> int | float | None:
    """Return the number that the text is in its shortest form, or None; so 1.10 and 007 lose nothing."""
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text, re.ASCII):
        return None
    number: int | float = float(text) if "." in text else int(text)
    return number if str(number) == text else None


def parse_length(text: str, longest_days: int = 0) -> Length:
    """Return a length of time such as "30 days"; units may be singular. No more than `longest_days` are suggested."""
    found = _LENGTH.fullmatch(text.casefold())
    if not found:
        what = 'a length of time such as "30 days"'
        meant = length_meant(text, longest_days)
        if meant and in_months(text):
            longest = ", the longest that is possible here" if meant != length_meant(text) else ""
            message = f"{quoted(text)} is not {what}: months and years are not all alike, so write {quoted(meant)}"
            raise PhraseError(message + longest)
        guess = meant or near_word(text, (*_UNITS, *_VAGUE), _ONE_UNIT)
        raise wrong(text, what, "" if guess in _VAGUE else guess)
    ms = int(found[1]) * UNIT_MS[found[2]]
    if ms > LONGEST_LENGTH_MS:
        raise PhraseError(f"{quoted(text)} is longer than a hundred years")
    return Length(ms, ms // DAY_MS if found[2] in ("day", "week") else 0)


def parse_count(text: str) -> int:
    """Return a count: once, twice or "3 times"."""
    plain = text.casefold()
    if plain in ("once", "twice"):
        return 1 if plain == "once" else 2
    if found := _TIMES.fullmatch(plain):
        return int(found[1])
    guess = count_meant(text) or near_word(plain, ("times", "once", "twice"), ("time",))
    raise wrong(text, 'a count such as "once" or "3 times"', guess)


def parse_cap(text: str) -> Cap:
    """Return a cap: a count with "per day", "per week", "per 30 days" or "ever"."""
    plain = text.casefold()
    if _FINER.search(plain):
        raise PhraseError(f'{quoted(text)} asks for hours or minutes, but visits are counted by day; write "per day"')
    found = _PER.fullmatch(plain)
    meant = cap_meant(text)
    if not found or (meant and not _is_count(found["count"])):
        guess = near_word(plain, ("times", "once", "twice", "per", "days", "weeks", "ever"), ("time", "day", "week"))
        raise wrong(text, 'a cap such as "5 times per week" or "once ever"', meant or guess)
    count = parse_count(found["count"])
    if count == 0:
        raise PhraseError(f"{quoted(text)} would never allow anything")
    unit = found["one"] or found["unit"]
    days = 0 if found["ever"] else int(found["number"] or 1) * (7 if unit == "week" else 1)
    if not found["ever"] and days == 0:
        raise wrong(text, 'a cap such as "5 times per week" or "once ever"')
    return Cap(count, days)


def _is_count(plain: str) -> bool:
    return plain in ("once", "twice") or _TIMES.fullmatch(plain) is not None


def parse_ago(text: str) -> Ago:
    """Return "more than 21 days ago" or "less than 2 hours ago"."""
    plain = text.casefold()
    found = _AGO.fullmatch(plain)
    if not found:
        meant = ago_meant(text)
        if len(meant) > 1:
            either = " or ".join(map(quoted, meant))
            raise PhraseError(f'{quoted(text)} needs "more than" or "less than" before it: write {either}')
        guess = "".join(meant) or near_word(
            plain, ("more", "less", "than", "ago", *_UNITS), (*_ONE_UNIT, "within", "the")
        )
        raise wrong(text, 'a time such as "more than 21 days ago"', guess)
    return Ago(found[1] == "more than", parse_length(found[2]).ms)


def parse_percent(text: str) -> float:
    """Return a share such as "80 percent", from 0 to 100."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) +percent", text.casefold())
    if not found or float(found[1]) > 100:
        raise wrong(text, 'a share such as "80 percent"', near_word(text, ("percent",)))
    return float(found[1])
