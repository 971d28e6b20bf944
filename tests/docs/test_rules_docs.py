"""Every example of the marketers' handbook and its cookbook is what it says: it loads, its tests pass, errors and
answers of the command line are word for word.

Comments right above a fenced block say what it is:
`<!-- file: NAME -->` it is this file of the reader's rule folder from here on; `<!-- with: NAME, NAME -->` it stands
beside these files; `<!-- error: PLACE: MESSAGE -->` it is wrong, and `tuttu rules check` says exactly this. A block
`console` runs its commands in a folder that holds `rules/` with the files of its `with`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.__main__ import main
from personalize import rule_tests
from personalize.content import TEMPLATE_NAMES
from personalize.loader import load
from personalize.plan import compile_rules
from personalize.syntax import (
    FAMILIES,
    Block,
    Case,
    Fallback,
    Grant,
    Growth,
    Interest,
    PastEvent,
    Placement,
    RuleSet,
    Score,
    Segment,
    Stage,
    Temperature,
    Words,
    Worth,
)
from personalize.syntax_tests import Verb

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("rules.md", "cookbook.md", "email.md")
ZONE = "Europe/Helsinki"
FENCED = re.compile(r"((?:<!-- .*? -->\n)*)```(yaml|console)\n(.*?)```", re.DOTALL)
MARK = re.compile(r"<!-- (\w+): (.*?) -->")
COMMAND = re.compile(r"^\$ tuttu (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
UNCHANGED = {"where", "name", "about", "content", "fallback"}
"""Fields that are not conditions or limits, so that nothing is tried without them."""


@dataclass
class Example:
    """A fenced block; `files` is the rule folder that it makes."""

    id: str
    language: str
    text: str
    files: dict[str, str]
    errors: list[str] = field(default_factory=list)


def examples(page: str) -> list[Example]:
    text = (DOCS / page).read_text("utf-8")
    files: dict[str, str] = {}
    found = []
    for block in FENCED.finditer(text):
        marks = MARK.findall(block[1])
        assert {mark for mark, _ in marks} <= {"file", "with", "error"}, f"a mark that means nothing: {block[1]}"
        name = dict(marks).get("file", "example.yaml")
        beside = {other: files[other] for mark, names in marks if mark == "with" for other in names.split(", ")}
        if block[2] == "yaml":
            beside[name] = block[3]
            files |= {name: block[3]} if "file" in dict(marks) else {}
        line = text[: block.start(2)].count("\n") + 1
        errors = [message for mark, message in marks if mark == "error"]
        found.append(Example(f"{page}:{line}", block[2], block[3], beside, errors))
    return found


def params(*pages: str, language: str = "yaml", broken: bool = False) -> list[Any]:
    every = [example for page in pages for example in examples(page)]
    return [
        pytest.param(example, id=example.id)
        for example in every
        if example.language == language and bool(example.errors) is broken
    ]


def loaded(files: dict[str, str]) -> RuleSet:
    rules, problems = load(files)
    assert rules is not None, "\n".join(map(str, problems))
    return rules


def failed(rules: RuleSet) -> list[str]:
    results = rule_tests.run(compile_rules(rules, ZONE), rules.tests)
    return [f"{result.name}: {failure}" for result in results for failure in result.failures]


@pytest.mark.parametrize("example", params(*PAGES))
def test_an_example_loads_and_its_tests_pass(example: Example) -> None:
    rules = loaded(example.files)
    if "# fails" not in example.text:
        assert failed(rules) == []
    else:
        assert failed(rules), "a test that the handbook shows to fail passes"


@pytest.mark.parametrize("example", params("rules.md", broken=True))
def test_a_wrong_example_gives_exactly_its_errors(example: Example) -> None:
    _, problems = load(example.files)
    assert [str(problem) for problem in problems if problem.level == "error"] == example.errors
    shown = "".join(console.text for console in examples("rules.md") if console.language == "console")
    assert [error for error in example.errors if error not in shown] == [], "a reader sees it too"


@pytest.mark.parametrize("example", params("rules.md", language="console"))
def test_the_command_line_answers_what_the_handbook_shows(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in example.files.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    runs = COMMAND.findall(example.text)
    assert runs, "a console example starts with $ tuttu"
    for command, answer in runs:
        main(shlex.split(command))
        assert capsys.readouterr().out == answer


def test_every_word_has_an_example() -> None:
    text = "".join(example.text for page in PAGES for example in examples(page) if example.language == "yaml")
    models = (*FAMILIES, Score, Grant, Interest, Growth, Segment, Stage, Temperature, Placement, Block, Fallback, Worth)
    words = {word for model in (*models, Case, PastEvent) for word in model.words()}
    points = {word for word in words if word.startswith("for ")} - {f"for {word}" for word in ("viewed", "did")}
    assert len(words) > 80
    assert any(f"{word}:" in text for word in points), "points for what somebody is"
    assert sorted(word for word in words - points if not re.search(rf"\b{word}:", text)) == []
    assert sorted(word for word in (*get_args(Verb), *TEMPLATE_NAMES) if word not in text) == []


# -- the cookbook proves itself -------------------------------------------------------------------------------------
def weaker(thing: Words) -> Iterator[tuple[str, Words]]:
    """Yield the thing with one condition, limit or grant less, each of them once, with a name for it."""
    for name, info in type(thing).model_fields.items():
        value = getattr(thing, name)
        if name in UNCHANGED or value is None or value == info.default:
            continue
        for what, held in less(value):
            yield f"{name} {what}", thing.model_copy(update={name: held})
        if isinstance(value, dict) and not info.is_required():
            for key in value:
                kept = {other: held for other, held in value.items() if other != key}
                yield f"{name} {key}", thing.model_copy(update={name: kept})
        elif not isinstance(value, tuple | dict) and not info.is_required():
            yield name, thing.model_copy(update={name: info.default})


def less(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Words):
        yield from weaker(value)
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            if isinstance(item, Words):
                for what, held in weaker(item):
                    yield f"{at} {what}", (*value[:at], held, *value[at + 1 :])
                if not item.declares:
                    yield f"without {item.where}", (*value[:at], *value[at + 1 :])


def weaker_rules(rules: RuleSet) -> Iterator[tuple[str, RuleSet]]:
    for section in ("scores", "interests", "segments", "stages", "temperatures", "placements"):
        for what, held in less(getattr(rules, section)):
            yield f"{section} {what}", rules.model_copy(update={section: held})


def test_the_cookbook_has_the_cases_that_it_lists() -> None:
    text = (DOCS / "cookbook.md").read_text("utf-8")
    titles = re.findall(r"^## (\d+\. .+)$", text, re.MULTILINE)
    listed = re.findall(r"^\d+\. \[(.+)\]\(#(.+)\)$", text, re.MULTILINE)
    assert [f"{number}. {title}" for number, (title, _) in enumerate(listed, 1)] == titles
    assert [anchor for _, anchor in listed] == [re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles]
    assert len(titles) == len(params("cookbook.md")) == 11


@pytest.mark.parametrize("recipe", params("cookbook.md"))
def test_a_recipe_fails_its_tests_when_anything_of_it_is_missing(recipe: Example) -> None:
    mutants = list(weaker_rules(loaded(recipe.files)))
    assert len(mutants) >= 3
    assert [what for what, rules in mutants if not failed(rules)] == []


def test_the_pages_link_to_what_is_there() -> None:
    for page in PAGES:
        text = (DOCS / page).read_text("utf-8")
        anchors = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            name, _, anchor = target.partition("#")
            assert (DOCS / name).exists(), f"{page} links to {target}"
            assert name or anchor in anchors, f"{page} links to {target}"
