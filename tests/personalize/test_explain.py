from __future__ import annotations

import orjson

from personalize.explain import as_data, explain, plain_lines
from tests.fakes.visitor import Visitor, plan_of

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


def test_an_explanation_reads_as_plain_lines() -> None:
    visitor = Visitor(plan_of(RULES)).viewed("/hinta", days=14).viewed("/hinta", times=3)
    explained = explain(visitor.plan, visitor.profile, visitor.context, visitor.now)
    assert list(plain_lines(explained)) == [
        "2026-11-20 10:00, 2 visits",
        "score engagement 20, halves every 14 days",
        "  +20 for viewed /hinta*, at most twice per day: 3 times on 2 days  (rules.yaml:3:54)",
        "interest api 0",
        "segment keen: in it",
        "stage buyer",
        "  buyer: fits",
        "temperature none",
        "placement hero: offer (rule)",
        "  won  offer: It is the first that fits.  (rules.yaml:9:14)",
        '  lost hello: Stands after "offer", which fits.  (rules.yaml:9:79)',
    ]


def test_an_explanation_is_data_too() -> None:
    visitor = Visitor(plan_of(RULES)).viewed("/hinta")
    visitor.context.unread = "no_consent"
    explained = explain(visitor.plan, visitor.profile, visitor.context, visitor.now, ["hero", "nowhere"])
    found = orjson.loads(orjson.dumps(as_data(explained)))
    assert found["unread"] == "no_consent"
    assert found["scores"][0]["lines"][0]["points"] == 0
    assert found["segments"][0]["why"] == "not in it, lacks score engagement at least 20 (is: 0)"
    assert [d["block"] for d in found["decisions"]] == ["hello", None]
    lines = list(plain_lines(explained))
    assert lines[0] == "2026-11-20 10:00, 0 visits, profile not read (no_consent)"
    assert lines[-1] == "placement nowhere: no such placement (unknown)"
