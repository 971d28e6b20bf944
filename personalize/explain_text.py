"""An explanation as lines for readers: each line says what it is, so that a terminal may give it a colour.

A line stands for itself: it can be found by grep, and reads the same with and without colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

import orjson

from personalize.decision import Decision, Reached, Unmet
from personalize.explain import Explanation, StepExplained
from personalize.explain_scores import ScoreExplained
from personalize.language import ENGLISH, Language
from personalize.syntax import Logic

Role = Literal["title", "head", "won", "lost", "plus", "minus", "warning", "detail", "gap"]


MOST_CONTENT = 100
"""So many characters of a content's value are shown."""


class Line(NamedTuple):
    """One line: its depth (two spaces each), what it is, its text, and the rule's place (file:line:column) or ""."""

    depth: int
    role: Role
    text: str
    where: str = ""

    def __str__(self) -> str:
        _, _, text, where = self.visible()
        place = f"  ({where})" if where else ""
        return f"{'  ' * self.depth}{text}{place}".rstrip()

    def visible(self) -> Line:
        """Return the line with signs that a terminal obeys as escapes: any browser may send them in a trait."""
        return self._replace(text=_OBEYED.sub(_escape, self.text), where=_OBEYED.sub(_escape, self.where))


_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\u2028\u2029"  # line separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing (UAX 9)
    "\ud800-\udfff]"  # halves of characters, which cannot be written: bytes of a file name that are no UTF-8
)


def _escape(found: re.Match[str]) -> str:
    sign = ord(found[0])
    return f"\\x{sign:02x}" if sign < 0x100 else f"\\u{sign:04x}"


def explained_lines(explanation: Explanation, language: Language = ENGLISH) -> Iterator[Line]:
    """Yield the lines of an explanation: placements last, where a terminal ends."""
    unread = explanation.unread
    yield Line(0, "title", language.heading(explanation.now, None if unread else explanation.visits))
    if unread:
        yield Line(0, "detail", language.unread(unread))
    yield from (Line(0, "detail", language.touch(one)) for one in explanation.touches)
    scores = (line for score in explanation.scores for line in score_lines(score, language))
    segments = (
        Line(0, "won" if s.holds else "lost", language.in_segment(s.name, _in_short(s.lacking)), s.where)
        for s in explanation.segments
    )
    steps = (line for step in explanation.steps for line in _step_lines(step, language))
    decisions = (line for decision in explanation.decisions for line in decision_lines(decision, language, whole=True))
    for section in (scores, segments, steps, decisions):
        lines = list(section)
        if lines:
            yield Line(0, "gap", "")
        yield from lines


def _step_lines(explained: StepExplained, language: Language) -> Iterator[Line]:
    if explained.steps:
        yield Line(0, "head", language.on_ladder(explained.kind, explained.name))
    for name, lacking in explained.steps:
        said = language.step(lacking if isinstance(lacking, Reached) else _in_short(lacking))
        yield Line(1, "won" if name == explained.name else "lost", f"{name}: {said}")


def score_lines(score: ScoreExplained, language: Language = ENGLISH) -> Iterator[Line]:
    """Yield a score, every grant that gave points, and, where points decay, the days on which they were given."""
    yield Line(0, "head", language.score(score), score.where)
    given = [line for line in score.lines if line.count]
    points = [f"{'+' if line.shown >= 0 else ''}{language.number(line.shown / 100)}" for line in given]
    width = max(map(len, points), default=0)
    for line, of_line in zip(given, points, strict=True):
        role: Role = "plus" if line.shown >= 0 else "minus"
        yield Line(1, role, f"{of_line:>{width}} {language.given(line)}", line.written.where)
        if score.half_life:
            days = (language.day(day, line.written.points) for day in line.by_day)
            yield from (Line(1, "detail", f"{'':{width}} {day}") for day in days)


def decision_lines(decision: Decision, language: Language = ENGLISH, *, whole: bool = False) -> Iterator[Line]:
    """Yield a decision and, where it has a receipt, every candidate in order.

    In a whole explanation the winner's finished content is shown as well, and segments say in lines of their own what
    the visitor lacks.
    """
    yield Line(0, "head", language.placement(decision.placement, decision.block, decision.reason))
    for one in decision.receipt.candidates if decision.receipt else ():
        shown = replace(one, unmet=_in_short(one.unmet)) if whole else one
        yield Line(1, one.outcome, f"{language.outcome(one)}: {language.candidate(shown)}", one.where)
        if whole and one.outcome == "won":
            yield from _content_lines(decision)


def _content_lines(decision: Decision) -> Iterator[Line]:
    """Yield what the page gets, as JSON, in which a visitor's text can do nothing to a terminal."""
    for name, value in (decision.content or {}).items():
        text = orjson.dumps(value).decode()
        shown = text if len(text) <= MOST_CONTENT else f"{text[:MOST_CONTENT]}\N{HORIZONTAL ELLIPSIS}"
        yield Line(2, "detail", f"{name}: {shown}")


def _in_short(unmet: Unmet | None) -> Unmet | None:
    """Return what is unmet without what segments lack: one in which the visitor is not is left out."""
    if unmet is None:
        return None
    actual = unmet.actual
    if unmet.written.head in Logic.heads:
        return Unmet(unmet.written, tuple(map(_in_short, actual)))
    if unmet.written.head == "in segment":
        return Unmet(unmet.written, tuple((name, lacking) for name, lacking in actual if lacking is None))
    return unmet
