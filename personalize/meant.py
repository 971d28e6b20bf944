"""What a phrase that cannot be read was probably meant to be: "3 months" as "90 days", "> 5" as "more than 5".

Each `…_meant` takes the text as written and returns the whole phrase that the writer should write, or "" when it is
not sure of one. It never guesses at letters; `suggest` does that. This file does not know which phrases are right.
"""

from __future__ import annotations

import re
from datetime import date

_WORDS = "a one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905 - reads better
_AMOUNTS = {"an": 1} | {word: max(at, 1) for at, word in enumerate(_WORDS)}
_UNITS = {
    "minute": ("min", "mins", "minutes"),
    "hour": ("h", "hr", "hrs", "hours"),
    "day": ("d", "days"),
    "week": ("w", "wk", "wks", "weeks"),
    "month": ("months", "mth", "mths"),
    "year": ("y", "yr", "yrs", "years"),
}
_UNIT = {form: unit for unit, forms in _UNITS.items() for form in (unit, *forms)}
_IN_DAYS = {"month": 30, "year": 365}

_AMOUNT = re.compile(r"(?:([0-9]{1,6})|([a-z]+)) *([a-z]*)")
_NUMBER = r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?"
_SIGNS = {">": "more than", "<": "less than", ">=": "at least", "<=": "at most", "≥": "at least", "≤": "at most"}
_SIGNED = re.compile(rf"(>=|<=|=>|=<|[><≥≤]) *({_NUMBER})(?: +times?)?")
_OR_MORE = re.compile(rf"({_NUMBER}) *(?:\+|or more)")
_DASHED = re.compile(r"(0|[1-9][0-9]{0,14}) *(?:-|\u2013|\u2014|\.\.\.?|…) *([1-9][0-9]{0,14})")
_TIMES = re.compile(rf"((?:at least|at most|more than|less than) +)?({_NUMBER}) +times?")
_COUNT = re.compile(r"(?:at least +|at most +)?(?:(once|twice)|([0-9]{1,6})(?: *x| +times?)?)")
_CAP = re.compile(
    r"(?:at most +|max(?:imum|\.)? +|up to +)?(?:(once|twice)|([0-9]{1,6}) *(?:x|times?)?)"
    r" *(?:/|per|an?|each|every|in|within)? *(?:([0-9]{1,4}) +)?(day|week|month)s?"
)
_AGO = re.compile(
    r"(?:(within|in|more than|less than|over|under|at least|at most|older than|newer than)? *(?:the +)?(?:last +)?)?"
    r"([0-9]{1,6} +[a-z]+|an? +[a-z]+)(?: +(?:ago|old))?"
)
_OLDER = frozenset({"more than", "over", "at least", "older than"})
_YEAR_FIRST = re.compile(r"([0-9]{4})[-./]([0-9]{1,2})[-./]([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-./])([0-9]{1,2})\2([0-9]{4})")
_DASH = re.compile(" +[-\u2013\u2014] +| *[\u2013\u2014] *|(?<=:[0-9]{2})-(?=[0-9])|(?<=day)-(?=[a-z])")


def length_meant(text: str, longest_days: int = 0) -> str:
    """Return a length of time such as "30 days"; months and years in days, at most `longest_days` of them (0: any)."""
    found = _AMOUNT.fullmatch(text.casefold().strip())
    if found is None:
        return ""
    number, word, name = found.groups()
    unit = _UNIT.get(name or "day", "")
    amount = _AMOUNTS.get(word, 0) if word else int(number)
    if not unit or not amount:
        return ""
    if unit in _IN_DAYS:
        amount, unit = amount * _IN_DAYS[unit], "day"
        if longest_days:
            amount = min(amount, longest_days)
    return f"{amount} {unit}{'s' * (amount != 1)}"


def in_months(text: str) -> bool:
    """Tell whether a length is written in months or years, which are not all alike."""
    found = _AMOUNT.fullmatch(text.casefold().strip())
    return found is not None and _UNIT.get(found[3], "") in _IN_DAYS


def range_meant(text: str) -> str:
    """Return a number phrase such as "more than 5" for what is written with signs or counts: "> 5", "5+", "50-500"."""
    plain = text.casefold().strip()
    if found := _SIGNED.fullmatch(plain):
        sign = found[1] if found[1] in _SIGNS else found[1][::-1]
        return f"{_SIGNS[sign]} {found[2]}"
    if found := _OR_MORE.fullmatch(plain):
        return f"at least {found[1]}"
    if (found := _DASHED.fullmatch(plain)) and int(found[1]) < int(found[2]):
        return f"{found[1]} to {found[2]}"
    if found := _TIMES.fullmatch(plain):
        return f"{found[1] or ''}{found[2]}"
    return ""


def count_meant(text: str) -> str:
    """Return a count such as "3 times" for "3", "3x" or "at least 3 times"."""
    found = _COUNT.fullmatch(text.casefold().strip())
    return found[1] or _times(found[2]) if found else ""


def cap_meant(text: str) -> str:
    """Return a cap such as "3 times per week" for "3 per week", "once a week" or "3x/week"."""
    found = _CAP.fullmatch(text.casefold().strip())
    if found is None:
        return ""
    word, number, length, unit = found.groups()
    days = int(length or 1)
    if unit == "month":
        days, unit = days * 30, "day"
    count = word or _times(number)
    return f"{count} per {unit}" if days == 1 else f"{count} per {days} {unit}s"


def _times(number: str) -> str:
    return "once" if number == "1" else f"{number} times"


def ago_meant(text: str) -> tuple[str, ...]:
    """Return the times such as "less than 7 days ago" that "within 7 days" may mean: one, two or none."""
    found = _AGO.fullmatch(text.casefold().strip())
    length = length_meant(found[2]) if found else ""
    if not found or not length:
        return ()
    if found[1]:
        return (f"{'more' if found[1] in _OLDER else 'less'} than {length} ago",)
    if "last" in text.casefold():
        return (f"less than {length} ago",)
    return f"more than {length} ago", f"less than {length} ago"


def date_meant(text: str) -> str:
    """Return a date such as 2027-02-15 for 15.2.2027 or 2027-2-15; with slashes only if just one order is possible."""
    plain = text.strip()
    if found := _YEAR_FIRST.fullmatch(plain):
        return _calendar(*map(int, found.groups()))
    found = _YEAR_LAST.fullmatch(plain)
    if found is None:
        return ""
    first, sign, second, year = int(found[1]), found[2], int(found[3]), int(found[4])
    day_first = _calendar(year, second, first)
    if sign == "." or not day_first:
        return day_first or ("" if sign == "." else _calendar(year, first, second))
    return day_first if first == second or not _calendar(year, first, second) else ""


def looks_like_date(text: str) -> bool:
    """Tell whether the text is a date in another form, with slashes or dashes and the year at its end."""
    found = _YEAR_LAST.fullmatch(text.strip())
    return found is not None and found[2] != "."


def span_meant(text: str) -> str:
    """Return "A to B" for "A - B", of dates, times of day or weekdays."""
    meant, times = _DASH.subn(" to ", text.strip())
    return meant if times == 1 else ""


def _calendar(year: int, month: int, day: int) -> str:
    """Return the date as it is written, or "" if there is none."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""
