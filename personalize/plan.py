"""A plan: one site's rules, compiled once and then only read.

Everything that can be worked out at load is worked out here, so that a decision parses nothing and looks names up in
dictionaries. Names are compared without regard to case. A plan serves both halves of the core: `fold` asks it which
matchers an event fits, `decide` asks it which block a visitor sees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from personalize import conditions, scoring, syntax
from personalize.blocks import Block
from personalize.calendar import Calendar
from personalize.matchers import Matchers
from personalize.model import Event
from personalize.placements import Placement
from personalize.scope import Scope
from personalize.scoring import Score
from personalize.segments import Ladder, Segment
from personalize.view import View


@dataclass(slots=True, frozen=True)
class Plan:
    """The compiled rules of one site. The keys of all mappings are lower-case names.

    `version` is the digest of the rules that it was made of; `inactive` names what loaded but has no effect yet;
    `purposes` are the consent purposes that the gateway or a rule knows; `converting` finds, by the names of the blocks
    that rest after what they count as a conversion, when that happened last (ms, 0: never).
    """

    version: str
    calendar: Calendar
    matchers: Matchers
    scores: Mapping[str, Score]
    interests: Mapping[str, Score]
    segments: Mapping[str, Segment]
    stages: Ladder
    temperatures: Ladder
    placements: Mapping[str, Placement]
    blocks: Mapping[str, Block]
    converting: Mapping[str, Callable[[View], int]]
    purposes: frozenset[str]
    inactive: tuple[str, ...]

    @property
    def named(self) -> Collection[str]:
        """The ids of all matchers that the rules name."""
        return self.matchers.ids

    def matching(self, event: Event) -> Sequence[str]:
        """Return the ids of the matchers that the event fits."""
        return self.matchers.matching(event)


def empty_plan(time_zone: str) -> Plan:
    """Return the plan of a site without rules: nothing is counted and every placement is unknown."""
    return compile_rules(syntax.RuleSet(), time_zone)


def compile_rules(rules: syntax.RuleSet, time_zone: str) -> Plan:
    """Return the plan for a rule set that the loader accepted, in the site's time zone.

    Raises zoneinfo.ZoneInfoNotFoundError for a zone that does not exist, RulesInvalid when two matchers share an id.
    """
    scope = Scope(Calendar(time_zone))
    # First every name, then what the names stand for: rules may refer to each other in any order.
    scope.segments |= {s.name.lower(): Segment(s.name, s.about, s.where) for s in rules.segments}
    scope.scores |= {s.name.lower(): Score(s.name, s.half_life, s.where) for s in rules.scores}
    scope.interests |= {s.name.lower(): Score(s.name, s.half_life, s.where) for s in rules.interests}
    for segment in rules.segments:
        scope.segments[segment.name.lower()].fill(conditions.all_compiled(segment.when, scope))
    for named, written in ((scope.scores, rules.scores), (scope.interests, rules.interests)):
        for score in written:
            named[score.name.lower()].fill([_grant(grant, score.half_life, scope) for grant in score.grants])
    scope.ladders["stage"].forward_only = rules.stages_forward_only
    for kind, steps in (("stage", rules.stages), ("temperature", rules.temperatures)):
        scope.ladders[kind].fill([(step.name, conditions.all_compiled(step.when, scope)) for step in steps])
    placements = [Placement(placement, scope) for placement in rules.placements]
    fallbacks = {p.fallback.name.lower(): p.fallback for p in placements}
    return Plan(
        version=rules.digest,
        calendar=scope.calendar,
        matchers=Matchers(scope.behaviours),
        scores=scope.scores,
        interests=scope.interests,
        segments=scope.segments,
        stages=scope.ladders["stage"],
        temperatures=scope.ladders["temperature"],
        placements={p.name.lower(): p for p in placements},
        blocks=fallbacks | {block.name.lower(): block for p in placements for block in p.blocks},
        converting={b.name: b.converted for p in placements for b in p.blocks if b.converted is not None},
        purposes=frozenset(scope.purposes),
        inactive=tuple(
            f"{thing.kind} {thing.name}" if thing.name != thing.kind else thing.name for thing in rules.inactive
        ),
    )


def _grant(grant: syntax.Grant, half_life: int | None, scope: Scope) -> scoring.Grant:
    if isinstance(grant.condition, syntax.Behaviour):
        return scoring.counted_grant(grant, scope.count(grant.condition), half_life)
    return scoring.attribute_grant(grant, conditions.compiled(grant.condition, scope))
