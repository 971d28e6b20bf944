"""Every word, phrase and name of the reference rules, broken one letter at a time: each is found, where it stands."""

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from personalize.errors import Problem
from personalize.loader import load
from personalize.yaml_nodes import Items, Map, compose

ROOT = Path(__file__).parents[1] / "vectors" / "rules-example"
FILES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.rglob("*.yaml"))}

FREE = {
    "title",
    "cta",
    "link",
    "control",
    "question",
    "type",
    "topic",
    "industry",
    "employees",
    "domain",
    "name",
    "plan",
}
"""Keys that a writer is free to choose: of content, properties, traits, company attributes, arms of an experiment."""

PHRASES = {
    "at least",
    "at most",
    "across",
    "within",
    "half-life",
    "show at most",
    "rest after dismiss",
    "wait",
    "inactive for",
    "include",
    "keep out",
    "of",
    "is",
    "visits",
    "last visit",
    "weekday",
    "time of day",
    "choose",
    "score engagement",
}
"""Words whose values are phrases of the language."""

USES = {
    "in segment",
    "segments",
    "not segments",
    "interest",
    "enters segment",
    "temperature becomes",
    "like",
    "home hero",
}
"""Words whose values are names of things that stand elsewhere."""


def texts_under(node: Any, word: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key with "" and every value with its key."""
    if isinstance(node, Map):
        for key, value in node.items():
            yield "", key
            yield from texts_under(value, key)
    elif isinstance(node, Items):
        for item in node:
            yield from texts_under(item, word)
    else:
        yield word, node


def places(wanted: Callable[[str, Any], bool]) -> Iterator[Any]:
    for file, text in FILES.items():
        for word, node in texts_under(compose(file, text)[0]):
            if wanted(word, node) and any(sign.isalpha() for sign in node):
                yield pytest.param(file, node, id=f"{node.where} {node}")


def broken(file: str, node: Any) -> dict[str, str]:
    """Return the files with another letter in the middle of one text."""
    letters = [at for at, sign in enumerate(node) if sign.isalpha()]
    at = letters[len(letters) // 2]
    lines = FILES[file].split("\n")
    line = lines[node.line - 1]
    start = node.column - 1 + node.quoted + at
    assert line[start] == node[at]
    lines[node.line - 1] = line[:start] + ("x" if node[at] != "x" else "y") + line[start + 1 :]
    return {**FILES, file: "\n".join(lines)}


def errors_of(files: dict[str, str]) -> list[Problem]:
    rules, problems = load(files)
    errors = [problem for problem in problems if problem.level == "error"]
    assert (rules is None) == bool(errors)
    return errors


def test_all_that_is_said_of_the_reference_rules_is_that_two_segments_are_unused() -> None:
    rules, problems = load(FILES)
    assert rules is not None
    assert [(str(problem).partition(": no block")[0], problem.message[-40:]) for problem in problems] == [
        ("segments.yaml:12:5: warning", 'segment "gone quiet"; remove it, or use it'[-40:]),
        ("segments.yaml:14:5: warning", 'segment "office hours in Finland"; remove it, or use it'[-40:]),
    ]


@pytest.mark.parametrize(("file", "node"), list(places(lambda word, node: not word and node not in FREE)))
def test_a_misspelt_word_is_found_once_with_a_suggestion(file: str, node: Any) -> None:
    errors = errors_of(broken(file, node))
    assert len(errors) == 1
    assert (errors[0].file, errors[0].line) == (file, node.line)
    assert "did you mean" in errors[0].message


@pytest.mark.parametrize(
    ("file", "node"), list(places(lambda word, node: word in PHRASES and (word != "is" or " " in node)))
)
def test_a_misspelt_phrase_is_found_once_with_a_suggestion(file: str, node: Any) -> None:
    errors = errors_of(broken(file, node))
    assert len(errors) == 1
    assert (errors[0].file, errors[0].line) == (file, node.line)
    assert "did you mean" in errors[0].message


@pytest.mark.parametrize(("file", "node"), list(places(lambda word, _: word in USES)))
def test_a_misspelt_name_is_found_with_a_suggestion(file: str, node: Any) -> None:
    errors = errors_of(broken(file, node))
    # An interest is declared under the same word: then its uses are what is wrong.
    assert errors
    assert all("did you mean" in error.message for error in errors)
    assert any((error.file, error.line) == (file, node.line) for error in errors) or "interest:" in FILES[file]


def indentations() -> Iterator[Any]:
    for file, text in FILES.items():
        changes = cycle(("tab", "one more", "one less"))
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                change = next(changes)
                if change != "one less" or line.startswith(" "):
                    yield pytest.param(file, number, change, id=f"{file}:{number} {change}")


@pytest.mark.parametrize(("file", "number", "change"), list(indentations()))
def test_a_wrong_indentation_is_found_near_its_line_or_changes_nothing(file: str, number: int, change: str) -> None:
    lines = FILES[file].split("\n")
    line = lines[number - 1]
    lines[number - 1] = {"tab": "\t" + line, "one more": " " + line, "one less": line[1:]}[change]
    errors = errors_of({**FILES, file: "\n".join(lines)})
    # A lone item may stand anywhere right of its word, and a lone top-level word may be indented.
    harmless = line.startswith(("      - any of", "tests:")) and change != "tab"
    assert bool(errors) != harmless
    assert all(abs(error.line - number) <= 1 and error.file == file for error in errors[:1])
