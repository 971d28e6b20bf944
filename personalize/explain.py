"""Why a visitor sees what they see: scores with every point, segments, stage, temperature and receipts.

As dataclasses, as JSON for programs (here) and as lines for readers (`explain_text`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from personalize import phrasing
from personalize.decide import decide_in
from personalize.decision import Decision, Reached, Unmet
from personalize.explain_scores import LineExplained, ScoreExplained, explained_score
from personalize.explain_touches import TouchExplained, explained_touches, touch_data
from personalize.language import ENGLISH, Language
from personalize.model import Context
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.receipts import candidates_data, unmet_data
from personalize.segments import Ladder
from personalize.view import View


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
    steps: tuple[tuple[str, Unmet | Reached | None], ...]


@dataclass(slots=True, frozen=True)
class Explanation:
    """Everything that the rules make of one visitor at one moment (`now` is the site's local time)."""

    plan_version: str
    now: str
    unread: str
    visits: int
    touches: tuple[TouchExplained, ...]
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
        touches=tuple(explained_touches(view)),
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


def as_data(explanation: Explanation, language: Language = ENGLISH) -> dict[str, Any]:
    """Return an explanation as JSON holds it: codes and values, with sentences in one language beside them."""
    return {
        "plan_version": explanation.plan_version,
        "now": explanation.now,
        "unread": explanation.unread,
        "visits": explanation.visits,
        "touches": [touch_data(one) | {"what": language.touch(one)} for one in explanation.touches],
        "scores": [_score_data(score, language) for score in explanation.scores],
        "segments": [
            {
                "name": s.name,
                "about": s.about,
                "holds": s.holds,
                "why": language.segment(s.lacking),
                "lacking": unmet_data(s.lacking, language),
                "where": s.where,
            }
            for s in explanation.segments
        ],
        "steps": [
            {"kind": s.kind, "name": s.name, "steps": [_step_data(*step, language) for step in s.steps]}
            for s in explanation.steps
        ],
        "decisions": [
            {
                "placement": d.placement,
                "block": d.block,
                "content": d.content,
                "reason": d.reason,
                "candidates": candidates_data(d.receipt, language),
            }
            for d in explanation.decisions
        ],
    }


def _step_data(name: str, lacking: Unmet | Reached | None, language: Language) -> dict[str, Any]:
    reached = isinstance(lacking, Reached)
    return {
        "name": name,
        "why": language.step(lacking),
        "lacking": None if isinstance(lacking, Reached) else unmet_data(lacking, language),
        "reached": lacking.day if isinstance(lacking, Reached) else None,
        "fits": lacking is None or reached,
    }


def _score_data(score: ScoreExplained, language: Language) -> dict[str, Any]:
    return {
        "kind": score.kind,
        "name": score.name,
        "value": score.value,
        "shown": language.number(score.shown / 100),
        "half_life": score.half_life,
        "where": score.where,
        "lines": [_line_data(line, language) for line in score.lines],
    }


def _line_data(line: LineExplained, language: Language) -> dict[str, Any]:
    grant = line.written
    return {
        "what": language.given(line),
        "head": grant.head,
        "rule": ENGLISH.condition(grant.condition),
        "where": grant.where,
        "each": grant.points,
        "cap": {"count": grant.cap.count, "days": grant.cap.days or None} if grant.cap else None,
        "count": line.count,
        "days": line.days,
        "points": line.points,
        "shown": language.number(line.shown / 100),
        "by_day": [
            {
                "date": day.date or None,
                "happened": day.happened,
                "counted": day.counted,
                "weight": day.weight,
                "points": day.points,
                "shown": language.number(day.shown / 100),
            }
            for day in line.by_day
        ],
    }


def _explained_step(kind: str, ladder: Ladder, view: View) -> StepExplained:
    return StepExplained(kind, ladder.name(view), tuple(ladder.considered(view)))
