"""Conditions that are always or never true, alone or beside the others of their list.

A condition is reported where it stands; what uses a segment that is always or never true is not reported again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf

from personalize import literals as ls
from personalize import phrasing
from personalize.fields import KEPT_DAYS
from personalize.literals import Literal
from personalize.suggest import quoted
from personalize.syntax import Behaviour, Block, Condition, Grant, Logic, Named, Points, RuleSet, Score, Segment
from personalize.values import NumberRange
from personalize.words import Problems

_COMPARED = 16
"""So many conditions on one thing are compared with each other in one list."""


@dataclass(slots=True, frozen=True)
class Judged:
    """What is certain about conditions that must all hold (None: it depends), and their literals."""

    truth: bool | None
    literals: list[Literal]


class Truths:
    """What is certain about the conditions of a rule set, and the problems that this makes."""

    def __init__(self, rules: RuleSet, problems: Problems) -> None:
        self._problems = problems
        self._known: dict[str, bool | None] = {}
        self._domains: dict[ls.Subject, ls.Wanted] = {
            ("visits",): NumberRange(0, inf),
            ("known",): frozenset({"known", "anonymous"}),
            ("visitor is",): frozenset({"new", "returning"}),
            ("weekday",): ls.ALL_WEEK,
            ("time of day",): ls.ALL_DAY,
        }
        for kind, scores in (("score", rules.scores), ("interest", rules.interests)):
            self._domains |= {(kind, score.name.lower()): reach(score) for score in scores}
        for kind, steps in (("stage", rules.stages), ("temperature", rules.temperatures)):
            if steps:
                self._domains[(kind,)] = frozenset(step.name.lower() for step in steps)

    def of_segment(self, segment: Segment) -> None:
        """Report what is certain about a segment, and note it for those that use it: they come later."""
        self._known[segment.name.lower()] = self.of_list(segment.when).truth

    def of_block(self, block: Block) -> Judged:
        """Report what is certain about a block's `when`, its schedule and its owners, and return it."""
        written = self.of_list(block.when)
        limits = ls.of_limits(block)
        both = [*written.literals, *limits]
        for literal in limits if written.truth is not False else ():
            if self._excluded(literal, written.literals):
                what = "its schedule" if literal.holds else '"not for owners of"'
                message = f"{quoted(block.name)} is never shown: {what} excludes whom its conditions let in"
                self._problems.report(block.where, message, "warning")
                return Judged(truth=False, literals=both)
        return Judged(written.truth, both)

    def of_list(self, conditions: Sequence[Condition]) -> Judged:
        """Report what is certain about conditions that must all hold, and return it."""
        literals = [ls.literals(condition) for condition in conditions]
        truth = _every(
            [
                self._of_logic(condition) if isinstance(condition, Logic) else self._of_one(condition, own)
                for condition, own in zip(conditions, literals, strict=True)
            ]
        )
        together = [literal for found in literals for literal in found]
        if truth is not False and len(together) > 1 and self._contradicts(together):
            truth = False
        return Judged(truth, together)

    def of(self, condition: Condition) -> bool | None:
        """Report what is certain about one condition, and return it."""
        if isinstance(condition, Logic):
            return self._of_logic(condition)
        return self._of_one(condition, ls.literals(condition))

    def _of_one(self, condition: Condition, literals: Sequence[Literal]) -> bool | None:
        if isinstance(condition, Named) and condition.head == "in segment":
            return _either([self._known.get(name.lower()) for name in condition.names])
        truth = _every([self._of_literal(literal) for literal in literals])
        if truth is not None:
            self._problems.report(condition.where, self._reason(condition, truth=truth), "warning")
        return truth

    def _of_logic(self, condition: Logic) -> bool | None:
        if condition.head == "all of":
            return self.of_list(condition.conditions).truth
        truths = [self.of(part) for part in condition.conditions]
        truth = _either(truths)
        return truth if condition.head == "any of" or truth is None else not truth

    def _of_literal(self, literal: Literal) -> bool | None:
        wanted = literal.wanted
        domain = self._domains.get(literal.subject)
        if ls.never(wanted) or (domain is not None and ls.apart(wanted, domain)):
            return not literal.holds
        if ls.always(wanted) or (domain is not None and ls.inside(domain, wanted)):
            return literal.holds
        return None

    def _contradicts(self, literals: Sequence[Literal]) -> bool:
        """Report the first condition that cannot hold beside those before it."""
        before: dict[ls.Subject, list[Literal]] = {}
        for literal in literals:
            same = before.setdefault(literal.subject, [])
            other = self._excluded(literal, same)
            if other is not None:
                first = "" if other.where == literal.where else f", at {other.where}"
                message = f"this can never hold beside the other condition on the same thing{first}; nobody fits both"
                self._problems.report(literal.where, message, "warning")
                return True
            if len(same) < _COMPARED:
                same.append(literal)
        return False

    @staticmethod
    def _excluded(literal: Literal, others: Iterable[Literal]) -> Literal | None:
        """Return the first of the others that cannot hold beside a literal."""
        return next((other for other in others if ls.exclude(literal, other)), None)

    def _reason(self, condition: Condition, *, truth: bool) -> str:
        """Say why a condition is always or never true."""
        verdict = f"this is {'always' if truth else 'never'} true"
        if isinstance(condition, Behaviour):
            return f"{verdict}: {_counted_reason(ls.counted(condition))}"
        if isinstance(condition, Points):
            domain = self._domains[condition.head, condition.name.lower()]
            if isinstance(domain, NumberRange):
                points = _span(domain)
                return f"{verdict}: {condition.head} {quoted(condition.name)} is {points} with the points that it gives"
        if isinstance(condition, Named):
            return f"{verdict}: every visitor has one of these {condition.head}s"
        return f"{verdict}: {_PLAIN.get((condition.head, truth), 'no value fits it')}"


_PLAIN = {
    ("visits", True): "nobody has fewer visits",
    ("visits", False): "visits are counted in whole numbers from 0",
    ("visitor is", True): "every visitor is one of these",
    ("time of day", True): "the range goes round the whole day",
    ("weekday", True): "the range goes round the whole week",
    ("first visit", False): "no time is less than none",
    ("last visit", False): "no time is less than none",
}


def reach(score: Score) -> NumberRange:
    """Return between which values a score can lie."""
    low = high = 0.0
    for grant in score.grants:
        most = grant.points * times(grant) if grant.points else 0.0
        low, high = low + min(most, 0.0), high + max(most, 0.0)
    # The sum of decayed points may be off by the last digit.
    return NumberRange(low, high)


def times(grant: Grant) -> float:
    """Return how often a grant can count at most."""
    if not isinstance(grant.condition, Behaviour):
        return 1
    if grant.cap is None:
        return inf
    return grant.cap.count * (ceil(KEPT_DAYS / grant.cap.days) if grant.cap.days else 1)


def _span(domain: NumberRange) -> str:
    if domain.high == inf:
        return "any number" if domain.low == -inf else f"never below {phrasing.number(domain.low)}"
    if domain.low == -inf:
        return f"never above {phrasing.number(domain.high)}"
    return f"between {phrasing.number(domain.low)} and {phrasing.number(domain.high)}"


def _counted_reason(wanted: ls.Counted) -> str:
    if wanted.across > wanted.days:
        return f"{phrasing.amount(wanted.across, 'day')} do not fit into {phrasing.amount(int(wanted.days), 'day')}"
    if wanted.across > wanted.high:
        times = phrasing.times(int(wanted.high))
        return f"what happens {times} cannot happen on {phrasing.amount(wanted.across, 'day')}"
    if wanted.low > wanted.high:
        return f"at least {phrasing.times(int(wanted.low))} is more than at most {phrasing.times(int(wanted.high))}"
    return '"at least 0 times" asks for nothing'


def _every(truths: Iterable[bool | None]) -> bool | None:
    truths = list(truths)
    if False in truths:
        return False
    return True if all(truths) else None


def _either(truths: Sequence[bool | None]) -> bool | None:
    if True in truths:
        return True
    return False if all(truth is False for truth in truths) else None
