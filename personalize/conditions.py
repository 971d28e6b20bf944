"""The conditions of the rule language: one table from head word to the function that compiles it.

A condition becomes an expression over values that were worked out at load; testing it parses nothing. A missing
attribute makes a condition false and its `not` true. To add a condition: a function, its row in CONDITIONS, its model
in `syntax`, a line in the docs, a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from personalize import attributes, behaviour, syntax
from personalize.compare import in_range
from personalize.condition import Condition
from personalize.decision import Unmet
from personalize.expression import expression, function, joined
from personalize.scope import Scope
from personalize.view import View


def compiled(condition: syntax.Condition, scope: Scope) -> Condition:
    """Return the compiled form of one condition."""
    return CONDITIONS[condition.head](condition, scope)


def all_compiled(conditions: Sequence[syntax.Condition], scope: Scope) -> tuple[Condition, ...]:
    """Return the compiled forms of a list of conditions, in order."""
    return tuple(compiled(condition, scope) for condition in conditions)


def _logic(condition: syntax.Logic, scope: Scope) -> Condition:
    """`not` (a list is one "and"), `any of`, `none of`, `all of`."""
    parts = all_compiled(condition.conditions, scope)
    word = "and" if condition.head in {"not", "all of"} else "or"
    holds = joined(word, [part.holds for part in parts])
    if condition.head in {"not", "none of"}:
        holds = expression("not {}", holds)
    # Each part's own truth, for explanations.
    truths = function(expression(f"return ({'not not {}, ' * len(parts)})", *(part.holds for part in parts)))

    def actual(view: View) -> tuple[Unmet, ...]:
        # The parts that decide: of any and none those that hold, of all those that do not; without such, every part.
        decides = condition.head in {"any of", "none of"}
        deciding = [part for part, truth in zip(parts, truths(view), strict=True) if truth is decides]
        return tuple(part.unmet(view) for part in deciding or parts)

    return Condition(holds, condition, actual)


def _in_segment(condition: syntax.Named, scope: Scope) -> Condition:
    segments = [scope.segments[name.lower()] for name in condition.names]
    holds = joined("or", [expression("{}.holds(view)", segment) for segment in segments])
    if len(segments) == 1:
        (one,) = segments
        return Condition(holds, condition, lambda view: ((one.name, one.lacking(view)),))
    return Condition(holds, condition, lambda view: tuple((s.name, s.lacking(view)) for s in segments))


def _on_ladder(condition: syntax.Named, scope: Scope) -> Condition:
    """`stage`, `temperature`."""
    ladder = scope.ladders[condition.head]
    wanted = frozenset(text.lower() for text in condition.names)
    holds = expression("{}.name(view).lower() in {}", ladder, wanted)
    return Condition(holds, condition, lambda view: ladder.name(view))  # noqa: PLW0108 - a ladder is filled later


def _points(condition: syntax.Points, scope: Scope) -> Condition:
    """`score`, `interest` with `is`."""
    named = scope.scores if condition.head == "score" else scope.interests
    score = named[condition.name.lower()]
    holds = in_range(condition.range, expression("{}.value(view)", score))
    return Condition(holds, condition, lambda view: score.value(view))  # noqa: PLW0108 - a score is filled later


CONDITIONS: Mapping[str, Callable[[Any, Scope], Condition]] = {
    "viewed": behaviour.compiled,
    "did": behaviour.compiled,
    "not": _logic,
    "any of": _logic,
    "none of": _logic,
    "all of": _logic,
    "in segment": _in_segment,
    "stage": _on_ladder,
    "temperature": _on_ladder,
    "score": _points,
    "interest": _points,
    "trait": attributes.trait,
    "company": attributes.company,
    "country": attributes.of_request,
    "region": attributes.of_request,
    "city": attributes.of_request,
    "language": attributes.of_request,
    "device": attributes.of_request,
    "browser": attributes.of_request,
    "os": attributes.of_request,
    "campaign": attributes.of_request,
    "source": attributes.of_request,
    "medium": attributes.of_request,
    "referrer": attributes.of_request,
    "page": attributes.of_request,
    "bot": attributes.of_request,
    "consent": attributes.consent,
    "owns": attributes.owns,
    "visitor is": attributes.visitor_is,
    "visits": attributes.visits,
    "first visit": attributes.first_visit,
    "last visit": attributes.last_visit,
    "time of day": attributes.time_of_day,
    "weekday": attributes.weekday,
    "date": attributes.date,
}
"""Every head word and the function that compiles what follows it."""
