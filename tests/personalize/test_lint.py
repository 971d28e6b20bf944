"""Caps without effect, schedules that are over, experiments, unused and misspelt names, and how stages move."""

from datetime import date

import pytest

from personalize.errors import Problem
from personalize.loader import load


def problems_of(source: str, today: date | None = None) -> list[Problem]:
    return load({"a.yaml": source}, today)[1]


def said(source: str, today: date | None = None) -> list[str]:
    return [problem.message for problem in problems_of(source, today)]


def block(words: str) -> str:
    return f"placements: [{{placement: p, fallback: {{block: z, content: {{}}}}, blocks: [{{block: b, {words}}}]}}]"


# -- caps, rests and points -----------------------------------------------------------------------------------------


def score(points: str) -> list[str]:
    trigger = "triggers: [{trigger: t, starts when: {score: s, rises above: 1}, then: [{email: x}]}]"
    return said(f"scores: [{{score: s, points: [{{{points}}}]}}]\n{trigger}")


def test_a_cap_on_what_counts_once_does_nothing() -> None:
    (message,) = score("give: 5, for country: FI, at most: 2 times per day")
    assert message == '"at most" does nothing here: points for country count once, however often it is seen'
    assert score("give: 5, for country: FI") == []
    assert score("give: 5, for viewed: /x, at most: 2 times per day") == []


def test_no_points_change_nothing() -> None:
    assert score("give: 0, for viewed: /x") == ['0 points change nothing in "s"']
    assert score("give: -1, for viewed: /x") == []


def test_a_block_that_is_shown_once_needs_no_rest() -> None:
    (message,) = said(block("show at most: once ever, rest after dismiss: 14 days"))
    assert message.startswith('"rest after dismiss" does nothing for "b": it is shown once ever')
    assert said(block("show at most: twice ever, rest after dismiss: 14 days")) == []
    assert said(block("show at most: once per day, rest after dismiss: 14 days")) == []


# -- schedules ------------------------------------------------------------------------------------------------------


def test_a_schedule_is_over_the_day_after_its_end() -> None:
    source = block("until: 2026-11-30")
    assert said(source, date(2026, 11, 30)) == []
    (message,) = said(source, date(2026, 12, 1))
    assert message.startswith('the schedule of "b" is over since 2026-11-30')
    assert said(source) == [], "the core has no clock of its own"
    assert said(block("from: 2020-01-01"), date(2026, 12, 1)) == []


def test_a_condition_on_a_past_date_is_over_too() -> None:
    source = block("when: [{any of: [{date: 2026-11-23 to 2026-11-30}, {country: FI}]}]")
    assert said(source, date(2026, 11, 30)) == []
    assert said(source, date(2026, 12, 1))[0].startswith("this date is over since 2026-11-30")
    assert said(block("when: [{date: from 2026-01-01}]"), date(2026, 12, 1)) == []


# -- experiments ----------------------------------------------------------------------------------------------------


def experiments(*splits: str) -> list[str]:
    items = "".join(
        f"- {{experiment: e{n}, changes: {{placement: p, block: b}}, goal: {{did: x}}, {split}}}\n"
        for n, split in enumerate(splits)
    )
    return said(f"{block('content: {}')}\nexperiments:\n{items}")


ARM = "b: {content: {t: x}}"


def test_an_experiment_must_compare_something() -> None:
    assert experiments(f"split: {{a: 50, b: 50}}, {ARM}") == []
    assert experiments(f"split: {{a: 0, b: 0}}, {ARM}") == ['"e0" shows nobody anything: all its weights are 0']
    assert experiments(f"split: {{a: 1, b: 0}}, {ARM}") == ['"e0" compares nothing: only one arm has a weight']
    assert experiments("split: {a: 50, b: 50}")[0].startswith('"e0" compares nothing: no arm has a content of its own')


def test_two_experiments_on_one_block_spoil_each_other() -> None:
    (message,) = experiments(*[f"split: {{a: 50, b: 50}}, {ARM}"] * 2)
    assert message.startswith('"e1" changes the block "b", which "e0" changes already')


# -- names ----------------------------------------------------------------------------------------------------------

UNUSED = """
scores: [{score: s, points: [{give: 1, for viewed: /x}]}]
interests: [{interest: i, grows: [{by: 1, for viewed: /x}]}]
segments: [{segment: g, when: [{country: FI}]}]
"""


def test_what_nothing_names_is_unused() -> None:
    assert said(UNUSED) == [
        'no block, stage or other rule uses the score "s"; remove it, or use it',
        'no block, stage or other rule uses the interest "i"; remove it, or use it',
        'no block, stage or other rule uses the segment "g"; remove it, or use it',
    ]


def test_what_only_tests_name_changes_nothing_for_visitors() -> None:
    test = "tests: [{test: t, now: 2026-01-01, expect: {segments: [g], score s: 0, interest i: 0}}]"
    assert said(UNUSED + test) == [
        'only tests use the score "s", so it changes nothing for visitors',
        'only tests use the interest "i", so it changes nothing for visitors',
        'only tests use the segment "g", so it changes nothing for visitors',
    ]


@pytest.mark.parametrize(
    "use",
    [
        block("worth: {interest: i}, when: [{in segment: g}], content: {t: '{{ score.s }}'}").replace(
            "blocks:", "choose: best score, blocks:"
        ),
        """triggers:
- {trigger: t, starts when: {score: s, rises above: 5}, only if: [{interest: i, is: 1}], stops when: [{in segment: g}],
   then: [{email: x}]}""",
    ],
)
def test_worth_templates_and_triggers_are_uses(use: str) -> None:
    assert said(UNUSED + use) == []


def test_nothing_is_called_unused_while_something_cannot_be_read() -> None:
    messages = said(UNUSED + block("until: next week"))
    assert not any("uses the" in message for message in messages)


def events(one: str, other: str, head: str = "did") -> list[str]:
    return said(block(f"when: [{{{head}: {one}}}, {{any of: [{{{head}: {other}}}, {{country: FI}}]}}]"))


@pytest.mark.parametrize(
    ("head", "one", "other"),
    [("did", "demo requested", "demo requestad"), ("viewed", "/tuotteet/*", "/tuotxeet/*")],
)
def test_an_event_or_a_path_that_is_nearly_another_is_told(head: str, one: str, other: str) -> None:
    (message,) = events(one, other, head)
    assert message == f'"{other}" stands only here, and "{one}" elsewhere; is one of them misspelt?'


@pytest.mark.parametrize(
    ("one", "other"), [("case", "cake"), ("download v1", "download v2"), ("signed up", "signed in")]
)
def test_events_that_may_both_be_right_are_not(one: str, other: str) -> None:
    assert events(one, other) == []


def contents(*keys: str) -> list[str]:
    blocks = ",".join(f"{{block: b{n}, when: [{{visits: {n}}}], content: {{{key}: x}}}}" for n, key in enumerate(keys))
    return said(f"placements: [{{placement: p, fallback: {{block: b0}}, blocks: [{blocks}]}}]")


def test_a_key_of_content_that_is_nearly_that_of_the_other_blocks_is_told() -> None:
    (message,) = contents("title", "title", "titles")
    assert message == 'the content of "b2" has "titles" where the other blocks have "title"; is it misspelt?'
    assert contents("title", "tilte", "title") == [], "two letters that change places are two changes"
    assert contents("title", "title", "text") == []
    assert contents("title", "titles") == []


# -- how stages move ------------------------------------------------------------------------------------------------

STAGES = "stages: [{stage: a, when: [{country: FI}]}, {stage: b}]\n"


@pytest.mark.parametrize(
    ("line", "forward"), [("stages move: forward only", True), ("stages move: both ways", False), ("", False)]
)
def test_stages_may_move_forward_only(line: str, forward: bool) -> None:  # noqa: FBT001 - a case's value
    rules, problems = load({"a.yaml": STAGES, "b.yaml": line})
    assert rules is not None
    assert problems == []
    assert rules.stages_forward_only is forward


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.yaml": STAGES + "stages move: forward onyl"}, 'did you mean "forward only"?'),
        ({"a.yaml": STAGES + "stages move: [forward only]"}, "one text is wanted here"),
        ({"a.yaml": STAGES + "stage move: forward only"}, 'did you mean "stages move"?'),
        (
            {"a.yaml": STAGES + "stages move: forward only", "b.yaml": "stages move: both ways"},
            "one place of all files",
        ),
        ({"a.yaml": "stages move: forward only"}, "there are no stages that could move"),
    ],
)
def test_how_stages_move_is_written_once_and_rightly(files: dict[str, str], message: str) -> None:
    _, (problem,) = load(files)
    assert message in problem.message
