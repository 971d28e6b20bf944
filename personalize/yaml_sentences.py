"""What libyaml says about a broken file, as sentences for somebody who writes rules, not parsers."""

from __future__ import annotations

import re

import yaml

from personalize.meant import range_meant
from personalize.suggest import listed
from personalize.yaml_quotes import NEVER_CLOSED, slip_of

_TEXT_STARTS = ("{{", "*", "&", "%", "@", "`", "!", "|", ">")

QUOTES = 'a text that starts with "{}" must stand in quotes: YAML gives that sign a meaning of its own'

# What libyaml says; whether its first mark (where the thing began) points at the cause; what to say instead.
_SENTENCES = (
    ("found unexpected end of stream", True, NEVER_CLOSED),
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
    ("found unexpected document indicator", True, NEVER_CLOSED),
    ("escape c", False, "a \\ in \"…\" starts an escape; write \\\\ or use '…'"),
)

_BY_INDENT = (
    "did not find expected key",
    "did not find expected '-' indicator",
    "mapping values are not allowed",
    "block sequence entries are not allowed",
)
"""What libyaml says where a line may have been indented wrongly."""

_COMPARED = re.compile(r"[<>]=? *[0-9.]+")

# A template where a value starts; behind a quote it would stand inside a text.
_TEMPLATE = re.compile(r"^[^'\"]*?[:\-\[,]\s+(?=\{\{)")


def starts_like_text(rest: str) -> str:
    """Return the sign at the start of the rest of a line that YAML takes for more than text, or ""."""
    return next((sign for sign in _TEXT_STARTS if rest.startswith(sign)), "")


def _out_of_column(lines: list[str], number: int) -> str:
    """Say so if a line starts in a column in which none of the lines starts that it may belong to."""
    line = lines[number]
    column = len(line) - len(line.lstrip(" ")) + 1
    columns: set[int] = set()
    least = column + 1
    for above in reversed(lines[:number]):
        text = above.lstrip(" ")
        start = len(above) - len(text) + 1
        if not text or text.startswith("#") or (columns and start >= least):
            continue
        # An item's own words start behind its "- ", in a column of their own.
        inner = start + len(text) - len(text.removeprefix("-").lstrip(" ")) if text.startswith("- ") else start
        columns |= {start, inner}
        least = start
        if start < column:
            break
    if column in columns or not columns:
        return ""
    near = listed(str(one) for one in sorted(columns))
    many = "s" * (len(columns) > 1)
    return f"this line starts in column {column}, the lines above it in column{many} {near}: check its indentation"


def sentence_of(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[int, int, str]:
    """Return the line, the column and a sentence for what the parser could not read."""
    problem = error.problem or "it cannot be read"
    mark = error.problem_mark
    first = error.context_mark or mark
    slip = slip_of(lines)
    if slip and (mark is None or slip.shows <= mark.line + 1):
        return slip.line, slip.column, slip.message
    if mark is None or first is None or mark.line >= len(lines):
        return len(lines), 1, f"this is no YAML: {problem}"
    return _of_line(problem, mark, lines) or _of_problem(problem, mark, first, lines)


def _of_line(problem: str, mark: yaml.Mark, lines: list[str]) -> tuple[int, int, str] | None:
    """Return what the line itself shows to be wrong, if it does."""
    line = lines[mark.line]
    if line[: mark.column + 1].lstrip(" ").startswith("\t"):
        return mark.line + 1, mark.column + 1, "a tab stands here; indent with spaces"
    if template := _TEMPLATE.match(line):
        return mark.line + 1, template.end() + 1, QUOTES.format("{{")
    top = next((number for number, text in enumerate(lines) if text.strip() and text[0] not in "#%"), 0)
    if "<document start>" in problem and lines[top].startswith(" ") and not line.startswith(" "):
        return top + 1, 1, "this line is indented, but the words at the top start at the beginning of the line"
    if any(said in problem for said in _BY_INDENT) and (sentence := _out_of_column(lines, mark.line)):
        return mark.line + 1, len(line) - len(line.lstrip(" ")) + 1, sentence
    return None


def _of_problem(problem: str, mark: yaml.Mark, first: yaml.Mark, lines: list[str]) -> tuple[int, int, str]:
    """Return what the parser says in a sentence of ours; `first` is where the thing began that it could not read."""
    for said, at_first, instead in _SENTENCES:
        if said in problem:
            at = first if at_first else mark
            return at.line + 1, at.column + 1, instead
    for at in (mark, first):
        rest = lines[at.line][at.column :]
        if sign := starts_like_text(rest):
            found = _COMPARED.match(rest)
            meant = range_meant(found[0]) if found else ""
            instead = f"YAML gives this sign a meaning of its own; write {meant}" if meant else QUOTES.format(sign)
            return at.line + 1, at.column + 1, instead
    return mark.line + 1, mark.column + 1, f"this is no YAML: {problem}"
