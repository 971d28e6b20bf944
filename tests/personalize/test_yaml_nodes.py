from typing import Any

import pytest
import yaml

from personalize import yaml_nodes
from personalize.errors import ParserMissing, Problem
from personalize.yaml_nodes import Items, Map, Text, compose


def composed(source: str | bytes) -> Any:
    node, problems, complete = compose("a.yaml", source)
    assert complete
    assert problems == []
    return node


def problem_of(source: str | bytes) -> Problem:
    _, problems, _ = compose("a.yaml", source)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


@pytest.mark.parametrize("text", ["NO", "on", "12:30", "1.10", "null", "~", "0x1F", "1e3", "2026-11-23", "=", "<<"])
def test_every_scalar_stays_text(text: str) -> None:
    node = composed(f"key: {text}\n")
    assert node == {"key": text}
    assert isinstance(node[Text("key")], Text)


def test_every_key_and_value_knows_its_place() -> None:
    node = composed("# rules\nä: [x, {y: 'z'}]\nb:\n  - c # note\n")
    assert isinstance(node, Map)
    first, second = node
    assert (first.where, second.where) == ("a.yaml:2:1", "a.yaml:3:1")
    items = node[first]
    assert isinstance(items, Items)
    assert [item.where for item in items] == ["a.yaml:2:5", "a.yaml:2:8"]
    (quoted,) = items[1].values()
    assert (quoted.where, quoted.quoted, quoted.comment) == ("a.yaml:2:12", True, False)
    (noted,) = node[second]
    assert (noted.where, noted.quoted, noted.comment) == ("a.yaml:4:5", False, True)


@pytest.mark.parametrize(
    ("source", "where", "said"),
    [
        ("a: 1\na: 2\n", "2:1", "written twice"),
        ("a: &x 1\n", "1:4", 'starts with "&" must stand in quotes'),
        ("a: *x\n", "1:4", 'starts with "*" must stand in quotes'),
        ("a: *.edu\n", "1:4", 'starts with "*" must stand in quotes'),
        ("a: !!str 1\n", "1:4", 'starts with "!" must stand in quotes'),
        ("a: ! 1\n", "1:4", 'starts with "!" must stand in quotes'),
        ("a: %x\n", "1:4", 'starts with "%" must stand in quotes'),
        ("a: @x\n", "1:4", 'starts with "@" must stand in quotes'),
        ("a: {{ x | y }}\n", "1:4", 'starts with "{{" must stand in quotes'),
        ("a: {t: {{ x }}, u: v}\n", "1:8", 'starts with "{{" must stand in quotes'),
        ("a: {t: Yksi, kaksi}\n", "1:14", '"kaksi" has no value; if it is part of a text with a comma, put'),
        ("a:\n", "1:1", '"a" has no value'),
        ("a:\n  -\n", "2:4", "no value"),
        ("? \n: b\n", "1:2", "the word before the colon is missing"),
        ("[a]: b\n", "1:1", "a word is wanted before the colon"),
        ("a: 1\n---\nb: 2\n", "2:1", "one document"),
        ("a: [b\n", "1:4", "this [ has no ]"),
        ("a: {b: c\nd: e\n", "1:4", "this { has no }"),
        ("a: {b: Tarjous # 1}\n", "1:4", "this { has no }"),
        ("a: 'b\n", "1:4", "the quote that opens here is never closed"),
        ("a: b: c\n", "1:5", "this colon does not fit"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "check its indentation"),
        ("a:\n  - b\n  c: d\n", "3:3", 'starts with "- " is wanted'),
        ("a:\n\tb: c\n", "2:1", "a tab stands here"),
        ("  a: b\nc: d\n", "1:1", "this line is indented"),
        ("a: b\nc\nd: e\n", "2:1", "needs a colon"),
        ('a: "\\q"\n', "1:5", "starts an escape"),
        ('a: "x\\0"\n', "1:4", "invisible character U+0000"),
        ("a: [b, , c]\n", "1:8", "a value is missing"),
        ("a: b\x00\n", "1:5", "invisible character U+0000"),
        ("ä: \u2028\n", "1:4", "invisible character U+2028"),
        ("a: \ud800\n", "1:4", "invisible character U+D800"),
        (b"a: b\n\xe4: c\n", "2:1", "not UTF-8"),
        ("a: {__proto__: b}\n", "1:5", "cannot be used"),
        ("Constructor: b\n", "1:1", "cannot be used"),
    ],
)
def test_what_yaml_would_lose_or_change_is_refused_in_its_place(source: str | bytes, where: str, said: str) -> None:
    problem = problem_of(source)
    assert f"{problem.line}:{problem.column}" == where
    assert said in problem.message


def test_reading_goes_on_after_a_problem_that_leaves_the_structure_whole() -> None:
    node, problems, complete = compose("a.yaml", "a: *x\nb: &y c\nb: d\ne: f\n")
    assert complete
    assert [(problem.line, problem.column) for problem in problems] == [(1, 4), (2, 4), (3, 1)]
    assert node == {"a": "*x", "b": "c", "e": "f"}


@pytest.mark.parametrize("source", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_has_no_nodes(source: str | bytes) -> None:
    assert compose("a.yaml", source) == (None, [], True)


@pytest.mark.parametrize("source", ["\ufeffa: b\n", b"\xef\xbb\xbfa: b\r\n", "a: b\r", "---\na: b\n"])
def test_marks_line_ends_and_a_document_start_change_nothing(source: str | bytes) -> None:
    assert composed(source) == {"a": "b"}


def test_lists_in_lists_are_read_up_to_the_limit_and_no_deeper() -> None:
    deepest = yaml_nodes.MAX_DEPTH
    composed("[" * deepest + "]" * deepest)
    assert problem_of("[" * (deepest + 1) + "]" * (deepest + 1)).column == deepest + 1


def test_without_libyaml_the_reader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    with pytest.raises(ParserMissing, match="libyaml"):
        compose("a.yaml", "a: b")
