"""Words that are reserved for now, as typed models: experiments, the holdout and triggers.

They are read and checked so that a rule set which names them is known to be sound; nothing acts on them yet.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from personalize import fields as f
from personalize.content import check_text, read_content
from personalize.suggest import nearest, quoted
from personalize.syntax_conditions import Condition, Conditions
from personalize.values import parse_number
from personalize.words import Reading, Words, copied
from personalize.yaml_nodes import Map, Text


class Changes(Words):
    """The block that an experiment changes."""

    thing: ClassVar[str] = "changes"

    placement: Annotated[str, f.name_of("placement")] = Field(alias="placement")
    block: f.Line = Field(alias="block")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name, and note the block that is used."""
        values = super().fields_of(node, reading)
        if isinstance(values["block"], Text) and isinstance(values["placement"], Text):
            reading.refer(f"block of {values['placement']}", values["block"])
        return values


class Arm(Words):
    """What one arm of an experiment shows instead."""

    thing: ClassVar[str] = "an arm of an experiment"

    content: Annotated[dict[str, object], f.reads(read_content)] = Field(alias="content")


def _read_weight(value: Any, reading: Reading) -> float:
    node = f.text_of(value, reading)
    weight = f.parsed(parse_number, node, reading)
    if weight < 0:
        raise reading.reject(node, f"{quoted(node)} is less than nothing")
    return weight


class Experiment(Words):
    """An experiment: a block, its arms with their weights, and what counts as success."""

    thing: ClassVar[str] = "an experiment"
    declares: ClassVar[str] = "experiment"

    name: f.Name = Field(alias="experiment")
    changes: Changes = Field(alias="changes")
    split: Annotated[dict[str, float], f.map_of(_read_weight)] = Field(alias="split")
    include: f.Percent = Field(default=100.0, alias="include")
    goal: Condition = Field(alias="goal")
    arms: dict[str, Arm] = Field(default={})

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; the arms that `split` names are words here too."""
        split = next((held for key, held in node.items() if nearest(key, cls.words()) == "split"), None)
        arms = [arm for arm in split if arm not in cls.words()] if isinstance(split, Map) else []
        known = reading.settle(node, (*cls.words(), *arms), cls.thing)
        others = copied(node)
        others.update({key: value for key, value in known.items() if key not in arms})
        return super().fields_of(others, reading) | {"arms": {str(arm): known[arm] for arm in arms if arm in known}}


class Holdout(Words):
    """The holdout: the share of visitors who are kept out of personalization."""

    thing: ClassVar[str] = "the holdout"

    share: f.Percent = Field(alias="keep out")
    of: Annotated[str, f.one_of("everything")] = Field(alias="of")


class Edge(Words):
    """What starts a trigger: a change, not a state."""

    thing: ClassVar[str] = "what starts a trigger"

    enters: Annotated[str, f.name_of("segment")] | None = Field(default=None, alias="enters segment")
    leaves: Annotated[str, f.name_of("segment")] | None = Field(default=None, alias="leaves segment")
    score: Annotated[str, f.name_of("score")] | None = Field(default=None, alias="score")
    rises: f.Number | None = Field(default=None, alias="rises above")
    falls: f.Number | None = Field(default=None, alias="falls below")
    stage: Annotated[str, f.name_of("stage")] | None = Field(default=None, alias="stage becomes")
    temperature: Annotated[str, f.name_of("temperature")] | None = Field(default=None, alias="temperature becomes")
    inactive: f.LengthField | None = Field(default=None, alias="inactive for")
    did: f.TextsField | None = Field(default=None, alias="did")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; a trigger starts with one thing."""
        values = super().fields_of(node, reading)
        found = set(values) - {"where"}
        if found not in ({"score", "rises"}, {"score", "falls"}) and (
            len(found) != 1 or found & {"score", "rises", "falls"}
        ):
            raise reading.reject(node, "a trigger starts with one thing, such as {enters segment: good fit}")
        return values


def _read_say(value: Any, reading: Reading) -> str:
    text = f.text_of(value, reading)
    check_text(text, reading)
    return str(text)


class Action(Words):
    """One step of a trigger: wait, send an e-mail, call a webhook, alert somebody."""

    thing: ClassVar[str] = "a step of a trigger"

    wait: f.LengthField | None = Field(default=None, alias="wait")
    email: f.Line | None = Field(default=None, alias="email")
    webhook: f.Line | None = Field(default=None, alias="webhook")
    send: f.Line | None = Field(default=None, alias="send")
    alert: f.Line | None = Field(default=None, alias="alert")
    say: Annotated[str, f.reads(_read_say)] | None = Field(default=None, alias="say")

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values by field name; a step does one thing."""
        values = super().fields_of(node, reading)
        found = set(values) - {"where"}
        if found not in ({"wait"}, {"email"}, {"webhook"}, {"webhook", "send"}, {"alert"}, {"alert", "say"}):
            message = "a step does one thing: wait, email, webhook (with send) or alert (with say)"
            raise reading.reject(node, message)
        return values


class Trigger(Words):
    """A trigger: what starts it, for whom, how often, and its steps."""

    thing: ClassVar[str] = "a trigger"
    declares: ClassVar[str] = "trigger"

    name: f.Name = Field(alias="trigger")
    starts: Edge = Field(alias="starts when")
    cap: f.AnyCap | None = Field(default=None, alias="at most")
    only_if: Conditions = Field(default=(), alias="only if")
    stops: Conditions = Field(default=(), alias="stops when")
    then: Annotated[tuple[Action, ...], f.list_of("steps")] = Field(alias="then")
