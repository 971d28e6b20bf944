from __future__ import annotations

import ast
from typing import Any

import pytest

from personalize import expression as module
from personalize.decide import decide
from personalize.expression import Expression, expression, first_false, function, joined, truth_of, value_of
from tests.fakes.visitor import Visitor, plan_of
from tests.personalize.test_conditions import RULES, VECTORS

VISITOR = Visitor(plan_of("segments: [{segment: it, when: [{country: FI}]}]"), country="FI")
_NAMES = {"of", "view", "row", "text", "at", "value", "known", "memo", "seen", "place", "worth", "best", "most"}
HOSTILE = ["{}", "{0}", "v0", "view", "') or __import__('os').abort() or ('", "\\", '"""', "a\nb", "None", "%s", "*{}*"]


def test_values_and_other_expressions_take_their_places() -> None:
    inner = expression("{} + {}", 1, 2)
    outer = expression("{} * {} - {}", inner, 10, inner)
    assert outer == Expression("({} + {}) * {} - ({} + {})", (1, 2, 10, 1, 2))
    assert value_of(outer)(VISITOR.view()) == 27


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_is_never_read_as_source(text: str) -> None:
    assert value_of(expression("{}", text))(VISITOR.view()) == text
    assert truth_of(expression("{} == {}", text, expression("{}", text)))(VISITOR.view()) is True


def test_joined_expressions_hold_like_their_words() -> None:
    view = VISITOR.view()
    for one in (True, False):
        for other in (True, False):
            parts = [expression("{}", one), expression("{}", other)]
            assert truth_of(joined("and", parts))(view) is (one and other)
            assert truth_of(joined("or", parts))(view) is (one or other)
    assert truth_of(joined("and", []))(view) is True


def test_the_first_that_does_not_hold_is_found() -> None:
    parts = [expression("{}", truth) for truth in (True, True, False, True)]
    assert first_false(parts)(VISITOR.view()) == 2
    assert first_false(parts[:2])(VISITOR.view()) == -1
    assert first_false(())(VISITOR.view()) == -1


def test_what_has_the_same_shape_is_compiled_once() -> None:
    one, other = (function(expression("return {} + {}", n, n)) for n in (1, 2))
    assert one.__code__ is other.__code__
    assert (one(VISITOR.view()), other(VISITOR.view())) == (2, 4)


def test_nothing_of_any_rule_stands_in_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def compiled(source: str, *rest: Any) -> Any:
        sources.append(source)
        return compile(source, *rest)

    module._made.cache_clear()
    monkeypatch.setattr(module, "compile", compiled, raising=False)
    for condition, *_ in VECTORS:
        plan_of(RULES.format(condition=condition))
    plan_of(NAMED.format(name="x"))
    assert len(sources) > 30
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant):
                # Places in an order, ends of loops; no text, and nothing as large as what a rule would hold.
                assert node.value is None or isinstance(node.value, (bool, int, float)), source
                assert not node.value or node.value < 10, source
            if isinstance(node, ast.Name):
                assert node.id in _NAMES or node.id[1:].isdigit(), source
            assert not isinstance(node, (ast.Import, ast.ImportFrom, ast.Global, ast.Lambda)), source


@pytest.mark.parametrize("name", HOSTILE)
def test_rules_with_hostile_names_decide_as_others_do(name: str) -> None:
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    plan = plan_of(NAMED.format(name=quoted))
    text = name.replace("\n", " ")
    visitor = Visitor(plan, city=text, campaign=text).is_known_by(**{text: text}).did(text).viewed(text)
    (decision,) = decide(plan, visitor.profile, visitor.context, ["slot"], visitor.now, explain=True)
    assert (decision.block, decision.reason) == ("it", "rule")
    assert decision.receipt is not None
    assert [one.because for one in decision.receipt.candidates] == ["unmet", "first", "behind"]


NAMED = """
scores: [{{score: {name}, points: [{{give: 5, for did: {name}}}]}}]
segments: [{{segment: {name}, when: [{{did: {name}}}]}}]
stages: [{{stage: {name}, when: [{{in segment: {name}}}]}}, {{stage: other}}]
placements:
  - placement: slot
    blocks:
      - {{block: not it, when: [{{not: {{city: {name}}}}}], content: {{a: {name}}}}}
      - block: it
        when:
          - {{city: [{name}, x]}}
          - {{in segment: {name}}}
          - {{stage: {name}}}
          - {{score: {name}, is: 5}}
          - {{trait: {name}, is: {name}}}
        not for owners of: {name}
        show at most: once ever
        rest after click: 1 day
        content: {{a: b}}
      - {{block: last, content: {{a: b}}}}
"""


@pytest.mark.parametrize("count", [30, 1500])
def test_rules_may_be_long(count: int) -> None:
    conditions = ", ".join(["{country: FI}"] * count)
    grants = ", ".join(["{give: 1, for viewed: /a}"] * count)
    names = "{{ trait.x | y }}" * count
    plan = plan_of(
        f"segments: [{{segment: all, when: [{conditions}]}}, {{segment: one, when: [any of: [{conditions}]]}}]\n"
        f"scores: [{{score: long, points: [{grants}]}}]\n"
        f'placements: [{{placement: p, blocks: [{{block: b, content: {{a: "{names}"}}}}]}}]\n'
    )
    visitor = Visitor(plan, country="FI").viewed("/a")
    view = visitor.view()
    assert plan.segments["all"].holds(view)
    assert plan.segments["one"].holds(view)
    assert plan.scores["long"].value(view) == count
    (decision,) = decide(plan, visitor.profile, visitor.context, ["p"], visitor.now)
    assert decision.content == {"a": "y" * count}
