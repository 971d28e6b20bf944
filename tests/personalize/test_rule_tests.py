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
        "  lost offer: Needs visits 3 (is: 1).  (rules.yaml:8:61)",
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
    events = "events: [{20 minutes ago: viewed /b}, {10 days ago: viewed /b}]"
    assert failures(f"visitor: {{visits: 3}}, {events}, expect: {{slot: offer}}") == []
    assert failures(f"visitor: {{visits: 1}}, {events}, expect: {{slot: offer}}") == [("slot", "offer", "hello")]
    assert failures("visitor: {visits: 3}, expect: {slot: offer}") == []


WHO = """
segments:
  - {segment: new, when: [{visitor is: new}, {first visit: less than 1 minutes ago}, {visits: 1}]}
  - {segment: returning, when: [{visitor is: returning}, {last visit: less than 2 days ago}, {visits: 2}]}
  - {segment: known, when: [{visitor is: known}]}
  - {segment: anonymous, when: [{visitor is: anonymous}]}
tests:
"""


def segments(story: str) -> set[str]:
    test = f"  - {{test: t, now: 2026-11-20 10:00, {story}expect: {{segments: known}}}}\n"
    rules, problems = load({"rules.yaml": WHO + test})
    assert rules is not None, problems
    plan = compile_rules(rules, "UTC")
    view = View(plan, *rule_tests.visitor_of(plan, rules.tests[0]))
    return {segment.name for segment in plan.segments.values() if segment.holds(view)}


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ("", {"new", "anonymous"}),
        ("visitor: {visits: 1}, ", {"new", "anonymous"}),
        ("events: [{1 day ago: viewed /a}], ", {"returning", "anonymous"}),
        ("events: [{1 day ago: did x}, {5 minutes ago: viewed /a}], ", {"returning", "anonymous"}),
        ("events: [{1 day ago: viewed /a}], visitor: {visits: 2}, ", {"returning", "anonymous"}),
        ("events: [{31 minutes ago: viewed /a}], ", {"returning", "anonymous"}),
        ("events: [{29 minutes ago: viewed /a}, {0 minutes ago: viewed /a}], ", {"anonymous"}),
    ],
)
def test_now_is_the_moment_of_a_visit_as_on_the_site(story: str, found: set[str]) -> None:
    assert segments(story) == found


def test_without_consent_no_visit_is_counted() -> None:
    rules, problems = load(
        {
            "rules.yaml": WHO
            + "  - {test: t, now: 2026-11-20 10:00, visitor: {consent: []}, expect: {segments: known}}\n"
        }
    )
    assert rules is not None, problems
    profile, _, _ = rule_tests.visitor_of(compile_rules(rules, "UTC"), rules.tests[0])
    assert (profile.visits, profile.first_visit) == ([], 0)


def test_a_known_visitor_can_be_tested() -> None:
    assert segments("visitor: {visitor is: known}, ") == {"new", "known"}
    assert segments("visitor: {visitor is: Anonymous}, ") == {"new", "anonymous"}
    for kind, said in (
        ("new", 'rules.yaml:8:60: "new" follows from the visits: write visits: 1 instead'),
        ("returning", 'rules.yaml:8:60: "returning" follows from the visits: write visits: 2 instead'),
        ("knwon", 'rules.yaml:8:60: "knwon" is not what a visitor can be in a test; did you mean "known"?'),
    ):
        test = f"  - {{test: t, now: 2026-11-20 10:00, visitor: {{visitor is: {kind}}}, expect: {{segments: known}}}}\n"
        rules, problems = load({"rules.yaml": WHO + test})
        assert rules is None
        assert [str(problem) for problem in problems if problem.level == "error"] == [said]


@pytest.mark.parametrize(("times", "points"), [("1", 5), ("once", 5), ("Twice", 10), ("3 times", 15), ("3", 15)])
def test_times_are_a_number_or_a_count(times: str, points: int) -> None:
    assert failures(f"events: [{{1 day ago: viewed /a, times: {times}}}], expect: {{score s: {points}}}") == []


@pytest.mark.parametrize("times", ["0", "0 times", "1001 times", "1001", "1.5", "thrice"])
def test_other_times_are_refused(times: str) -> None:
    event = f"{{1 day ago: did x, times: {times}}}"
    test = f"  - {{test: t, now: 2026-11-20 10:00, events: [{event}], expect: {{score s: 1}}}}"
    rules, problems = load({"rules.yaml": RULES + test})
    assert rules is None
    assert any(times in problem.message for problem in problems)


def test_a_failure_says_that_the_profile_was_not_read() -> None:
    (result,) = results("  - {test: t, now: 2026-11-20 10:00, visitor: {consent: []}, expect: {segments: here}}\n")
    assert result.failures[0].explanation == (
        (
            "The profile was not read, because the visitor has not allowed personalization: "
            "what they did, visits, traits and products count as missing."
        ),
        "segment here: not in it, lacks viewed /a (is: never)",
    )


def test_reactions_of_blocks_are_events_too() -> None:
    clicked = "also: [{1 hour ago: clicked offer}]"
    assert failures(f"visitor: {{visits: 3}}, {clicked}, expect: {{slot: hello}}") == []
    late = "also: [{2 days ago: clicked offer}, {10 minutes ago: shown offer}]"
    assert failures(f"visitor: {{visits: 3}}, {late}, expect: {{slot: offer}}") == []


def test_running_twice_gives_the_same() -> None:
    tests = "  - {test: t, now: 2026-11-20 10:00, events: [{1 day ago: viewed /a, times: 5}], expect: {score s: 1}}\n"
    assert results(tests) == results(tests)
