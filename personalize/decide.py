"""Decide which block each asked placement shows to this visitor now.

Pure: the compiled rules, the profile, the request's facts and the moment come in, decisions come out. Evaluation
neither parses nor logs. One view serves all placements of a request, so nothing is worked out twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from personalize.decision import Decision
from personalize.model import Context
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.view import View


class VisitorSummary(TypedDict):
    """What a page learns about its visitor besides the blocks."""

    returning: bool
    stage: str
    temperature: str


def decide(  # noqa: PLR0913 - one argument for each thing that a decision depends on
    plan: Plan,
    profile: Profile | None,
    context: Context,
    placements: Sequence[str],
    now: int,
    *,
    explain: bool = False,
) -> list[Decision]:
    """Return a decision for each placement, in order; receipts only when `explain` asks for them.

    Each decision carries its placement's name as it was asked for, which may differ in case from the rules.
    `profile` None means a visitor without one. A name that the rules do not have gives block None, reason unknown.
    """
    return decide_in(View(plan, profile, context, now), plan, placements, explain=explain)


def decide_in(view: View, plan: Plan, placements: Sequence[str], *, explain: bool = False) -> list[Decision]:
    """Return what `decide` returns, for a view that the caller has made and may use further."""
    decisions = []
    for name in placements:
        placement = plan.placements.get(name) or plan.placements.get(name.lower())
        if placement is None:
            decisions.append(Decision(name, None, None, "unknown"))
            continue
        decisions.append(placement.decide(view, name, plan.version if explain else None))
    return decisions


def summary_in(view: View, plan: Plan) -> VisitorSummary | None:
    """Return what the page may know about its visitor, or None when the profile was not read."""
    if view.context.unread:
        return None
    return {
        "returning": view.visits > 1,
        "stage": plan.stages.name(view),
        "temperature": plan.temperatures.name(view),
    }
