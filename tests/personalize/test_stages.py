from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings

from personalize import documents, english
from personalize.explain import explain_in
from personalize.explain_text import explained_lines
from personalize.loader import load
from personalize.model import Context, Facts
from personalize.plan import compile_rules
from personalize.profiles import Profile, fold
from personalize.rule_tests import run
from personalize.stages import with_stage
from personalize.view import View
from tests.fakes.visitor import HELSINKI, Visitor, plan_of
from tests.personalize import strategies

RULES = """
stages move: forward only
segments: [{segment: buyer, when: [{stage: customer}]}]
stages:
  - {stage: customer, when: [{did: order, within: 30 days}]}
  - {stage: comparison, when: [{viewed: /prices, within: 7 days}]}
  - {stage: awareness}
temperatures:
  - {temperature: hot, when: [{viewed: /prices, within: 7 days}]}
  - {temperature: cold}
"""
TESTS = """
tests:
  - test: a customer of old stays one
    now: 2026-11-20 10:00
    events: [{200 days ago: did order}, {1 day ago: viewed /prices}]
    expect: {stage: customer, temperature: hot, segments: buyer}
  - test: who only compared stays comparing
    now: 2026-11-20 10:00
    events: [{50 days ago: viewed /prices}]
    expect: {stage: comparison, temperature: cold, not segments: buyer}
"""


class Follower(Visitor):
    """A visitor whose stage is noted after each event, as the gateway does."""

    def note(self) -> Follower:
        self.profile = with_stage(self.plan, self.profile, self.context, self.now)
        return self

    def at(self, now: str) -> Follower:
        self.now = self.plan.calendar.ms(datetime.fromisoformat(now))
        return self

    def stage(self) -> str:
        return self.plan.stages.name(self.view())


def test_a_stage_that_was_reached_stays_and_a_temperature_does_not() -> None:
    visitor = Follower(plan_of(RULES), "2026-01-10 10:00").did("order").viewed("/prices").note()  # type: ignore[attr-defined]  # a Visitor returns itself
    assert visitor.profile.furthest == ["customer", visitor.now]
    visitor.at("2026-11-20 10:00")
    assert visitor.stage() == "customer"
    assert visitor.plan.segments["buyer"].holds(visitor.view())
    assert visitor.plan.temperatures.name(visitor.view()) == "cold"
    assert visitor.note().profile.furthest[1] < visitor.now, "the first time stands"


def test_without_the_option_a_stage_goes_back_and_nothing_is_noted() -> None:
    plan = plan_of(RULES.replace("forward only", "both ways"))
    visitor = Follower(plan, "2026-01-10 10:00").did("order").note()  # type: ignore[attr-defined]  # as above
    assert visitor.profile.furthest == []
    assert visitor.at("2026-11-20 10:00").stage() == "awareness"


def test_a_further_stage_replaces_the_note() -> None:
    visitor = Follower(plan_of(RULES), "2026-11-01 10:00").viewed("/prices").note()  # type: ignore[attr-defined]  # as above
    assert visitor.profile.furthest[0] == "comparison"
    visitor.at("2026-11-20 10:00").did("order").note()  # type: ignore[attr-defined]  # as above
    assert visitor.profile.furthest == ["customer", visitor.now]


def test_an_explanation_says_when_the_stage_was_reached() -> None:
    visitor = Follower(plan_of(RULES), "2026-01-10 23:30").did("order").note()  # type: ignore[attr-defined]  # as above
    view = visitor.at("2026-11-20 10:00").view()
    assert [(name, english.step(lacking)) for name, lacking in visitor.plan.stages.considered(view)] == [
        ("customer", "reached on 2026-01-10, does not go back")
    ]
    visitor.profile.furthest[0] = "comparison"
    lines = [str(line) for line in explained_lines(explain_in(visitor.view(), visitor.plan, []))]
    assert "stage comparison" in lines
    assert "  customer: lacks did order, within 30 days (is: not in these 30 days)" in lines
    assert "  comparison: reached on 2026-01-10, does not go back" in lines


def test_a_stage_that_the_ladder_lacks_counts_for_nothing_and_a_renamed_case_does() -> None:
    visitor = Follower(plan_of(RULES))
    visitor.profile.furthest = ["champion", 5]
    assert visitor.stage() == "awareness"
    visitor.profile.furthest = ["COMPARISON", 5]
    assert visitor.stage() == "comparison"
    assert visitor.note().profile.furthest == ["COMPARISON", 5]


def test_nothing_of_a_profile_that_is_not_read_is_used() -> None:
    plan = plan_of(RULES)
    view = View(plan, Profile(furthest=["customer", 5]), Context(Facts(), unread="no_consent"), 1_790_000_000_000)
    assert plan.stages.name(view) == "awareness"


def test_the_note_costs_a_document_little_and_an_older_release_carries_it() -> None:
    profile = Profile(furthest=["customer", 1_790_000_000_000])
    document = documents.encode(profile, "")
    assert len(document) - len(documents.encode(Profile(), "")) == len(',"h":["customer",1790000000000]')
    assert documents.decode(document) == profile
    assert documents.decode(b'{"r":"","f":1}').furthest == []


def test_rule_tests_follow_the_stage_as_the_gateway_does() -> None:
    rules, problems = load({"rules.yaml": RULES, "tests/stages.yaml": TESTS})
    assert rules is not None, problems
    plan = compile_rules(rules, HELSINKI)
    assert [result.failures for result in run(plan, rules.tests)] == [(), ()]
    plan.stages.forward_only = False
    assert [result.passed for result in run(plan, rules.tests)] == [False, False]


NOW = strategies.moment("2026-10-25 04:30")
FURTHER = plan_of("""
stages move: forward only
stages:
  - {stage: customer, when: [{viewed: /a*, across: 2 days, within: 7 days}, {visits: at least 2}]}
  - {stage: Trial, when: [{viewed: /c, within: 1 day}]}
  - {stage: stranger}
""")


@settings(max_examples=60, deadline=None)
@given(strategies.arrivals(NOW))
def test_a_stage_never_goes_back_and_is_the_furthest_that_was_seen(arriving: list[strategies.Arrival]) -> None:
    profile, context = Profile(), Context(Facts())
    seen: list[int] = []
    for arrival in sorted(arriving, key=lambda each: each.at):
        profile = fold(FURTHER, profile, arrival.event, arrival.at)
        FURTHER.stages.forward_only = False
        now_is = FURTHER.stages.name(View(FURTHER, profile, context, arrival.at))
        FURTHER.stages.forward_only = True
        seen.append(FURTHER.stages.place(now_is))
        profile = with_stage(FURTHER, profile, context, arrival.at)
        assert FURTHER.stages.place(profile.furthest[0]) == min(seen)
        assert FURTHER.stages.name(View(FURTHER, profile, context, arrival.at)) == profile.furthest[0]
