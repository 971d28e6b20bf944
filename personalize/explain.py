"""Why a visitor sees what they see: scores with every point, segments, stage, temperature and receipts.

As data (dataclasses of texts and numbers, ready for JSON) and as plain lines. The lines of a score add up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from personalize import english, phrasing
from personalize.decide import decide_in
from personalize.decision import Decision, Receipt, Unmet
from personalize.model import Context
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.scoring import Line, Score
from personalize.segments import Ladder
from personalize.view import View


@dataclass(slots=True, frozen=True)
class ScoreExplained:
    """A score or an interest now, and what each of its grants gave; `half_life` is in days."""

    kind: str
    name: str
    value: float
    half_life: int | None
    lines: tuple[Line, ...]


@dataclass(slots=True, frozen=True)
class SegmentExplained:
    """Whether the visitor is in a segment, and what is lacking if not."""

    name: str
    about: str
    holds: bool
    lacking: Unmet | None
    where: str


@dataclass(slots=True, frozen=True)
class StepExplained:
    """The visitor's stage or temperature; `steps` are those considered, each with what is lacking."""

    kind: str
    name: str
    steps: tuple[tuple[str, Unmet | None], ...]


@dataclass(slots=True, frozen=True)
class Explanation:
    """Everything that the rules make of one visitor at one moment (`now` is the site's local time)."""

    plan_version: str
    now: str
    unread: str
    visits: int
    scores: tuple[ScoreExplained, ...]
    segments: tuple[SegmentExplained, ...]
    steps: tuple[StepExplained, ...]
    decisions: tuple[Decision, ...]


def explain(
    plan: Plan, profile: Profile | None, context: Context, now: int, placements: Sequence[str] | None = None
) -> Explanation:
    """Return the explanation for a visitor, for all placements unless some are named."""
    asked = [placement.name for placement in plan.placements.values()] if placements is None else placements
    return explain_in(View(plan, profile, context, now), plan, asked)


def explain_in(view: View, plan: Plan, placements: Sequence[str]) -> Explanation:
    """Return what `explain` returns, for a view that the caller has made and may use further."""
    return Explanation(
        plan_version=plan.version,
        now=phrasing.moment(view.local),
        unread=view.context.unread,
        visits=view.visits,
        scores=(
            *(explained_score("score", score, view) for score in plan.scores.values()),
            *(explained_score("interest", score, view) for score in plan.interests.values()),
        ),
        segments=tuple(
            SegmentExplained(s.name, s.about, s.holds(view), s.lacking(view), s.where) for s in plan.segments.values()
        ),
        steps=(_explained_step("stage", plan.stages, view), _explained_step("temperature", plan.temperatures, view)),
        decisions=tuple(decide_in(view, plan, placements, explain=True)),
    )


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON holds it, its reasons as sentences."""
    return {
        "plan_version": explanation.plan_version,
        "now": explanation.now,
        "unread": explanation.unread,
        "visits": explanation.visits,
        "scores": [_score_data(score) for score in explanation.scores],
        "segments": [
            {"name": s.name, "about": s.about, "holds": s.holds, "why": english.segment(s.lacking), "where": s.where}
            for s in explanation.segments
        ],
        "steps": [
            {"kind": s.kind, "name": s.name, "steps": [[name, english.step(lacking)] for name, lacking in s.steps]}
            for s in explanation.steps
        ],
        "decisions": [
            {
                "placement": d.placement,
                "block": d.block,
                "content": d.content,
                "reason": d.reason,
                "candidates": candidates_data(d.receipt),
            }
            for d in explanation.decisions
        ],
    }


def candidates_data(receipt: Receipt | None) -> list[dict[str, Any]]:
    """Return a receipt's candidates as JSON holds them, each with its sentence."""
    return [
        {"block": c.block, "outcome": c.outcome, "why": english.candidate(c), "where": c.where, "worth": c.worth}
        for c in (receipt.candidates if receipt else ())
    ]


def _score_data(score: ScoreExplained) -> dict[str, Any]:
    return {
        "kind": score.kind,
        "name": score.name,
        "value": score.value,
        "half_life": score.half_life,
        "lines": [
            {
                "text": english.grant(line.written),
                "where": line.written.where,
                "count": line.count,
                "days": line.days,
                "points": line.points,
            }
            for line in score.lines
        ],
    }


def explained_score(kind: str, score: Score, view: View) -> ScoreExplained:
    """Return a score or an interest with its lines."""
    return ScoreExplained(kind, score.name, score.value(view), score.half_life, tuple(score.lines(view)))


def plain_lines(explanation: Explanation) -> Iterator[str]:
    """Yield an explanation as lines of plain English."""
    unread = f", profile not read ({explanation.unread})" if explanation.unread else ""
    yield f"{explanation.now}, {phrasing.amount(explanation.visits, 'visit')}{unread}"
    for score in explanation.scores:
        yield from score_lines(score)
    for segment in explanation.segments:
        yield f"segment {segment.name}: {english.segment(segment.lacking)}"
    for step in explanation.steps:
        yield f"{step.kind} {step.name or 'none'}"
        yield from (f"  {name}: {english.step(lacking)}" for name, lacking in step.steps)
    for decision in explanation.decisions:
        yield from decision_lines(decision)


def score_lines(score: ScoreExplained) -> Iterator[str]:
    """Yield a score and every grant that gave points."""
    halves = f", halves every {phrasing.amount(score.half_life, 'day')}" if score.half_life else ""
    yield f"{score.kind} {score.name} {phrasing.number(score.value)}{halves}"
    for line in score.lines:
        if line.count:
            on_days = f" on {phrasing.amount(line.days, 'day')}" if line.days else ""
            counted = f": {phrasing.times(line.count)}{on_days}" if line.days or line.count > 1 else ""
            sign = "+" if line.points >= 0 else ""
            what = f"{english.grant(line.written)}{counted}  ({line.written.where})"
            yield f"  {sign}{phrasing.number(line.points)} for {what}"


def decision_lines(decision: Decision) -> Iterator[str]:
    """Yield a decision and, where it has a receipt, every candidate in order."""
    yield f"placement {decision.placement}: {decision.block or 'no such placement'} ({decision.reason})"
    for candidate in decision.receipt.candidates if decision.receipt else ():
        yield f"  {candidate.outcome:4} {candidate.block}: {english.candidate(candidate)}  ({candidate.where})"


def _explained_step(kind: str, ladder: Ladder, view: View) -> StepExplained:
    return StepExplained(kind, ladder.name(view), tuple(ladder.considered(view)))
