"""Reasons as JSON: for programs with every value under its name and a sentence beside it, for the log packed and short.

Both hold what the rule says in the rule language's own words, and what the visitor has instead as data, so that a
sentence can be made of them later, in any language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personalize import syntax
from personalize.decision import Candidate, Receipt, Unmet
from personalize.language import ENGLISH, Language


def candidates_data(receipt: Receipt | None, language: Language = ENGLISH) -> list[dict[str, Any]]:
    """Return a receipt's candidates, each with its cause as a code, its sentence, and what it lacks as data."""
    return [
        {
            "block": one.block,
            "outcome": one.outcome,
            "because": one.because,
            "why": language.candidate(one),
            "where": one.where,
            "worth": one.worth,
            "other": one.other or None,
            "other_worth": one.other_worth,
            "unmet": unmet_data(one.unmet, language),
        }
        for one in (receipt.candidates if receipt else ())
    ]


def unmet_data(unmet: Unmet | None, language: Language = ENGLISH) -> dict[str, Any] | None:
    """Return a condition that does not hold: head word, rule, place, the visitor's value, and a sentence."""
    if unmet is None:
        return None
    shape = _SHAPES.get(unmet.written.head)
    return {
        "head": unmet.written.head,
        "rule": ENGLISH.condition(unmet.written),
        "where": unmet.written.where,
        "actual": shape(unmet.actual, language) if shape else unmet.actual,
        "why": language.sentence(unmet),
    }


def packed(receipt: Receipt | None) -> list[list[Any]]:
    """Return a receipt's candidates for the log.

    Each is `[block, outcome, cause, where, worth, unmet, other block, its worth]` without the empty ones at its end;
    what is unmet is `[head word, rule, actual]`, where the parts of logic and segments are such lists again.
    """
    return [_candidate(one) for one in (receipt.candidates if receipt else ())]


def _candidate(one: Candidate) -> list[Any]:
    values: list[Any] = [one.block, one.outcome, one.because, one.where]
    values += [one.worth, _packed(one.unmet), one.other, one.other_worth]
    while values[-1] in (None, ""):
        values.pop()
    return values


def _packed(unmet: Unmet | None) -> list[Any] | None:
    if unmet is None:
        return None
    head, actual = unmet.written.head, unmet.actual
    if head in syntax.Logic.heads:
        actual = [_packed(part) for part in actual]
    elif head == "in segment":
        actual = [[name, _packed(lacking)] for name, lacking in actual]
    return [head, ENGLISH.condition(unmet.written), actual]


def _behaviour(actual: tuple[int, int, int], _: Language) -> dict[str, int]:
    return dict(zip(("times", "days", "total"), actual, strict=True))


def _parts(actual: tuple[Unmet, ...], language: Language) -> list[Any]:
    return [unmet_data(part, language) for part in actual]


def _segments(actual: tuple[tuple[str, Unmet | None], ...], language: Language) -> list[Any]:
    return [{"segment": name, "lacking": unmet_data(lacking, language)} for name, lacking in actual]


def _rest(actual: tuple[int, str], _: Language) -> dict[str, Any]:
    ago, until = actual
    return {"ago_ms": ago, "until": until or None}


_SHAPES: Mapping[str, Callable[[Any, Language], Any]] = {
    **dict.fromkeys(syntax.Behaviour.heads, _behaviour),
    **dict.fromkeys(syntax.Logic.heads, _parts),
    "in segment": _segments,
    "rest": _rest,
}
"""Heads whose value needs names; all others are plain JSON values already."""
