"""What `is:` and `where:` compare: a value from an event, a trait or a company against the rule's text or number.

Texts mean "one of", ignore case and may hold `*`; a number is compared as a number, also where a client or a company
list wrote it as text; a list fits when one of its items does. A missing value fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf, isfinite, nextafter
from typing import Any

from personalize import globs
from personalize.expression import Expression, expression
from personalize.values import NumberRange

ValueTest = Callable[[Any], bool]
Test = NumberRange | tuple[str, ...]


def fits(test: Test, value: Expression) -> Expression:
    """Return the expression that holds when another one's JSON value fits; plain values are compared on the spot."""
    other = compiled(test)
    if isinstance(test, NumberRange):
        low, high = closed_ends(test)
        plain = "{} <= value <= {} if {}(value := {}) is {} else value is not None and {}(value)"
        return expression(plain, low, high, type, value, int, other)
    if any("*" in text for text in test):
        return expression("(value := {}) is not None and {}(value)", value, other)
    plain = "value.lower() in {} if {}(value := {}) is {} else value is not None and {}(value)"
    return expression(plain, frozenset(text.lower() for text in test), type, value, str, other)


@lru_cache(maxsize=4096)
def compiled(test: Test) -> ValueTest:
    """Return a test of a JSON value; the same one for the same value, so that equal conditions are seen to be equal."""
    return _in_range(test) if isinstance(test, NumberRange) else _one_of(test)


def number_of(value: Any) -> float | None:
    """Return the finite number that a JSON value is or spells, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, str)):
        try:
            value = float(value)
        except (ValueError, OverflowError):
            return None
    return value if isinstance(value, float) and isfinite(value) else None


def text_of(value: Any) -> str:
    """Return a JSON value as a short text: `5` for 5.0, `true` for True, items of a list with commas; "" for a map."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return ", ".join(filter(None, map(text_of, value))) if isinstance(value, (list, tuple)) else ""


def closed_ends(wanted: NumberRange) -> tuple[float, float]:
    """Return the least and the greatest number in the range: an end that is left out becomes the next number to it."""
    low = nextafter(wanted.low, inf) if wanted.open_low else wanted.low
    high = nextafter(wanted.high, -inf) if wanted.open_high else wanted.high
    return low, high


def in_range(wanted: NumberRange, number: Expression) -> Expression:
    """Return the expression that holds when another one's number is in the range."""
    low, high = closed_ends(wanted)
    return expression("{} <= {} <= {}", low, number, high)


def _in_range(wanted: NumberRange) -> ValueTest:
    low, high = closed_ends(wanted)

    def fits(value: Any) -> bool:
        if type(value) is int or type(value) is float:
            return low <= value <= high
        number = number_of(value)
        return number is not None and low <= number <= high

    return _also_in_lists(fits)


def _one_of(texts: tuple[str, ...]) -> ValueTest:
    patterns = tuple(text.lower() for text in texts)
    fits_text = globs.any_of(patterns)
    numbers = frozenset(number for text in patterns if (number := number_of(text)) is not None)

    def fits(value: Any) -> bool:
        if type(value) is str:
            return fits_text(value.lower())
        if value is None or isinstance(value, dict):
            return False
        return fits_text(text_of(value)) or (not isinstance(value, bool) and number_of(value) in numbers)

    return _also_in_lists(fits)


def _also_in_lists(fits: ValueTest) -> ValueTest:
    """Return a test that a list passes when one of its items does. No test holds itself: a plan is free of cycles."""
    return lambda value: _some(fits, value) if isinstance(value, list) else fits(value)


def _some(fits: ValueTest, items: list[Any]) -> bool:
    return any(_some(fits, item) if isinstance(item, list) else fits(item) for item in items)
