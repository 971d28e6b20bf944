"""Text patterns: `*` stands for anything, `/` included; case is ignored; no regular expressions.

A pattern is compiled once to `==`, `startswith`, `endswith` or `find`, so matching takes linear time whatever the
pattern or the text. Compiled patterns take text that is lower case already: the caller folds each text once, not once
per pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from personalize.percent import percent_decoded

TextTest = Callable[[str], bool]


def normal_path(path: str) -> str:
    """Return a path as it is compared: lower case, percent-decoded, without query, fragment and trailing slash.

    The site's front page stays "/". A pattern is normalised in the same way, so that `/käyttö/` in a rule fits the
    `/k%C3%A4ytt%C3%B6` that a browser reports.
    """
    path = path.partition("?")[0].partition("#")[0]
    path = percent_decoded(path)
    if len(path) > 1 and path.endswith("/"):
        path = path.rstrip("/") or "/"
    return path.lower()


def compiled(pattern: str) -> TextTest:
    """Return a test of lower-case text for one lower-case pattern."""
    if "*" not in pattern:
        return pattern.__eq__
    first, *middle, last = pattern.split("*")
    middle = [part for part in middle if part]
    if not middle:
        return _ends(first, last)
    if not first and not last and len(middle) == 1:
        return _holds(middle[0])
    return _parts(first, tuple(middle), last)


@lru_cache(maxsize=4096)
def any_of(patterns: tuple[str, ...]) -> TextTest:
    """Return a test of lower-case text that holds when one of these lower-case patterns fits.

    The same test for the same patterns, so that equal conditions are seen to be equal.
    """
    exact = frozenset(p for p in patterns if "*" not in p)
    tests = tuple(compiled(p) for p in dict.fromkeys(patterns) if "*" in p)
    if not tests:
        return exact.__contains__
    if not exact and len(tests) == 1:
        return tests[0]

    def fits(text: str) -> bool:
        if text in exact:
            return True
        for test in tests:  # noqa: SIM110 - a generator for any() costs more than the tests themselves
            if test(text):
                return True
        return False

    return fits


def _ends(first: str, last: str) -> TextTest:
    """Compile `a*`, `*b`, `a*b` and `*` alone; the two ends may not overlap in the text."""
    if not last:
        return lambda text: text.startswith(first)
    if not first:
        return lambda text: text.endswith(last)
    least = len(first) + len(last)
    return lambda text: len(text) >= least and text.startswith(first) and text.endswith(last)


def _holds(part: str) -> TextTest:
    return lambda text: part in text


def _parts(first: str, middle: tuple[str, ...], last: str) -> TextTest:
    """`a*b*c`: taking each part at its first place leaves the most room for the next, so no search back is needed."""

    def fits(text: str) -> bool:
        if not text.startswith(first):
            return False
        at = len(first)
        end = len(text) - len(last)
        for part in middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return at <= end and text.endswith(last)

    return fits
