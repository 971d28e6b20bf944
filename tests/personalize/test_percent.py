"""Percent-decoding gives what the standard library gives."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from personalize.percent import percent_decoded

PIECES = st.sampled_from(
    ["%", "%C3", "%A4", "%c3%a4", "%E2%82", "%AC", "%F0%9F", "%00", "%4", "%zz", "a", "ä", "+", "%%", "2"]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join))
@example("%" * 900)
@example("/k%C3%A4ytt%C3%B6/")
def test_it_is_the_standard_librarys(text: str) -> None:
    assert percent_decoded(text) == unquote(text, errors="replace")
