"""How a map of words becomes a model: which words it may hold, which it must, and what is said about the others.

Nodes carry their positions and validators report at the node that they read, so an error never has to be traced back
from a model to a place in a file. A misspelt word is reported once and then read as the word that was meant, so that
one mistake does not make others. This file does not know any word itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from personalize.errors import Level, Problem
from personalize.suggest import listed, nearest, quoted, unknown
from personalize.yaml_nodes import MAX_PROBLEMS, Items, Map, Node, Text

_NOTHING: Mapping[str, str] = {}


class TooManyProblems(Exception):
    """The run has found MAX_PROBLEMS errors."""


@dataclass(slots=True)
class Problems:
    """Everything wrong so far; one problem for each position, because a second there only follows from the first.

    `unlisted` counts the warnings beyond MAX_PROBLEMS: warnings never stand in the way of good rules.
    """

    found: dict[str, Problem] = field(default_factory=dict)
    errors: int = 0
    unlisted: int = 0

    def add(self, problem: Problem) -> None:
        """Add a problem unless its position has one already; raises TooManyProblems after so many errors."""
        known = self.found.get(problem.where)
        if known is not None and (known.level == "error" or problem.level == "warning"):
            return
        if problem.level == "error":
            self.errors += 1
        elif len(self.found) - self.errors >= MAX_PROBLEMS:
            self.unlisted += 1
            return
        self.found[problem.where] = problem
        if self.errors >= MAX_PROBLEMS:
            raise TooManyProblems

    def has_error(self, where: str) -> bool:
        """Tell whether an error was found at file:line:column."""
        known = self.found.get(where)
        return known is not None and known.level == "error"

    def report(self, where: str, message: str, level: Level = "error") -> None:
        """Add a problem at file:line:column."""
        self.add(Problem.at(where, message, level))


@dataclass(slots=True, frozen=True)
class Reference:
    """A name that was used. `kind` is what it names, `owner` the placement or test in which it was used."""

    kind: str
    name: str
    where: str
    owner: str = ""


@dataclass(slots=True)
class Names:
    """Every name of all files: `declared` by kind and folded name, `references` to them.

    `used` holds the (kind, name) that something else than a test names, `lost` the kinds of which some name could not
    be read, so that nothing can be said about unknown ones. `unread` holds the texts of files that could not be read to
    their end: a name that stands there may be declared there. `doubted` are those that left a name unchecked.
    """

    declared: dict[str, dict[str, list[Reference]]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)

    def in_doubt(self, name: str) -> bool:
        """Tell whether a name that nothing declares may be declared in a file that could not be read, and note so."""
        files = [file for file, text in self.unread.items() if name.casefold() in text]
        self.doubted.update(files)
        return bool(files)

    def of(self, kind: str) -> list[str]:
        """Return the names of one kind."""
        return [found[0].name for found in self.declared.get(kind, {}).values()]

    def has(self, kind: str, name: str) -> bool:
        """Tell whether something of this kind has exactly this name."""
        found = self.declared.get(kind, {}).get(name.casefold())
        return found is not None and any(one.name == name for one in found)


@dataclass(slots=True)
class Reading:
    """What the validators of one top-level item share; `owner` is the item's name, once it is read."""

    problems: Problems
    names: Names
    owner: str = ""

    @staticmethod
    def of(info: ValidationInfo) -> Reading:
        """Return the reading that a validator was called with; nodes exist only inside one."""
        reading = info.context
        if not isinstance(reading, Reading):
            raise TypeError("nodes are validated with a Reading as their context")
        return reading

    def report(self, node: Node, message: str, level: Level = "error") -> None:
        """Report a problem at a node."""
        self.problems.report(node.where, message, level)

    def reject(self, node: Node, message: str) -> PydanticCustomError:
        """Report an error at a node and return the exception that ends the validation of its value."""
        self.report(node, message)
        return PydanticCustomError("reported", "reported")

    def declare(self, kind: str, node: Text) -> None:
        """Note that an item of this kind and name exists."""
        name = Reference(kind, str(node), node.where, self.owner)
        self.names.declared.setdefault(kind, {}).setdefault(node.casefold(), []).append(name)

    def refer(self, kind: str, node: Node, name: str = "") -> None:
        """Note that a name is used, to be checked once all files are read; it is the node's text unless given."""
        self.names.references.append(Reference(kind, name or str(node), node.where, self.owner))

    def settle(self, node: Map, words: Collection[str], thing: str, instead: Mapping[str, str] = _NOTHING) -> Map:
        """Return the map with its misspelt words put right; every word that does not belong there is reported.

        `instead` says what to write for words that somebody may expect there.
        """
        if all(key in words for key in node):
            return node
        settled = copied(node)
        for key, value in node.items():
            if key in words:
                settled[key] = value
                continue
            if key in instead:
                self.report(key, f"{quoted(key)} is not a word of {thing}; {instead[key]}")
                continue
            self.report(key, unknown(key, words, f"{quoted(key)} is not a word of {thing}"))
            guess = nearest(key, words)
            if guess and guess not in node and guess not in settled:
                settled[renamed(key, guess)] = value
        return settled


def copied(node: Map) -> Map:
    """Return an empty map at the same place."""
    copy = Map()
    copy.file, copy.line, copy.column = node.file, node.line, node.column
    return copy


def renamed(key: Text, word: str) -> Text:
    """Return another text at the same place."""
    text = Text(word)
    text.file, text.line, text.column = key.file, key.line, key.column
    text.quoted, text.comment = key.quoted, key.comment
    return text


class Words(BaseModel):
    """One thing that a writer writes as a map of words. A field's alias is its word in the language."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=False)

    thing: ClassVar[str] = "this"
    """What messages call it, with its article."""
    declares: ClassVar[str] = ""
    """The kind of name that `name` declares, if any."""
    instead: ClassVar[Mapping[str, str]] = _NOTHING
    """What to write for words that somebody may expect here."""

    where: str = ""
    """The position of its start, file:line:column."""

    @classmethod
    @cache
    def words(cls) -> Mapping[str, str]:
        """Return field name by word; `field.key` puts the word's value into a field that holds a map."""
        return {info.alias: name for name, info in cls.model_fields.items() if info.alias}

    @classmethod
    def fields_of(cls, node: Map, reading: Reading) -> dict[str, Any]:
        """Return the values of a map of words by field name, and report what is wrong with the words."""
        words = cls.words()
        fields: dict[str, Any] = {"where": node.where}
        for word, value in reading.settle(node, words, cls.thing, cls.instead).items():
            name, _, key = words[word].partition(".")
            if key:
                fields.setdefault(name, {})[key] = value
            else:
                fields[name] = value
        cls.require(node, fields, reading)
        own = fields.get("name")
        if cls.declares and isinstance(own, Text):
            reading.owner = reading.owner or str(own)
            reading.declare(cls.declares, own)
        return fields

    @classmethod
    @cache
    def required(cls) -> tuple[tuple[str, str], ...]:
        """Return the words that cannot be left out, each behind the name of its field."""
        fields = cls.model_fields.items()
        return tuple((name, info.alias) for name, info in fields if info.alias and info.is_required())

    @classmethod
    def require(cls, node: Map, fields: Mapping[str, Any], reading: Reading) -> None:
        """Report the words that are missing."""
        missing = [quoted(word) for name, word in cls.required() if name not in fields]
        if missing:
            if cls.declares:
                reading.names.lost.add(cls.declares)
            raise reading.reject(node, f"{cls.thing} needs the word{'s' * (len(missing) > 1)} {listed(missing)}")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Map):
            return cls.fields_of(value, Reading.of(info))
        if isinstance(value, Text | Items):
            reading = Reading.of(info)
            if cls.declares:
                reading.names.lost.add(cls.declares)
            raise reading.reject(value, f"{cls.thing} is written as words with values, such as {cls.example()}")
        return value

    @classmethod
    def example(cls) -> str:
        """Return the shortest form of such a map, for messages."""
        word = next(info.alias for info in cls.model_fields.values() if info.alias)
        return f"{{{word}: …}}"
