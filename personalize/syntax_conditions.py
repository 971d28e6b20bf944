"""Conditions as typed models: one head word each, told apart by it; a list of conditions means that all must hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from personalize import fields as f
from personalize.condition_slips import instead_of_list, of_block, turned
from personalize.known_values import wrong_value
from personalize.model import PURPOSES
from personalize.suggest import did_you_mean, listed, nearest, quoted
from personalize.time_values import parse_daily_range, parse_date_range, parse_weekday_range
from personalize.values import DailyRange, DateRange, WeekdayRange
from personalize.words import Reading, Words, copied, renamed
from personalize.yaml_nodes import Items, Map, Node, Text

Texts = f.Texts
Test = f.Test

AttributeWord = Literal[
    "country",
    "region",
    "city",
    "language",
    "device",
    "browser",
    "os",
    "campaign",
    "source",
    "medium",
    "referrer",
    "page",
    "bot",
]
COMPANY_WORDS = ("name", "domain", "type", "industry", "employees", "crm id")
Kind = Literal["new", "returning", "known", "anonymous"]


class Head(Words):
    """A condition: `head` is its head word, whose value goes to the field `head_field`."""

    thing: ClassVar[str] = "a condition"
    heads: ClassVar[tuple[str, ...]] = ()
    head_field: ClassVar[str] = ""

    @classmethod
    @cache
    def words(cls) -> dict[str, str]:
        """Return field name by word; every head word leads to the same field."""
        return dict.fromkeys(cls.heads, cls.head_field) | dict(super().words())

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name, the head word among them."""
        head = next(word for word in node if word in cls.heads)
        return super().fields_of(node, reading) | {"head": str(head)}


def warn_of_wrong(head: str, texts: Node, reading: Reading) -> None:
    """Warn of the texts that no visitor's value is."""
    for text in texts if isinstance(texts, Items) else [texts]:
        if isinstance(text, Text) and (why := wrong_value(head, text)):
            reading.report(text, f"{quoted(text)} fits nobody: {why}", "warning")


class Behaviour(Head):
    """`viewed` and `did`: it happened, so often, on so many days, within so many days."""

    heads: ClassVar[tuple[str, ...]] = ("viewed", "did")
    head_field: ClassVar[str] = "names"

    head: Literal["viewed", "did"]
    names: f.TextsField
    properties: f.Tests = Field(default={}, alias="where")
    at_least: f.Count | None = Field(default=None, alias="at least")
    at_most: f.Count | None = Field(default=None, alias="at most")
    across: f.Window | None = Field(default=None, alias="across")
    within: f.Window | None = Field(default=None, alias="within")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name, and warn of pages that no site has."""
        values = super().fields_of(node, reading)
        warn_of_wrong(values["head"], values["names"], reading)
        return values


class Logic(Head):
    """`not`, `any of`, `none of` and `all of`; `not` holds exactly one condition."""

    heads: ClassVar[tuple[str, ...]] = ("not", "any of", "none of", "all of")
    head_field: ClassVar[str] = "conditions"

    head: Literal["not", "any of", "none of", "all of"]
    conditions: Conditions

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values; the single condition of `not` becomes a list of one."""
        values = super().fields_of(node, reading)
        held = values["conditions"]
        if values["head"] == "not":
            if isinstance(held, Items) and len(held) > 1:
                raise reading.reject(held, '"not" takes one condition; write "none of" for several')
            if isinstance(held, Map):
                values["conditions"] = one_item(held)
        return values


class Named(Head):
    """`in segment`, `stage` and `temperature`: reuse by name, one of several."""

    heads: ClassVar[tuple[str, ...]] = ("in segment", "stage", "temperature")
    head_field: ClassVar[str] = "names"

    head: Literal["in segment", "stage", "temperature"]
    names: f.TextsField

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, and note which names are used."""
        values = super().fields_of(node, reading)
        names = values["names"]
        for name in names if isinstance(names, Items) else [names]:
            if isinstance(name, Text) and name:
                reading.refer(values["head"].removeprefix("in "), name)
        return values


class Points(Head):
    """`score` and `interest` with `is`: the decayed value now."""

    heads: ClassVar[tuple[str, ...]] = ("score", "interest")
    head_field: ClassVar[str] = "name"

    head: Literal["score", "interest"]
    name: f.Line
    range: f.Range = Field(alias="is")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, and note which name is used."""
        values = super().fields_of(node, reading)
        if isinstance(values["name"], Text):
            reading.refer(values["head"], values["name"])
        return values


class Trait(Head):
    """`trait` with `is`: who they are."""

    heads: ClassVar[tuple[str, ...]] = ("trait",)
    head_field: ClassVar[str] = "name"

    head: Literal["trait"]
    name: f.Line
    test: f.TestField = Field(alias="is")


class Company(Head):
    """`company` with the attributes that must all fit."""

    heads: ClassVar[tuple[str, ...]] = ("company",)
    head_field: ClassVar[str] = "attributes"

    head: Literal["company"]
    attributes: f.Tests

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, and warn of an attribute that is nearly one of the known ones."""
        values = super().fields_of(node, reading)
        # A site's own list may hold any attribute, so an unknown one is no error.
        attributes = values["attributes"] if isinstance(values["attributes"], Map) else ()
        f.warn_if_near(attributes, COMPANY_WORDS, "an attribute", reading)
        return values


class Attribute(Head):
    """`country`, `language` and the like: what this request says."""

    heads: ClassVar[tuple[str, ...]] = AttributeWord.__args__  # type: ignore[attr-defined]  # a Literal lists its texts there
    head_field: ClassVar[str] = "texts"

    head: AttributeWord
    texts: f.TextsField

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, and warn of pages, countries, languages and devices that no visitor has."""
        values = super().fields_of(node, reading)
        warn_of_wrong(values["head"], values["texts"], reading)
        return values


class Listed(Head):
    """`consent` and `owns`: the visitor's list contains one of them."""

    heads: ClassVar[tuple[str, ...]] = ("consent", "owns")
    head_field: ClassVar[str] = "texts"

    head: Literal["consent", "owns"]
    texts: f.TextsField

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, and warn of a purpose that is nearly one that the gateway knows."""
        values = super().fields_of(node, reading)
        if values["head"] == "consent":
            texts = values["texts"]
            f.warn_if_near(texts if isinstance(texts, Items) else [texts], PURPOSES, "a purpose", reading)
        return values


def _read_kinds(value: Any, reading: Reading) -> Texts:
    nodes = value if isinstance(value, Items) else [value]
    if not nodes:
        raise reading.reject(value, "this list is empty")
    return tuple(f.choice(f.text_of(node, reading), Kind.__args__, reading) for node in nodes)  # type: ignore[attr-defined]  # as above


class VisitorIs(Head):
    """`visitor is`: one of new, returning, known, anonymous."""

    heads: ClassVar[tuple[str, ...]] = ("visitor is",)
    head_field: ClassVar[str] = "kinds"

    head: Literal["visitor is"]
    kinds: Annotated[tuple[Kind, ...], f.reads(_read_kinds)]


class Visits(Head):
    """`visits`: how many there were."""

    heads: ClassVar[tuple[str, ...]] = ("visits",)
    head_field: ClassVar[str] = "range"

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("within", "across", "at least"),
        'visits are counted for ever: write {visits: at least 3}, or {viewed: "*", across: 3 days, within: 30 days}',
    )

    head: Literal["visits"]
    range: f.Range


class Since(Head):
    """`first visit` and `last visit`: how long ago; the last visit is the previous one."""

    heads: ClassVar[tuple[str, ...]] = ("first visit", "last visit")
    head_field: ClassVar[str] = "ago"

    head: Literal["first visit", "last visit"]
    ago: f.AgoField


_PARSE_WHEN = {"time of day": parse_daily_range, "weekday": parse_weekday_range, "date": parse_date_range}


class When(Head):
    """`time of day`, `weekday` and `date`, in the site's time zone."""

    heads: ClassVar[tuple[str, ...]] = ("time of day", "weekday", "date")
    head_field: ClassVar[str] = "range"

    head: Literal["time of day", "weekday", "date"]
    range: DailyRange | WeekdayRange | DateRange

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values, the range read as the head word asks."""
        values = super().fields_of(node, reading)
        if isinstance(values["range"], Items) and values["range"]:
            message = f"one text is wanted here, not a list; write {instead_of_list(values['head'], values['range'])}"
            raise reading.reject(values["range"], message)
        text = f.text_of(values["range"], reading)
        values["range"] = f.parsed(_PARSE_WHEN[values["head"]], text, reading)
        return values


FAMILIES: tuple[type[Head], ...] = (
    Behaviour,
    Logic,
    Named,
    Points,
    Trait,
    Company,
    Attribute,
    Listed,
    VisitorIs,
    Visits,
    Since,
    When,
)
HEADS: dict[str, type[Head]] = {head: family for family in FAMILIES for head in family.heads}
"""Every head word and the family that it belongs to."""

MODIFIERS = tuple({word for family in FAMILIES for word in family.words() if word not in HEADS})


def one_item(node: Node) -> Items:
    """Return a list that holds just this node, at the same place."""
    items = Items([node])
    items.file, items.line, items.column = node.file, node.line, node.column
    return items


def _one_head(value: Any, reading: Reading) -> Map:
    """Return the condition's map once it is sure that it has exactly one head word; a misspelt one is put right."""
    if not isinstance(value, Map):
        shape = "a list; a list of conditions needs a word such as any of" if isinstance(value, Items) else "a text"
        raise reading.reject(value, f"a condition such as {{in segment: customer}} is wanted here, not {shape}")
    for key in value:
        if key not in HEADS and key not in MODIFIERS and (message := turned(key, value)):
            raise reading.reject(key, message)
    heads = [key for key in value if key in HEADS]
    if len(heads) > 1:
        both = listed(quoted(head) for head in heads)
        message = f"{both} are conditions of their own; write each as an item of its own"
        raise reading.reject(heads[1], message)
    return value if heads else _with_head(value, reading)


def _with_head(node: Map, reading: Reading) -> Map:
    """Return the map with its misspelt head word put right."""
    for key in node:
        if message := of_block(key):
            raise reading.reject(key, message)
        guess = "" if key in MODIFIERS else nearest(key, HEADS)
        if guess:
            reading.report(key, f"{quoted(key)} is not a word of a condition{did_you_mean(guess)}")
            settled = copied(node)
            settled.update({renamed(key, guess) if word is key else word: held for word, held in node.items()})
            return settled
    first = next(iter(node), None)
    if first is None or first in MODIFIERS:
        message = "the condition lacks its first word, such as viewed, did, in segment, score or country"
    else:
        message = f"{quoted(first)} is not a word of a condition, such as viewed, did, in segment, score or country"
    raise reading.reject(node if first is None else first, message)


def _family(value: Any) -> str | None:
    """Return the name of the family that a condition belongs to."""
    if isinstance(value, Map):
        return next((HEADS[key].__name__ for key in value if key in HEADS), None)
    if isinstance(value, dict):
        family = HEADS.get(str(value.get("head")))
        return family.__name__ if family else None
    return type(value).__name__


Condition: TypeAlias = Annotated[
    Annotated[Behaviour, Tag("Behaviour")]
    | Annotated[Logic, Tag("Logic")]
    | Annotated[Named, Tag("Named")]
    | Annotated[Points, Tag("Points")]
    | Annotated[Trait, Tag("Trait")]
    | Annotated[Company, Tag("Company")]
    | Annotated[Attribute, Tag("Attribute")]
    | Annotated[Listed, Tag("Listed")]
    | Annotated[VisitorIs, Tag("VisitorIs")]
    | Annotated[Visits, Tag("Visits")]
    | Annotated[Since, Tag("Since")]
    | Annotated[When, Tag("When")],
    Discriminator(_family),
    f.reads(_one_head),
]
Conditions: TypeAlias = Annotated[tuple[Condition, ...], f.list_of("conditions")]

Logic.model_rebuild()
