"""Words that no other test would miss if they did nothing: one small story each."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from personalize import rule_tests
from personalize.decide import decide
from personalize.loader import load
from personalize.plan import compile_rules
from personalize.syntax import Grant
from personalize.syntax_conditions import AttributeWord
from personalize.view import View, without_request
from tests.fakes.visitor import Visitor, plan_of

FACTS = {word: f"some {word}" for word in get_args(AttributeWord)} | {"page": "/some/page"}


def points(grant: str, visitor_of: Any = lambda visitor: visitor, **facts: Any) -> float:
    """Return the points of a score with one grant."""
    plan = plan_of(f"scores: [{{score: s, points: [{{give: 7, {grant}}}]}}]")
    return plan.scores["s"].value(visitor_of(Visitor(plan, **facts)).view())


# -- scores ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", get_args(AttributeWord))
def test_what_a_request_says_gives_points_once(word: str) -> None:
    grant = f'for {word}: "{FACTS[word].upper()}"'
    assert points(grant, lambda visitor: visitor.viewed("/x", times=3), **{word: FACTS[word]}) == 7
    assert points(grant) == 0


def test_every_head_of_a_grant_gives_points() -> None:
    assert points("for viewed: /x", lambda visitor: visitor.viewed("/x", times=2)) == 14
    assert points("for did: x", lambda visitor: visitor.did("x", times=2)) == 14
    assert points("for company: {industry: steel}", company={"industry": "Steel"}) == 7
    assert points("for trait: plan, is: [basic, pro]", lambda visitor: visitor.is_known_by(plan="pro")) == 7
    assert {"viewed", "did", "company", "trait", *get_args(AttributeWord)} == set(Grant.heads)


def test_where_of_a_grant_counts_only_events_that_fit() -> None:
    story = lambda visitor: visitor.did("load", properties={"type": "case"}).did("load", properties={"type": "video"})  # noqa: E731 - a story of one line
    assert points("for did: load, where: {type: [case, guide]}", story) == 7
    assert points("for did: load", story) == 14


def test_an_interest_grows_by_its_number_and_halves() -> None:
    plan = plan_of("interests: [{interest: i, half-life: 10 days, grows: [{by: 4, for viewed: /x}]}]")
    assert plan.interests["i"].value(Visitor(plan).viewed("/x").viewed("/x", days=10).view()) == 6


def test_without_a_request_scores_read_what_was_last_seen() -> None:
    plan = plan_of("scores: [{score: s, points: [{give: 7, for country: FI}, {give: 1, for device: mobile}]}]")
    visitor = Visitor(plan, country="FI", device="mobile").viewed("/x", days=3)
    view = View(plan, visitor.profile, without_request(visitor.profile), visitor.now)
    assert plan.scores["s"].value(view) == 8


# -- segments, stages, temperatures ----------------------------------------------------------------------------------
def test_about_says_what_a_segment_is_for() -> None:
    plan = plan_of("segments: [{segment: s, about: Who came back, when: [{visits: 2}]}]")
    assert plan.segments["s"].about == "Who came back"


@pytest.mark.parametrize(
    ("list_of", "word", "ladder"), [("stages", "stage", "stages"), ("temperatures", "temperature", "temperatures")]
)
def test_the_first_step_that_fits_is_the_visitors(list_of: str, word: str, ladder: str) -> None:
    steps = f"[{{{word}: a, when: [{{viewed: /a}}]}}, {{{word}: b, when: [{{viewed: /b}}]}}, {{{word}: c}}]"
    plan = plan_of(f"{list_of}: {steps}")
    name = getattr(plan, ladder).name
    assert name(Visitor(plan).view()) == "c"
    assert name(Visitor(plan).viewed("/b").view()) == "b"
    assert name(Visitor(plan).viewed("/b").viewed("/a").view()) == "a"


@pytest.mark.parametrize(
    ("move", "stage"), [("", "a"), ("stages move: both ways", "a"), ("stages move: forward only", "c")]
)
def test_stages_move_both_ways_or_forward_only(move: str, stage: str) -> None:
    # The list reads from the furthest stage down to the first.
    text = f"""
{move}
stages: [{{stage: c, when: [{{viewed: /c, within: 7 days}}]}}, {{stage: b, when: [{{viewed: /b}}]}}, {{stage: a}}]
tests:
  - test: t
    now: 2026-11-20 10:00
    events: [{{30 days ago: viewed /c}}, {{1 day ago: viewed /x}}]
    expect: {{stage: {stage}}}
"""
    rules, problems = load({"rules.yaml": text})
    assert rules is not None, problems
    (result,) = rule_tests.run(compile_rules(rules, "UTC"), rules.tests)
    assert result.failures == ()


# -- blocks ----------------------------------------------------------------------------------------------------------
def shown(text: str, visitor_of: Any = lambda visitor: visitor, **facts: Any) -> Any:
    plan = plan_of(text)
    visitor = visitor_of(Visitor(plan, **facts))
    (decision,) = decide(plan, visitor.profile, visitor.context, ["slot"], visitor.now)
    return decision


def test_html_that_is_trusted_is_said_so_and_what_goes_in_is_escaped() -> None:
    text = """placements: [{placement: slot, blocks: [{block: b, %s content: {t: "<b>{{ city | - }}</b>"}}]}]"""
    trusted, plain = shown(text % "html: trusted,", city="<i>"), shown(text % "", city="<i>")
    assert (trusted.html, trusted.content) == (True, {"t": "<b>&lt;i&gt;</b>"})
    assert (plain.html, plain.content) == (False, {"t": "<b><i></b>"})


def test_links_of_a_block_are_encoded_and_checked() -> None:
    content = '{link: "{{ trait.x | / }}", cta: "{{ trait.x | / }}"}'
    text = f"placements: [{{placement: slot, blocks: [{{block: b, content: {content}}}]}}]"
    found = shown(text, lambda visitor: visitor.is_known_by(x="javascript:alert(1)"))
    assert found.content == {"link": "javascript%3Aalert%281%29", "cta": "javascript:alert(1)"}


def test_a_fallback_may_have_content_of_its_own() -> None:
    blocks = "blocks: [{block: b, when: [{country: FI}]}]"
    text = f"placements: [{{placement: slot, fallback: {{block: other, content: {{t: x}}}}, {blocks}}}]"
    assert (shown(text).block, shown(text).content, shown(text).reason) == ("other", {"t": "x"}, "fallback")
    assert shown(text, country="FI").block == "b"


def test_plus_is_added_to_what_a_block_is_worth() -> None:
    text = """
interests: [{interest: i, grows: [{by: 3, for viewed: /x}]}]
placements:
  - placement: slot
    choose: best score
    fallback: {block: none, content: {}}
    blocks: [{block: two, worth: 4}, {block: i, worth: {interest: i, plus: %s}}]
"""
    story = lambda visitor: visitor.viewed("/x")  # noqa: E731 - a story of one line
    assert [shown(text % plus, story).block for plus in ("0", "1", "2")] == ["two", "two", "i"]


# -- the test language -----------------------------------------------------------------------------------------------
RULES = """
scores: [{score: s, points: [{give: 5, for viewed: /a}]}]
segments:
  - {segment: it, when: [CONDITION]}
placements:
  - placement: slot
    fallback: {block: rest, content: {t: x}}
    blocks: [{block: offer, EXCLUSION}]
tests:
  - {test: base, now: 2026-11-20 10:00, VISITOR, events: [{EVENTS}], expect: {segments: [it]}}
"""


def passes(
    condition: str = "{visits: at least 0}", exclusion: str = "", visitor: str = "", events: str = "", more: str = ""
) -> list[bool]:
    """Return whether each test passed: one that expects the segment, and those in `more`."""
    source = RULES.replace("CONDITION", condition).replace("EXCLUSION", exclusion or "worth: 1")
    source = source.replace("VISITOR, ", visitor and f"visitor: {visitor}, ").replace(
        "EVENTS", events or "1 day ago: did y"
    )
    rules, problems = load({"rules.yaml": source + more})
    assert rules is not None, problems
    return [result.passed for result in rule_tests.run(compile_rules(rules, "Europe/Helsinki"), rules.tests)]


@pytest.mark.parametrize("word", get_args(AttributeWord))
def test_a_tests_visitor_has_every_attribute(word: str) -> None:
    assert passes(f"{{{word}: {FACTS[word]}}}", visitor=f"{{{word}: {FACTS[word]}}}") == [True]
    assert passes(f"{{{word}: {FACTS[word]}}}", visitor="{traits: {a: b}}") == [False]


@pytest.mark.parametrize(
    ("condition", "visitor"),
    [
        ("{trait: plan, is: pro}", "{traits: {plan: pro}}"),
        ("{trait: seats, is: at least 5}", "{traits: {seats: 5}}"),
        ("{owns: insight*}", "{owns: [insight pro]}"),
        ("{company: {industry: steel, employees: 50 to 500}}", "{company: {industry: Steel, employees: 120}}"),
        ("{visits: 4}", "{visits: 4}"),
    ],
)
def test_a_tests_visitor_has_traits_products_company_and_visits(condition: str, visitor: str) -> None:
    assert passes(condition, visitor=visitor) == [True]
    assert passes(condition, visitor="{country: FI}") == [False]


def test_an_event_of_a_test_has_properties_and_a_number() -> None:
    wanted = "{did: load, where: {type: case}, at least: 3 times}"
    assert passes(wanted, events="1 day ago: did load, where: {type: case}, times: 3") == [True]
    assert passes(wanted, events="1 day ago: did load, where: {type: case}, times: 2") == [False]
    assert passes(wanted, events="1 day ago: did load, where: {type: guide}, times: 3") == [False]


def test_an_event_of_a_test_happened_so_long_before_now() -> None:
    week = "{viewed: /a, within: 7 days}"
    assert passes(week, events="6 days ago: viewed /a") == [True]
    assert passes(week, events="7 days ago: viewed /a") == [False]
    assert passes(week, events="1 Week ago: viewed /a") == [False]


@pytest.mark.parametrize(
    ("exclusion", "verb"),
    [
        ("show at most: once per week", "shown"),
        ("rest after click: 7 days", "clicked"),
        ("rest after dismiss: 7 days", "dismissed"),
        ("rest after convert: 7 days", "converted"),
    ],
)
def test_what_a_visitor_did_with_a_block_is_an_event_of_a_test(exclusion: str, verb: str) -> None:
    def of_slot(events: str, block: str) -> list[bool]:
        more = f"  - {{test: t, now: 2026-11-20 10:00, events: [{{{events}}}], expect: {{slot: {block}}}}}\n"
        return passes(exclusion=exclusion, more=more)[1:]

    assert of_slot(f"2 days ago: {verb} offer", "rest") == [True]
    assert of_slot(f"8 days ago: {verb} offer", "offer") == [True]
    other = "clicked" if verb == "dismissed" else "dismissed"
    assert of_slot(f"2 days ago: {other} offer", "offer") == [True]


def test_like_takes_now_visitor_and_events_but_no_expectation_and_also_adds() -> None:
    more = """
  - {test: same, like: base, expect: {score s: 10}}
  - {test: changed, like: base, visitor: {country: SE}, expect: {not segments: [it], score s: 10}}
  - {test: longer, like: base, also: [{1 day ago: viewed /a}], expect: {score s: 15, segments: [it]}}
  - {test: replaced, like: base, events: [{1 day ago: viewed /a}], expect: {score s: 5}}
"""
    both = "{country: FI}, {city: Espoo}"
    assert (
        passes(both, visitor="{country: FI, city: Espoo}", events="1 day ago: viewed /a, times: 2", more=more)
        == [True] * 5
    )


def test_a_conversion_may_be_something_that_the_visitor_did() -> None:
    exclusion = "rest after convert: 7 days, converts when: {did: order}"
    more = "  - {test: t, now: 2026-11-20 10:00, events: [{2 days ago: did order}], expect: {slot: rest}}\n"
    assert passes(exclusion=exclusion, more=more)[1:] == [True]
    assert passes(exclusion=exclusion, more=more.replace("2 days", "9 days"))[1:] == [False]
