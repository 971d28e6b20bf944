"""Where a quote was opened and never closed, or closed too early: what the parser only stumbles over lines later.

A scan of the text with just enough of YAML to know where a value may start: after `: ` or `- `, and in [ ] and { }
after a comma or a bracket. It is asked only about files that the parser has refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from personalize.suggest import LONGEST

NEVER_CLOSED = "the quote that opens here is never closed"

# Possessive, so that a quote without an end is found so in one go.
_QUOTED = {"'": re.compile(r"'(?:[^']|'')*+'"), '"': re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)}
# What may follow a text in quotes: in a block a comment or a colon, in brackets a comma or a bracket too.
_AFTER = {
    False: re.compile(r"[ \t]*(?:$|:(?=\s|$))|[ \t]+#", re.MULTILINE),
    True: re.compile(r"\s*(?:[,\]}:]|\Z)|\s+#"),
}
_COMMENT = re.compile(r"(?:(?<=\s)|^)#.*", re.MULTILINE)
_NEXT_VALUE = re.compile(r"[,{\[] *(?:[\w -]+: +)?\Z")
"""The start of another value: a quote there opens that one, and the one before it was never closed."""
_ESCAPED = {"'": "''", '"': '\\"'}
_INDENT = re.compile(" *")
_RUN = re.compile(r"[ \t]+|[^]['\"#|>{},: \t\n-]+")
"""Spaces, or signs of a text, that are passed in one go."""
_BLOCK_TEXT = re.compile(r"[|>][-+0-9]*[ \t]*(?:#.*)?\n")


@dataclass(slots=True, frozen=True)
class Slip:
    """A quote that spoils what follows: where it was opened and what to say; a parser sees it in the line `shows`."""

    line: int
    column: int
    message: str
    shows: int


def slip_of(lines: list[str]) -> Slip | None:
    """Return the first quote that is never closed, or behind which more text follows."""
    text = "\n".join(lines)
    at, depth, start = 0, 0, True
    while at < len(text):
        sign = text[at]
        if start and sign in _QUOTED:
            whole = _QUOTED[sign].match(text, at)
            if whole is None or not _AFTER[depth > 0].match(text, whole.end()):
                return _slip(text, at, whole.end() if whole else len(text), flow=depth > 0)
            at, start = whole.end(), False
        elif run := _RUN.match(text, at):
            at, start = run.end(), start and sign in " \t"
        elif sign in "#|>" and (end := _skipped(text, at, in_block=start and not depth)):
            at = end
        else:
            depth, start = _behind_sign(sign, text[at + 1 : at + 2], depth, start=start)
            at += 1
    return None


def _skipped(text: str, at: int, *, in_block: bool) -> int:
    """Return where a comment, or a text that | or > begins, is over; 0 if neither starts here."""
    if comment := _COMMENT.match(text, at):
        return comment.end()
    held = _BLOCK_TEXT.match(text, at) if in_block else None
    return _behind_block(text, at, held.end()) if held else 0


def _behind_sign(sign: str, after: str, depth: int, *, start: bool) -> tuple[int, bool]:
    """Return how many brackets are open behind a sign that is no quote, and whether a value may start there."""
    if sign == "\n":
        return depth, start or not depth
    if start and sign in "[{":
        return depth + 1, True
    if depth and sign in "]}":
        return depth - 1, False
    comma = sign == "," and depth > 0
    return depth, comma or (not after.strip() and (sign == ":" or (sign == "-" and start)))


def _slip(text: str, opened: int, closed: int, *, flow: bool) -> Slip:
    """Return what is wrong with the quote at `opened`, behind whose end at `closed` something else follows."""
    before = text[:opened]
    line, column = before.count("\n") + 1, opened - before.rfind("\n")
    message = NEVER_CLOSED
    if "\n" not in text[opened:closed] and not (flow and _NEXT_VALUE.search(text[opened : closed - 1])):
        message = _too_early(text[opened : (text + "\n").index("\n", opened)], closed - opened, flow=flow)
    return Slip(line, column, message, text.count("\n", 0, closed) + 1)


def _too_early(rest: str, closed: int, *, flow: bool) -> str:
    """Say what to write instead of a text that its own quotes end too early; `rest` is its line from its start."""
    quote = rest[0]
    ends = (at for at in range(closed, len(rest)) if rest[at] == quote and _AFTER[flow].match(rest, at + 1))
    end = next(ends, 0)
    if not end:
        return "this text goes on behind its closing quote; put all of it in quotes"
    inside = rest[1:end]
    other = '"' if quote == "'" else "'"
    start = f"a {quote} inside ends this text too early"
    if other in inside or "\\" in inside:
        return f"{start}; write {_ESCAPED[quote]} for each {quote} inside"
    return f"{start}; write {other}{inside}{other}" if len(inside) <= LONGEST else f"{start}; put it in {other}…{other}"


def _behind_block(text: str, at: int, end: int) -> int:
    """Return where a text that | or > begins is over: at the next line that is not deeper than its own."""
    start = text.rfind("\n", 0, at) + 1
    indent = _indent(text, start)
    while 0 < end < len(text) and (_is_blank(text, end) or _indent(text, end) > indent):
        end = text.find("\n", end) + 1
    return end or len(text)


def _is_blank(text: str, start: int) -> bool:
    first = start + _indent(text, start)
    return text[first : first + 1] in {"", "\r", "\n"}


def _indent(text: str, start: int) -> int:
    found = _INDENT.match(text, start)
    return found.end() - start if found else 0
