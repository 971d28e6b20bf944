"""A visitor in a file of their own: what a test of the rules says, without the expectations.

    now: 2026-11-20 10:00
    visitor: {country: FI}
    events: [{6 days ago: viewed /hinnoittelu}]

`like` may name a test of the rules. YAML, and so JSON as well. `test` and `expect` may stand there and are not used.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from personalize import fields as f
from personalize import likes
from personalize.errors import Problem
from personalize.suggest import quoted, unknown
from personalize.syntax import RuleSet
from personalize.syntax_tests import Case, read_expectations
from personalize.words import Names, Problems, Reading
from personalize.yaml_nodes import Map, Room, compose

_NOT_A_TEST = "\0"
"""A name that no test has."""


class Lone(Case):
    """A test's visitor that nothing is expected of."""

    thing: ClassVar[str] = "a visitor's file"
    declares: ClassVar[str] = ""

    name: f.Name = Field(default=_NOT_A_TEST, alias="test")
    expect: Annotated[dict[str, object], f.reads(read_expectations)] = Field(default={}, alias="expect")


def read_visitor(file: str, source: str | bytes, rules: RuleSet) -> tuple[Case | None, list[Problem]]:
    """Return the visitor as a test of these rules, and what is wrong with the file; with an error there is none."""
    problems, names = Problems(), Names()
    root, found, _ = compose(file, source, Room())
    for problem in found:
        problems.add(problem)
    case: Case | None = None
    if isinstance(root, Map) and not found:
        case = _read(root, rules, problems, names)
    elif not found:
        problems.report(f"{file}:1:1", "a visitor is written as words with values, such as now: 2026-11-20 10:00")
    listed = sorted(problems.found.values(), key=lambda problem: (problem.line, problem.column))
    return (None if any(problem.level == "error" for problem in listed) else case), listed


def _read(root: Map, rules: RuleSet, problems: Problems, names: Names) -> Case | None:
    try:
        lone = Lone.model_validate(root, context=Reading(problems, names))
    except ValueError:  # pydantic's; what is wrong has been reported where it stands
        lone = None
    _check_names(rules, problems, names)
    if lone is None:
        return None
    if lone.now is None and not lone.like:
        problems.report(root.where, 'a visitor needs the word "now", such as now: 2026-11-20 10:00')
        return None
    whole = likes.resolved((*rules.tests, lone.model_copy(update={"name": _NOT_A_TEST})), problems)
    return next((case for case in whole if case.name == _NOT_A_TEST), None)


def _check_names(rules: RuleSet, problems: Problems, names: Names) -> None:
    """Report blocks and tests that the rules do not have."""
    fallbacks = [p.fallback.block for p in rules.placements if p.fallback]
    known = {
        "block": [*(block.name for placement in rules.placements for block in placement.blocks), *fallbacks],
        "test": [test.name for test in rules.tests],
    }
    for used in names.references:
        if used.kind in known and used.name.casefold() not in map(str.casefold, known[used.kind]):
            sentence = f"there is no {used.kind} {quoted(used.name)}"
            problems.report(used.where, unknown(used.name, known[used.kind], sentence))
