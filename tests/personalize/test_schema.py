"""The schema for editors holds exactly the words of the language, each explained, each with examples that load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import time_values as t
from personalize import value_schemas as s
from personalize import values as v
from personalize.loader import SECTIONS, load
from personalize.schema import MOST_NAMES, THINGS, example_value, names_in, rule_schema
from personalize.syntax_conditions import FAMILIES, AttributeWord, Head
from personalize.syntax_tests import EXPECT_WORDS, Verb
from personalize.values import PhraseError
from personalize.visitor_file import Lone
from personalize.vocabulary_reserved import TOP
from personalize.words import Words
from tests.fakes.rule_words import NAMES, Place, places
from tests.personalize import test_values

PLACES = list(places())
SCHEMA = rule_schema()


def leaves(model: type[Words]) -> Iterator[type[Words]]:
    """Return the models that writers of rule files write, those of conditions apart."""
    for child in model.__subclasses__():
        if child.__module__.startswith("personalize.") and child not in (Head, Lone):
            if child.words().keys() - {"when"}:
                yield child
            yield from leaves(child)


def words_of(definition: dict[str, Any]) -> set[str]:
    """Return the words of a definition, those included that only stand beside others."""
    beside = (held.get("properties", {}) for held in definition.get("dependencies", {}).values())
    return set(definition["properties"]).union(*beside)


def errors(*sources: str) -> list[str]:
    _, problems = load({f"{number}.yaml": source for number, source in enumerate(sources)})
    return [str(problem) for problem in problems if problem.level == "error"]


def test_the_schema_has_exactly_the_words_of_the_models() -> None:
    definitions = SCHEMA["definitions"]
    assert set(leaves(Words)) == set(THINGS)
    assert {model: words_of(definitions[model.__name__]) for model in THINGS} == {m: set(m.words()) for m in THINGS}
    assert {model: set(words) for model, words in THINGS.items()} == {model: set(model.words()) for model in THINGS}
    assert words_of(definitions["Condition"]) == {word for family in FAMILIES for word in family.words()}
    assert words_of(definitions["Negated"]) <= words_of(definitions["Condition"])
    assert set(SCHEMA["properties"]) == {*SECTIONS, "holdout", "stages move"}
    assert set(definitions["Expectations"]["properties"]) == set(EXPECT_WORDS)
    others = {"traits", "owns", "consent", "company", "visits", "visitor is"}
    assert set(definitions["Visitor"]["properties"]) == {*get_args(AttributeWord), *others}


def test_the_loader_knows_the_words_that_a_file_starts_with() -> None:
    _, problems = load({"a.yaml": "\n".join(f"{word}: x" for word in TOP)})
    assert [p.message for p in problems if "is not a word of a rule file" in p.message] == []


def test_every_word_is_explained_and_has_an_example() -> None:
    def values(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, held in schema.items() if isinstance(schema, dict) else enumerate(schema):
            if key in {"properties", "patternProperties"}:
                yield from ((word, value) for word, value in held.items() if "$ref" not in value)
            if isinstance(held, dict | list):
                yield from values(held)

    found = list(values({**SCHEMA, "definitions": [SCHEMA["definitions"]]}))
    assert len(found) > 150
    assert [word for word, value in found if not value.get("description", "").endswith((".", "tuttu rules test"))] == []
    attributes = {"name", "domain", "type", "industry", "employees", "crm id"}
    assert {word for word, value in found if not value.get("examples")} <= attributes


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_example_loads(place: Place) -> None:
    assert place.word.examples
    for example in place.word.examples:
        document = place.document(example)
        # What gives names that other examples need is loaded without those; a last stage stands without "when".
        assert errors(document, NAMES) == [] or errors(document) == [] or "without" in errors(document)[0], document


def test_the_examples_of_a_files_first_words_make_one_rule_set() -> None:
    lists = [f"{word}: {held.examples[0]}\n" for word, held in TOP.items() if word != "stages move"]
    assert errors("".join(lists)) == []


def test_examples_are_values_as_an_editor_would_write_them() -> None:
    assert example_value("{a: 5, b: '5', c: 30 days, d: [x, 0.5], e: 1.10}") == {
        "a": 5,
        "b": "5",
        "c": "30 days",
        "d": ["x", 0.5],
        "e": "1.10",
    }


def test_own_names_are_offered_and_never_demanded() -> None:
    names = names_in(
        {
            "a.yaml": NAMES,
            "broken.yaml": "segments: [{segment: mine, wehn: 5}, 7, {segment: [x]}]",
            "unclosed.yaml": "segments: [",
        }
    )
    assert names["segment"] == ["customer", "good fit", "mine", "pricing intent"]
    assert names["block"] == ["book a demo", "welcome"]
    schema = rule_schema({**names, "score": [f"s{number}" for number in range(500)]})
    offered = schema["definitions"]["Condition"]["properties"]
    assert offered["in segment"]["examples"] == names["segment"]
    assert len(offered["score"]["examples"]) == MOST_NAMES
    assert {"home hero", "score s0", "interest reporting"} < set(schema["definitions"]["Expectations"]["properties"])

    def without_names(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: without_names(held) for key, held in node.items() if key != "examples"}
        return [without_names(item) for item in node] if isinstance(node, list) else node

    plain, named = without_names(SCHEMA), without_names(schema)
    for each in (plain, named):
        del each["definitions"]["Expectations"]["properties"]
    assert plain == named


# -- value phrases ---------------------------------------------------------------------------------------------------
PARSERS: list[tuple[Callable[[str], Any], s.Schema]] = [
    (v.parse_number, s.NUMBER),
    (v.parse_range, s.RANGE),
    (v.parse_count, s.COUNT),
    (v.parse_cap, s.CAP),
    (v.parse_length, s.LENGTH),
    (v.parse_ago, s.AGO),
    (v.parse_percent, s.PERCENT),
    (t.parse_moment, s.MOMENT),
    (t.parse_daily_range, s.TIME_OF_DAY),
    (t.parse_weekday_range, s.WEEKDAY),
    (t.parse_date_range, s.DATE),
]
_GOOD = test_values.test_a_phrase_has_its_value
_BAD = test_values.test_a_text_that_is_no_such_phrase_is_refused_with_a_sentence
KNOWN = [text for test in (_GOOD, _BAD) for _, text, _ in test.pytestmark[0].args[1]]
BLIND = ("ends before", "calendar", "outside of the years", "hundred years", "never allow", '0 days"', '"101 percent"')
"""What a parser says that a pattern cannot see: the order of two ends, the calendar, sizes."""


def complaint(parse: Callable[[str], Any], text: str) -> str:
    """Return why a parser refuses a text, or nothing."""
    try:
        parse(text)
    except PhraseError as error:
        return str(error)
    return ""


def accepted(parse: Callable[[str], Any], text: str) -> bool:
    return not complaint(parse, text)


def fits(schema: s.Schema, text: str) -> bool:
    return re.search(schema["pattern"], text) is not None


@pytest.mark.parametrize(("parse", "schema"), PARSERS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_pattern_agrees_with_its_parser_on_every_known_phrase(parse: Callable[[str], Any], schema: s.Schema) -> None:
    assert [text for text in KNOWN if accepted(parse, text) and not fits(schema, text)] == []
    missed = [complaint(parse, text) for text in KNOWN if fits(schema, text)]
    assert [said for said in missed if said and not any(sign in said for sign in BLIND)] == []


WORDS = [
    *("at least", "at most", "more than", "less than", "once", "twice", "time", "times", "per", "ever", "ago", "to"),
    *("from", "until", "percent", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks"),
    *("monday", "friday", "sunday"),
]
TOKENS = st.one_of(
    st.sampled_from(WORDS),
    st.integers(-3, 10**7).map(str),
    st.sampled_from(["0.5", "+5", "007", "08:00", "8:05", "24:00", "23:59", "2026-11-23", "1970-01-31", "T", "1.10"]),
)


@given(
    st.lists(TOKENS, min_size=1, max_size=5), st.sampled_from([" ", "  "]), st.sampled_from([str, str.upper, str.title])
)
def test_what_a_parser_takes_its_pattern_takes(tokens: list[str], gap: str, case: Callable[[str], str]) -> None:
    text = case(gap.join(tokens))
    for parse, schema in PARSERS:
        assert fits(schema, text) or not accepted(parse, text)


NUMBERS = st.integers(0, 999_999).map(str)
UNITS = st.sampled_from(["minute", "minutes", "Hour", "hours", "DAY", "days", "week", "Weeks"])
LENGTHS = st.tuples(st.integers(0, 36_525), UNITS).map(
    lambda it: f"{it[0]}  {it[1]}" if it[0] % 2 else f"{it[0]} {it[1]}"
)
COUNTS = st.one_of(st.sampled_from(["once", "Twice"]), NUMBERS.map(lambda n: f"{n} times"))
CAPS = st.tuples(COUNTS, st.sampled_from(["ever", "per day", "per Week", "per 30 days", "PER  2 weeks"])).map(" ".join)
PHRASES = [
    (v.parse_length, s.LENGTH, LENGTHS),
    (v.parse_count, s.COUNT, COUNTS),
    (v.parse_cap, s.CAP, CAPS),
    (v.parse_ago, s.AGO, LENGTHS.map(lambda length: f"More than {length} ago")),
    (v.parse_range, s.RANGE, st.tuples(st.sampled_from(["at least", "AT MOST", "less than"]), NUMBERS).map(" ".join)),
    (t.parse_moment, s.MOMENT, st.datetimes().map(lambda moment: f"{moment:%Y-%m-%d %H:%M}")),
]


@given(st.data())
def test_every_phrase_of_the_grammar_fits_its_pattern(data: st.DataObject) -> None:
    parse, schema, phrases = data.draw(st.sampled_from(PHRASES))
    text = data.draw(phrases)
    assert fits(schema, text) or not accepted(parse, text)


def test_closed_sets_take_any_case_and_nothing_else() -> None:
    choose = s.choice("first match", "best score")
    assert all(fits(choose, text) for text in ("first match", "First Match", "BEST SCORE"))
    assert not any(fits(choose, text) for text in ("first", "first  match", "first match ", "best"))
    assert all(fits(s.EVENT, f"{verb} x") for verb in get_args(Verb))
    assert not fits(s.EVENT, "saw x")
    assert not fits(s.EVENT, "viewed ")
    assert re.search(s.AGO_KEY, "1 Day ago")
    assert not re.search(s.AGO_KEY, "2 days")
