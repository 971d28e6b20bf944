"""The words of the test language, as `vocabulary` has those of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from personalize import value_schemas as v
from personalize.syntax_conditions import Attribute
from personalize.syntax_tests import KINDS, Case, PastEvent
from personalize.vocabulary import CONDITION, Word, list_of, word
from personalize.words import Words

_TIMES = {
    **v.phrase(f"{v.WHOLE['pattern']}|{v.COUNT['pattern']}", 'a number such as 3, or "twice"', "number"),
    "minimum": 1,
    "maximum": 1000,
    "multipleOf": 1,
}
_ANY_EVENTS = "[{2 days ago: viewed /prices}, {1 hour ago: did purchase}]"

TESTS: Mapping[type[Words], Mapping[str, Word]] = {
    Case: {
        "test": word(v.NAME, "What is true of this visitor, in your own words.", "a buyer is offered pro"),
        "now": word(v.MOMENT, "The moment of the test, by the site's clock.", "2026-11-20 10:00"),
        "visitor": word(
            {"allOf": [{"$ref": "#/definitions/Visitor"}]}, "What is known about the visitor.", "{country: FI}"
        ),
        "events": word(list_of(PastEvent), "What happened, and how long before now.", _ANY_EVENTS),
        "like": word(
            v.TEXT,
            "Another test whose now, visitor and events are taken; visitor is merged key by key.",
            "a customer is offered pro",
            names="test",
        ),
        "also": word(list_of(PastEvent), "Events that are added to those of like.", _ANY_EVENTS),
        "expect": word(
            {"allOf": [{"$ref": "#/definitions/Expectations"}]}, "What must come out.", "{home hero: welcome}"
        ),
    },
    PastEvent: {
        "where": word(v.map_of(v.PLAIN, least=1), "The event's properties.", "{type: whitepaper}"),
        "times": word(_TIMES, "So often it happened at that moment.", "3", "twice"),
    },
}

AGO = word(
    v.EVENT,
    "How long before now, and what happened: viewed a path, did an event; a block was shown, clicked, dismissed, "
    "converted.",
    "viewed /prices",
    "did purchase",
)


def _of_visitor(attribute: Word) -> Word:
    """Return what a condition asks about as what is known: one text, and nothing that stands for anything."""
    return replace(attribute, value=v.TEXT, examples=(attribute.examples[0].replace("*", ""),))


VISITOR: Mapping[str, Word] = {
    **{head: _of_visitor(CONDITION[head]) for head in Attribute.heads},
    "traits": word(v.map_of(v.PLAIN), "The visitor's traits, by the names that the site sends.", "{plan: pro}"),
    "owns": word(v.texts(least=0), "The products that the visitor owns.", "[insight pro]"),
    "consent": word(
        v.texts(least=0),
        "The purposes that the visitor allows; [] is none, and without the word it is all.",
        "[analytics, personalization]",
        "[]",
    ),
    "company": word(
        v.map_of(v.PLAIN), "What is known about the visitor's company.", "{name: Acme Oy, industry: manufacturing}"
    ),
    "visits": word(
        {**v.WHOLE, "minimum": 1},
        "How many visits there were in all, the present one and those of the events included.",
        "3",
    ),
    "visitor is": word(
        v.choice(*KINDS), "Whether the visitor is logged in, and the site proved it; without the word: no.", "known"
    ),
}
"""The words of a test's visitor."""

EXPECTATIONS: Mapping[str, Word] = {
    "segments": word(v.TEXTS, "The visitor is in all of these segments.", "[pricing intent]", names="segment"),
    "not segments": word(v.TEXTS, "The visitor is in none of these segments.", "[customer]", names="segment"),
    "stage": word(v.TEXTS, "The visitor's stage is this one, or one of these.", "customer", names="stage"),
    "temperature": word(v.TEXTS, "The visitor's temperature is this one, or one of these.", "hot", names="temperature"),
}
"""The words of what a test expects, besides names of placements, scores and interests."""

POINTS_EXPECTED = word(v.RANGE, "The points of this score or interest, decayed to now.", "at least 25", "24 to 26")
BLOCK_EXPECTED = word(v.TEXTS, "The block that this placement shows, or one of several.", "book a demo", names="block")
