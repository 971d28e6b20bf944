"""What a RuleSet holds once the files are read."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from personalize.loader import digest_of, load
from personalize.syntax import Behaviour, Company, Fallback, Interest, Logic, Named, Points, RuleSet, Trait
from personalize.values import Cap, Moment, NumberRange

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(ROOT.rglob("*.yaml"))}


def rules_of(files: str | dict[str, bytes] | dict[str, str]) -> RuleSet:
    files = {"a.yaml": files} if isinstance(files, str) else files
    rules, problems = load(files)
    assert rules is not None, [str(problem) for problem in problems]
    return rules


def segment(condition: str) -> str:
    return f"segments: [{{segment: a, when: [{condition}]}}]"


def test_the_reference_rules_become_one_rule_set() -> None:
    rules = rules_of(FILES)
    assert [score.name for score in rules.scores] == ["engagement", "fit"]
    assert [interest.name for interest in rules.interests] == ["reporting", "integrations"]
    assert all(isinstance(interest, Interest) for interest in rules.interests)
    assert [step.name for step in rules.stages] == ["customer", "purchase", "comparison", "exploration", "awareness"]
    assert [step.name for step in rules.temperatures] == ["hot", "warm", "cold"]
    assert [item.kind for item in rules.inactive] == ["experiment", "holdout", "trigger", "trigger", "trigger"]
    assert rules.digest == digest_of(FILES)


def test_conditions_are_held_by_family() -> None:
    pricing, fit, customer, *_ = rules_of(FILES).segments
    viewed, negated = pricing.when
    assert isinstance(viewed, Behaviour)
    assert (viewed.names, viewed.at_least, viewed.across, viewed.within) == (("/hinnoittelu*",), 2, 2, 30)
    assert viewed.where == "segments.yaml:5:9"
    assert isinstance(negated, Logic)
    assert [condition.where for condition in negated.conditions] == ["segments.yaml:6:14"]
    (points,) = fit.when
    assert isinstance(points, Points)
    assert points.range == NumberRange(25, math.inf)
    (either,) = customer.when
    assert isinstance(either, Logic)
    assert isinstance(either.conditions[0], Trait)
    assert either.conditions[0].test == ("basic", "pro")


def test_grants_hold_the_condition_that_their_words_make() -> None:
    engagement, fit = rules_of(FILES).scores
    download = engagement.grants[2]
    assert (download.points, download.head, download.cap) == (15, "did", Cap(3, 0))
    assert isinstance(download.condition, Behaviour)
    assert download.condition.properties == {"type": ("whitepaper", "case")}
    employees = fit.grants[1]
    assert isinstance(employees.condition, Company)
    assert employees.condition.attributes == {"employees": NumberRange(50, 500)}


def test_a_trait_can_be_worth_points() -> None:
    source = (
        "scores: [{score: a, points: [{give: 5, for trait: plan, is: pro}, {give: 1, for trait: age, is: at least 5}]}]"
    )
    grants = rules_of(source).scores[0].grants
    assert [grant.condition.test for grant in grants] == [("pro",), NumberRange(5, math.inf)]


def test_placements_hold_blocks_with_their_limits() -> None:
    hero, footer = rules_of(FILES).placements
    pro, demo, friday, _ = hero.blocks
    assert pro.rests == {"convert": None}
    assert demo.rests == {"dismiss": 14 * 86_400_000, "convert": 90 * 86_400_000}
    assert demo.show_at_most == Cap(5, 7)
    assert (friday.starts, friday.until) == (Moment(date(2026, 11, 23), None), Moment(date(2026, 11, 30), None))
    assert [(b.worth.interest, b.worth.plus) for b in footer.blocks] == [
        (None, 1),
        ("integrations", 0),
        ("reporting", 2),
    ]
    assert footer.fallback == Fallback(where="placements.yaml:27:15", block="newsletter")


def test_tests_are_complete_once_loaded() -> None:
    first, without, owner, rests = rules_of(FILES).tests
    assert without.now == first.now
    assert without.visitor == {**first.visitor, "consent": ()}
    assert without.events == first.events
    assert rests.events[:3] == first.events
    assert (rests.events[3].verb, rests.events[3].object) == ("dismissed", "book a demo")
    assert all(case.like == "" and case.also == () for case in (first, without, owner, rests))
    assert first.expect["score engagement"] == NumberRange(24, 26)
    assert first.expect["segments"] == ("pricing intent", "good fit")
    assert first.visitor["company"] == {"name": "Acme Oy", "industry": "manufacturing", "employees": 120}
    assert owner.visitor == {"country": "SE", "traits": {"plan": "pro"}, "owns": ("insight pro",)}


def test_files_come_in_any_order() -> None:
    assert rules_of(dict(reversed(FILES.items()))) == rules_of(FILES)


def test_the_digest_sees_rules_and_no_tests() -> None:
    assert digest_of({**FILES, "tests/new.yaml": b"tests: []"}) == digest_of(FILES)
    assert digest_of({**FILES, "segments.yaml": FILES["segments.yaml"] + b"\n"}) != digest_of(FILES)
    assert digest_of({name: text.decode() for name, text in FILES.items()}) == digest_of(FILES)
    assert len(digest_of({})) == 16


def test_nothing_of_the_files_clings_to_the_values() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(type(key) is str and plain(held) for key, held in value.items())
        return (
            all(map(plain, value))
            if isinstance(value, (list, tuple))
            else type(value) in {str, int, float, bool, type(None)}
        )

    for placement in rules_of(FILES).placements:
        assert all(plain(block.content) and plain(block.name) for block in placement.blocks)
    dumped = rules_of(FILES).model_dump(include={"segments": {"__all__": {"when"}}})
    assert dumped["segments"]


def test_models_can_be_made_from_values() -> None:
    viewed = Behaviour(head="viewed", names=("/x",), where="a.yaml:1:1", within=30)
    assert Logic(head="not", conditions=(viewed,)).conditions == (viewed,)
    assert Logic.model_validate({"head": "not", "conditions": [{"head": "stage", "names": ["hot"]}]}).conditions == (
        Named(head="stage", names=("hot",)),
    )


@pytest.mark.parametrize(
    "condition",
    [
        "viewed: [/a, /b*], where: {price: at least 5, kind: [x, y]}, at most: once, within: 2 weeks",
        "any of: [{country: FI}, {visitor is: [new, known]}]",
        "none of: [{owns: pro}, {consent: email}]",
        "all of: [{bot: x}, {date: until 2026-11-30}]",
        "not: {first visit: less than 2 days ago}",
        "interest: i, is: more than 5",
        "company: {domain: '*.edu', anything else: '5'}",
        "browser: firefox",
        "weekday: saturday to monday",
        "time of day: 22:00 to 06:00",
        "visits: 3 to 5",
    ],
)
def test_every_family_of_conditions_is_read(condition: str) -> None:
    rules_of(segment(f"{{{condition}}}") + "\ninterests: [{interest: i, grows: [{by: 1, for viewed: /x}]}]\n")


def test_quotes_make_a_text_of_a_number() -> None:
    (company,) = rules_of(segment("{company: {a: 5, b: '5', c: 1.10}}")).segments[0].when
    assert company.attributes == {"a": NumberRange(5, 5), "b": ("5",), "c": ("1.10",)}


def test_content_keeps_texts_numbers_and_lists() -> None:
    content = 'content: {a: "5", b: 5, c: 49.9, d: 1.10, e: [x, 2], f: NO}'
    rules = rules_of(f"placements: [{{placement: p, blocks: [{{block: b, {content}}}]}}]")
    expected = {"a": "5", "b": 5, "c": 49.9, "d": "1.10", "e": ["x", 2], "f": "NO"}
    assert rules.placements[0].blocks[0].content == expected


def test_a_chain_of_likes_is_resolved_in_any_order() -> None:
    source = """
placements: [{placement: p, blocks: [{block: b}]}]
tests:
- {test: c, like: b, also: [{1 day ago: did z}], visitor: {visits: 2}, expect: {p: b}}
- {test: b, like: a, also: [{2 days ago: did y, where: {n: 5}}], visitor: {city: Turku}, expect: {p: b}}
- {test: a, now: 2026-01-01, events: [{3 days ago: did x}], visitor: {city: Oulu, country: FI}, expect: {p: b}}
"""
    cases = {case.name: case for case in rules_of(source).tests}
    assert [event.object for event in cases["c"].events] == ["x", "y", "z"]
    assert cases["c"].events[1].properties == {"n": 5}
    assert cases["c"].visitor == {"city": "Turku", "country": "FI", "visits": 2}
    assert cases["c"].now == cases["a"].now


def test_a_score_can_start_a_trigger() -> None:
    source = "scores: [{score: a, points: [{give: 1, for viewed: /x}]}]\n"
    for word in ("rises above", "falls below"):
        edge = f"triggers: [{{trigger: t, starts when: {{score: a, {word}: 5}}, then: [{{email: x}}]}}]"
        assert rules_of(source + edge).inactive[0].name == "t"


def test_files_without_rules_make_an_empty_rule_set() -> None:
    assert rules_of({"a.yaml": "", "b.yaml": "---\n"}).segments == ()
