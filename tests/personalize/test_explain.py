from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import rule_tests
from personalize.explain import Explanation, as_data, explain
from personalize.explain_scores import explained_score, shares
from personalize.explain_text import decision_lines, explained_lines, score_lines
from personalize.language import LANGUAGES, Language
from personalize.loader import load
from personalize.phrasing import TIMES
from personalize.plan import Plan, compile_rules
from personalize.receipts import packed
from tests.fakes.visitor import Visitor, plan_of

VECTORS = Path(__file__).parents[1] / "vectors"
RULES = """
scores:
  - {score: engagement, half-life: 14 days, points: [{give: 8, for viewed: /hinta*, at most: 2 times per day}]}
interests: [{interest: api, grows: [{by: 1, for viewed: /api}]}]
segments: [{segment: keen, about: Looks often, when: [{score: engagement, is: at least 20}]}]
stages: [{stage: buyer, when: [{in segment: keen}]}, {stage: looker}]
placements:
  - placement: hero
    blocks: [{block: offer, when: [{in segment: keen}], content: {title: x}}, {block: hello, content: {title: y}}]
"""


def explained(visitor: Visitor, placements: list[str] | None = None) -> Explanation:
    return explain(visitor.plan, visitor.profile, visitor.context, visitor.now, placements)


def test_an_explanation_reads_as_plain_lines() -> None:
    visitor = Visitor(plan_of(RULES)).viewed("/hinta", days=14).viewed("/hinta", times=3)
    assert list(map(str, explained_lines(explained(visitor)))) == [
        "2026-11-20 10:00, 2 visits",
        "First came 2026-11-06 10:00 to /hinta.",
        "",
        "score engagement 20, halves every 14 days  (rules.yaml:3:5)",
        "  +20 viewed /hinta*, at most twice per day: 3 times on 2 days  (rules.yaml:3:54)",
        "      2026-11-20  2 (of 3) \N{MULTIPLICATION SIGN} 8 = 16",
        "      2026-11-06  1 \N{MULTIPLICATION SIGN} 8 \N{MULTIPLICATION SIGN} 0.5 = 4",
        "interest api 0  (rules.yaml:4:13)",
        "",
        "segment keen: in it  (rules.yaml:5:12)",
        "",
        "stage buyer",
        "  buyer: fits",
        "",
        "placement hero: offer (rule)",
        "  won  offer: It is the first that fits.  (rules.yaml:9:14)",
        '    title: "x"',
        '  lost hello: Stands after "offer", which fits.  (rules.yaml:9:79)',
    ]


def test_an_explanation_is_data_too() -> None:
    visitor = Visitor(plan_of(RULES)).viewed("/hinta", days=14).viewed("/hinta", times=3)
    found = orjson.loads(orjson.dumps(as_data(explained(visitor))))
    (line,) = found["scores"][0]["lines"]
    assert line["rule"] == "viewed /hinta*"
    assert (line["each"], line["cap"], line["count"], line["days"]) == (8, {"count": 2, "days": 1}, 3, 2)
    assert line["by_day"] == [
        {"date": "2026-11-20", "happened": 3, "counted": 2, "weight": 1, "points": 16, "shown": "16"},
        {"date": "2026-11-06", "happened": 1, "counted": 1, "weight": 0.5, "points": 4, "shown": "4"},
    ]
    visitor.context.unread = "no_consent"
    found = orjson.loads(orjson.dumps(as_data(explained(visitor, ["hero", "nowhere"]), LANGUAGES["fi"])))
    assert found["unread"] == "no_consent"
    assert found["scores"][0]["lines"][0]["points"] == 0
    lacking = found["segments"][0]["lacking"]
    assert lacking == {
        "head": "score",
        "rule": "score engagement at least 20",
        "where": "rules.yaml:5:55",
        "actual": 0,
        "why": "Vaatii, että pisteet engagement ovat vähintään 20 (nyt 0).",
    }
    assert [d["block"] for d in found["decisions"]] == ["hello", None]
    offer, hello = found["decisions"][0]["candidates"]
    assert (offer["because"], offer["unmet"]["head"]) == ("unmet", "in segment")
    assert offer["unmet"]["actual"] == [{"segment": "keen", "lacking": lacking}]
    assert (hello["because"], hello["unmet"], hello["other"]) == ("fallback", None, None)
    lines = list(map(str, explained_lines(explained(visitor, ["hero", "nowhere"]))))
    assert lines[:2] == [
        "2026-11-20 10:00",
        (
            "The profile was not read, because the visitor has not allowed personalization: "
            "what they did, visits, traits and products count as missing."
        ),
    ]
    assert lines[-1] == "placement nowhere: no such placement (unknown)"


NESTED = """
segments:
  - {segment: buyer, when: [{did: buy}]}
  - {segment: keen, when: [{viewed: /a}, {in segment: buyer}]}
stages: [{stage: customer, when: [{in segment: keen}]}, {stage: looker}]
placements:
  - placement: hero
    blocks:
      - {block: offer, when: [{any of: [{in segment: [keen, buyer]}, {country: FI}]}], content: {title: x}}
      - {block: other, when: [not: {in segment: buyer}, none of: [{viewed: /a}]], content: {title: x}}
      - {block: hello, content: {title: y}}
"""


def test_in_a_whole_explanation_each_segment_says_once_what_is_lacking() -> None:
    visitor = Visitor(plan_of(NESTED), country="SE").viewed("/a")
    lines = [str(line).partition("  (rules")[0] for line in explained_lines(explained(visitor))]
    assert "segment buyer: not in it, lacks did buy (is: never)" in lines
    assert "segment keen: not in it, lacks in segment buyer (is: not in it)" in lines
    assert "  customer: lacks in segment keen (is: not in it)" in lines
    assert ("  lost offer: Needs any of (in segment keen or buyer (is: not in it); country FI (is: SE)).") in lines
    (decision,) = explained(visitor).decisions
    alone = "\n".join(map(str, decision_lines(decision)))
    assert "keen: not in it, lacks in segment buyer (is: not in it, lacks did buy (is: never))" in alone
    assert "title" not in alone
    bought = [str(line) for line in explained_lines(explained(visitor.did("buy")), LANGUAGES["en"])]
    assert [line for line in bought if line.startswith("segment")] == [
        "segment buyer: in it  (rules.yaml:3:5)",
        "segment keen: in it  (rules.yaml:4:5)",
    ]


def test_the_finished_content_is_shown_under_the_winner() -> None:
    content = "{title: 'Hello {{ trait.name | you }}', points: [a, 2], text: " + "x" * 200 + "}"
    plan = plan_of(f"placements: [{{placement: hero, blocks: [{{block: hello, content: {content}}}]}}]")
    lines = list(map(str, explained_lines(explained(Visitor(plan).is_known_by(name="A\x1b[2J\nB")))))
    assert lines[-3:] == [
        r'    title: "Hello A\u001b[2J\nB"',
        '    points: ["a",2]',
        f'    text: "{"x" * 99}\N{HORIZONTAL ELLIPSIS}',
    ]


SHAPES = """
segments: [{{segment: keen, when: [{{viewed: /keen}}]}}]
placements:
  - placement: hero
    blocks: [{{block: offer, {what}, content: {{title: x}}}}, {{block: hello, content: {{title: y}}}}]
"""


@pytest.mark.parametrize(
    ("what", "head", "actual", "short"),
    [
        ("when: [{viewed: /a, at least: 3 times}]", "viewed", {"times": 2, "days": 1, "total": 2}, [2, 1, 2]),
        ("when: [{country: FI}]", "country", "SE", "SE"),
        ("when: [{last visit: less than 2 hours ago}]", "last visit", 259_200_000, 259_200_000),
        ("when: [{company: {name: Acme}}]", "company", {"name": None}, {"name": None}),
        ("when: [{consent: email}]", "consent", ["analytics", "personalization"], ["analytics", "personalization"]),
        ("not for owners of: pro", "owners", ["pro"], ["pro"]),
        ("show at most: once per week", "cap", 1, 1),
        (
            "rest after dismiss: 14 days",
            "rest",
            {"ago_ms": 259_200_000, "until": "2026-12-01 10:00"},
            [259_200_000, "2026-12-01 10:00"],
        ),
        ("until: 2026-11-01", "schedule", "2026-11-20 10:00", "2026-11-20 10:00"),
    ],
)
def test_what_the_visitor_has_is_data_for_programs_and_for_the_log(
    what: str, head: str, actual: object, short: object
) -> None:
    plan = plan_of(SHAPES.format(what=what))
    visitor = Visitor(plan, country="SE").viewed("/a", times=2).is_known_by(owns=["Pro"])
    visitor.reacted("Shown", "offer", days=3).reacted("Dismissed", "offer", days=3)
    (decision,) = explained(visitor, ["hero"]).decisions
    found = orjson.loads(orjson.dumps(as_data(explained(visitor, ["hero"]))))
    unmet = found["decisions"][0]["candidates"][0]["unmet"]
    assert (unmet["head"], unmet["actual"]) == (head, actual)
    for_log = orjson.loads(orjson.dumps(packed(decision.receipt)))
    place, rule = unmet["where"], unmet["rule"]
    assert for_log == [
        ["offer", "lost", "unmet", place, None, [head, rule, short]],
        ["hello", "won", "fallback", for_log[1][3]],
    ]


def test_the_log_keeps_the_parts_of_logic_and_of_segments() -> None:
    plan = plan_of(SHAPES.format(what="when: [{any of: [{in segment: keen}, not: {country: SE}]}]"))
    (decision,) = explained(Visitor(plan, country="SE"), ["hero"]).decisions
    offer, _ = packed(decision.receipt)
    assert orjson.loads(orjson.dumps(offer[5])) == [
        "any of",
        "any of (in segment keen; not country SE)",
        [
            ["in segment", "in segment keen", [["keen", ["viewed", "viewed /keen", [0, 0, 0]]]]],
            ["not", "not country SE", [["country", "country SE", "SE"]]],
        ],
    ]


# -- what any browser may send -----------------------------------------------------------------------------------------
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mbasic\r\n  won needs plan: First that fits.\u2028\u202e\u2066\u200f\x7f"
SEEN = (
    "\\x1b]0;owned\\x07\\x1b[2J\\x9b31mbasic\\x0d\\x0a  won needs plan: First that fits."
    "\\u2028\\u202e\\u2066\\u200f\\x7f"
)
TRUSTING = plan_of("""
placements:
  - placement: hero
    blocks:
      - {block: by plan, when: [{trait: plan, is: pro}], content: {title: x}}
      - {block: by name, when: [{company: {name: Acme}}], content: {title: x}}
      - {block: by product, when: [{owns: basic}], content: {title: x}}
      - {block: not for some, not for owners of: "*basic*", content: {title: x}}
      - {block: greeting, content: {title: "{{ trait.plan | you }}"}}
""")


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_a_terminal_would_obey_is_seen_as_an_escape(code: str) -> None:
    visitor = Visitor(TRUSTING).is_known_by(plan=HOSTILE, owns=[HOSTILE]).works_at(name=HOSTILE)
    found = explained(visitor)
    lines = list(map(str, explained_lines(found, LANGUAGES[code])))
    assert not [sign for sign in "".join(lines) if sign != " " and not sign.isprintable()]
    about = {name: line for line in lines for name in TRUSTING.blocks if f" {name}:" in line}
    assert SEEN in about["by plan"]
    assert SEEN in about["by name"]
    assert SEEN.lower() in about["by product"]
    assert SEEN.lower() in about["not for some"]
    assert len(lines) == 9
    first = as_data(found, LANGUAGES[code])["decisions"][0]["candidates"][0]
    assert first["unmet"]["actual"] == HOSTILE


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_long_value_is_cut_for_readers_and_whole_for_programs(code: str) -> None:
    visitor = Visitor(TRUSTING).is_known_by(plan="p" * 900, owns=["b" * 150, "c" * 150])
    found = explained(visitor)
    by_plan, by_name, by_product = list(map(str, explained_lines(found, LANGUAGES[code])))[3:6]
    assert f" {'p' * 200}\N{HORIZONTAL ELLIPSIS})." in by_plan
    assert "\N{HORIZONTAL ELLIPSIS}" not in by_name
    assert f"{'c' * 48}\N{HORIZONTAL ELLIPSIS})." in by_product
    assert as_data(found)["decisions"][0]["candidates"][0]["unmet"]["actual"] == "p" * 900


# -- points that add up -----------------------------------------------------------------------------------------------
ADDING = plan_of("""
scores:
  - score: fading
    half-life: 14 days
    points:
      - {give: 0.1, for viewed: /a}
      - {give: 0.7, for viewed: /b, at most: 2 times per day}
      - {give: -3.33, for viewed: /c, at most: 5 times per 30 days}
      - {give: 20, for country: [FI, SE]}
  - score: lasting
    points:
      - {give: 0.35, for viewed: /a}
      - {give: 1.1, for viewed: /b, at most: 3 times ever}
      - {give: 2, for viewed: /c, at most: once per week}
""")
VISITS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 120), st.integers(1, 4)), max_size=25)


@given(VISITS)
def test_shown_points_add_up_to_the_shown_score_and_exact_ones_to_the_exact(visits: list[tuple[str, int, int]]) -> None:
    visitor = Visitor(ADDING, country="FI")
    for page, days, times in visits:
        visitor.viewed(f"/{page}", days=days, times=times)
    view = visitor.view()
    for score in ADDING.scores.values():
        found = explained_score("score", score, view)
        exact = 0.0
        for line in found.lines:
            exact += line.points
            assert sum(day.shown for day in line.by_day) == line.shown or not line.by_day
            assert math.fsum(day.points for day in line.by_day) == pytest.approx(line.points) or not line.by_day
            assert sum(day.counted for day in line.by_day) == line.count or not line.by_day
            assert all(day.happened >= day.counted > 0 for day in line.by_day)
            assert abs(line.shown / 100 - line.points) < 0.0101
            assert all(abs(day.shown / 100 - day.points) < 0.0101 for day in line.by_day)
        assert exact == found.value == score.value(view)
        assert found.shown == round(round(found.value, 2) * 100)
        for language in LANGUAGES.values():
            printed_numbers_add_up(language, [str(line) for line in score_lines(found, language)])


def printed_numbers_add_up(language: Language, lines: list[str]) -> None:
    """Add what is printed, as a reader would."""
    head, *rest = lines
    shown = [number(found[0]) for line in rest if (found := re.match(r" +[+-][\d.,]+", line))]
    of_days = [number(line.rpartition("= ")[2]) for line in rest if " = " in line]
    printed = number(re.findall(r" (-?[\d.,]+)(?:,? |$)", head)[0].rstrip(","))
    assert sum(shown) == printed
    if of_days and language is LANGUAGES["en"]:  # the country has no days
        assert sum(of_days) == printed - 20


GIVES = st.one_of(
    st.sampled_from([-1 / 3, -0.333333333, 0.1, 8, 1e9, -1e9, 999_999_999.99, 1e-7]),
    st.floats(-1e9, 1e9).filter(lambda points: points == 0 or abs(points) > 1e-9),
)


@given(GIVES, st.integers(1, 30), VISITS)
def test_the_shown_factors_of_a_day_multiply_to_its_shown_points(
    points: float, half_life: int, visits: list[tuple[str, int, int]]
) -> None:
    rules = f"scores: [{{score: s, half-life: {half_life} days, points: [{{give: {points:.15f}, for viewed: /*}}]}}]"
    visitor = Visitor(plan_of(rules))
    for page, days, times in visits:
        visitor.viewed(f"/{page}", days=days, times=times)
    found = explained_score("score", visitor.plan.scores["s"], visitor.view())
    each = found.lines[0].written.points
    for language in LANGUAGES.values():
        for day in found.lines[0].by_day:
            factors, _, shown = language.day(day, each).partition("  ")[2].partition(" = ")
            count, *others = re.sub(r" \(.*\)", "", factors).strip().split(f" {TIMES} ")
            product = math.prod(map(number, others), start=Fraction(count))
            rounded = abs(number(shown) - Fraction(day.points)) < Fraction(1, 200)  # else it was shared the other way
            near = Fraction(1, 200) if rounded else Fraction(1, 100)
            assert abs(product - number(shown)) <= near + abs(product) / 10**15, language.day(day, each)


def number(text: str) -> Fraction:
    return Fraction(text.strip().replace(",", "."))


@given(st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=30))
def test_shares_add_up_and_round_up_or_down(millionths: list[int]) -> None:
    parts = [n / 1_000_000 for n in millionths]
    total = round(round(math.fsum(parts), 2) * 100)
    units = shares(total, parts)
    assert sum(units) == total
    for unit, part in zip(units, parts, strict=True):
        assert abs(unit - part * 100) < 1
        assert unit == 0 or part != 0


def test_a_third_three_times_is_one() -> None:
    assert shares(100, [1 / 3, 1 / 3, 1 / 3]) == [34, 33, 33]
    assert shares(0, []) == []


def test_what_happened_before_the_kept_days_is_told_apart() -> None:
    visitor = Visitor(ADDING).viewed("/a", days=200, times=4)
    visitor.viewed("/a", days=1)
    found = explained_score("score", ADDING.scores["lasting"], visitor.view())
    days = [(day.date, day.happened, day.counted, day.weight) for day in found.lines[0].by_day]
    assert days == [("2026-11-19", 1, 1, 1.0), ("", 4, 4, 1.0)]
    assert [LANGUAGES[code].day(found.lines[0].by_day[1], 0.35) for code in ("en", "fi")] == [
        "earlier     4 \N{MULTIPLICATION SIGN} 0.35 = 1.4",
        "aiemmin     4 \N{MULTIPLICATION SIGN} 0,35 = 1,4",
    ]


# -- the reference ----------------------------------------------------------------------------------------------------
def reference() -> tuple[Plan, Any]:
    folder = VECTORS / "rules-example"
    rules, problems = load({p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.yaml")})
    assert rules is not None, problems
    return compile_rules(rules, "Europe/Helsinki"), rules.tests


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_reference_visitor_is_explained_in_every_language(code: str) -> None:
    """`explained.<language>.txt`: the first test of rules-example, and the one with the dismissed demo."""
    plan, tests = reference()
    said = []
    for case in (tests[0], tests[3]):
        found = explain(plan, *rule_tests.visitor_of(plan, case))
        said += [LANGUAGES[code].of_test(case.name), *map(str, explained_lines(found, LANGUAGES[code])), ""]
    assert "\n".join(said) == (VECTORS / f"explained.{code}.txt").read_text("utf-8")
