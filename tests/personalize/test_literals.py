"""What the lint takes for certain about two conditions holds for every visitor of a large crowd."""

from itertools import product

import pytest

from personalize import literals as ls
from personalize import rule_tests
from personalize.lint_truth import Truths
from personalize.loader import load
from personalize.plan import compile_rules
from personalize.syntax import Condition, RuleSet
from personalize.view import View
from personalize.words import Problems

VIEWED = [
    "viewed: /x",
    "viewed: /x, at least: 0 times",
    "viewed: /x, at most: 0 times",
    *(f"viewed: /x, at least: {n} times" for n in (2, 3)),
    *(f"viewed: /x, at most: {n} times" for n in (1, 2)),
    *(
        f"viewed: /x, {count}within: {n} days"
        for n in (1, 7, 30)
        for count in ("", "at least: 2 times, ", "at most: 1 times, ")
    ),
    *(f"viewed: /x, across: {n} days" for n in (1, 2, 3)),
    "viewed: /x, across: 2 days, within: 7 days",
    "viewed: /x, across: 2 days, at most: 2 times",
    "viewed: /x, across: 2 days, at most: 1 times",
    "viewed: /x, at least: 3 times, at most: 2 times",
    "viewed: /X/",
]
OTHERS = [
    "country: FI", "country: [fi, SE]", "country: F*", "country: SE", "visits: 0", "visits: 1", "visits: at least 2",
    "visits: more than 2", "visits: at most 1", "visits: 1.5", "visits: at least 0", "visitor is: new",
    "visitor is: returning", "visitor is: [new, returning]", "visitor is: anonymous", "trait: plan, is: a",
    "trait: plan, is: [a, b]", "trait: plan, is: b", "owns: pro", "owns: [pro, basic]", "weekday: monday to friday",
    "weekday: friday", "weekday: saturday to monday", "time of day: 08:00 to 16:00", "time of day: 16:00 to 08:00",
    "time of day: 16:01 to 07:59", "date: 2026-11-20", "date: from 2026-11-21", "date: until 2026-11-20",
    "score: s, is: at least 0", "score: s, is: at least 2", "score: s, is: more than 4", "score: s, is: 1 to 3",
    "score: s, is: less than 1", "in segment: g", "stage: a", "stage: b", "stage: [a, b]", "temperature: hot",
    "first visit: more than 7 days ago", "first visit: less than 7 days ago", "last visit: less than 2 days ago",
    "last visit: more than 1 days ago", "company: {type: x}", "company: {type: [x, y], industry: z}",
]  # fmt: skip
LOGIC = [
    "any of: [{country: FI}, {visits: at least 2}]",
    "any of: [{country: FI}]",
    "all of: [{country: FI}, {visits: at least 2}]",
    "none of: [{country: FI}, {visits: at least 2}]",
    "not: {all of: [{country: FI}, {visits: at least 2}]}",
]
PLAIN = [*VIEWED, *OTHERS, *LOGIC]
WRITTEN = [*PLAIN, *(f"not: {{{condition}}}" for condition in PLAIN)]

EVENTS = ["", "1 hour ago", "2 days ago", "10 days ago", "40 days ago", "100 days ago"]
HISTORIES = [
    "",
    *(f"{{{ago}: viewed /x, times: {times}}}" for ago in EVENTS[1:] for times in (1, 2, 3)),
    *(
        f"{{{one}: viewed /x}}, {{{other}: viewed /x}}"
        for one, other in product(EVENTS[1:4], EVENTS[2:])
        if one != other
    ),
    "{1 hour ago: viewed /x}, {2 days ago: viewed /x}, {10 days ago: viewed /x}",
    "{1 hour ago: viewed /y}, {2 days ago: did z}",
]
VISITORS = [
    "country: FI",
    "country: SE, traits: {plan: [a, b]}, company: {type: x, industry: z}",
    "traits: {plan: a}, owns: [pro]",
    "owns: [pro, basic], company: {type: y}, visits: 5",
]
MOMENTS = ["2026-11-20 10:00", "2026-11-21 16:00", "2026-11-23 08:00"]

RULES = """
scores: [{score: s, points: [{give: 1, for viewed: /x, at most: 2 times ever}, {give: 2, for country: FI}]}]
segments: [{segment: g, when: [{country: FI}]}]
stages: [{stage: a, when: [{visits: at least 2}]}, {stage: b}]
temperatures: [{temperature: hot, when: [{score: s, is: at least 2}]}, {temperature: cold}]
placements: [{placement: p, blocks: [{block: b}]}]
"""


def crowd() -> str:
    """Return tests whose visitors are asked."""
    items = []
    for n, (now, events, visitor) in enumerate(product(MOMENTS, HISTORIES, VISITORS)):
        past = f"events: [{events}], " if events else ""
        items.append(f"- {{test: t{n}, now: {now}, visitor: {{{visitor}}}, {past}expect: {{p: b}}}}\n")
    return "tests:\n" + "".join(items)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    conditions = "".join(f"- {{segment: c{n}, when: [{{{condition}}}]}}\n" for n, condition in enumerate(WRITTEN))
    head, _, rest = RULES.partition("segments: [")
    segment, _, rest = rest.partition("]}]\n")
    found, problems = load({"a.yaml": f"{head}{rest}segments:\n- {segment}]}}\n{conditions}", "tests/a.yaml": crowd()})
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def truths(rules: RuleSet) -> dict[str, int]:
    """Return for each condition the visitors of whom it holds, as bits."""
    plan = compile_rules(rules, "Europe/Helsinki")
    found = dict.fromkeys(WRITTEN, 0)
    for bit, case in enumerate(rules.tests):
        view = View(plan, *rule_tests.visitor_of(plan, case))
        for n, condition in enumerate(WRITTEN):
            found[condition] |= plan.segments[f"c{n}"].holds(view) << bit
    return found


def conditions(rules: RuleSet) -> dict[str, Condition]:
    return {text: segment.when[0] for text, segment in zip(WRITTEN, rules.segments[1:], strict=True)}


def test_what_follows_and_what_excludes_does_so_for_everybody(rules: RuleSet, truths: dict[str, int]) -> None:
    known = {text: ls.literals(condition) for text, condition in conditions(rules).items()}
    follows = excludes = 0
    for one, other in product(WRITTEN, WRITTEN):
        if all(ls.follows(ls.by_subject(known[one]), literal) for literal in known[other]):
            follows += one != other
            assert not truths[one] & ~truths[other], f"{other} was taken to follow from {one}"
        if any(ls.exclude(first, second) for first in known[one] for second in known[other]):
            excludes += 1
            assert not truths[one] & truths[other], f"{one} was taken to exclude {other}"
    # What is never seen in the crowd, and might be certain; most of it is found.
    assert follows > 300
    assert excludes > 500


def test_what_is_always_or_never_true_is_so_for_everybody(rules: RuleSet, truths: dict[str, int]) -> None:
    everybody = (1 << len(rules.tests)) - 1
    judge = Truths(rules, Problems())
    certain = {text: judge.of(condition) for text, condition in conditions(rules).items()}
    for text, truth in certain.items():
        if truth is not None:
            assert truths[text] == (everybody if truth else 0), text
    assert sum(truth is not None for truth in certain.values()) > 10
