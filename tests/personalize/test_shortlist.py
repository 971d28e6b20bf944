from __future__ import annotations

from itertools import cycle, islice

from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.decide import decide
from personalize.shortlist import Shortlist
from tests.fakes.visitor import Visitor, plan_of

NEEDS = [
    "{campaign: [spring, autumn]}",
    '{campaign: "spr*"}',
    "{country: FI}",
    "{trait: plan, is: [pro, 5]}",
    "{trait: seats, is: at least 5}",
    "{company: {domain: [acme.fi, x.fi], employees: at least 5}}",
    "{company: {crm id: a1}}",
    "{viewed: /a, at most: 2 times}",
    "{viewed: /a, at least: 0 times}",
    "{viewed: /a}, {country: FI}",
    "{viewed: /b, across: 2 days}",
    "{not: {viewed: /a}}",
    "{in segment: looker}",
    "{stage: [guest]}",
    "{page: /x}",
]
SCHEDULES = ["", "from: 2026-11-20, ", "until: 2026-11-20 12:00, ", "from: 2026-11-21, until: 2026-11-22, "]


def rules(count: int, choose: str) -> str:
    """Return a placement whose blocks go through all needs and schedules."""
    needs = zip(
        islice(cycle(NEEDS), count), cycle([s for s in SCHEDULES for _ in range(3)]), range(count), strict=False
    )
    blocks = "".join(
        f"      - {{block: b{n}, {schedule}worth: {n % 7}, when: [{need}], content: {{title: x}}}}\n"
        for need, schedule, n in needs
    )
    return (
        "segments: [{segment: looker, when: [{viewed: /b}]}]\n"
        "stages: [{stage: fan, when: [{viewed: /a, at least: 3 times}]}, {stage: guest}]\n"
        f"placements:\n  - placement: slot\n    choose: {choose}\n    blocks:\n{blocks}"
        "      - {block: last, content: {title: y}}\n"
    )


PLANS = [plan_of(rules(56, choose)) for choose in ("first match", "best score")]


@settings(max_examples=200)
@given(
    st.sampled_from(PLANS),
    st.sampled_from(["2026-11-20 10:00", "2026-11-20 12:01", "2026-11-21 00:00", "2026-12-24 18:00"]),
    st.fixed_dictionaries(
        {"campaign": st.sampled_from(["", "Spring", "autumn"]), "country": st.sampled_from(["", "fi"])}
    ),
    st.fixed_dictionaries(
        {},
        optional={"plan": st.sampled_from(["Pro", 5, 5.5, ["x", "pro"], None, True, {}]), "seats": st.integers(4, 6)},
    ),
    st.fixed_dictionaries({}, optional={"domain": st.sampled_from(["ACME.fi", ["x.fi"]]), "employees": st.just(9)}),
    st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.integers(0, 3)), max_size=5),
)
def test_a_shortlist_leaves_out_nothing_that_could_be_shown(plan, now, facts, traits, company, events) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the strategies say it
    visitor = Visitor(plan, now, page="/x", company=company | {"crm_id": "A1"}, **facts).is_known_by(**traits)
    for path, days in events:
        visitor.viewed(path, days=days)
    placement = plan.placements["slot"]
    view = visitor.view()
    contenders = placement.blocks[:-1] if placement._reason == "rule" else placement.blocks
    listed = list(placement._candidates(view))
    assert listed == [block for block in contenders if block in listed]
    assert {block.name for block in contenders if block.lacking(view) < 0} <= {block.name for block in listed}


def test_blocks_that_cannot_match_are_not_looked_at() -> None:
    blocks = "".join(
        f"      - {{block: b{n}, when: [{{campaign: c{n}}}], content: {{title: x}}}}\n" for n in range(1000)
    )
    plan = plan_of(
        f"placements:\n  - placement: slot\n    blocks:\n{blocks}      - {{block: last, content: {{title: y}}}}\n"
    )
    visitor = Visitor(plan, campaign="c700")
    candidates = plan.placements["slot"]._candidates
    assert isinstance(candidates.__self__, Shortlist)  # type: ignore[attr-defined]  # a bound method
    assert [block.name for block in candidates(visitor.view())] == ["b700"]
    (decision,) = decide(plan, None, visitor.context, ["slot"], visitor.now, explain=True)
    assert (decision.block, decision.reason) == ("b700", "rule")
    assert decision.receipt is not None
    assert len(decision.receipt.candidates) == 1001
