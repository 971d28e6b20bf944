"""One compiled block of a placement: everything that must fit for it to be shown, its worth, its content.

Schedule, `when`, ownership, caps and rests all become conditions, in this order, so that one test decides and a receipt
can name the first of them that failed with the visitor's own value. Rests are exact lengths from the reaction. A
conversion that `converts when` counts is known by its day, so its rest runs from the end of that day, as long as
the day is kept; a `converts when` that is no `viewed` or `did` rests the block while it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from personalize import conditions, counters, phrasing, syntax, templates, windows
from personalize.calendar import Calendar, date_of
from personalize.condition import Condition, all_hold
from personalize.decision import Decision, Limit
from personalize.globs import any_of
from personalize.model import Reason
from personalize.profiles import REACTIONS
from personalize.scope import Scope
from personalize.values import Cap, Moment
from personalize.view import View

FOREVER = 1 << 62
"""The end (ms) of a schedule without an end."""

_Reaction = Literal["dismiss", "convert", "click"]
_REACTIONS: Mapping[_Reaction, int] = {
    "click": REACTIONS["content clicked"],
    "dismiss": REACTIONS["content dismissed"],
    "convert": REACTIONS["content converted"],
}


class Block:
    """A candidate content for a placement. `test` holds when it may be shown; `checks` are its parts.

    `starts` and `ends` bound its schedule (ms, the end excluded).
    """

    __slots__ = (
        "_decisions",
        "_fill",
        "_fixed",
        "_html",
        "checks",
        "ends",
        "name",
        "placement",
        "starts",
        "test",
        "where",
        "worth",
    )

    def __init__(self, block: syntax.Block, placement: str, scope: Scope) -> None:
        self.name = block.name
        self.placement = placement
        self.where = block.where
        self.starts = 0 if block.starts is None else scope.calendar.ms(block.starts.naive())
        self.ends = FOREVER if block.until is None else _end(block.until, scope.calendar)
        self.checks = tuple(self._checks(block, scope))
        self.test = all_hold(self.checks)
        self.worth = _worth(block.worth, scope)
        self._set_content(block.content, scope, html=block.html_trusted)

    @classmethod
    def of_fallback(cls, fallback: syntax.Fallback, placement: str, scope: Scope) -> Block:
        """Return the block that exists only as a placement's fallback, with the content written there."""
        written = syntax.Block.model_construct(
            name=fallback.block, content=fallback.content or {}, where=fallback.where
        )
        return cls(written, placement, scope)

    def decided(self, view: View, reason: Reason) -> Decision:
        """Return the decision for this block; its content is shared between visitors and must not be changed."""
        if self._fill is not None:
            return Decision(self.placement, self.name, self._fill(view), reason, html=self._html)
        decision = self._decisions.get(reason)
        if decision is None:
            decision = Decision(self.placement, self.name, self._fixed, reason, html=self._html)
            self._decisions[reason] = decision
        return decision

    def _checks(self, block: syntax.Block, scope: Scope) -> Iterator[Condition]:
        if block.starts or block.until:
            yield self._schedule(block)
        yield from conditions.all_compiled(block.when, scope)
        if block.owners:
            yield _not_owned(block)
        if block.show_at_most is not None:
            yield _shown_less(block, block.show_at_most)
        for kind, ms in block.rests.items():
            yield _rested(block, kind, ms, scope)
        if block.converts_when is not None and "convert" not in block.rests:
            conditions.compiled(block.converts_when, scope)  # no check, but counted for the statistics

    def _schedule(self, block: syntax.Block) -> Condition:
        starts, ends = self.starts, self.ends
        return Condition(
            lambda view: starts <= view.now < ends, Limit("schedule", block), lambda view: phrasing.moment(view.local)
        )

    def _set_content(self, content: Mapping[str, Any], scope: Scope, *, html: bool) -> None:
        self._html = html
        compiled = templates.compiled(content, scope.scores, html=html)
        self._fill: templates.Filler | None = compiled if callable(compiled) else None
        self._fixed: dict[str, Any] = {} if callable(compiled) else compiled
        self._decisions: dict[Reason, Decision] = {}


def _not_owned(block: syntax.Block) -> Condition:
    fits = any_of([product.lower() for product in block.owners])
    return Condition(
        lambda view: not any(map(fits, view.owned)),
        Limit("owners", block),
        lambda view: tuple(sorted(filter(fits, view.owned))),
    )


def _shown_less(block: syntax.Block, cap: Cap) -> Condition:
    name = block.name

    def shown(view: View) -> int:
        history = view.profile.blocks.get(name)
        if history is None:
            return 0
        row: counters.Row = history[0]
        return windows.counted(row, view.today - cap.days + 1)[0] if cap.days else row[0]

    return Condition(lambda view: shown(view) < cap.count, Limit("cap", block), shown)


def _rested(block: syntax.Block, kind: _Reaction, ms: int | None, scope: Scope) -> Condition:
    name = block.name
    position = _REACTIONS[kind]
    counted = _counted_conversion(block, scope) if kind == "convert" else None

    def reaction(view: View) -> int:
        history = view.profile.blocks.get(name)
        at: int = history[position] if history else 0
        return at if counted is None else max(at, counted(view))

    def rested(view: View) -> bool:
        at = reaction(view)
        return not at or (ms is not None and view.now >= at + ms)

    def actual(view: View) -> tuple[int, str]:
        at = reaction(view)
        return view.now - at, "" if ms is None else phrasing.moment(scope.calendar.local(at + ms))

    return Condition(rested, Limit("rest", block, kind), actual)


def _counted_conversion(block: syntax.Block, scope: Scope) -> Callable[[View], int] | None:
    """Return the function that finds when `converts when` last became true (ms, 0: it is not)."""
    if block.converts_when is None:
        return None
    condition = conditions.compiled(block.converts_when, scope)
    matcher = scope.count(block.converts_when) if isinstance(block.converts_when, syntax.Behaviour) else None

    def converted(view: View) -> int:
        if not condition.test(view):
            return 0
        if matcher is None:
            return view.now
        row = view.rows.get(matcher) or [0]
        return scope.calendar.day_end(date_of(row[1])) if len(row) > 1 else 1

    return converted


def _worth(worth: syntax.Worth | None, scope: Scope) -> Callable[[View], float]:
    if worth is None:
        return lambda _: 0.0
    plus = worth.plus
    score = scope.scores[worth.score.lower()] if worth.score else None
    if worth.interest:
        score = scope.interests[worth.interest.lower()]
    if score is None:
        return lambda _: plus
    value = score.value
    return lambda view: value(view) + plus


def _end(until: Moment, calendar: Calendar) -> int:
    """Return the moment (ms) after an end, which is included whole: the day, or the minute."""
    return calendar.day_end(until.day) if until.minute is None else calendar.minute_end(until.naive())
