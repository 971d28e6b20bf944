"""The rule language as a JSON Schema (draft 07) for editors, put together from the models and the vocabulary.

Flat on purpose: editors handle `oneOf` badly, so a condition is one object with all head words as its properties, and
`dependencies` say which words go together. A site's own names are offered as examples, never demanded: a schema is
older than the rule that is being written. What the schema refuses the loader refuses; the loader refuses more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from personalize import value_schemas as v
from personalize.loader import SECTIONS
from personalize.syntax import Grant, Growth, Words, Worth
from personalize.syntax_conditions import FAMILIES, HEADS
from personalize.syntax_reserved import Action, Arm, Edge, Experiment
from personalize.syntax_tests import PastEvent
from personalize.value_schemas import Schema
from personalize.values import as_number
from personalize.vocabulary import CONDITION, NARROWED, VOCABULARY, Word
from personalize.vocabulary_reserved import RESERVED, TOP
from personalize.vocabulary_tests import AGO, BLOCK_EXPECTED, EXPECTATIONS, POINTS_EXPECTED, TESTS, VISITOR
from personalize.yaml_nodes import Items, Map, Node, Text, compose

OwnNames = Mapping[str, Sequence[str]]
"""A site's own names by kind (score, interest, segment, stage, temperature, placement, block, test)."""

THINGS: Mapping[type[Words], Mapping[str, Word]] = {**VOCABULARY, **RESERVED, **TESTS}

MOST_NAMES = 100
"""So many names of a kind are offered; a longer list is no help."""


def rule_schema(names: OwnNames | None = None) -> Schema:
    """Return the JSON Schema of a rule file, with a site's own names as suggestions."""
    own = names or {}
    definitions = {model.__name__: _thing(model, own) for model in THINGS}
    definitions["Condition"] = _condition(own)
    definitions["Negated"] = _negated()
    definitions["Visitor"] = _object(VISITOR, own)
    definitions["Expectations"] = _expectations(own)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        # An empty file is null to an editor.
        **_object(TOP, own),
        "type": ["object", "null"],
        "definitions": definitions,
    }


def names_in(files: Mapping[str, str | bytes]) -> dict[str, list[str]]:
    """Return the names that rule files give, by kind and sorted; a file with mistakes gives those that can be read."""
    found: dict[str, set[str]] = {}
    for file, source in files.items():
        root, _, _ = compose(file, source)
        for section, model in SECTIONS.items():
            for item in _items(root, section):
                _note(found, model.declares, item)
                for block in _items(item, "blocks"):
                    _note(found, "block", block)
    return {kind: sorted(names, key=str.casefold) for kind, names in found.items()}


def example_value(written: str) -> Any:
    """Return an example as JSON holds it; numbers without quotes are numbers."""
    root, _, _ = compose("example", written)
    return _plain(root)


def _plain(node: Node | None) -> Any:
    if isinstance(node, Map):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, Items):
        return [_plain(item) for item in node]
    number = as_number(node) if node and not node.quoted else None
    return number if number is not None else str(node)


def _items(node: Node | None, word: str) -> Iterable[Map]:
    """Return the maps of a list that a map holds under a word."""
    held = node.get(Text(word)) if isinstance(node, Map) else None
    return (item for item in held if isinstance(item, Map)) if isinstance(held, Items) else ()


def _note(found: dict[str, set[str]], kind: str, item: Map) -> None:
    name = item.get(Text(kind))
    if isinstance(name, Text) and name:
        found.setdefault(kind, set()).add(str(name))


def _property(word: Word, own: OwnNames) -> Schema:
    """Return the schema of a word's value, with what the word means."""
    names = own.get(word.names, ())[:MOST_NAMES]
    return {
        **word.value,
        "description": word.means,
        "examples": list(names) or [example_value(example) for example in word.examples],
    }


def _object(words: Mapping[str, Word], own: OwnNames) -> Schema:
    return {
        "type": "object",
        "properties": {name: _property(word, own) for name, word in words.items()},
        "additionalProperties": False,
    }


def _thing(model: type[Words], own: OwnNames) -> Schema:
    """Return the definition of one thing: the model says its words and which it must have."""
    words = {word: THINGS[model][word] for word in model.words()}
    required = [word for _, word in model.required()]
    groups = _GROUPS.get(model)
    schema = _grouped(words, groups, model.thing, own) if groups else _object(words, own)
    return schema | ({"required": required} if required else {}) | _BESIDES.get(model, {})


def _condition(own: OwnNames) -> Schema:
    words = {word: CONDITION[word] for family in FAMILIES for word in family.words()}
    groups = {head: [word for word in family.words() if word not in HEADS] for head, family in HEADS.items()}
    schema = _grouped(words, groups, FAMILIES[0].thing, own)
    for head, family in HEADS.items():
        beside = schema["dependencies"][head]
        beside["required"] = [word for _, word in family.required()]
        beside["properties"] |= {word: _property(held, own) for word, held in NARROWED.get(head, {}).items()}
    return schema


def _negated() -> Schema:
    """Return the definition of what `not` holds: one condition, or a list of one."""
    return {
        "type": ["object", "array"],
        "properties": {head: {"$ref": f"#/definitions/Condition/properties/{head}"} for head in HEADS},
        "propertyNames": {"$ref": "#/definitions/Condition/propertyNames"},
        "dependencies": {word: {"$ref": f"#/definitions/Condition/dependencies/{word}"} for word in CONDITION},
        "minProperties": 1,
        "minItems": 1,
        "maxItems": 1,
        "allOf": [{"items": {"$ref": "#/definitions/Condition"}}],
    }


def _expectations(own: OwnNames) -> Schema:
    """Return the definition of what a test expects; any other word is the name of a placement."""
    points = [f"{kind} {name}" for kind in ("score", "interest") for name in own.get(kind, ())[:MOST_NAMES]]
    placements = own.get("placement", ())[:MOST_NAMES]
    words = {
        **EXPECTATIONS,
        **dict.fromkeys(points, POINTS_EXPECTED),
        **dict.fromkeys(placements, BLOCK_EXPECTED),
    }
    return _object(words, own) | {
        "minProperties": 1,
        "patternProperties": {"^(?:score|interest) .": _property(POINTS_EXPECTED, own)},
        "additionalProperties": _property(BLOCK_EXPECTED, own),
    }


def _grouped(words: Mapping[str, Word], groups: Mapping[str, Collection[str]], thing: str, own: OwnNames) -> Schema:
    """Return the schema of words of which one, a head, says what may stand beside it; some stand beside all.

    What belongs to a head stands in its dependency, so that an editor offers it only beside that head.
    """
    bound = dict.fromkeys(word for group in groups.values() for word in group)
    heads = list(groups)
    beside: Schema = {}
    for at, (head, group) in enumerate(groups.items()):
        # Of two heads the one that comes later in this list is said not to fit, so that one mistake is told once.
        others = "|".join(word for word in [*heads[at + 1 :], *bound] if word not in group)
        beside[head] = {
            "properties": {word: _property(words[word], own) for word in group},
            "propertyNames": {
                "pattern": f"^(?!(?:{others})$)",
                "errorMessage": f"This does not go together with {head}; write it as an item of its own",
            },
        }
    any_head = {"anyOf": [{"required": [head]} for head in heads]}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {name: _property(word, own) for name, word in words.items() if name not in bound},
        # A pattern, because editors offer every text of an enum.
        "propertyNames": {"pattern": f"^(?:{'|'.join(words)})$", "errorMessage": f"This is not a word of {thing}"},
        "dependencies": beside | dict.fromkeys(bound, any_head),
    }


def _of_points(model: type[Grant]) -> Mapping[str, Collection[str]]:
    """Return the words beside each `for …` of an item of points."""
    return {f"for {head}": [word for word in HEADS[head].words() if word in {"where", "is"}] for head in model.heads}


_EDGES = ("enters segment", "leaves segment", "stage becomes", "temperature becomes", "inactive for", "did")

_GROUPS: Mapping[type[Words], Mapping[str, Collection[str]]] = {
    Grant: _of_points(Grant),
    Growth: _of_points(Growth),
    Worth: {"interest": (), "score": ()},
    Edge: {**dict.fromkeys(_EDGES, ()), "score": ("rises above", "falls below")},
    Action: {"wait": (), "email": (), "webhook": ("send",), "alert": ("say",)},
}
"""Things of which one word says what they are, and the words beside it."""

_BESIDES: Mapping[type[Words], Schema] = {
    Grant: {"minProperties": 2},
    Growth: {"minProperties": 2},
    Worth: {**v.NUMBER, "type": ["object", "number", "string"]},
    Edge: {"maxProperties": 2},
    Experiment: {"additionalProperties": {"$ref": f"#/definitions/{Arm.__name__}"}},
    PastEvent: {
        "patternProperties": {v.AGO_KEY: _property(AGO, {})},
        "maxProperties": 3,
        "defaultSnippets": [{"label": "2 days ago: viewed …", "body": {"${1:2 days} ago": "${2:viewed /prices}"}}],
    },
}
"""What the words of a thing do not say about it."""
