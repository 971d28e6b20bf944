"""docs/rule-words.md lists every word of the rule language, each with a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

from personalize.content import TEMPLATE_NAMES
from personalize.schema import THINGS
from personalize.syntax_conditions import FAMILIES
from personalize.syntax_tests import Verb
from personalize.vocabulary_reserved import TOP
from personalize.vocabulary_tests import EXPECTATIONS, VISITOR

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rule-words.md").read_text("utf-8")
HEADER = "| word | value | means | test |"


def rows() -> list[tuple[str, list[str]]]:
    """Return the cells of every row, each with the section that it stands in."""
    found = []
    section = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and line not in {HEADER, "| --- | --- | --- | --- |"}:
            found.append((section, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]))
    return found


def words(*sections: str) -> set[str]:
    """Return the words of some sections."""
    return {word for section, cells in rows() if section in sections for word in re.findall("`([^`]+)`", cells[0])}


@cache
def functions_of(path: str) -> set[str]:
    """Return the names of the tests in a file, without running it."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_word_stands_in_its_section() -> None:
    things: dict[str, set[str]] = {
        "A file": set(TOP),
        "Conditions": {word for family in FAMILIES for word in family.words()},
        "Tests": {*VISITOR, *EXPECTATIONS, *get_args(Verb), "score NAME", "interest NAME"},
    }
    sections = {
        "syntax_reserved": "Reserved for later",
        "syntax_tests": "Tests",
        "Score": "Scores and interests",
        "Interest": "Scores and interests",
        "Grant": "Scores and interests",
        "Growth": "Scores and interests",
        "Segment": "Segments, stages, temperatures",
        "Stage": "Segments, stages, temperatures",
        "Temperature": "Segments, stages, temperatures",
    }
    for model in THINGS:
        module = model.__module__.rpartition(".")[2]
        section = sections.get(module) or sections.get(model.__name__, "Placements and blocks")
        things.setdefault(section, set()).update(set(model.words()) - {"is"})
    assert {section: held - words(section) for section, held in things.items() if held - words(section)} == {}


def test_the_names_that_content_may_use_are_listed() -> None:
    (row,) = (cells for _, cells in rows() if "{{ name" in cells[0])
    assert set(re.findall("`([^`]+)`", row[1])) == {*TEMPLATE_NAMES, "score.NAME", "trait.NAME"}


def test_every_row_is_whole_and_names_a_test_that_exists() -> None:
    assert len(rows()) > 80
    for section, cells in rows():
        assert len(cells) == 4, (section, cells)
        assert cells[2], (section, cells)
        path, _, name = cells[3].strip("`").partition("::")
        assert name in functions_of(path), (section, cells)
