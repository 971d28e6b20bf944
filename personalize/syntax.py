"""The rule language as typed models: what a YAML file may hold, word by word, before anything is compiled.

One model per thing that a marketer writes; `extra="forbid"`, so an unknown word is an error. Field aliases are the
language's words. A condition is told apart by its head word. `where` fields hold the position (file:line:column) at
which the thing starts, put there by the loader, for error messages and receipts. Conditions, tests and the words that
are reserved for later stand in files of their own; all but the last are named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from personalize import fields as f
from personalize.content import read_content
from personalize.suggest import did_you_mean, nearest, quoted
from personalize.syntax_conditions import (
    FAMILIES,
    HEADS,
    Attribute,
    AttributeWord,
    Behaviour,
    Company,
    Condition,
    Conditions,
    Listed,
    Logic,
    Named,
    Points,
    Since,
    Test,
    Texts,
    Trait,
    VisitorIs,
    Visits,
    When,
)
from personalize.syntax_tests import Case, PastEvent
from personalize.time_values import parse_moment
from personalize.values import Moment, PhraseError, parse_length, parse_number
from personalize.words import Reading, Words, copied, renamed
from personalize.yaml_nodes import Items, Map, Text

__all__ = [
    "FAMILIES",
    "HEADS",
    "Attribute",
    "AttributeWord",
    "Behaviour",
    "Block",
    "Case",
    "Company",
    "Condition",
    "Fallback",
    "Grant",
    "Growth",
    "Inactive",
    "Interest",
    "Listed",
    "Logic",
    "Named",
    "PastEvent",
    "Placement",
    "Points",
    "RuleSet",
    "Score",
    "Segment",
    "Since",
    "Stage",
    "Step",
    "Temperature",
    "Test",
    "Texts",
    "Trait",
    "VisitorIs",
    "Visits",
    "When",
    "Words",
    "Worth",
]


# -- scores and interests -------------------------------------------------------------------------------------------
class Grant(Words):
    """An item of a score's `points`: so many points for what `for <head>` says, at most so often."""

    thing: ClassVar[str] = "an item of points"
    heads: ClassVar[tuple[str, ...]] = (*Behaviour.heads, *Trait.heads, *Company.heads, *Attribute.heads)
    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("is not", "not within"), "points are given for what is true; take points away with a number below 0"
    )

    points: f.Number = Field(alias="give")
    head: Literal["viewed", "did", "company", "trait"] | AttributeWord
    condition: Condition
    cap: f.KeptCap | None = Field(default=None, alias="at most")

    @classmethod
    @cache
    def words(cls) -> dict[str, str]:
        """Return field name by word; `for <head>`, `where` and `is` together make the condition."""
        heads = {f"for {head}": "condition.head" for head in cls.heads}
        return dict(super().words()) | heads | {"where": "condition.where", "is": "condition.is"}

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; the words of the condition become a map of their own."""
        node = reading.settle(node, cls.words(), cls.thing, cls.instead)
        heads = [key for key in node if key.startswith("for ")]
        if len(heads) != 1:
            message = 'points are given for one thing, such as "for viewed: /prices"; write each in an item of its own'
            raise reading.reject(heads[1] if heads else node, message)
        condition = copied(node)
        for key, value in node.items():
            if key in (heads[0], "where", "is"):
                condition[renamed(key, key.removeprefix("for "))] = value
        values = super().fields_of(node, reading)
        return values | {"condition": condition, "head": heads[0].removeprefix("for ")}


class Growth(Grant):
    """An item of an interest's `grows`: it grows by so much."""

    thing: ClassVar[str] = "an item of grows"

    points: f.Number = Field(alias="by")


class Score(Words):
    """A score: points for what visitors do and who they are, halved every `half_life` days."""

    thing: ClassVar[str] = "a score"
    declares: ClassVar[str] = "score"

    name: f.Name = Field(alias="score")
    half_life: f.HalfLife | None = Field(default=None, alias="half-life")
    grants: Annotated[tuple[Grant, ...], f.list_of("points")] = Field(alias="points")


class Interest(Score):
    """An interest: a score of one topic."""

    thing: ClassVar[str] = "an interest"
    declares: ClassVar[str] = "interest"

    name: f.Name = Field(alias="interest")
    grants: Annotated[tuple[Growth, ...], f.list_of("what it grows by")] = Field(alias="grows")


# -- segments, stages, temperatures ---------------------------------------------------------------------------------
class Segment(Words):
    """A segment: everybody for whom all conditions hold."""

    thing: ClassVar[str] = "a segment"
    declares: ClassVar[str] = "segment"

    name: f.Name = Field(alias="segment")
    about: f.Line = Field(default="", alias="about")
    when: Conditions = Field(alias="when")


class Step(Words):
    """A stage or a temperature: the first of its list that fits."""

    name: f.Name
    when: Conditions = Field(default=(), alias="when")


class Stage(Step):
    """A lifecycle stage."""

    thing: ClassVar[str] = "a stage"
    declares: ClassVar[str] = "stage"

    name: f.Name = Field(alias="stage")


class Temperature(Step):
    """A temperature."""

    thing: ClassVar[str] = "a temperature"
    declares: ClassVar[str] = "temperature"

    name: f.Name = Field(alias="temperature")


# -- placements -----------------------------------------------------------------------------------------------------
class Worth(Words):
    """What a block is worth under `best score`: an interest or a score, plus a number; a bare number is that number."""

    thing: ClassVar[str] = "worth"

    interest: Annotated[str, f.name_of("interest")] | None = Field(default=None, alias="interest")
    score: Annotated[str, f.name_of("score")] | None = Field(default=None, alias="score")
    plus: f.Number = Field(default=0.0, alias="plus")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; exactly one of interest and score must be there."""
        values = super().fields_of(node, reading)
        if ("interest" in values) == ("score" in values):
            raise reading.reject(node, "worth is a number, or one interest or score with plus")
        return values


def _read_worth(value: Any, reading: Reading) -> Any:
    if not isinstance(value, Text):
        return value
    return Worth(where=value.where, plus=f.parsed(parse_number, f.text_of(value, reading), reading))


def _read_until(value: Any, info: ValidationInfo) -> Any:
    """Read the end of a schedule, which must not lie before its start."""
    if not isinstance(value, Text | Items | Map):
        return value
    reading = Reading.of(info)
    text = f.text_of(value, reading)
    until = f.parsed(parse_moment, text, reading)
    starts = info.data.get("starts")
    # A day given as an end is included whole, so the days decide unless both have a time.
    early = starts and (until.day < starts.day or (starts.minute and until.minute and until.naive() < starts.naive()))
    if early:
        raise reading.reject(text, "the end lies before the start, so that this block is never shown")
    return until


def _read_rest(value: Any, reading: Reading) -> int | None:
    text = f.text_of(value, reading)
    if text.casefold() == "forever":
        return None
    try:
        length = parse_length(text).ms
    except PhraseError as error:
        guess = did_you_mean(nearest(text, ("forever",)))
        raise reading.reject(text, f"{error}, or forever{guess}" if guess else str(error)) from None
    if length == 0:
        raise reading.reject(text, f"{quoted(text)} is no time at all; leave the word out")
    return length


def _read_html(value: Any, reading: Reading) -> bool:
    return f.choice(f.text_of(value, reading), ("trusted",), reading) == "trusted"


Rest = Annotated[int | None, f.reads(_read_rest)]


class Block(Words):
    """A block: one candidate content of a placement, and for whom and how often it is right."""

    thing: ClassVar[str] = "a block"
    declares: ClassVar[str] = "block"
    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (f"rest after {word}" for word in ("show", "shown", "showing", "view", "viewed")),
        'write "show at most: once per 7 days", or another number',
    )

    name: f.Name = Field(alias="block")
    when: Conditions = Field(default=(), alias="when")
    starts: f.MomentField | None = Field(default=None, alias="from")
    until: Annotated[Moment | None, BeforeValidator(_read_until)] = Field(default=None, alias="until")
    worth: Annotated[Worth | None, f.reads(_read_worth)] = Field(default=None, alias="worth")
    owners: f.TextsField = Field(default=(), alias="not for owners of")
    show_at_most: f.KeptCap | None = Field(default=None, alias="show at most")
    rests: dict[Literal["dismiss", "convert", "click"], Rest] = Field(default={})
    content: Annotated[dict[str, object], f.reads(read_content)] = Field(default={}, alias="content")
    html_trusted: Annotated[bool, f.reads(_read_html)] = Field(default=False, alias="html")
    converts_when: Condition | None = Field(default=None, alias="converts when")

    @classmethod
    @cache
    def words(cls) -> dict[str, str]:
        """Return field name by word; the three rests go into one map."""
        rests = {f"rest after {event}": f"rests.{event}" for event in ("dismiss", "convert", "click")}
        return dict(super().words()) | rests


class Fallback(Words):
    """What a placement shows when nothing else fits: a block of it, or content of its own."""

    thing: ClassVar[str] = "a fallback"

    block: f.Name = Field(alias="block")
    content: Annotated[dict[str, object], f.reads(read_content)] | None = Field(default=None, alias="content")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; without content the block is one of the placement."""
        values = super().fields_of(node, reading)
        name = values["block"]
        if isinstance(name, Text) and name:
            if "content" in values:
                reading.declare("block", name)
            else:
                reading.refer(f"block of {reading.owner}", name)
        return values


class Placement(Words):
    """A placement: a slot on a page, its blocks in order of priority, and what is shown when none fits."""

    thing: ClassVar[str] = "a placement"
    declares: ClassVar[str] = "placement"

    name: f.Name = Field(alias="placement")
    choose: Annotated[Literal["first match", "best score"], f.one_of("first match", "best score")] = Field(
        default="first match", alias="choose"
    )
    blocks: Annotated[tuple[Block, ...], f.list_of("blocks")] = Field(alias="blocks")
    fallback: Fallback | None = Field(default=None, alias="fallback")


class Inactive(BaseModel):
    """An experiment, the holdout or a trigger: loaded, checked for its words, not yet active."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["experiment", "holdout", "trigger"]
    name: str
    where: str = ""


class RuleSet(BaseModel):
    """Every file of one site's rules together, names checked and unique, `like` resolved in tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: tuple[Score, ...] = ()
    interests: tuple[Score, ...] = ()
    segments: tuple[Segment, ...] = ()
    stages: tuple[Step, ...] = ()
    stages_forward_only: bool = False
    """Whether a visitor who reached a stage never goes back to one below it in the list."""
    temperatures: tuple[Step, ...] = ()
    placements: tuple[Placement, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    tests: tuple[Case, ...] = ()
    digest: str = ""
    """Content hash of all files except those in tests/: the plan's version."""
