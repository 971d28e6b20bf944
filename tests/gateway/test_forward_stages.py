"""Stages that move forward only, where the gateway notes them: after the events of each hit."""

from __future__ import annotations

from gateway.envelope import STORED, Envelope, Hit
from gateway.pipeline import Round
from gateway.ports import VisitorKey
from personalize import rule_tests
from personalize.decide import summary_in
from personalize.loader import load
from personalize.marks import Marks
from personalize.model import Context, Event, Facts, stamp_of
from personalize.profiles import Profile
from personalize.view import View
from tests.gateway.making import NOW, RULES, hit, plan, site

DAY = 86_400_000
SWEDISH = "stages:\n  - {stage: visitor of ours, when: [{country: SE}]}\n"
FORWARD = plan("stages move: forward only\n" + RULES.replace("stages:\n", SWEDISH))
KEY = VisitorKey("demo", "a", "v1")


def opened(at: int = NOW, rules: str = "forward") -> Hit:
    return hit(site=site(plan=FORWARD if rules == "forward" else plan()), received=at)


def envelope(path: str, number: int, at: int = NOW, country: str = "FI", *, browser: bool = True) -> Envelope:
    facts = Facts(country=country)
    event = Event("page", f"m{number}", at, stamp_of(at, number), path=path, facts=facts, browser=browser)
    return Envelope(number, {}, event, number.to_bytes(6, "big"))


def applied(profile: Profile, one: Hit, *envelopes: Envelope) -> Profile:
    r = Round(KEY, profile, Marks(), one.received, 100.0)
    assert not list(r.apply(one, envelopes))
    assert all(e.outcome is STORED for e in envelopes)
    return r.profile


def stage(profile: Profile, at: int) -> str:
    context = Context(Facts(), frozenset({"analytics", "personalization"}))
    summary = summary_in(View(FORWARD, profile, context, at), FORWARD)
    assert summary is not None
    return summary["stage"]


def test_a_stage_is_noted_after_the_events_of_a_hit_and_outlives_its_conditions() -> None:
    profile = applied(Profile(), opened(), envelope("/hinnoittelu", 1), envelope("/hinnoittelu", 2))
    assert profile.furthest == ["comparison", NOW]
    later = NOW + 60 * DAY
    assert stage(profile, later) == "comparison"
    assert applied(profile, opened(later), envelope("/", 3, later)).furthest == ["comparison", NOW]


def test_an_event_of_a_server_is_read_where_the_visitor_was_last_seen() -> None:
    there = applied(Profile(), opened(), envelope("/", 1, country="SE"))
    assert there.furthest[0] == "visitor of ours"
    here = applied(Profile(), opened(), envelope("/", 1))
    assert applied(here, opened(), envelope("/", 2, country="SE", browser=False)).furthest[0] == "awareness"


def test_without_the_option_nothing_is_noted() -> None:
    one = opened(rules="both ways")
    assert applied(Profile(), one, envelope("/hinnoittelu", 1), envelope("/hinnoittelu", 2)).furthest == []


def test_a_hit_whose_events_were_all_refused_notes_nothing() -> None:
    one = hit(site=site(plan=FORWARD, consent=frozenset()))
    r = Round(KEY, Profile(), Marks(), NOW, 100.0)
    assert not list(r.apply(one, [envelope("/hinnoittelu", 1)]))
    assert r.profile == Profile()


LADDER = """
stages move: forward only
stages:
  - stage: came back
    when: [{viewed: /a, at least: 2 times, within: 1 day}, {not: {did: Left}}]
  - stage: bought
    when: [{did: Bought, within: 1 day}, {viewed: /a, within: 1 day}]
  - {stage: new}
tests:
  - test: reached a while ago
    now: 2026-11-20 12:00
    events: [6 days ago: viewed /a, 143 hours ago: viewed /a, 5 days ago: did Left, 1 hour ago: viewed /b]
    expect: {stage: came back}
"""


def on_ladder(*happened: tuple[int, str, str]) -> list[object]:
    """Return what is noted of the events (ms, kind, path or name) of one hit."""
    ladder = plan(LADDER)
    at = [
        Event(kind, f"m{n}", ms, stamp_of(ms, n), what, path=what, browser=True)
        for n, (ms, kind, what) in enumerate(happened)
    ]  # type: ignore[arg-type]  # the kinds are written above
    one = hit(site=site(plan=ladder), received=NOW)
    return applied(Profile(), one, *(Envelope(n, {}, e, n.to_bytes(6, "big")) for n, e in enumerate(at))).furthest


def test_events_that_were_kept_for_days_give_what_the_tests_beside_the_rules_say() -> None:
    rules, problems = load({"rules.yaml": LADDER})
    assert rules is not None, problems
    assert [result.passed for result in rule_tests.run(plan(LADDER), rules.tests)] == [True]
    begun = NOW - 6 * DAY
    happened = [(begun, "page", "/a"), (begun + 1, "page", "/a"), (begun + DAY, "track", "Left"), (NOW, "page", "/b")]
    assert on_ladder(*happened) == ["came back", begun + 1]


def test_a_late_event_is_not_read_with_what_came_after_it() -> None:
    assert on_ladder((NOW, "track", "Bought"), (NOW - 6 * DAY, "page", "/a")) == ["new", NOW]
