"""Every word of the rule language with a value, in the smallest rule around it: one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from personalize.loader import SECTIONS
from personalize.schema import THINGS
from personalize.syntax import Block, Fallback, Grant, Growth, Placement, Worth
from personalize.syntax_conditions import HEADS
from personalize.syntax_reserved import Action, Arm, Changes, Edge, Holdout
from personalize.syntax_tests import PastEvent
from personalize.vocabulary import CONDITION, NARROWED, Word
from personalize.vocabulary_tests import AGO, BLOCK_EXPECTED, EXPECTATIONS, POINTS_EXPECTED, VISITOR
from personalize.words import Words

NAMES = """
scores: [{score: engagement, points: [{give: 1, for viewed: /x}]}]
interests: [{interest: reporting, grows: [{by: 1, for viewed: /x}]}]
segments:
  - {segment: customer, when: [{did: x}]}
  - {segment: good fit, when: [{did: x}]}
  - {segment: pricing intent, when: [{did: x}]}
stages: [{stage: customer, when: [{did: x}]}, {stage: nobody}]
temperatures: [{temperature: hot, when: [{did: x}]}, {temperature: cold}]
placements: [{placement: home hero, blocks: [{block: book a demo, when: [{did: x}]}, {block: welcome}]}]
tests: [{test: a customer is offered pro, now: 2026-11-20, expect: {stage: nobody}}]
"""
"""What the examples of the vocabulary name."""

_BASES: Mapping[type[Words], dict[str, str]] = {
    Grant: {"give": "1", "for viewed": "/x"},
    Growth: {"by": "1", "for viewed": "/x"},
    Block: {"block": "b#"},
    Worth: {"interest": "reporting"},
    Fallback: {"block": "b#"},
    Placement: {"placement": "p#", "blocks": "[{block: newsletter#}, {block: newsletter}]"},
    Changes: {"placement": "home hero", "block": "book a demo"},
    Arm: {"content": "{title: x}"},
    Edge: {"score": "engagement", "rises above": "1"},
    Action: {"webhook": "crm"},
    PastEvent: {"1 day ago": "viewed /x"},
    Holdout: {"keep out": "5 percent", "of": "everything"},
}
_SECTIONS = {
    "scores": {"score": "s#", "points": "[{give: 1, for viewed: /x}]"},
    "interests": {"interest": "i#", "grows": "[{by: 1, for viewed: /x}]"},
    "segments": {"segment": "s#", "when": "[{did: x}]"},
    "stages": {"stage": "s#"},
    "temperatures": {"temperature": "t#"},
    "experiments": {
        "experiment": "e#",
        "changes": "{placement: home hero, block: book a demo}",
        "split": "{control: 50, question: 50}",
        "goal": "{did: x}",
    },
    "triggers": {"trigger": "t#", "starts when": "{did: x}", "then": "[{email: x}]"},
    "tests": {"test": "t#", "now": "2026-11-20", "expect": "{stage: nobody}"},
}
_AROUND: Mapping[type[Words], tuple[str, str]] = {
    Grant: ("scores", "{score: s#, points: [%]}"),
    Growth: ("interests", "{interest: i#, grows: [%]}"),
    Block: ("placements", "{placement: p#, blocks: [%, {block: last#}]}"),
    Worth: ("placements", "{placement: p#, choose: best score, blocks: [{block: b#, worth: %}]}"),
    Fallback: ("placements", "{placement: p#, blocks: [{block: newsletter, when: [{did: x}]}], fallback: %}"),
    Changes: ("experiments", "{experiment: e#, changes: %, split: {a: 50, b: 50}, goal: {did: x}}"),
    Arm: (
        "experiments",
        "{experiment: e#, changes: {placement: home hero, block: welcome}, split: {a: 50}, goal: {did: x}, a: %}",
    ),
    Edge: ("triggers", "{trigger: t#, starts when: %, then: [{email: x}]}"),
    Action: ("triggers", "{trigger: t#, starts when: {did: x}, then: [%]}"),
    PastEvent: ("tests", "{test: t#, now: 2026-11-20, events: [%], expect: {stage: nobody}}"),
}
_BESIDE = {
    "for viewed": {"for viewed": "/x"},
    "viewed": {"viewed": "/x"},
    "score": {"score": "engagement"},
    "interest": {"interest": "reporting"},
    "trait": {"trait": "plan"},
    "webhook": {"webhook": "crm"},
    "alert": {"alert": "sales"},
}
_NEEDS = {"score": ("is", "5"), "interest": ("is", "5"), "trait": ("is", "pro")}


class Place:
    """Where a word may stand: `section` is the top-level word, `line` a rule with % for the value, # for a number."""

    def __init__(self, name: str, word: Word, section: str, line: str) -> None:
        self.name, self.word, self.section, self._line = name, word, section, line

    def with_value(self, value: str, number: int) -> str:
        """Return the rule with this value; the number keeps its names apart from those of others."""
        return self._line.replace("#", str(number)).replace("%", value)

    def document(self, value: str, number: int = 1) -> str:
        """Return the rule as a file."""
        line = self.with_value(value, number)
        return f"holdout: {line}\n" if self.section == "holdout" else f"{self.section}:\n- {line}\n"


def places() -> Iterator[Place]:
    """Return every word in a place of its own, that of conditions beside each head word that takes them."""
    for model, words in THINGS.items():
        section = next((name for name, item in SECTIONS.items() if item is model), "")
        for name, word in words.items():
            around = (section, "%") if section else _AROUND.get(model, ("holdout", "%"))
            base = dict(_SECTIONS[section]) if section in _SECTIONS else dict(_BASES[model])
            yield Place(f"{model.__name__} {name}", word, around[0], around[1].replace("%", _map(_beside(base, name))))
    for head, family in HEADS.items():
        for name in family.words():
            if name == head or name not in HEADS:
                fields = {head: "%"} if name == head else {**_BESIDE.get(head, {head: "x"}), name: "%"}
                if name == head and head in _NEEDS:
                    fields[_NEEDS[head][0]] = _NEEDS[head][1]
                word = NARROWED.get(head, CONDITION).get(name, CONDITION[name])
                yield Place(f"{head} {name}", word, "segments", f"{{segment: s#, when: [{_map(fields)}]}}")
    for name, word in VISITOR.items():
        yield _of_test(f"visitor {name}", word, f"visitor: {{{name}: %}}, expect: {{stage: nobody}}")
    for name, word in EXPECTATIONS.items():
        yield _of_test(f"expect {name}", word, f"expect: {{{name}: %}}")
    yield _of_test("expect score", POINTS_EXPECTED, "expect: {score engagement: %}")
    yield _of_test("expect placement", BLOCK_EXPECTED, "expect: {home hero: %}")
    yield _of_test("event ago", AGO, "events: [{2 days ago: %}], expect: {stage: nobody}")


def _of_test(name: str, word: Word, rest: str) -> Place:
    return Place(name, word, "tests", f"{{test: t#, now: 2026-11-20, {rest}}}")


def _beside(base: dict[str, str], name: str) -> dict[str, str]:
    """Return the words of a rule with one of them to be filled in, and without those that do not go with it."""
    if name.startswith("for "):
        base.pop("for viewed")
        if name == "for trait":
            base["is"] = "pro"
    elif name == "is":
        base.pop("for viewed")
        base["for trait"] = "plan"
    elif "rises above" in base and name not in {"rises above", "score"}:
        base = {"score": "engagement"} if name == "falls below" else {}
    elif base == {"webhook": "crm"} and name != "send":
        base = {"alert": "sales"} if name == "say" else {}
    elif base == {"interest": "reporting"} and name == "score":
        base = {}
    return base | {name: "%"}


def _map(fields: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{word}: {value}' for word, value in fields.items())}}}"
