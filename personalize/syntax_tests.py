"""The test language as typed models: given this visitor and these events, expect this.

`read_expectations` says how each value of `expect` is held. What `like` takes from another test is put in by
`likes.resolved`, once all files are read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from personalize import fields as f
from personalize.known_values import wrong_value
from personalize.suggest import did_you_mean, nearest, quoted, unknown
from personalize.syntax_conditions import COMPANY_WORDS, AttributeWord
from personalize.values import Length, NumberRange, parse_count, parse_length, parse_number, parse_range
from personalize.words import Reading, Words, copied
from personalize.yaml_nodes import Items, Map, Node, Text

Verb = Literal["viewed", "did", "shown", "clicked", "dismissed", "converted"]

EXPECT_WORDS = ("segments", "not segments", "stage", "temperature")
"""Words of `expect` that are no placements; `score NAME` and `interest NAME` are the others."""

KINDS = ("known", "anonymous")
"""What `visitor is` may say of a test's visitor; new and returning follow from the visits."""

MOST_TIMES = 1000


def _read_times(value: Any, reading: Reading) -> int:
    node = f.text_of(value, reading)
    parse = parse_count if re.search("[^\\W\\d]", node) else parse_number
    times = f.parsed(parse, node, reading)
    if times != int(times) or not 1 <= times <= MOST_TIMES:
        raise reading.reject(node, f"{quoted(node)} is not a whole number from 1 to {MOST_TIMES}")
    return int(times)


class PastEvent(Words):
    """An item of `events` or `also`: `<length> ago: viewed /path`, with its properties and how often it happened."""

    thing: ClassVar[str] = "an event"

    ago: f.LengthField
    verb: Verb
    object: f.Line
    properties: f.PlainValues = Field(default={}, alias="where")
    times: Annotated[int, f.reads(_read_times)] = Field(default=1, alias="times")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values; the word that ends in "ago" says when, its value what."""
        ago = next((key for key in node if key not in ("where", "times")), None)
        if ago is None:
            raise reading.reject(node, 'an event is written as "2 days ago: viewed /path"')
        others = copied(node)
        others.update({key: value for key, value in node.items() if key is not ago})
        values = super().fields_of(others, reading)
        return values | cls._what(node[ago], reading) | {"ago": cls._when(ago, reading)}

    @classmethod
    def example(cls) -> str:
        """Return the shortest form of an event, for messages."""
        return "{2 days ago: viewed /path}"

    @classmethod
    def _when(cls, key: Text, reading: Reading) -> Length:
        length, _, ago = key.rpartition(" ")
        if ago.casefold() != "ago":
            guess = "ago" if nearest(ago, ("ago",)) else nearest(key, ("where", "times"))
            raise reading.reject(key, f'{quoted(key)} is not a time such as "2 days ago"{did_you_mean(guess)}')
        found = Text(length.strip())
        found.file, found.line, found.column = key.file, key.line, key.column
        return f.parsed(parse_length, found, reading)

    @classmethod
    def _what(cls, value: Node, reading: Reading) -> dict[str, str]:
        text = f.text_of(value, reading)
        word, *rest = re.split(" +", text.strip(), maxsplit=1)
        verbs = get_args(Verb)
        if word.casefold() not in verbs:
            message = f"{quoted(word)} is not something that happens to a page, an event or a block"
            raise reading.reject(text, unknown(word, verbs, message))
        if not rest:
            raise reading.reject(text, f"{quoted(word)} needs what it happened to, such as a path, an event or a block")
        if word.casefold() not in ("viewed", "did"):
            reading.refer("block", text, rest[0])
        return {"verb": word.casefold(), "object": rest[0]}


def _read_visitor(value: Any, reading: Reading) -> dict[str, object]:
    """Return what is known about the visitor.

    Lists (`consent`, `owns`) are tuples, `traits` and `company` maps of JSON values, `visits` a whole number and all
    other words texts.
    """
    if not isinstance(value, Map):
        raise reading.reject(value, "a visitor is written as words with values, such as {country: FI}")
    words = (*get_args(AttributeWord), "traits", "owns", "consent", "company", "visits", "visitor is")
    visitor: dict[str, object] = {}
    for key, item in reading.settle(value, words, "a visitor").items():
        if key in ("consent", "owns"):
            visitor[str(key)] = f.read_texts(item, reading, empty=True)
        elif key in ("traits", "company"):
            if not isinstance(item, Map):
                raise reading.reject(item, "a map is wanted here, such as {name: value}")
            if key == "company":
                f.warn_if_near(item, COMPANY_WORDS, "an attribute", reading)
            visitor[str(key)] = {str(name): f.plain_value(held, reading) for name, held in item.items()}
        elif key == "visits":
            visitor[str(key)] = _read_visits(item, reading)
        elif key == "visitor is":
            visitor[str(key)] = _read_kind(item, reading)
        else:
            text = f.text_of(item, reading)
            if why := wrong_value(key, text):
                reading.report(text, f"{quoted(text)} is what no visitor has: {why}", "warning")
            visitor[str(key)] = str(text)
    return visitor


def _read_visits(value: Node, reading: Reading) -> int:
    text = f.text_of(value, reading)
    visits = f.parsed(parse_number, text, reading)
    if visits != int(visits) or visits < 1:
        message = f'{quoted(text)} is not a whole number of visits; the one of "now" counts too, so 1 is the least'
        raise reading.reject(text, message)
    return int(visits)


def _read_kind(value: Node, reading: Reading) -> str:
    text = f.text_of(value, reading)
    kind = text.casefold()
    if kind in ("new", "returning"):
        message = f"{quoted(text)} follows from the visits: write visits: {1 if kind == 'new' else 2} instead"
        raise reading.reject(text, message)
    if kind not in KINDS:
        raise reading.reject(text, unknown(text, KINDS, f"{quoted(text)} is not what a visitor can be in a test"))
    return kind


def read_expectations(value: Any, reading: Reading) -> dict[str, tuple[str, ...] | NumberRange]:
    """Return what a test expects: a NumberRange for `score NAME` and `interest NAME`, else a tuple of names."""
    if not isinstance(value, Map) or not value:
        raise reading.reject(value, "what is expected is written as words with values, such as {stage: customer}")
    return {str(key): _expectation(key, item, reading) for key, item in value.items()}


def _expectation(key: Text, item: Node, reading: Reading) -> tuple[str, ...] | NumberRange:
    head, _, name = key.partition(" ")
    if head in ("score", "interest") and name:
        reading.refer(head, key, name)
        return f.parsed(parse_range, f.text_of(item, reading), reading)
    names = f.read_texts(item, reading)
    kind = key.removeprefix("not ").removesuffix("s") if key in EXPECT_WORDS else f"block of {key}"
    if key not in EXPECT_WORDS:
        reading.refer("expectation", key, key)
    for node in item if isinstance(item, Items) else [item]:
        reading.refer(kind, node, str(node))
    return names


class Case(Words):
    """An item of `tests`. After loading, `events` holds all events and `like` and `also` are empty."""

    thing: ClassVar[str] = "a test"
    declares: ClassVar[str] = "test"

    name: f.Name = Field(alias="test")
    now: f.MomentField | None = Field(default=None, alias="now")
    visitor: Annotated[dict[str, object], f.reads(_read_visitor)] = Field(default={}, alias="visitor")
    events: Annotated[tuple[PastEvent, ...], f.list_of("events")] = Field(default=(), alias="events")
    like: Annotated[str, f.name_of("test")] = Field(default="", alias="like")
    also: Annotated[tuple[PastEvent, ...], f.list_of("events")] = Field(default=(), alias="also")
    expect: Annotated[dict[str, object], f.reads(read_expectations)] = Field(alias="expect")
