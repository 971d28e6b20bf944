"""Value phrases as JSON Schema (draft 07), for editors: what `values`, `time_values` and `fields` read, as patterns.

A schema here accepts whatever its parser accepts, and may accept a little more: a pattern knows no calendar and does
not see that 9 to 5 ends before it starts. The one exception is `null` and `~`, which an editor cannot tell from a value
that is missing. Python and JavaScript read the patterns alike; they ignore case by naming both.
"""

from __future__ import annotations

from typing import Any

from personalize.time_values import WEEKDAYS

Schema = dict[str, Any]

SCALAR = ("string", "number", "boolean")
"""What an editor takes a text for: 2026 is a number and true a boolean to it, but names all the same."""


def any_case(text: str) -> str:
    """Return a pattern of the text in any case, each space of it one space or more."""
    return "".join(f"[{sign}{sign.upper()}]" if sign.isalpha() else " +" if sign == " " else sign for sign in text)


def one_of(*texts: str) -> str:
    """Return a pattern of one of these texts in any case."""
    return f"(?:{'|'.join(map(any_case, texts))})"


def phrase(pattern: str, wanted: str, *types: str) -> Schema:
    """Return the schema of a text that has this pattern; an editor says that `wanted` is wanted, if it has not."""
    kinds = ["string", *types]
    return {"type": kinds if types else "string", "pattern": f"^(?:{pattern})$", "errorMessage": _sentence(wanted)}


def either(wanted: str, *types: str) -> Schema:
    """Return the schema of a value of one of these types; an editor says that `wanted` is wanted, if it is another."""
    # Not simply a type: editors would offer true and false wherever a boolean may stand.
    return {"if": {"type": list(types)}, "else": {"type": "string", "errorMessage": _sentence(wanted)}}


def choice(*options: str) -> Schema:
    """Return the schema of one of a few texts; no `enum`, because case is ignored."""
    return phrase(_options(*options), f"one of {', '.join(options)}") | {"examples": list(options)}


def choices(*options: str) -> Schema:
    """Return the schema of one of a few texts or a list of them."""
    one = choice(*options)
    return one | {"type": ["string", "array"], "minItems": 1, "allOf": [{"items": one}]}


def texts(*, least: int = 1) -> Schema:
    """Return the schema of one text or a list of at least so many."""
    # The items stand in an allOf: editors would complete the word with a list, where mostly one text is wanted.
    one_or_more = either("a text or a list of texts", *SCALAR, "array")
    return {**one_or_more, "minLength": 1, "minItems": least, "allOf": [{"items": TEXT}]}


def map_of(value: Schema, *, least: int = 0) -> Schema:
    """Return the schema of a map with free keys."""
    return {"type": "object", "minProperties": least, "additionalProperties": value}


def _sentence(wanted: str) -> str:
    return f"{wanted[0].upper()}{wanted[1:]} is wanted here"


def _options(*texts: str) -> str:
    """Return a pattern of one of these texts, each space of it one space."""
    return one_of(*texts).replace(" +", " ")


_NUMBER = r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?"
_COMPARED = _options("at least", "at most", "more than", "less than")
_WHOLE_DAYS = f"[0-9]{{1,6}} +{one_of('day', 'week')}[sS]?"
_LENGTH = f"[0-9]{{1,6}} +{one_of('minute', 'hour', 'day', 'week')}[sS]?"
_COUNT = f"(?:{one_of('once', 'twice')}|[0-9]{{1,6}} +{any_case('time')}[sS]?)"
_PERIOD = f"(?:{one_of('day', 'week')}|[0-9]{{1,4}} +{one_of('day', 'week')}[sS]?)"
_CLOCK = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_DATE = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TO = f" +{any_case('to')} +"
_DAY = one_of(*WEEKDAYS)

TEXT: Schema = {**either("one text", *SCALAR), "minLength": 1}
# With a type, so that an editor completes a thing with its name.
NAME: Schema = {"type": list(SCALAR), "minLength": 1, "maxLength": 100}
TEXTS = texts()
TESTS = map_of(TEXTS, least=1)
PLAIN: Schema = {**either("a text, a number or a list of them", *SCALAR, "array"), "allOf": [{"items": TEXT}]}
NUMBER = phrase(_NUMBER, "a number such as 5 or 0.5", "number")
WHOLE: Schema = {**NUMBER, "minimum": 0, "multipleOf": 1}
RANGE = phrase(
    f"{_NUMBER}|{_COMPARED} +{_NUMBER}|{_NUMBER}{_TO}{_NUMBER}",
    'a number such as 5, "at least 5" or "5 to 9"',
    "number",
)
COUNT = phrase(_COUNT, 'a count such as "once" or "3 times"')
CAP = phrase(
    f"{_COUNT} +(?:{any_case('ever')}|{any_case('per')} +{_PERIOD})", 'a cap such as "5 times per week" or "once ever"'
)
LENGTH = phrase(_LENGTH, 'a length of time such as "30 days"')
DAYS = phrase(_WHOLE_DAYS, 'a length of whole days such as "30 days"')
REST = phrase(f"{_LENGTH}|{any_case('forever')}", 'a length of time such as "14 days", or forever,')
AGO = phrase(
    f"{_options('more than', 'less than')} +{_LENGTH} +{any_case('ago')}", 'a time such as "more than 21 days ago"'
)
PERCENT = phrase(f"[0-9]{{1,3}}(?:\\.[0-9]{{1,3}})? +{any_case('percent')}", 'a share such as "80 percent"')
MOMENT = phrase(rf"\s*{_DATE}(?:[ tT]+{_CLOCK})?\s*", 'a date such as 2026-11-23 or "2026-11-23 10:00"')
TIME_OF_DAY = phrase(rf"\s*{_CLOCK}{_TO}{_CLOCK}\s*", 'a time of day such as "08:00 to 16:30"')
WEEKDAY = phrase(rf"\s*{_DAY}(?:{_TO}{_DAY})?\s*", 'a weekday or a range such as "monday to friday"')
DATE = phrase(
    rf"{one_of('from', 'until')} \s*{_DATE}\s*|\s*{_DATE}(?:{_TO}{_DATE})?\s*",
    'a date or a range such as "2026-11-23 to 2026-11-30"',
)
AGO_KEY = f"^{_LENGTH} {any_case('ago')}$"
"""The key of an event in a test: `2 days ago`."""
EVENT = phrase(
    rf"\s*{one_of('viewed', 'did', 'shown', 'clicked', 'dismissed', 'converted')} +\S[^\n]*",
    'something that happened, such as "viewed /prices" or "did purchase",',
)
