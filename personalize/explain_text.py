"""An explanation as lines for readers: each line says what it is, so that a terminal may give it a colour.

A line stands for itself: it can be found by grep, and reads the same with and without colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from personalize.decision import Decision
from personalize.explain import Explanation, StepExplained
from personalize.explain_scores import ScoreExplained
from personalize.language import ENGLISH, Language

Role = Literal["title", "head", "won", "lost", "plus", "minus", "detail", "gap"]


class Line(NamedTuple):
    """One line: its depth (two spaces each), what it is, its text, and the rule's place (file:line:column) or ""."""

    depth: int
    role: Role
    text: str
    where: str = ""

    def __str__(self) -> str:
        place = f"  ({self.where})" if self.where else ""
        return f"{'  ' * self.depth}{self.text}{place}".rstrip()


def explained_lines(explanation: Explanation, language: Language = ENGLISH) -> Iterator[Line]:
    """Yield the lines of an explanation: placements last, where a terminal ends."""
    yield Line(0, "title", language.heading(explanation.now, explanation.visits, explanation.unread))
    scores = (line for score in explanation.scores for line in score_lines(score, language))
    segments = (
        Line(0, "won" if s.holds else "lost", language.in_segment(s.name, s.lacking), s.where)
        for s in explanation.segments
    )
    steps = (line for step in explanation.steps for line in _step_lines(step, language))
    decisions = (line for decision in explanation.decisions for line in decision_lines(decision, language))
    for section in (scores, segments, steps, decisions):
        lines = list(section)
        if lines:
            yield Line(0, "gap", "")
        yield from lines


def _step_lines(explained: StepExplained, language: Language) -> Iterator[Line]:
    if explained.steps:
        yield Line(0, "head", language.on_ladder(explained.kind, explained.name))
    for name, lacking in explained.steps:
        yield Line(1, "won" if name == explained.name else "lost", f"{name}: {language.step(lacking)}")


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


def decision_lines(decision: Decision, language: Language = ENGLISH) -> Iterator[Line]:
    """Yield a decision and, where it has a receipt, every candidate in order."""
    yield Line(0, "head", language.placement(decision.placement, decision.block, decision.reason))
    for one in decision.receipt.candidates if decision.receipt else ():
        yield Line(1, one.outcome, f"{language.outcome(one)}: {language.candidate(one)}", one.where)
