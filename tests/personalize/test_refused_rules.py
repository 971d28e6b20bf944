"""What is said about rules that cannot be read, and where."""

from pathlib import Path

import pytest
from pydantic import Field

from personalize.errors import Problem, RulesInvalid
from personalize.loader import MAX_SEARCHED, SECTIONS, load
from personalize.words import MAX_PROBLEMS, Words

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(ROOT.rglob("*.yaml"))}


def said(source: str, level: str = "error") -> list[str]:
    """Return the problems of one file as "line:column message"."""
    _, problems = load({"a.yaml": source})
    return [f"{p.line}:{p.column} {p.message}" for p in problems if p.level == level]


def one(source: str, level: str = "error") -> str:
    problems = said(source, level)
    assert len(problems) == 1, problems
    return problems[0]


def segment(condition: str) -> str:
    return f"segments: [{{segment: a, when: [{condition}]}}]"


# -- what is refused ------------------------------------------------------------------------------------------------


def test_errors_of_all_files_are_reported_in_one_run_in_order() -> None:
    files = dict(FILES)
    files["scoring.yaml"] = files["scoring.yaml"].replace(b"14 days", b"14 dayz").replace(b"{give: 8", b"{gives: 8")
    files["segments.yaml"] = files["segments.yaml"].replace(b"within: 30 days}", b"within: 30 dayz}", 1)
    files["broken.yaml"] = b"segments: [\n"
    files["tests/demo.yaml"] = files["tests/demo.yaml"].replace(b"stage: comparison", b"stage: comparing")
    rules, problems = load(files)
    assert rules is None
    assert [str(problem) for problem in problems] == [
        "broken.yaml:1:11: this [ has no ] that fits; texts with , : # [ or ] in them need quotes",
        'scoring.yaml:4:16: "14 dayz" is not a length of time such as "30 days"; did you mean "days"?',
        'scoring.yaml:7:10: "gives" is not a word of an item of points; did you mean "give"?',
        'segments.yaml:5:76: "30 dayz" is not a length of time such as "30 days"; did you mean "days"?',
        'tests/demo.yaml:12:14: there is no stage "comparing"; did you mean "comparison"?',
    ]


def test_a_name_that_may_stand_in_a_file_that_cannot_be_read_is_not_missed_and_that_is_said() -> None:
    placements = "placements: [{placement: p, blocks: [{block: b, when: [{in segment: %s}]}, {block: c}]}]"
    broken = "segments:\n- segment: heavy\n  users: [\n"
    said_of = {}
    for name in ("heavy users", "Heavy  Users", "light users"):
        _, problems = load({"a.yaml": broken.replace("\n  users", " users"), "b.yaml": placements % name})
        said_of[name] = [f"{problem.file} {problem.message}" for problem in problems]
    opened = "a.yaml this colon does not fit: the line is indented wrongly, or its text needs quotes"
    waits = f"{opened}; names that may be declared in this file are checked once it can be read"
    assert said_of == {
        "heavy users": [waits],
        "Heavy  Users": [opened, 'b.yaml there is no segment "Heavy Users"'],
        "light users": [opened, 'b.yaml there is no segment "light users"'],
    }


def test_of_a_large_file_or_one_in_another_encoding_every_name_may_come() -> None:
    placements = "placements: [{placement: p, blocks: [{block: b, when: [{in segment: a}]}, {block: c}]}]"
    for broken in ("# " + "x" * MAX_SEARCHED + "\nsegments: [", "segments: [ä".encode("latin-1")):
        _, problems = load({"a.yaml": broken, "b.yaml": placements})
        assert [problem.file for problem in problems] == ["a.yaml"]


def test_all_errors_of_one_item_are_reported() -> None:
    source = segment("{viewd: '', at leest: 2 times, across: 2 hours}, {is: 5}, customer") + "\nsegmnts: []\n"
    assert [problem.partition(" ")[0] for problem in said(source)] == [
        "1:33",
        "1:40",
        "1:44",
        "1:71",
        "1:82",
        "1:90",
        "2:1",
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("segment: []", '1:1 "segment" is not a word of a rule file; did you mean "segments"?'),
        ("segments: {a: b}", '1:11 a list is wanted here: each item of segments after "- "'),
        ("segments: [a]", "1:12 a segment is written as words with values, such as {segment: …}"),
        ("segments: [{segment: a}]", '1:12 a segment needs the word "when"'),
        ("segments: [{segment: a, when: []}]", "1:31 this list is empty; leave its word out instead"),
        ("segments: [{segment: [a], when: [{country: FI}]}]", "1:22 one text is wanted here, not a list"),
        ("segments: [{segment: __proto__, when: [{country: FI}]}]", '1:22 "__proto__" cannot be used as a name'),
        (
            "segments: [{segment: a, when: {country: FI}}]",
            '1:31 a list of conditions is wanted here: each after "- ", or all inside [ ]',
        ),
        (segment("{viewd: /x}"), '1:33 "viewd" is not a word of a condition; did you mean "viewed"?'),
        (
            segment("{viewed: /x, did: y}"),
            '1:45 "viewed" and "did" are conditions of their own; write each as an item of its own',
        ),
        (
            segment("{viewed: /x, is: 5}"),
            '1:45 "is" is not a word of a condition; possible here: across, at least, at most',
        ),
        (segment("{score: fit}"), '1:32 a condition needs the word "is"'),
        (segment("{at least: 2 times}"), "1:33 the condition lacks its first word"),
        (segment("{}"), "1:32 the condition lacks its first word"),
        (segment("{zzz: 1}"), '1:33 "zzz" is not a word of a condition, such as viewed'),
        (segment("[{country: FI}]"), "1:32 a condition such as {in segment: customer} is wanted here, not a list"),
        (
            segment("{not: [{country: FI}, {country: SE}]}"),
            '1:38 "not" takes one condition; write "none of" for several',
        ),
        (segment("{any of: {country: FI}}"), "1:41 a list of conditions is wanted here"),
        (segment("{viewed: /x, within: 30 minutes}"), '1:53 "30 minutes" is too fine: history is counted by day'),
        (segment("{viewed: /x, within: 120 days}"), '1:53 "120 days" is longer than 90 days; history is kept'),
        (segment("{viewed: /x, within: 0 days}"), '1:53 "0 days" is no time at all'),
        (segment("{viewed: /x, at least: 2}"), 'did you mean "2 times"?'),
        (segment("{viewed: []}"), "1:41 this list is empty"),
        (segment("{company: {}}"), "1:42 this map is empty"),
        (segment("{company: x}"), "1:42 a map is wanted here"),
        (segment("{visitor is: knwon}"), '1:45 "knwon" cannot stand here; did you mean "known"?'),
        (segment("{in segment: b}"), '1:45 there is no segment "b"; possible here: a'),
        (segment("{weekday: [monday]}"), "1:42 one text is wanted here, not a list"),
        (segment("{company: {employees: 50 tu 500}}"), 'did you mean "to"?'),
        (
            "scores: [{score: a, half-life: 46 days, points: [{give: 1, for viewed: /x}]}]",
            '1:32 "46 days" is longer than 45',
        ),
        (
            "scores: [{score: a, points: [{give: 1, for viewed: /x, for did: y}]}]",
            "1:56 points are given for one thing",
        ),
        ("scores: [{score: a, points: [{give: 1, for viewed: /x, at most: once per 91 days}]}]", 'or write "ever"'),
        (
            "scores: [{score: a, points: [{give: 1, for country: FI, where: {a: b}}]}]",
            '1:57 "where" is not a word of a condition',
        ),
        ("stages: [{stage: a}, {stage: b}]", '1:10 only the last of stages stands without "when"'),
        ("stages: [{stage: a, when: [{country: FI}]}]", '1:10 the last of stages stands without "when"'),
        (
            "stages: [{stage: a}]\ntemperatures: []\nholdout: {keep out: 5 percent}",
            '3:10 the holdout needs the word "of"',
        ),
    ],
)
def test_a_mistake_is_told_in_its_place_and_once(source: str, message: str) -> None:
    assert message in one(source)


def placement(words: str, before: str = "block: b, ") -> str:
    return f"placements: [{{placement: p, blocks: [{{{before}{words}}}]}}]"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (placement("when: [{country: FI}]"), '1:14 the placement "p" needs a fallback, or a last block without "when"'),
        (placement("from: 2026-11-30, until: 2026-11-23"), "1:74 the end lies before the start"),
        (placement("content: {t: {{ city }}}"), '1:62 a text that starts with "{{" must stand in quotes'),
        (
            placement("content: {t: '{{ ctiy | x }}'}"),
            '"ctiy" is not a name that content can use; did you mean "city"?',
        ),
        (placement("content: {t: '{{ score.x }}'}"), 'there is no score "x"'),
        (placement("content: {t: 'a {{ city'}"), "has no }} that fits"),
        (placement("content: {link: 'javascript:alert(1)'}"), "is no link that is allowed"),
        (placement("content: {link: 'java\\tscript:{{ city | x }}'}").replace("'", '"'), "is no link that is allowed"),
        (placement("content: {t: {u: v}}"), "a map does not fit here"),
        (placement("until: {a: b}"), "1:56 one text is wanted here, not a map"),
        (placement("content: x"), "content is written as names with texts"),
        (placement("html: yes"), '"yes" cannot stand here; possible here: trusted'),
        (placement("worth: {plus: 2}"), "worth is a number, or one interest or score with plus"),
        (placement("rest after dismiss: forver"), 'did you mean "forever"?'),
        (placement("x: y", "blok: b, "), '1:39 "blok" is not a word of a block; did you mean "block"?'),
        ("placements: [{placement: stage, blocks: [{block: b}]}]", '"stage" is a word of tests'),
        ("placements: [{placement: score x, blocks: [{block: b}]}]", '"score x" is a word of tests'),
        ("placements: [{placement: p, fallback: {block: c}, blocks: [{block: b}]}]", '1:47 there is no block "c"'),
        ("placements: [{placement: p, fallback: {block: b, content: {}}, blocks: [{block: b}]}]", "exists already"),
        ("placements: [{placement: p, blocks: [{block: b}, {block: B}]}]", "exists already, at a.yaml:1:46"),
    ],
)
def test_a_mistake_in_a_placement_is_told_in_its_place(source: str, message: str) -> None:
    assert any(message in problem for problem in said(source)), said(source)


def test_a_comment_after_unquoted_text_of_content_is_refused() -> None:
    source = "placements:\n- placement: p\n  blocks:\n  - block: b # fine here\n    content:\n      t: Tarjous # 1\n"
    assert one(source) == '6:10 the text ends at "Tarjous", because # starts a comment; put the text in quotes'


@pytest.mark.parametrize(
    "link", ["/x", "https://a.fi/x", "mailto:a@b.fi", "tel:+358", "?q=a:b", "{{ trait.url | https://a.fi }}"]
)
def test_links_with_allowed_schemes_are_fine(link: str) -> None:
    assert said(placement(f"content: {{cta link: '{link}'}}")) == []


def test_what_is_odd_but_allowed_is_a_warning() -> None:
    source = """
scores: [{score: a, half-life: 5 weeks, points: [{give: 1, for company: {industri: x}}]}]
placements:
- {placement: p, blocks: [{block: b, worth: 1}, {block: c, content: {t: "{{ city }}"}}]}
"""
    rules, problems = load({"a.yaml": source})
    assert rules is not None
    assert [(p.line, p.level) for p in problems] == [
        (2, "warning"),
        (2, "warning"),
        (2, "warning"),
        (4, "warning"),
        (4, "warning"),
        (4, "warning"),
    ]
    assert 'uses the score "a"' in problems[0].message
    assert "slow decay" in problems[1].message
    assert 'did you mean "industry"?' in problems[2].message
    assert str(problems[4]).startswith("a.yaml:4:49: warning: ")


def test_circles_are_shown_whole_by_way_of_stages_too() -> None:
    source = """
segments:
- {segment: a, when: [{not: {in segment: b}}]}
- {segment: b, when: [{any of: [{country: FI}, {stage: s}]}]}
stages:
- {stage: s, when: [{in segment: a}]}
- {stage: t}
"""
    assert (
        one(source) == '3:3 these need one another without an end: segment "a" → segment "b" → the stages → segment "a"'
    )
    assert 'segment "a" → segment "a"' in one(segment("{in segment: a}"))


def test_order_stands_in_one_place() -> None:
    _, problems = load({"a.yaml": "stages: [{stage: s}]", "b.yaml": "stages: [{stage: t}]"})
    assert problems[0].where == "b.yaml:1:1"
    assert "a.yaml:1:1 already" in problems[0].message


def test_names_are_given_once_whatever_their_case() -> None:
    problem = one("segments: [{segment: a, when: [{country: FI}]}, {segment: A, when: [{country: FI}]}]")
    assert problem == '1:59 the segment "A" exists already, at a.yaml:1:22; names are given once'


def test_a_misspelt_word_does_not_hide_the_name_beside_it() -> None:
    source = "segments: [{segmnt: a, wen: [{country: FI}]}, {segment: b, when: [{in segment: a}]}]"
    assert [problem.partition(" ")[0] for problem in said(source)] == ["1:13", "1:24"]


# -- tests and reserved words ---------------------------------------------------------------------------------------


def case(words: str) -> str:
    return f"tests: [{{test: t, {words}}}]"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (case("expect: {segments: [a]}, now: 2026-01-01"), '1:39 there is no segment "a"'),
        (case("expect: {not segments: []}, now: 2026-01-01"), "1:42 this list is empty"),
        (case("expect: {score a: 5}, now: 2026-01-01"), '1:28 there is no score "a"'),
        (case("expect: {stge: a}, now: 2026-01-01"), 'did you mean "stage"?'),
        (case("expect: {}, now: 2026-01-01"), "1:27 what is expected is written as words with values"),
        (case("now: 2026-01-01"), '1:9 a test needs the word "expect"'),
        (case("like: u, expect: {stage: a}"), '1:25 there is no test "u"'),
        (case("like: t, expect: {x: a}"), 'without an end: "t" → "t"'),
        (case("expect: {x: y}"), 'a test needs the word "now"'),
        (
            case("now: 2026-01-01, events: [{2 days ago: seen /x}], expect: {x: y}"),
            '1:58 "seen" is not something that happens',
        ),
        (
            case("now: 2026-01-01, events: [{2 days ago: viewed}], expect: {x: y}"),
            '1:58 "viewed" needs what it happened to',
        ),
        (
            case("now: 2026-01-01, events: [{2 dais ago: did x}], expect: {x: y}"),
            '1:46 "2 dais" is not a length of time',
        ),
        (
            case("now: 2026-01-01, events: [{2 days agp: did x}], expect: {x: y}"),
            '1:46 "2 days agp" is not a time such as',
        ),
        (
            case("now: 2026-01-01, events: [{times: 3}], expect: {x: y}"),
            '1:45 an event is written as "2 days ago: viewed',
        ),
        (
            case("now: 2026-01-01, events: [{1 day ago: did x, times: 0.5}], expect: {x: y}"),
            "is not a whole number from 1",
        ),
        (case("now: 2026-01-01, events: [{1 day ago: shown b}], expect: {x: y}"), 'there is no block "b"'),
        (
            case("now: 2026-01-01, visitor: {cuntry: FI}, expect: {x: y}"),
            '"cuntry" is not a word of a visitor; did you mean',
        ),
        (case("now: 2026-01-01, visitor: {visits: -1}, expect: {x: y}"), "is not a whole number of visits"),
        (case("now: 2026-01-01, visitor: {traits: x}, expect: {x: y}"), "a map is wanted here"),
    ],
)
def test_a_mistake_in_a_test_is_told_in_its_place(source: str, message: str) -> None:
    assert any(message in problem for problem in said(source)), said(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("holdout: {keep out: 500 percent, of: everything}", '1:21 "500 percent" is not a share'),
        (
            "triggers: [{trigger: t, starts when: {enters segmen: a}, then: [{wait: 2 days}]}]",
            'did you mean "enters segment"?',
        ),
        ("triggers: [{trigger: t, starts when: {stage becomes: a}, then: [{wait: 2 days}]}]", 'there is no stage "a"'),
        (
            "triggers: [{trigger: t, starts when: {score: a}, then: [{wait: 2 days}]}]",
            "1:38 a trigger starts with one thing",
        ),
        (
            "triggers: [{trigger: t, starts when: {did: a}, then: [{wait: 2 days, email: x}]}]",
            "1:55 a step does one thing",
        ),
        ("triggers: [{trigger: t, starts when: {did: a}, then: [{alert: a, say: '{{ x }}'}]}]", '"x" is not a name'),
        (
            "experiments: [{experiment: e, changes: {placement: p, block: b}, split: {a: 50, b: -1}, goal: {did: x}}]",
            '1:84 "-1" is less than nothing',
        ),
        (
            "experiments: [{experiment: e, changes: {placement: p, block: b}, split: {a: 1}, goal: {did: x}, c: {}}]",
            '"c" is not a word',
        ),
        (
            (
                "experiments: [{experiment: e, changes: {placement: p, block: c}, split: {a: 1}, goal: {did: x}}]\n"
                "placements: [{placement: p, blocks: [{block: b}]}]"
            ),
            '1:62 there is no block "c" in the placement "p"',
        ),
    ],
)
def test_reserved_words_are_checked_too(source: str, message: str) -> None:
    assert any(message in problem for problem in said(source)), said(source)


# -- problems -------------------------------------------------------------------------------------------------------


def test_a_run_with_very_many_problems_ends_early_and_says_so() -> None:
    _, problems = load({"a.yaml": "segments:\n" + "- x\n" * 2000})
    assert len(problems) == MAX_PROBLEMS + 1
    assert "the others are not listed" in problems[-1].message


def test_very_many_warnings_do_not_stand_in_the_way_of_good_rules() -> None:
    rules, problems = load(
        {"a.yaml": "segments:\n" + "".join(f"- {{segment: s{n}, when: [{{did: x}}]}}\n" for n in range(300))}
    )
    assert rules is not None
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].message == "there are 100 more warnings, which are not listed"


def test_a_problem_reads_as_file_line_column_and_sentence() -> None:
    problem = Problem.at("tests/a.yaml:4:17", "this is wrong")
    assert str(problem) == "tests/a.yaml:4:17: this is wrong"
    assert str(RulesInvalid([problem, problem])).count("\n") == 1


def test_a_file_without_words_is_refused() -> None:
    assert one("- a") == "1:1 a file starts with a word such as segments: or placements:"


def test_an_error_that_only_pydantic_sees_is_told_where_the_item_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(Words):
        thing = "an odd thing"
        number: int = Field(alias="number")

    monkeypatch.setitem(SECTIONS, "scores", Odd)
    assert one("scores: [{number: x}]").startswith("1:10 an odd thing cannot be read: number: Input should be")


def test_points_that_could_not_be_added_up_are_refused() -> None:
    points = "scores: [{{score: s, points: [{{give: {}, for did: x}}]}}]"
    assert not [p for p in load({"r.yaml": points.format(1_000_000_000)})[1] if p.level == "error"]
    (problem,) = [p for p in load({"r.yaml": points.format(1_000_000_001)})[1] if p.level == "error"]
    assert str(problem) == 'r.yaml:1:37: "1000000001" is more than a billion: sums of it would no longer be exact'
