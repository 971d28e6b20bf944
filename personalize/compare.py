"""What `is:` and `where:` compare: a value from an event, a trait or a company against the rule's text or number.

Texts mean "one of", ignore case and may hold `*`; a number is compared as a number, also where a client or a company
list wrote it as text; a list fits when one of its items does. A missing value fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from personalize import globs
from personalize.values import NumberRange

ValueTest = Callable[[Any], bool]
Test = NumberRange | tuple[str, ...]


def compiled(test: Test) -> ValueTest:
    """Return a test of a JSON value."""
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


def in_range(wanted: NumberRange) -> Callable[[float], bool]:
    """Return a test of a number, each of the four ways to include the ends as an expression of its own."""
    low, high = wanted.low, wanted.high
    if wanted.open_low:
        return (lambda n: low < n < high) if wanted.open_high else (lambda n: low < n <= high)
    return (lambda n: low <= n < high) if wanted.open_high else (lambda n: low <= n <= high)


def _in_range(wanted: NumberRange) -> ValueTest:
    holds = in_range(wanted)

    def fits(value: Any) -> bool:
        if type(value) is int or type(value) is float:
            return holds(value)
        number = number_of(value)
        return number is not None and holds(number)

    return _also_in_lists(fits)


def _one_of(texts: tuple[str, ...]) -> ValueTest:
    patterns = [text.lower() for text in texts]
    fits_text = globs.any_of(patterns)
    numbers = frozenset(number for text in patterns if (number := number_of(text)) is not None)

    def fits(value: Any) -> bool:
        if isinstance(value, str):
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
