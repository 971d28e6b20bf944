from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize import choosing
from personalize.choosing import Asked
from personalize.decide import decide
from personalize.decision import Decision
from personalize.placements import Placement
from personalize.plan import Plan
from personalize.shortlist import Shortlist
from tests.fakes.visitor import Visitor, plan_of

NEEDS = [
    "{campaign: [spring, autumn]}",
    '{campaign: "spr*"}',
    '{campaign: ["*ing", autumn]}',
    '{campaign: "s*g"}',
    '{campaign: ["*ri*", wint*]}',
    '{not: {campaign: "*ri*"}}',
    '{not: {campaign: "*ng"}}',
    '{trait: plan, is: "*r*"}',
    '{company: {domain: "*.fi", employees: 4 to 9}}',
    "{country: FI}",
    "{not: {country: FI}}",
    "{trait: plan, is: [pro, 5]}",
    "{trait: plan, is: pr*}",
    "{not: {trait: plan, is: [pro, basic]}}",
    "{trait: seats, is: at least 5}",
    "{trait: seats, is: 4 to 5}, {trait: seats, is: less than 5}",
    "{company: {domain: [acme.fi, x.fi], employees: at least 5}}",
    "{company: {employees: 5 to 9}}",
    "{not: {company: {domain: acme.fi}}}",
    "{company: {crm id: a1}}",
    "{viewed: /a, at most: 2 times}",
    "{viewed: /a, at least: 0 times}",
    "{viewed: /a}, {country: FI}, {viewed: /b}",
    "{viewed: /b, across: 2 days}",
    "{viewed: /a, at least: 2 times, within: 2 days}",
    "{not: {viewed: /a}}",
    "{not: {viewed: /a, within: 2 days}}",
    "{any of: [{viewed: /a}, {viewed: /b, within: 1 day}]}",
    "{any of: [{country: FI}, {country: SE}, {all of: [{country: EE}, {campaign: spring}]}]}",
    "{any of: [{country: FI}, {viewed: /a}]}",
    "{none of: [{country: FI}, {not: {viewed: /b}}]}",
    "{none of: [{none of: [{campaign: spring}, {campaign: autumn}]}, {country: SE}]}",
    "{not: {any of: [{viewed: /a}, {country: FI}]}}",
    "{not: {all of: [{viewed: /a}, {country: FI}]}}",
    "{all of: [{not: {campaign: spring}}, {score: keen, is: less than 4}]}",
    "{in segment: looker}",
    "{in segment: [looker, buyer]}",
    "{in segment: buyer}",
    "{not: {in segment: looker}}",
    "{stage: [guest]}",
    "{not: {stage: [guest]}}",
    "{page: [/x, /y/*]}",
    "{page: /x/*}",
    '{page: "*"}',
    "{not: {page: /x*}}",
    "{score: keen, is: at least 2}",
    "{score: keen, is: more than 2}, {score: keen, is: at most 6}",
    "{score: keen, is: 4}",
    "{visits: at least 2}",
    "{visitor is: [known, returning]}",
    "{consent: email}",
    "{not: {consent: personalization}}",
    "{owns: [Insight Pro, basic]}",
    "{owns: ins*}",
    "{date: 2026-11-21 to 2026-11-22}",
    "{weekday: saturday to sunday}",
    "{time of day: 12:00 to 23:00}",
]
SCHEDULES = ["", "", "from: 2026-11-20, ", "until: 2026-11-20 12:00, ", "from: 2026-11-21, until: 2026-11-22, "]
LIMITS = ["", "not for owners of: [basic, other], ", "show at most: once per week, ", 'not for owners of: "ins*", ']


def rules(count: int, choose: str) -> str:
    """Return a placement whose blocks go through all needs, schedules and limits, in ever new company."""
    worth = "worth: {}, " if choose == "best score" else ""
    needs = islice(cycle(NEEDS), count)
    blocks = "".join(
        f"      - {{block: b{n}, {schedule}{limit}{worth.format(n % 7)}when: [{need}], content: {{title: x}}}}\n"
        for n, need, schedule, limit in zip(range(count), needs, cycle(SCHEDULES), cycle(LIMITS), strict=False)
    )
    return (
        "segments:\n"
        "  - {segment: looker, when: [{viewed: /b}]}\n"
        "  - {segment: buyer, when: [{in segment: looker}, {not: {campaign: spring}}, {score: keen, is: at most 8}]}\n"
        "scores: [{score: keen, points: [{give: 2, for viewed: /a}]}]\n"
        "stages: [{stage: fan, when: [{viewed: /a, at least: 3 times}]}, {stage: guest}]\n"
        f"placements:\n  - placement: slot\n    choose: {choose}\n    blocks:\n{blocks}"
        "      - {block: last, content: {title: y}}\n"
    )


# Each need comes twice, in other company.
PLANS = [plan_of(rules(2 * len(NEEDS), choose)) for choose in ("first match", "best score")]
FEW = {
    PLANS[0].placements["slot"]: choosing.first_of_few(PLANS[0].placements["slot"].blocks[:-1]),
    PLANS[1].placements["slot"]: choosing.best_of_few(PLANS[1].placements["slot"].blocks),
}
SEEN = st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.integers(0, 3)), max_size=5)
FACTS = {
    "campaign": st.sampled_from(["", "Spring", "autumn", "winter"]),
    "country": st.sampled_from(["", "fi", "SE", "EE"]),
    "page": st.sampled_from(["", "/x", "/x/1?q", "/Y/z/", "*", "/x*"]),
}
TRAITS = {
    "plan": st.sampled_from(["Pro", "prime", 5, 5.5, "5", ["x", "pro"], ["x", 5], [], None, True, {}, ""]),
    "seats": st.sampled_from([3, 4, 4.5, 5, 6, "5", "few", None, True, [9]]),
    "owns": st.sampled_from(["basic", ["Insight Pro"], ["insight lite", "basic"]]),
}
COMPANIES = {
    "domain": st.sampled_from(["ACME.fi", ["x.fi"], 5, None]),
    "employees": st.sampled_from([4, 9, "7", None]),
    "crm_id": st.just("A1"),
}
NOWS = ["2026-11-20 10:00", "2026-11-20 12:01", "2026-11-21 00:00", "2026-11-22 23:59:59", "2026-12-24 18:00"]


@st.composite
def visitors(draw: st.DrawFn, plans: list[Plan]) -> Visitor:
    """Return a visitor who has some of all that is asked for."""
    plan, company = draw(st.sampled_from(plans)), draw(st.fixed_dictionaries({}, optional=COMPANIES))
    visitor = Visitor(plan, draw(st.sampled_from(NOWS)), company=company, **draw(st.fixed_dictionaries(FACTS)))
    visitor.is_known_by(**draw(st.fixed_dictionaries({}, optional=TRAITS)))
    for path, days in draw(SEEN):
        visitor.viewed(path, days=days)
    for block in draw(st.lists(st.sampled_from(["b2", "b6"]), max_size=2)):
        visitor.reacted("Shown", block)
    visitor.context.known = draw(st.booleans())
    visitor.is_known_by(consent=draw(st.sampled_from([[], ["email"], ["ads", "email"]])))
    visitor.context.consent = frozenset(draw(st.sampled_from([["personalization"], ["analytics"], []])))
    return visitor


@settings(max_examples=400, deadline=None)
@given(visitors(PLANS))
def test_a_shortlist_leaves_out_nothing_that_could_be_shown(visitor: Visitor) -> None:
    placement, view = visitor.plan.placements["slot"], visitor.view()
    listed = [*shortlist_of(placement).candidates(view)]
    assert listed == sorted(listed), "in the order of the rules"
    fitting = {number for number, block in enumerate(placement.blocks) if Asked(block).lacking(view) < 0}
    assert fitting <= {*listed, len(placement.blocks) - 1}, "the last is the fallback"


@settings(max_examples=400, deadline=None)
@given(visitors(PLANS))
def test_neither_a_shortlist_nor_a_receipt_changes_a_decision(visitor: Visitor) -> None:
    """The shortlist's choice, the receipt's, and that of the function that is written out for few blocks."""
    placement, view = visitor.plan.placements["slot"], visitor.view()
    quick, explained = asked(visitor), asked(visitor, explain=True)
    assert (explained.block, explained.reason) == (quick.block, quick.reason)
    assert explained.receipt is not None
    (winner,) = [one.block for one in explained.receipt.candidates if one.outcome == "won"]
    assert winner == quick.block
    few, seen = FEW[placement], []
    assert (few(view, None) or placement.fallback).name == quick.block
    assert (few(view, seen) or placement.fallback).name == quick.block
    assert seen == explained.receipt.seen


CANNOT = {
    "country": ("country: SE", {}),
    "page": ("page: /p{n}*", {}),
    "glob": ('referrer: "*p{n}*"', {}),
    "glob of a list": ('trait: tags, is: "*.p{n}.*"', {"tags": ["a.p.b", "p"]}),
    "trait": ("trait: plan, is: p{n}", {"plan": "x"}),
    "number": ("trait: seats, is: at least 1{n}", {"seats": 5}),
    "viewed": ("viewed: /p{n}*, at least: 2 times, within: 30 days", {}),
    "segment": ("in segment: s{n}", {}),
    "score": ("score: keen, is: at least 1{n}", {}),
    "stage": ("stage: fan", {}),
    "not": ("not: {{country: FI}}", {}),
    "owns": ("owns: p{n}", {"owns": "x"}),
    "visitor is": ("visitor is: known", {}),
    "logic": ("any of: [{{country: SE}}, {{campaign: c{n}}}, {{visitor is: known}}]", {}),
}


@pytest.mark.parametrize("reason", CANNOT)
def test_blocks_that_cannot_match_are_not_looked_at(reason: str) -> None:
    condition, traits = CANNOT[reason]
    numbers = range(100)
    plan = plan_of(
        "scores: [{score: keen, points: [{give: 2, for viewed: /a}]}]\n"
        "stages: [{stage: fan, when: [{viewed: /fan}]}, {stage: guest}]\n"
        + ("segments:\n" if reason == "segment" else "")
        + "".join(f"  - {{segment: s{n}, when: [{{viewed: /s{n}}}]}}\n" for n in numbers if reason == "segment")
        + "placements:\n  - placement: slot\n    blocks:\n"
        + "".join(
            f"      - {{block: b{n}, when: [{{{condition.format(n=n)}}}], content: {{title: x}}}}\n" for n in numbers
        )
        + "      - {block: last, content: {title: y}}\n"
    )
    visitor = Visitor(plan, country="FI", page="/q", campaign="c7").is_known_by(**traits)
    listed = [*shortlist_of(plan.placements["slot"]).candidates(visitor.view())]
    # Needs in different places that stand under "any of" are told apart by the block itself.
    assert len(listed) == (100 if reason == "logic" else 0)


def test_only_the_block_that_fits_is_looked_at_among_a_thousand() -> None:
    blocks = "".join(
        f"      - {{block: b{n}, when: [{{campaign: c{n}}}], content: {{title: x}}}}\n" for n in range(1000)
    )
    plan = plan_of(
        f"placements:\n  - placement: slot\n    blocks:\n{blocks}      - {{block: last, content: {{title: y}}}}\n"
    )
    visitor = Visitor(plan, campaign="c700")
    assert [*shortlist_of(plan.placements["slot"]).candidates(visitor.view())] == [700]
    decision = asked(visitor, explain=True)
    assert (decision.block, decision.reason) == ("b700", "rule")
    assert decision.receipt is not None
    assert len(decision.receipt.candidates) == 1001


def test_blocks_outside_of_their_schedule_are_not_looked_at() -> None:
    blocks = "".join(
        f"      - {{block: b{n}, from: 2026-{month:02}-10, until: 2026-{month:02}-20, content: {{title: x}}}}\n"
        for n, month in enumerate([*range(1, 13), *range(1, 13)])
    )
    plan = plan_of(
        f"placements:\n  - placement: slot\n    blocks:\n{blocks}      - {{block: last, content: {{title: y}}}}\n"
    )
    for now, numbers in {
        "2026-03-09 23:59:59": [],
        "2026-03-10 00:00": [2, 14],
        "2026-03-20 23:59:59": [2, 14],
        "2026-03-21 00:00": [],
        "2027-03-15 12:00": [],
    }.items():
        view = Visitor(plan, now).view()
        assert [*shortlist_of(plan.placements["slot"]).candidates(view)] == numbers


def shortlist_of(placement: Placement) -> Shortlist:
    assert placement.shortlist is not None
    return placement.shortlist


def asked(visitor: Visitor, **options: Any) -> Decision:
    (decision,) = decide(visitor.plan, visitor.profile, visitor.context, ["slot"], visitor.now, **options)
    return decision
