"""What libyaml says about a broken file, as sentences for somebody who writes rules, not parsers."""

from __future__ import annotations

import re

import yaml

_TEXT_STARTS = ("{{", "*", "&", "%", "@", "`", "!", "|", ">")

QUOTES = 'a text that starts with "{}" must stand in quotes: YAML gives that sign a meaning of its own'

# What libyaml says; whether its first mark (where the thing began) points at the cause; what to say instead.
_SENTENCES = (
    ("found unexpected end of stream", True, "this quote is never closed"),
    (
        "did not find expected ',' or '}'",
        True,
        "this { has no } that fits; texts with , : # { or } in them need quotes",
    ),
    (
        "did not find expected ',' or ']'",
        True,
        "this [ has no ] that fits; texts with , : # [ or ] in them need quotes",
    ),
    ("did not find expected node content", False, "a value is missing here, or a text that needs quotes has none"),
    ("could not find expected ':'", True, 'this line needs a colon and a space after its word, as in "name: value"'),
    (
        "mapping values are not allowed",
        False,
        "this colon does not fit: the line is indented wrongly, or its text needs quotes",
    ),
    (
        "did not find expected key",
        False,
        "this line does not fit the lines above it: check its indentation and its quotes",
    ),
    (
        "did not find expected '-' indicator",
        False,
        'an item that starts with "- " is wanted here: check the indentation',
    ),
    ("block sequence entries are not allowed", False, 'a "- " item does not fit here: check the indentation'),
    ("did not find expected <document start>", False, "this line does not fit the lines above it"),
    ("found unexpected document indicator", True, "this quote is never closed"),
    ("escape c", False, "a \\ in \"…\" starts an escape; write \\\\ or use '…'"),
)


# A template where a value starts; behind a quote it would stand inside a text.
_TEMPLATE = re.compile(r"^[^'\"]*?[:\-\[,]\s+(?=\{\{)")


def starts_like_text(rest: str) -> str:
    """Return the sign at the start of the rest of a line that YAML takes for more than text, or ""."""
    return next((sign for sign in _TEXT_STARTS if rest.startswith(sign)), "")


def sentence_of(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[int, int, str]:
    """Return the line, the column and a sentence for what the parser could not read."""
    problem = error.problem or "it cannot be read"
    mark = error.problem_mark
    first = error.context_mark or mark
    if mark is None or first is None or mark.line >= len(lines):
        return len(lines), 1, f"this is no YAML: {problem}"
    line = lines[mark.line]
    if line[: mark.column + 1].lstrip(" ").startswith("\t"):
        return mark.line + 1, mark.column + 1, "a tab stands here; indent with spaces"
    if template := _TEMPLATE.match(line):
        return mark.line + 1, template.end() + 1, QUOTES.format("{{")
    top = next((number for number, text in enumerate(lines) if text.strip() and text[0] not in "#%"), 0)
    if "<document start>" in problem and lines[top].startswith(" ") and not line.startswith(" "):
        return (
            top + 1,
            1,
            "this line is indented, but the words at the top start at the beginning of the line",
        )
    at, sentence = mark, f"this is no YAML: {problem}"
    for said, at_first, instead in _SENTENCES:
        if said in problem:
            at, sentence = (first if at_first else mark), instead
            break
    else:
        for place in (mark, first):
            if sign := starts_like_text(lines[place.line][place.column :]):
                at, sentence = place, QUOTES.format(sign)
                break
    return at.line + 1, at.column + 1, sentence
