"""Conditions that are always or never true are told, and those that are nearly so are not."""

import pytest

from personalize.loader import load

SCORES = """
scores:
- score: fit
  points: [{give: 20, for country: FI}, {give: 10, for viewed: /x, at most: 2 times ever}, {give: -5, for did: y}]
- {score: heat, points: [{give: 1, for viewed: /x}]}
- {score: week, points: [{give: 1, for viewed: /x, at most: 2 times per week}]}
stages: [{stage: a, when: [{country: SE}]}, {stage: b}]
"""


def warnings(source: str) -> list[str]:
    """Return the warnings, but for those of names that nothing uses."""
    _, problems = load({"a.yaml": source})
    assert all(problem.level == "warning" for problem in problems), problems
    return [problem.message for problem in problems if "no block, stage or other rule uses" not in problem.message]


def said(conditions: str) -> list[str]:
    return warnings(f"segments: [{{segment: s, when: [{conditions}]}}]\n{SCORES}")


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("viewed: /x, at least: 0 times", 'always true: "at least 0 times" asks for nothing'),
        ("viewed: /x, at least: 3 times, at most: 2 times", "at least 3 times is more than at most twice"),
        ("viewed: /x, across: 5 days, within: 3 days", "never true: 5 days do not fit into 3 days"),
        ("viewed: /x, across: 3 days, at most: 2 times", "what happens twice cannot happen on 3 days"),
        ("visits: at least 0", "always true: nobody has fewer visits"),
        ("visits: less than 0", "never true: visits are counted in whole numbers from 0"),
        ("visits: 2.5", "never true"),
        ("visitor is: [new, returning]", "always true: every visitor is one of these"),
        ("visitor is: [known, anonymous]", "always true"),
        ("score: fit, is: at least 41", 'score "fit" is never above 40'),
        ("score: heat, is: at least 0", 'always true: score "heat" is never below 0'),
        ("score: week, is: more than 26", "between 0 and 26"),
        ("stage: [a, b]", "always true: every visitor has one of these stages"),
        ("last visit: less than 0 days ago", "no time is less than none"),
        ("weekday: monday to sunday", "goes round the whole week"),
        ("weekday: tuesday to monday", "goes round the whole week"),
        ("time of day: 08:00 to 07:59", "goes round the whole day"),
        ("not: {visits: at least 0}", "always true"),
        ("any of: [{visits: less than 0}, {country: FI}]", "never true"),
    ],
)
def test_what_is_always_or_never_true_is_told_once_with_its_reason(condition: str, reason: str) -> None:
    (message,) = said(f"{{{condition}}}")
    assert reason in message


@pytest.mark.parametrize(
    "condition",
    [
        "viewed: /x, at most: 0 times",
        "viewed: /x, at least: 2 times, at most: 2 times",
        "viewed: /x, across: 3 days, within: 3 days",
        "viewed: /x, across: 2 days, at most: 2 times",
        "visits: at least 1",
        "visits: 0",
        "visitor is: [new, known]",
        "score: fit, is: at least 40",
        "score: fit, is: at least 0",
        "score: heat, is: at least 1000",
        "score: week, is: at least 26",
        "stage: a",
        "last visit: more than 0 days ago",
        "weekday: monday to saturday",
        "time of day: 08:00 to 07:58",
        "date: 2026-01-01",
        "company: {employees: at least 0}",
    ],
)
def test_what_depends_on_the_visitor_is_not(condition: str) -> None:
    assert said(f"{{{condition}}}") == []


@pytest.mark.parametrize(
    "conditions",
    [
        "{country: FI}, {country: [SE, NO]}",
        "{page: /a}, {page: '/b*'}",
        "{country: FI}, not: {country: [FI, SE]}",
        "{visits: 1}, {visitor is: returning}",
        "{visits: at least 3}, {visits: less than 3}",
        "{score: heat, is: at least 5}, {score: heat, is: less than 5}",
        "{viewed: /x}, not: {viewed: /x}",
        "{viewed: /x, at least: 3 times, within: 7 days}, {viewed: /x, at most: 2 times, within: 30 days}",
        "{viewed: /x, at least: 2 times}, not: {viewed: /x}",
        "{weekday: monday to friday}, {weekday: saturday to sunday}",
        "{time of day: 22:00 to 06:00}, {time of day: 08:00 to 16:00}",
        "{date: until 2026-05-31}, {date: from 2026-06-01}",
        "{first visit: more than 7 days ago}, {first visit: less than 7 days ago}",
        "{visitor is: known}, {visitor is: anonymous}",
        "{stage: a}, {stage: b}",
        "{owns: pro}, none of: [{owns: [pro, basic]}]",
        "{all of: [{city: x}, {city: y}]}",
        "{any of: [{all of: [{city: x}, {city: y}]}, {country: FI}]}",
    ],
)
def test_conditions_that_nobody_can_fit_together_are_told_once(conditions: str) -> None:
    (message,) = said(conditions)
    assert message.startswith("this can never hold beside the other condition on the same thing")


@pytest.mark.parametrize(
    "conditions",
    [
        "{country: [FI, SE]}, {country: [SE, NO]}",
        "{page: /a/b}, {page: '/a*'}",
        "{country: [FI, SE]}, not: {country: FI}",
        "{visits: 1}, {visitor is: new}",
        "{visits: at least 3}, {visits: at most 3}",
        "{score: heat, is: at least 5}, {score: heat, is: at most 5}",
        "{viewed: /x}, not: {viewed: /y}",
        "{viewed: /x, at least: 3 times, within: 30 days}, {viewed: /x, at most: 2 times, within: 7 days}",
        "{viewed: /x}, not: {viewed: /x, at least: 2 times}",
        "{viewed: /x}, not: {viewed: /x, within: 7 days}",
        "{weekday: monday to friday}, {weekday: friday to sunday}",
        "{time of day: 22:00 to 08:00}, {time of day: 08:00 to 16:00}",
        "{date: until 2026-06-01}, {date: from 2026-06-01}",
        "{trait: plan, is: basic}, {trait: plan, is: pro}",
        "{owns: basic}, {owns: pro}",
        "{company: {type: x}}, {company: {type: y}}",
        "{visitor is: new}, {visitor is: known}",
    ],
)
def test_conditions_that_somebody_may_fit_together_are_not(conditions: str) -> None:
    assert said(conditions) == []


def test_what_uses_a_segment_that_nobody_is_in_is_not_told_again() -> None:
    source = """
segments:
- {segment: a, when: [{in segment: b}]}
- {segment: b, when: [{visits: less than 0}]}
- {segment: c, when: [{any of: [{in segment: a}, {country: FI}]}]}
"""
    assert len(warnings(source)) == 1


def block(words: str) -> str:
    return f"placements: [{{placement: p, fallback: {{block: z, content: {{}}}}, blocks: [{{block: b, {words}}}]}}]"


def test_a_schedule_or_an_owner_may_shut_out_whom_the_conditions_let_in() -> None:
    (message,) = warnings(block("until: 2026-05-31, when: [{date: from 2026-06-01}]"))
    assert message == '"b" is never shown: its schedule excludes whom its conditions let in'
    assert warnings(block("until: 2026-06-01, when: [{date: from 2026-06-01}]")) == []
    (message,) = warnings(block("not for owners of: [pro, basic], when: [{owns: pro}]"))
    assert '"not for owners of" excludes whom' in message
    assert warnings(block("not for owners of: pro, when: [{owns: [pro, basic]}]")) == []


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("country: Finland", "a country is its code of two letters, such as FI"),
        ("country: [FI, UK]", "such as GB"),
        ("language: en-GB", "in two or three letters such as fi, without the country"),
        ("device: phone", "a device is one of desktop, mobile, tablet, bot"),
    ],
)
def test_values_that_no_visitor_has_are_told(condition: str, reason: str) -> None:
    (message,) = said(f"{{{condition}}}")
    assert "fits nobody" in message
    assert reason in message


@pytest.mark.parametrize(
    "condition", ["country: fi", "country: F*", "language: fi", "device: [mobile, tablet]", "city: X"]
)
def test_values_that_a_visitor_may_have_are_not(condition: str) -> None:
    assert said(f"{{{condition}}}") == []
