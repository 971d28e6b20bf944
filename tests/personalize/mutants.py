"""Every single-token mutant of rule files: a number, a name, an order or a `not` that is slightly different.

Run as a script it prints the survivors of the reference rules, each with a reason to start from, in the form of
tests/vectors/surviving-mutants.txt:

    .venv/bin/python tests/personalize/mutants.py > tests/vectors/surviving-mutants.txt
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from personalize import rule_tests
from personalize.loader import load
from personalize.plan import compile_rules
from personalize.syntax_conditions import HEADS
from personalize.yaml_nodes import Items, Map, Node, Text, compose

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.rglob("*.yaml"))}
TODAY = date(2026, 11, 1)

ORDERED = {"stages", "temperatures", "blocks", "points", "grows", "then"}
"""The words whose lists have an order."""

FREE = {"where", "company", "traits", "content", "split", "question", "expect"}
"""The words under which keys are names too."""

PHRASES = {
    "choose", "worth", "plus", "give", "by", "is", "at least", "at most", "across", "within", "half-life", "visits",
    "last visit", "weekday", "time of day", "from", "until", "show at most", "rest after dismiss", "rest after convert",
    "include", "keep out", "of", "wait", "inactive for", "now", "times", "employees", "score engagement",
}  # fmt: skip
"""The words whose values are numbers or words of the language, no names."""

RESERVED = {"experiments", "holdout", "triggers"}
REASONS = {
    "means the same": "it means the same",
    "not active": "a reserved word, not yet active",
    "free text": "a text, a link or a name of the site's own, which nobody else knows",
    "not looked at": "no test of the reference rules looks at it",
    "still true": "the test's own input or expectation, and still true",
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file: what stands at `node` is written as `instead`."""

    kind: str
    node: Node = field(repr=False)
    instead: str = field(repr=False)
    change: str
    path: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"{self.node.where}  {self.change}"


def written(node: Node, mutant: Mutant | None = None) -> str:
    """Return nodes as YAML again, on one line, with the mutant's change."""
    if mutant is not None and node is mutant.node:
        return mutant.instead
    if isinstance(node, Map):
        return "{" + ", ".join(f"{written(key, mutant)}: {written(value, mutant)}" for key, value in node.items()) + "}"
    if isinstance(node, Items):
        return "[" + ", ".join(written(item, mutant) for item in node) + "]"
    return text(node, str(node))


def text(node: Text, instead: str) -> str:
    """Return a text as YAML, in quotes where it was in quotes or needs them."""
    return (
        json.dumps(instead, ensure_ascii=False) if node.quoted or re.search(r"[,\[\]{}]|^[*&%@]", instead) else instead
    )


def mutants(node: Node, path: tuple[str, ...]) -> Iterator[Mutant]:
    """Yield the mutants of a node and of what it holds; `path` are the words above it."""
    if isinstance(node, Text):
        yield from _numbers(node, path)
        yield from _names(node, path)
    elif isinstance(node, Items):
        if path[-1:] and path[-1] in ORDERED:
            yield from _orders(node, path)
        for item in node:
            yield from mutants(item, path)
    else:
        if any(key in HEADS for key in node) and path[-1:] not in {("expect",), ("visitor",)}:
            yield from _negations(node, path)
        for key, value in node.items():
            if path and path[-1] in FREE and path[0] != "triggers":
                yield from _names(key, path)
            elif key.endswith(" ago"):
                yield from _numbers(key, path)
            yield from mutants(value, (*path, str(key)))


def _numbers(node: Text, path: tuple[str, ...]) -> Iterator[Mutant]:
    if node.quoted or path[-1] in {"experiment", "test", "like", "email"}:
        return
    for found in re.finditer(r"\d+|once", node):
        more = "twice" if found[0] == "once" else str(int(found[0]) + 1).zfill(len(found[0]))
        instead = node[: found.start()] + more + node[found.end() :]
        yield Mutant("number", node, text(node, instead), f"{node} -> {instead}", path)


def _names(node: Text, path: tuple[str, ...]) -> Iterator[Mutant]:
    if path[-1] in PHRASES or not any(sign.isalpha() for sign in node):
        return
    # The last word, because the first may be a word of the language: "viewed /prices".
    start = node.rstrip().rfind(" ") + 1
    letters = [at for at in range(start, len(node)) if node[at].isalpha()]
    letters = letters or [at for at in range(len(node)) if node[at].isalpha()]
    spots = [letters[len(letters) // 2]]
    spots += [found.start(1) + len(found[1]) // 2 for found in re.finditer(r"\{\{ *([\w. ]+?) *[|}]", node)]
    for at in dict.fromkeys(spots):
        instead = node[:at] + ("x" if node[at] != "x" else "y") + node[at + 1 :]
        yield Mutant("name", node, text(node, instead), f"{node} -> {instead}", path)


def _orders(node: Items, path: tuple[str, ...]) -> Iterator[Mutant]:
    for at in range(len(node) - 1):
        swapped = [*node[:at], node[at + 1], node[at], *node[at + 2 :]]
        one, other = (next(iter(item.values())) if isinstance(item, Map) else item for item in (node[at], node[at + 1]))
        change = f"{path[-1]}: {one} and {other} change places"
        yield Mutant("order", node, "[" + ", ".join(map(written, swapped)) + "]", change, path)


def _negations(node: Map, path: tuple[str, ...]) -> Iterator[Mutant]:
    if path[-1] == "not":
        return
    if "not" in node:
        yield Mutant("not", node, written(node["not"]), "not is removed", path)  # type: ignore[index]  # keys are texts
    elif not any(word.startswith("for ") for word in node):
        head = next(key for key in node if key in HEADS)
        held = node[head]
        shown = f" {held}" if isinstance(held, Text) else ""
        yield Mutant("not", node, f"{{not: {written(node)}}}", f"{head}{shown} -> not", path)


def caught_by(files: Mapping[str, str], known: set[str]) -> str:
    """Return what notices that these files are wrong: an error, a warning that is not known, a failed test, or ""."""
    rules, problems = load(files, TODAY)
    if rules is None:
        return "error"
    if {problem.message for problem in problems} - known:
        return "warning"
    plan = compile_rules(rules, "Europe/Helsinki")
    return "" if all(result.passed for result in rule_tests.run(plan, rules.tests)) else "test"


def judged() -> Iterator[tuple[Mutant, str]]:
    """Yield every mutant of the reference rules with what catches it."""
    rules, problems = load(FILES, TODAY)
    assert rules is not None
    known = {problem.message for problem in problems}
    for file, source in FILES.items():
        root, problems, complete = compose(file, source)
        assert root is not None
        assert (problems, complete) == ([], True)
        assert caught_by({**FILES, file: written(root)}, known) == ""
        for mutant in mutants(root, ()):
            yield mutant, caught_by({**FILES, file: written(root, mutant)}, known)


def first_guess(mutant: Mutant) -> str:
    """Return the reason that a survivor most probably has."""
    if mutant.path[0] in RESERVED:
        return "not active"
    if mutant.path[0] == "tests":
        return "still true"
    if mutant.kind == "name" and mutant.path[-1] in {"content", "title", "cta", "link", "about"}:
        return "free text"
    # The points of a score are added up, and their number is no order.
    return "means the same" if mutant.kind == "order" and mutant.path[-1] in {"points", "grows"} else "not looked at"


if __name__ == "__main__":
    for mutant, caught in judged():
        if not caught:
            print(f"{mutant.line}  ({first_guess(mutant)})")  # noqa: T201 - a script speaks by printing
