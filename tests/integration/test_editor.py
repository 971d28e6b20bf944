"""Rules in an editor: what the real yaml-language-server makes of the schema that `tuttu rules schema` writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands.schema import FILE, schema_of
from personalize.loader import load
from tests.fakes.rule_words import NAMES, Place, places
from tests.gateway.command import ROOT, tuttu
from tests.integration.editor import Editor, Found
from tests.personalize.test_schema import KNOWN

EXAMPLE = ROOT / "tests" / "vectors" / "rules-example"
LINE = "# yaml-language-server: $schema=.schema/rules.json\n"
DEEPER = LINE.replace(".schema", "../.schema")


def written(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return tuttu("rules", "schema", folder, *options)


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("rules")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_bytes(schema_of(folder))
    with Editor(folder) as running:
        yield running


def condition(text: str) -> str:
    return f"segments:\n  - segment: a\n    when:\n      - {text}"


def block(text: str) -> str:
    return f"placements:\n  - placement: a\n    blocks:\n      - block: b\n        {text}"


def refused(text: str) -> bool:
    """Tell whether the loader refuses a file, be it beside the names that it may lack."""
    errors = [one.message for one in load({"a.yaml": text})[1] if one.level == "error"]
    if errors and all(message.startswith("there is no ") for message in errors):
        errors = [one.message for one in load({"a.yaml": text, "names.yaml": NAMES})[1] if one.level == "error"]
    return bool(errors)


# -- the command -----------------------------------------------------------------------------------------------------
def test_the_command_writes_the_schema_where_the_comment_looks_for_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("segments: [{segment: our own, wehn: 5}]\n")
    done = written(tmp_path)
    path = tmp_path / ".schema" / "rules.json"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == str(path)
    assert LINE.strip() in done.stdout
    assert "our own" in path.read_text()
    printed = written(tmp_path, "--stdout")
    assert json.loads(printed.stdout) == json.loads(path.read_text())


def test_a_folder_without_rules_has_a_schema_too_and_a_missing_one_has_none(tmp_path: Path) -> None:
    assert json.loads(written(tmp_path, "--stdout").stdout)["$schema"].startswith("http://json-schema.org/draft-07/")
    assert not (tmp_path / ".schema").exists()
    missing = written(tmp_path / "nowhere")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "there is no folder" in missing.stderr
    (tmp_path / ".schema").write_text("a file where the folder should be")
    blocked = written(tmp_path)
    assert (blocked.returncode, blocked.stdout) == (2, "")
    assert "cannot be written" in blocked.stderr


# -- what is offered -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "offered", "hidden"),
    [
        ("¦", {"scores", "segments", "stages move", "placements", "tests"}, {"viewed", "block"}),
        ("segments:\n  - ¦", {"segment", "about", "when"}, {"block"}),
        (condition("¦"), {"viewed", "did", "in segment", "weekday", "any of"}, {"within", "is", "block"}),
        (condition("viewed: /x\n        ¦"), {"where", "at least", "at most", "across", "within"}, {"is"}),
        (condition("{viewed: /x, w¦}"), {"where", "within"}, {"is"}),
        (condition("score: fit\n        ¦"), {"is"}, {"within"}),
        (condition("not:\n          ¦"), {"viewed", "in segment"}, {"within"}),
        (condition("any of:\n          - ¦"), {"viewed", "in segment"}, {"within"}),
        (condition("in segment: ¦"), {"pricing intent", "gone quiet"}, {"true", "hot"}),
        (condition("temperature: ¦"), {"hot", "warm", "cold"}, {"customer"}),
        (condition("visitor is: ¦"), {"new", "returning", "known", "anonymous"}, set()),
        (condition("weekday: ¦"), {"monday to friday"}, set()),
        (condition("viewed: /x\n        within: ¦"), {"30 days"}, set()),
        (block("¦"), {"when", "from", "until", "content", "show at most", "rest after dismiss"}, {"viewed", "block"}),
        (block("rest after click: ¦"), {"forever"}, set()),
        (block("worth:\n          ¦"), {"interest", "score", "plus"}, set()),
        ("placements:\n  - placement: a\n    choose: ¦", {"first match", "best score"}, set()),
        ("stages move: ¦", {"forward only", "both ways"}, set()),
        ("tests:\n  - test: a\n    visitor:\n      ¦", {"country", "consent", "owns", "visits", "traits"}, {"expect"}),
        (
            "tests:\n  - test: a\n    expect:\n      ¦",
            {"segments", "score fit", "home hero", "interest reporting"},
            set(),
        ),
        ("tests:\n  - test: a\n    events:\n      - ¦", {"2 days ago: viewed …", "times"}, set()),
        (
            "scores:\n  - score: a\n    points:\n      - give: 1\n        ¦",
            {"for viewed", "for country", "at most"},
            {"is"},
        ),
    ],
)
def test_words_and_values_are_completed(editor: Editor, text: str, offered: set[str], hidden: set[str]) -> None:
    found = editor.completions("a.yaml", LINE + text)
    assert offered <= set(found)
    assert not hidden & set(found)


def test_a_completed_word_comes_with_what_it_needs(editor: Editor) -> None:
    top = editor.completions("a.yaml", LINE + "¦")
    assert top["segments"].split() == ["segments:", "-", "segment:", "$1", "when:", "-", "$2"]
    assert top["placements"].split() == ["placements:", "-", "placement:", "$1", "blocks:", "-", "block:", "$2"]
    assert editor.completions("a.yaml", LINE + condition("¦"))["viewed"] == "viewed: "
    event = editor.completions("a.yaml", LINE + "tests:\n  - test: a\n    events:\n      - ¦")
    assert event["2 days ago: viewed …"] == "${1:2 days} ago: ${2:viewed /prices}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seg¦ments:\n  - segment: a", "Groups of visitors"),
        (condition("{vie¦wed: /x, within: 30 days}"), "A page was viewed"),
        (condition("{viewed: /x, with¦in: 30 days}"), "today included"),
        (condition("not: {sco¦re: fit, is: 5}"), "A score by its name"),
        (block("rest af¦ter click: 1 day"), "exactly so long"),
        ("tests:\n  - {test: a, lik¦e: b}", "merged key by key"),
    ],
)
def test_a_word_under_the_pointer_is_explained_with_an_example(editor: Editor, text: str, said: str) -> None:
    shown = editor.hover("a.yaml", LINE + text)
    assert said in shown
    assert "```yaml" in shown


# -- what is underlined ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("folder", [EXAMPLE, ROOT / "rules"], ids=["reference", "demo"])
def test_good_rules_have_no_error(editor: Editor, folder: Path) -> None:
    # Opened beside the schema of the reference rules: names that it does not know are no errors.
    files = {path.name: LINE + path.read_text("utf-8") for path in folder.rglob("*.yaml")}
    assert [found for found in editor.problems_of_each(files).values() if found] == []


def test_every_good_example_of_the_docs_has_no_error(editor: Editor) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    examples = [text for page in pages for text in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    files = {f"{number}.yaml": LINE + text for number, text in enumerate(examples)}
    underlined = {name for name, found in editor.problems_of_each(files).items() if found}
    # The docs show some mistakes too.
    assert [files[name] for name in underlined if not refused(files[name])] == []


def test_a_file_in_a_folder_below_names_the_schema_above(editor: Editor) -> None:
    assert {p.line for p in editor.problems("tests/a.yaml", DEEPER + "tests:\n- {tset: a}")} == {3}


def test_an_empty_file_has_no_error(editor: Editor) -> None:
    assert editor.problems("a.yaml", LINE) == editor.problems("a.yaml", f"{LINE}---\n") == []


MISTAKES = [
    ("segmnts: []", 2, "segmnts is not allowed"),
    ("- a", 2, "Incorrect type"),
    ("segments: {a: b}", 2, 'Expected "array"'),
    ("segments:\n- segment: a", 3, 'Missing property "when"'),
    (condition("{viewd: /x}"), 5, "not a word of a condition"),
    (condition("{viewed: /x, withn: 3 days}"), 5, "not a word of a condition"),
    (condition("{viewed: /x,\n         within: 30 dayz}"), 6, "A length of whole days"),
    (condition("{viewed: /x, within: 30 minutes}"), 5, "A length of whole days"),
    (condition("{viewed: /x, at least: 2}"), 5, 'A count such as "once"'),
    (condition("{viewed: /x, did: y}"), 5, "does not go together with viewed"),
    (condition("{score: fit, is: 5, within: 3 days}"), 5, "does not go together with score"),
    (condition("{score: fit}"), 5, 'Missing property "is"'),
    (condition("{score: fit, is: at leest 5}"), 5, "A number such as 5"),
    (condition("{at least: 2 times}"), 5, "Missing property"),
    (condition("{}"), 5, "fewer properties"),
    (condition("{visitor is: knwon}"), 5, "One of new, returning"),
    (condition("{weekday: mondy}"), 5, "A weekday"),
    (condition("{time of day: 8 to 16}"), 5, "A time of day"),
    (condition("{last visit: 21 days ago}"), 5, "more than 21 days ago"),
    (condition("{in segment: {a: b}}"), 5, "A text or a list of texts"),
    (condition("{in segment: }"), 5, "A text or a list of texts"),
    (condition("{not: [{country: FI}, {country: SE}]}"), 5, "too many items"),
    (condition("{not: {contry: FI}}"), 5, "not a word of a condition"),
    (condition("{any of: {country: FI}}"), 5, 'Expected "array"'),
    (
        "placements:\n- placement: p\n  choose: first mach\n  blocks: [{block: a}]",
        4,
        "One of first match, best score",
    ),
    (block("show at most: 5 times per hour"), 6, "A cap such as"),
    (block("rest after click: for ever"), 6, "or forever"),
    (block("from: 23.11.2026"), 6, "A date such as"),
    (block("html: yes"), 6, "One of trusted"),
    (block("worth: lots"), 6, "A number"),
    (block("worth: {interest: a, score: b}"), 6, "does not go together"),
    (block("content: {a: {b: c}}"), 6, "A text, a number or a list"),
    ("stages move: back", 2, "One of both ways, forward only"),
    ("scores:\n- score: a\n  points:\n  - {give: 1, for viewed: /x, for did: y}", 5, "does not go together"),
    ("scores:\n- score: a\n  half-life: 14\n  points: [{give: 1, for viewed: /x}]", 4, "A length of whole days"),
    ("tests:\n- test: a\n  expect: {hero: b}\n  events: [{2 days: viewed /x}]", 5, "2 days is not allowed"),
    ("tests:\n- test: a\n  expect: {hero: b}\n  events: [{2 days ago: saw /x}]", 5, "Something that happened"),
    ("tests:\n- test: a\n  expect: {score fit: lots}", 4, "A number such as 5"),
    ("holdout: {keep out: 5, of: everything}", 2, "A share"),
]


@pytest.fixture(scope="module")
def underlined(editor: Editor) -> dict[str, list[Found]]:
    """Return what the editor finds in each of the mistakes."""
    texts = {f"{number}.yaml": LINE + text for number, (text, _, _) in enumerate(MISTAKES)}
    return {texts[name]: found for name, found in editor.problems_of_each(texts).items()}


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES)
def test_a_mistake_is_underlined_once_in_its_line(
    underlined: dict[str, list[Found]], text: str, line: int, said: str
) -> None:
    assert refused(text), "the loader takes what the editor refuses"
    (found,) = underlined[LINE + text]
    assert found.line == line
    assert said in found.message


# -- the editor against the loader -----------------------------------------------------------------------------------
OTHERS = [
    "[a, b]",
    "[]",
    "[[a]]",
    "{a: b}",
    "{}",
    "[{did: x}]",
    "{did: x}",
    '"5"',
    "''",
    "'  '",
    "true",
    "NO",
    "1e3",
    "0x1F",
]
OTHERS += [
    ".5",
    "+5",
    "-0",
    "1_000",
    "2026",
    "forever",
    "everything",
    "trusted",
    "Trusted",
    "Returning",
    "viewed /x",
    "viewed",
]


def as_written(text: str) -> str:
    """Return a phrase as it stands inside a flow map, in quotes where it needs them."""
    return json.dumps(text) if re.search(r"[,\[\]{}#\"']|^[*&!%@]|: ", text) else text


def test_the_editor_refuses_only_what_the_loader_refuses(editor: Editor) -> None:
    known = [*map(as_written, KNOWN)]
    asked: set[str] = set()
    lines: dict[str, list[tuple[Place, str]]] = {}
    for place in places():
        # Every known phrase for each kind of value, some of them for each word.
        kind = json.dumps(place.word.value)
        for value in [*OTHERS, *known[:: 6 if kind in asked else 1]]:
            lines.setdefault(place.section, []).append((place, value))
        asked.add(kind)
    underlined = 0
    for section, found in lines.items():
        if section == "holdout":  # one map, no list
            continue
        rules = [place.with_value(value, number) for number, (place, value) in enumerate(found)]
        for problem in editor.problems("a.yaml", f"{LINE}{section}:\n" + "".join(f"- {rule}\n" for rule in rules)):
            place, value = found[problem.line - 3]
            assert refused(place.document(value)), (place.document(value), problem.message)
            underlined += 1
    assert underlined > 2000
