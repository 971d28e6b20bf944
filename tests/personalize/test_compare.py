from __future__ import annotations

from typing import Any

import pytest

from personalize import compare
from personalize.values import parse_range


@pytest.mark.parametrize(
    ("texts", "value", "fits"),
    [
        (("Pro",), "pro", True),
        (("basic", "pro"), "PRO", True),
        (("*.edu",), "helsinki.edu", True),
        (("pro",), "professional", False),
        (("pro",), None, False),
        (("*",), None, False),
        (("pro",), ["basic", "pro"], True),
        (("pro",), [], False),
        (("true",), True, True),
        (("1",), True, False),
        (("5",), 5.0, True),
        (("5.0", "x"), 5, True),
        (("a",), {"a": 1}, False),
        (("*",), {"a": 1}, False),
    ],
)
def test_texts_mean_one_of_and_ignore_case(texts: tuple[str, ...], value: Any, fits: bool) -> None:  # noqa: FBT001 - a table's column
    assert compare.compiled(texts)(value) is fits


@pytest.mark.parametrize(
    ("phrase", "value", "fits"),
    [
        ("at least 50", 50, True),
        ("at least 50", "120", True),
        ("more than 50", 50, False),
        ("50 to 500", 500, True),
        ("50 to 500", "many", False),
        ("at least 1", True, False),
        ("at least 1", None, False),
        ("at least 1", [0, 3], True),
        ("at most 5", float("nan"), False),
        ("at least 5", "NaN", False),
        ("at least 5", "1e999", False),
        ("at least 5", 10**400, True),
        ("less than 5", 5.0, False),
        ("less than 5", 4.9, True),
    ],
)
def test_numbers_are_compared_as_numbers(phrase: str, value: Any, fits: bool) -> None:  # noqa: FBT001 - a table's column
    assert compare.compiled(parse_range(phrase))(value) is fits


def test_values_become_short_texts() -> None:
    values = ["x", 5, 5.0, 2.5, True, None, ["a", 1], {"a": 1}]
    assert [compare.text_of(value) for value in values] == ["x", "5", "5", "2.5", "true", "", "a, 1", ""]
