from __future__ import annotations

from pathlib import Path

import pytest

from personalize import rule_tests
from personalize.loader import load
from personalize.plan import compile_rules
from personalize.view import View

EXAMPLE = Path(__file__).parents[1] / "vectors" / "rules-example"
DEMO = Path(__file__).parents[2] / "rules"

RULES = """
scores: [{score: s, points: [{give: 5, for viewed: /a}]}]
interests: [{interest: i, grows: [{by: 1, for did: x, where: {topic: api}}]}]
segments: [{segment: here, when: [{viewed: /a}]}, {segment: mailed, when: [{consent: email}]}]
stages: [{stage: buyer, when: [{owns: pro}]}, {stage: looker}]
placements:
  - placement: slot
    blocks: [{block: offer, rest after click: 1 day, when: [{visits: 3}], content: {title: x}}, {block: hello}]
tests:
"""


def results(tests: str) -> list[rule_tests.Result]:
    rules, problems = load({"rules.yaml": RULES + tests})
    assert rules is not None, problems
    return rule_tests.run(compile_rules(rules, "Europe/Helsinki"), rules.tests)


def failures(test: str) -> list[tuple[str, str, str]]:
    (result,) = results(f"  - {{test: t, now: 2026-11-20 10:00, {test}}}\n")
    assert result.passed is not bool(result.failures)
    return [(f.what, f.expected, f.actual) for f in result.failures]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki", "America/Los_Angeles"])
@pytest.mark.parametrize("folder", [EXAMPLE, DEMO], ids=["reference", "demo"])
def test_the_rule_sets_of_this_repository_pass_their_own_tests(folder: Path, zone: str) -> None:
    rules, problems = load({p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.yaml")})
    assert rules is not None, problems
    ran = rule_tests.run(compile_rules(rules, zone), rules.tests)
    assert len(ran) >= 4
    assert [result for result in ran if not result.passed] == []


def test_every_kind_of_expectation_is_checked() -> None:
    met = "segments: [here], not segments: [mailed], stage: buyer, score s: 10, interest i: at least 1, slot: offer"
    story = (
        "visitor: {owns: pro, visits: 3, consent: [analytics, personalization]}, "
        "events: [{1 hour ago: viewed /a, times: 2}, {2 hours ago: did x, where: {topic: API}}]"
    )
    assert failures(f"{story}, expect: {{{met}}}") == []
    unmet = "segments: [mailed], not segments: here, stage: looker, score s: less than 10, interest i: 0, slot: hello"
    assert failures(f"{story}, expect: {{{unmet}}}") == [
        ("segments", "in segment mailed", "not in it"),
        ("not segments", "not in segment here", "in it"),
        ("stage", "looker", "buyer"),
        ("score s", "less than 10", "10"),
        ("interest i", "0", "1"),
        ("slot", "hello", "offer"),
    ]


def test_a_failure_explains_itself() -> None:
    (result,) = results("  - {test: t, now: 2026-11-20 10:00, expect: {slot: offer, score s: 5}}\n")
    slot, score = result.failures
    assert slot.explanation[:2] == (
        "placement slot: hello (fallback)",
        "  lost offer: Needs visits 3 (is: 0).  (rules.yaml:8:61)",
    )
    assert score.explanation == ("score s 0  (rules.yaml:2:10)",)


@pytest.mark.parametrize(
    ("consent", "collected", "read"),
    [
        ("", True, True),
        ("consent: [personalization]", True, True),
        ("consent: [analytics]", True, False),
        ("consent: [email]", False, False),
        ("consent: []", False, False),
    ],
)
def test_consent_decides_what_is_collected_and_what_is_read(consent: str, collected: bool, read: bool) -> None:  # noqa: FBT001 - a table's columns
    visitor = f"visitor: {{{consent}}}, " if consent else ""
    story = f"{visitor}events: [{{1 day ago: viewed /a}}], expect: {{stage: looker}}"
    test = f"  - {{test: t, now: 2026-11-20 10:00, {story}}}\n"
    rules, _ = load({"rules.yaml": RULES + test})
    assert rules is not None
    plan = compile_rules(rules, "UTC")
    profile, context, now = rule_tests.visitor_of(plan, rules.tests[0])
    assert bool(profile.matchers) is collected
    assert plan.segments["here"].holds(View(plan, profile, context, now)) is read
    assert context.unread == ("" if read else "no_consent")


def test_absent_consent_is_consent_to_everything_the_rules_ask_for() -> None:
    assert failures("expect: {segments: [mailed]}") == []
    assert failures("visitor: {consent: [email, personalization]}, expect: {segments: [mailed]}") == []


def test_visits_say_how_many_there_were_with_those_of_the_events() -> None:
    events = "events: [{1 hour ago: viewed /b}, {10 days ago: viewed /b}]"
    assert failures(f"visitor: {{visits: 3}}, {events}, expect: {{slot: offer}}") == []
    assert failures(f"visitor: {{visits: 1}}, {events}, expect: {{slot: offer}}") == [("slot", "offer", "hello")]
    assert failures("visitor: {visits: 3}, expect: {slot: offer}") == []


def test_reactions_of_blocks_are_events_too() -> None:
    clicked = "also: [{1 hour ago: clicked offer}]"
    assert failures(f"visitor: {{visits: 3}}, {clicked}, expect: {{slot: hello}}") == []
    late = "also: [{2 days ago: clicked offer}, {1 hour ago: shown offer}]"
    assert failures(f"visitor: {{visits: 3}}, {late}, expect: {{slot: offer}}") == []


def test_running_twice_gives_the_same() -> None:
    tests = "  - {test: t, now: 2026-11-20 10:00, events: [{1 day ago: viewed /a, times: 5}], expect: {score s: 1}}\n"
    assert results(tests) == results(tests)
