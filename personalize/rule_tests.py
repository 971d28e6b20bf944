"""Run the tests that stand beside the rules: given this visitor and these events, expect this.

A test's events are folded by the same code as in the gateway, as browser events at their own times, and what is
expected is asked of the same plan. Without consent for analytics or personalization the events were never collected;
without personalization the profile is not read. `now` is the moment of a visit, as on the site, where the page view
that comes with a decision opens one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from personalize import english, phrasing, syntax, visits
from personalize.decide import decide_in
from personalize.explain_scores import explained_score
from personalize.explain_text import decision_lines, score_lines
from personalize.model import PURPOSES, Context, Event, Facts, Shown, stamp_of
from personalize.plan import Plan
from personalize.profiles import Profile, fold
from personalize.stages import with_stage
from personalize.values import NumberRange
from personalize.view import View

_OF_BLOCK = {
    "shown": "Content Shown",
    "clicked": "Content Clicked",
    "dismissed": "Content Dismissed",
    "converted": "Content Converted",
}
_NO_FACTS = {"traits", "owns", "consent", "visits", "visitor is"}
_COUNTED_S = 9 * 86_400
"""Visits that a test only counts ended this long ago: past the days of which both ends are kept."""


@dataclass(slots=True, frozen=True)
class Failure:
    """One expectation that was not met; `explanation` holds the lines that say why."""

    what: str
    expected: str
    actual: str
    explanation: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Result:
    """What became of one test; it passed when nothing failed."""

    name: str
    where: str
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


def run(plan: Plan, cases: Sequence[syntax.Case]) -> list[Result]:
    """Return the result of each test, in order."""
    return [Result(case.name, case.where, tuple(_failures(plan, case))) for case in cases]


def visitor_of(plan: Plan, case: syntax.Case) -> tuple[Profile, Context, int]:
    """Return the profile, the context and the moment (ms) of a test's visitor."""
    assert case.now is not None  # noqa: S101 - the loader requires it; this tells the type checker
    now = plan.calendar.ms(case.now.naive())
    given = case.visitor
    facts = Facts(**{word: value for word, value in given.items() if word not in _NO_FACTS})  # type: ignore[arg-type]  # the loader has checked the words
    allowed = _texts(given.get("consent"))
    consent = plan.purposes if allowed is None else frozenset(purpose.lower() for purpose in allowed)
    profile = Profile(consent=[now, sorted(consent & PURPOSES)])
    traits: Any = dict(given.get("traits") or ())  # type: ignore[call-overload]  # the loader made it a mapping
    if others := sorted(consent - PURPOSES):
        traits.setdefault("consent", others)
    if traits:
        profile.traits = [[0, traits]]
    profile.owns = dict.fromkeys(_texts(given.get("owns")) or (), now)
    known = given.get("visitor is") == "known"
    if not consent.isdisjoint({"analytics", "personalization"}):
        for event in _events(plan, case, facts, now):
            profile = fold(plan, profile, event, event.time)
            profile = with_stage(plan, profile, Context(facts, consent, known), event.time)
        _count_visits(profile, given.get("visits"), now)
        # A test says what its visitor did, not what brought them each time.
        profile.first, profile.last = [], []
    unread: Any = "" if "personalization" in consent else "no_consent"
    return profile, Context(facts, consent, known, unread), now


def _events(plan: Plan, case: syntax.Case, facts: Facts, now: int) -> list[Event]:
    past = [event for event in (*case.events, *case.also) for _ in range(event.times)]
    events = [_event(plan, event, number, facts, now) for number, event in enumerate(past)]
    return sorted(events, key=lambda event: event.stamp)


def _event(plan: Plan, past: syntax.PastEvent, number: int, facts: Facts, now: int) -> Event:
    at = now - past.ago.ms
    common: dict[str, Any] = {
        "message_id": f"test-{number}",
        "time": at,
        "stamp": stamp_of(at, number),
        "properties": past.properties,
        "facts": facts,
        "browser": True,
    }
    if past.verb == "viewed":
        return Event("page", path=past.object, **common)
    if past.verb == "did":
        return Event("track", name=past.object, **common)
    block = plan.blocks[past.object.lower()]
    shown = Shown(block.placement, block.name, "", plan.version, at, "rule")
    return Event("track", name=_OF_BLOCK[past.verb], shown=shown, **common)


def _count_visits(profile: Profile, wanted: Any, now: int) -> None:
    """Count the visit of `now`, and so many that ended long ago that there are as many as the test says, if it does."""
    profile.visits = visits.added(profile.visits, now // 1000, now // 1000)
    profile.first_visit = profile.first_visit or now
    missing = 0 if wanted is None else wanted - visits.count(profile.visits)
    if missing > 0:
        older, older_end, *recent = profile.visits
        ended = min(older_end or now, now // 1000 - _COUNTED_S)
        profile.visits = [older + missing, max(older_end, ended), *recent]
        profile.first_visit = min(profile.first_visit, ended * 1000)


def _failures(plan: Plan, case: syntax.Case) -> list[Failure]:
    profile, context, now = visitor_of(plan, case)
    view = View(plan, profile, context, now)
    failures = [
        failure
        for what, expected in case.expect.items()
        for failure in _CHECKS.get(what, _score_or_placement)(plan, view, what, expected)
    ]
    if not context.unread:
        return failures
    why = english.unread(context.unread)
    return [replace(failure, explanation=(why, *failure.explanation)) for failure in failures]


def _segments(plan: Plan, view: View, what: str, expected: Any) -> Iterator[Failure]:
    """`segments` (all of them contain the visitor), `not segments` (none of them does)."""
    wanted = what == "segments"
    for name in expected:
        segment = plan.segments[name.lower()]
        if segment.holds(view) is not wanted:
            expectation = f"{'' if wanted else 'not '}in segment {segment.name}"
            actual = "not in it" if wanted else "in it"
            why = english.in_segment(segment.name, segment.lacking(view))
            yield Failure(what, expectation, actual, (why,))


def _step(plan: Plan, view: View, what: str, expected: Any) -> Iterator[Failure]:
    """`stage`, `temperature`."""
    ladder = plan.stages if what == "stage" else plan.temperatures
    actual = ladder.name(view)
    if actual.lower() not in map(str.lower, expected):
        why = tuple(f"{what} {name}: {english.step(lacking)}" for name, lacking in ladder.considered(view))
        yield Failure(what, phrasing.one_of(expected), actual or "none", why)


def _score_or_placement(plan: Plan, view: View, what: str, expected: Any) -> Iterator[Failure]:
    """`score NAME`, `interest NAME`, and the name of a placement."""
    if not isinstance(expected, NumberRange):
        yield from _placement(plan, view, what, expected)
        return
    kind, _, name = what.partition(" ")
    score = (plan.scores if kind == "score" else plan.interests)[name.lower()]
    if not expected.holds(score.value(view)):
        why = tuple(map(str, score_lines(explained_score(kind, score, view))))
        yield Failure(what, phrasing.number_range(expected), phrasing.number(score.value(view)), why)


def _placement(plan: Plan, view: View, what: str, expected: Any) -> Iterator[Failure]:
    (decision,) = decide_in(view, plan, [what], explain=True)
    shown = decision.block or "nothing"
    if shown.lower() not in map(str.lower, expected):
        yield Failure(what, phrasing.one_of(expected), shown, tuple(map(str, decision_lines(decision))))


def _texts(value: Any) -> Sequence[str] | None:
    return [value] if isinstance(value, str) else value


_CHECKS: Mapping[str, Callable[[Plan, View, str, Any], Iterator[Failure]]] = {
    "segments": _segments,
    "not segments": _segments,
    "stage": _step,
    "temperature": _step,
}
"""The words of `expect`; every other key is a score, an interest or a placement."""
