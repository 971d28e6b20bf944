"""Blocks and stages that are never reached are told with what stands in their way, those that may be are not."""

import pytest

from personalize.loader import load


def warnings(source: str) -> list[str]:
    _, problems = load({"a.yaml": source})
    assert all(problem.level == "warning" for problem in problems), problems
    return [problem.message for problem in problems if "no block, stage or other rule uses" not in problem.message]


def two(first: str, second: str, more: str = "") -> list[str]:
    return warnings(
        f"placements: [{{placement: p, {more} fallback: {{block: z, content: {{}}}}, blocks: ["
        f"{{block: a, {first}}}, {{block: b, {second}}}]}}]\n"
        "interests: [{interest: i, grows: [{by: 1, for viewed: /x}]}]\n"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("when: [{country: FI}]", "when: [{country: FI}]"),
        ("when: [{country: [FI, SE]}]", "when: [{country: FI}]"),
        ("when: [{country: FI}]", "when: [{visits: 2}, {country: fi}]"),
        ("when: [{visits: at least 2}]", "when: [{visits: at least 3}]"),
        ("when: [{visitor is: returning}]", "when: [{visits: 5}]"),
        ("when: [{viewed: /x}]", "when: [{viewed: /x, at least: 2 times, within: 30 days}]"),
        ("when: [{viewed: /x, across: 2 days}]", "when: [{viewed: /x, across: 3 days, within: 30 days}]"),
        ("when: [not: {country: FI}]", "when: [not: {country: [FI, SE]}]"),
        ("when: [not: {country: FI}]", "when: [{country: SE}]"),
        ("when: [{any of: [{country: FI}, {city: x}]}]", "when: [{city: x}, {visits: 1}]"),
        ("when: [{any of: [{country: FI}, {city: x}]}]", "when: [{any of: [{city: x}, {country: FI}]}]"),
        ("when: [{trait: plan, is: [a, b]}]", "when: [{trait: plan, is: a}]"),
        ("when: [{company: {type: x}}]", "when: [{company: {type: x, industry: y}}]"),
        ("from: 2026-01-01, when: [{country: FI}]", "from: 2026-02-01, until: 2026-03-01, when: [{country: FI}]"),
        ("not for owners of: pro, when: [{country: FI}]", "not for owners of: [pro, x], when: [{country: FI}]"),
        ("when: [{country: FI}]", "show at most: once ever, when: [{country: FI}]"),
    ],
)
def test_a_block_that_another_covers_is_never_reached(first: str, second: str) -> None:
    assert two(first, second) == ['"b" is never reached: "a" above it fits everybody whom it fits']


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("when: [{country: FI}]", "when: [{country: [FI, SE]}]"),
        ("when: [{country: FI}, {visits: 2}]", "when: [{country: FI}]"),
        ("when: [{visits: at least 3}]", "when: [{visits: at least 2}]"),
        ("when: [{viewed: /x, within: 30 days}]", "when: [{viewed: /x}]"),
        ("when: [{viewed: /x, at most: 5 times}]", "when: [{viewed: /x, at most: 3 times, within: 7 days}]"),
        ("when: [{viewed: /x, across: 3 days}]", "when: [{viewed: /x, at least: 3 times}]"),
        ("when: [{viewed: /x, where: {a: 1}}]", "when: [{viewed: /x}]"),
        ("when: [not: {country: [FI, SE]}]", "when: [not: {country: FI}]"),
        ("when: [not: {trait: plan, is: a}]", "when: [{trait: plan, is: b}]"),
        ("when: [{any of: [{country: FI}, {city: x}]}]", "when: [{visits: 1}]"),
        ("show at most: once per day, when: [{country: FI}]", "when: [{country: FI}]"),
        ("rest after dismiss: 1 day, when: [{country: FI}]", "when: [{country: FI}]"),
        ("until: 2026-02-15, when: [{country: FI}]", "from: 2026-02-01, when: [{country: FI}]"),
        ("not for owners of: pro, when: [{country: FI}]", "when: [{country: FI}]"),
    ],
)
def test_a_block_that_somebody_may_reach_is_not_told(first: str, second: str) -> None:
    assert two(first, second) == []


def test_nothing_below_a_block_that_fits_everybody_is_reached() -> None:
    assert two("content: {}", "when: [{country: FI}]") == ['"b" is never reached: "a" above it fits every visitor']
    assert two("until: 2027-01-01", "when: [{country: FI}]") == []


def test_a_stage_below_one_that_covers_it_is_never_reached() -> None:
    stages = (
        "stages: [{{stage: a, when: [{{visits: at least {}}}]}}, {{stage: b, when: [{{visits: 5}}]}}, {{stage: c}}]"
    )
    assert warnings(stages.format(3)) == ['"b" is never reached: "a" above it fits everybody whom it fits']
    assert warnings(stages.format(6)) == []


def test_only_what_is_worth_something_competes_for_the_best_score() -> None:
    best = "choose: best score,"
    (message,) = two("worth: 1", "content: {}", best)
    assert message == '"b" is never shown: only blocks that are worth more than 0 compete'
    assert two("worth: 1", "worth: 2", best) == []
    (message,) = two("worth: 3", "worth: 2", best)
    assert '"a" above it is always worth as much' in message
    assert two("worth: 3, when: [{country: FI}]", "worth: 2", best) == []
    assert two("worth: {interest: i, plus: 5}", "worth: {interest: i, plus: 1}", best) == []
    assert len(two("worth: {interest: i, plus: 5}", "worth: 5", best)) == 1
    assert two("worth: {interest: i}", "worth: {interest: i, plus: -5}", best) == []


def last(words: str, fallback: str = "") -> list[str]:
    first = "{block: a, when: [{country: FI}]}"
    return warnings(f"placements: [{{placement: p, {fallback} blocks: [{first}, {{block: b, {words}}}]}}]")


def test_the_limits_of_a_block_that_is_shown_when_nothing_else_fits_do_nothing() -> None:
    (message,) = last("show at most: once per day, rest after dismiss: 1 day")
    assert message.startswith('"show at most" and "rest after dismiss" do nothing: "b" is what is shown when nothing')
    (message,) = last("when: [{country: SE}]", "fallback: {block: b},")
    assert message.startswith('"when" does nothing')
    assert last("show at most: once per day", "fallback: {block: a},") == []
    assert last("content: {}") == []
