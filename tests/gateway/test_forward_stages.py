"""Stages that move forward only, where the gateway notes them: after the events of each hit."""

from __future__ import annotations

from gateway.envelope import STORED, Envelope, Hit
from gateway.pipeline import Round
from gateway.ports import VisitorKey
from personalize.decide import summary_in
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
    r.apply(one, envelopes)
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
    r.apply(one, [envelope("/hinnoittelu", 1)])
    assert r.profile == Profile()
