from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import globs


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("/pro", ["/pro"], ["/pro/x", "/", "x/pro"]),
        ("*", ["", "/", "anything at all"], []),
        ("/tuotteet/*", ["/tuotteet/", "/tuotteet/a/b"], ["/tuotteet", "/tuote"]),
        ("*.edu", ["helsinki.edu", ".edu"], ["edu", "x.edu.fi"]),
        ("a*a", ["aa", "aba"], ["a", "ab"]),
        ("*hinta*", ["hinta", "/x/hinta/y"], ["hint"]),
        ("a*b*c", ["abc", "axbybzc"], ["acb", "ab", "bc", "abcd"]),
        ("a*bc*c", ["abcc", "abcxc"], ["abc"]),
        ("a**c", ["ac", "abc"], ["a"]),
    ],
)
def test_star_stands_for_anything_and_only_the_star_is_special(
    pattern: str, fitting: list[str], other: list[str]
) -> None:
    fits = globs.compiled(pattern)
    assert all(map(fits, fitting))
    assert not any(map(fits, other))


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_globs_agree_with_the_standard_library(pattern: str, text: str) -> None:
    assert globs.compiled(pattern)(text) == fnmatch.fnmatchcase(text, pattern)


@given(st.lists(st.text("ab*", max_size=5), min_size=1, max_size=4), st.text("ab", max_size=6))
def test_any_of_is_one_of_its_patterns(patterns: list[str], text: str) -> None:
    assert globs.any_of(tuple(patterns))(text) == any(globs.compiled(pattern)(text) for pattern in patterns)


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("/Hinnoittelu/", "/hinnoittelu"),
        ("/hinnoittelu?utm_source=x/", "/hinnoittelu"),
        ("/hinnoittelu/#tarjous", "/hinnoittelu"),
        ("/", "/"),
        ("//", "/"),
        ("/?a=1", "/"),
        ("", ""),
        ("/k%C3%A4ytt%C3%B6", "/käyttö"),
        ("/a%3Fb", "/a?b"),
        ("/broken%ff", "/broken\ufffd"),
    ],
)
def test_paths_are_compared_without_query_fragment_case_and_trailing_slash(written: str, compared: str) -> None:
    assert globs.normal_path(written) == compared


def test_a_long_text_against_many_stars_takes_no_time() -> None:
    assert not globs.compiled("*a" * 200 + "b")("a" * 20_000)
