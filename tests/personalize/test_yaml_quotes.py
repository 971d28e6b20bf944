"""A quote that was forgotten or stands in the middle of a text is told where it opens, in blocks and in brackets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.yaml_nodes import compose
from personalize.yaml_quotes import slip_of

START = "placements:\n  - placement: p\n    blocks:\n      - block: a\n"
BLOCK = START + "        content:\n          title: {}\n          cta: {}\n"
FLOW = START + "        content: {{title: {}, cta: {}}}\n        html: trusted\n"
NEVER = "the quote that opens here is never closed"


def said(source: str) -> str:
    (problem,) = compose("a.yaml", source)[1]
    return f"{problem.line}:{problem.column} {problem.message}"


@pytest.mark.parametrize(
    ("title", "cta", "message"),
    [
        ('"Sell our frames', '"Book"', NEVER),
        ('"Sell our frames', "Book", NEVER),
        ("'Sell our frames", "'Book'", NEVER),
        ("'Don't'", "Book", "a ' inside ends this text too early; write \"Don't\""),
        ("'Don't'", "'Book'", "a ' inside ends this text too early; write \"Don't\""),
        (
            '"He said "hi" to us"',
            '"Book"',
            'a " inside ends this text too early; write \'He said "hi" to us\'',
        ),
        ("'It's a \"hit\"'", "Book", "a ' inside ends this text too early; write '' for each ' inside"),
        ('"It\'s a "hit""', "Book", 'a " inside ends this text too early; write \\" for each " inside'),
        ('"Yes" he said', "Book", "this text goes on behind its closing quote; put all of it in quotes"),
    ],
)
@pytest.mark.parametrize(("form", "place"), [(BLOCK, "6:18"), (FLOW, "5:26")])
def test_a_slip_with_quotes_is_told_where_the_quote_opens(
    form: str, place: str, title: str, cta: str, message: str
) -> None:
    assert said(form.format(title, cta)) == f"{place} {message}"


def test_a_long_text_is_not_repeated() -> None:
    long = "very " * 20
    assert said(BLOCK.format(f"'{long}isn't'", "x")) == '6:18 a \' inside ends this text too early; put it in "…"'


def test_a_page_in_brackets_without_its_closing_quote_is_told() -> None:
    assert said(START + '        when: [{viewed: "/a}]\n        content: {title: "x"}\n') == f"5:25 {NEVER}"
    assert said(START + '        when: [{viewed: "/a}]\n        content: {title: x}\n') == f"5:25 {NEVER}"


@pytest.mark.parametrize(
    "title",
    [
        "Don't",
        'Take a 12" one',
        'So "big", isn\'t it',
        "'Don''t'",
        '"He said \\"hi\\""',
        '"a" # isn\'t it',
        "x # isn't it",
        '"over\n            two lines"',
        '|\n            "Hi" he said\n\n            isn\'t it',
        "[it's, 'a', \"b\"]",
        "- 'a'",
    ],
)
def test_quotes_that_are_right_do_not_hide_another_problem(title: str) -> None:
    source = BLOCK.format(title, "[x")
    (problem,) = compose("a.yaml", source)[1] if title != "- 'a'" else compose("a.yaml", "a:\n- 'a'\n- 'b'\nc: [x\n")[1]
    assert problem.message.startswith("this [ has no ] that fits")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("       content: {}", "6:8 this line starts in column 8, the lines above it in columns 7 and 9"),
        ("         content: {}", "6:10 this line starts in column 10, the lines above it in column 9"),
        ("     - block: b", "6:6 this line starts in column 6, the lines above it in columns 5, 7 and 9"),
    ],
)
def test_a_line_that_starts_between_the_others_is_told_with_their_columns(line: str, message: str) -> None:
    assert said(f"{START}        when: [{{visits: 3}}]\n{line}\n") == f"{message}: check its indentation"


@pytest.mark.parametrize("value", ["{a: >= 5}", "> 5", "[> 5]"])
def test_a_sign_before_a_number_is_told_in_words(value: str) -> None:
    meant = "at least 5" if "=" in value else "more than 5"
    assert said(f"a: {value}\n").endswith(f"YAML gives this sign a meaning of its own; write {meant}")


@given(st.text(alphabet="ab'\"#|>[]{},: \t\n-\\x\r", max_size=40))
def test_no_text_upsets_the_search(text: str) -> None:
    slip = slip_of(text.split("\n"))
    assert slip is None or 1 <= slip.line <= slip.shows <= text.count("\n") + 1


def test_a_text_that_begins_with_a_bar_may_end_in_spaces() -> None:
    assert slip_of(["a: |", "  b", "  "]) is None
