"""One compiled block of a placement: everything that must fit for it to be shown, its worth, its content.

Schedule, `when`, ownership, caps and rests all become conditions, in this order, so that one test decides and a receipt
can name the first of them that failed with the visitor's own value. Rests are exact lengths from the reaction. A
conversion that `converts when` counts is known by its day, so its rest runs from the end of that day, as long as
the day is kept; a `converts when` that is no `viewed` or `did` rests the block while it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from personalize import conditions, syntax, templates, windows
from personalize.attributes import owned
from personalize.calendar import Calendar, date_of
from personalize.condition import Condition
from personalize.counters import KEPT_DAYS
from personalize.decision import Because, Candidate, Limit, Unmet
from personalize.expression import Expression, expression, truth_of, value_of
from personalize.globs import any_of
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
    """A candidate content for a placement.

    `checks` are its conditions and limits, `actual` the functions that give what the visitor has in the place of each;
    `worth` is what the block is worth. `starts` and `ends` bound its schedule (ms, the end excluded). `fill` fills its
    content for a view; without it `content` is finished. `converted` finds when a view's visitor last did what the rest
    after a conversion waits for (ms, 0: never), where `converts when` says what that is.
    """

    __slots__ = (
        "actual",
        "checks",
        "content",
        "converted",
        "ends",
        "fill",
        "html",
        "name",
        "placement",
        "starts",
        "where",
        "worth",
    )

    def __init__(self, block: syntax.Block, placement: str, scope: Scope) -> None:
        self.name = block.name
        self.placement = placement
        self.where = block.where
        self.starts = 0 if block.starts is None else scope.calendar.ms(block.starts.naive())
        self.ends = FOREVER if block.until is None else _end(block.until, scope.calendar)
        self.converted = _counted_conversion(block, scope) if "convert" in block.rests else None
        self.checks = tuple(self._checks(block, scope))
        self.actual = tuple(check.actual for check in self.checks)
        self.worth = _worth(block.worth, scope)
        self.html = block.html_trusted
        content = templates.compiled(block.content, scope.scores, html=self.html)
        self.fill: templates.Filler | None = content if callable(content) else None
        self.content: dict[str, Any] = {} if callable(content) else content

    @classmethod
    def of_fallback(cls, fallback: syntax.Fallback, placement: str, scope: Scope) -> Block:
        """Return the block that exists only as a placement's fallback, with the content written there."""
        written = syntax.Block.model_construct(
            name=fallback.block, content=fallback.content or {}, where=fallback.where
        )
        return cls(written, placement, scope)

    def unmet(self, place: int, actual: Any, worth: float | None = None) -> Candidate:
        """Return that the block lost by the check at this place, where the visitor has something else."""
        written = self.checks[place].written
        return Candidate(self.name, "lost", "unmet", written.where or self.where, worth, Unmet(written, actual))

    def judged(
        self,
        outcome: Literal["won", "lost"],
        because: Because,
        worth: float | None = None,
        other: str = "",
        other_worth: float | None = None,
    ) -> Candidate:
        """Return that the block won or lost, by no check of its own."""
        return Candidate(self.name, outcome, because, self.where, worth, None, other, other_worth)

    def _checks(self, block: syntax.Block, scope: Scope) -> Iterator[Condition]:
        if block.starts or block.until:
            yield self._schedule(block, scope)
        yield from conditions.all_compiled(block.when, scope)
        if block.owners:
            yield _not_owned(block)
        if block.show_at_most is not None:
            yield _shown_less(block, block.show_at_most)
        for kind, ms in block.rests.items():
            yield _rested(block, kind, ms, scope, self.converted if kind == "convert" else None)
        if block.converts_when is not None and "convert" not in block.rests:
            conditions.compiled(block.converts_when, scope)  # no check, but counted for the statistics

    def _schedule(self, block: syntax.Block, scope: Scope) -> Condition:
        return Condition(
            expression("{} <= view.now < {}", self.starts, self.ends),
            Limit("schedule", block),
            lambda view: scope.calendar.text(view.now),
        )


def _not_owned(block: syntax.Block) -> Condition:
    fits = any_of(tuple(product.lower() for product in block.owners))
    return Condition(
        expression("not {}", owned(block.owners)),
        Limit("owners", block),
        lambda view: tuple(sorted(filter(fits, view.owned))),
    )


def _shown_less(block: syntax.Block, cap: Cap) -> Condition:
    name, most = block.name, cap.count
    if cap.days:
        shown = expression("{}(view.history[{}][0], view.today - {})[0]", windows.counted, name, cap.days - 1)
    else:
        shown = expression("view.history[{}][0][0]", name)
    return Condition(
        expression("{} not in view.history or {} < {}", name, shown, most),
        Limit("cap", block),
        value_of(expression("{} if {} in view.history else 0", shown, name)),
    )


def _rested(
    block: syntax.Block, kind: _Reaction, ms: int | None, scope: Scope, counted: Callable[[View], int] | None
) -> Condition:
    position, name = _REACTIONS[kind], block.name
    reaction = expression(f"view.history[{{}}][{position}]", name)
    if counted is not None:
        reaction = expression("{}({} if {} in view.history else 0, {}(view))", max, reaction, name, counted)
    rested = expression("not {}", reaction)
    if ms is not None:
        rested = expression("not (at := {}) or view.now >= at + {}", reaction, ms)
    if counted is None:
        rested = expression("{} not in view.history or {}", name, rested)

    def actual(view: View) -> tuple[int, str]:
        history = view.history.get(name)
        at = history[position] if history else 0
        if counted is not None:
            at = max(at, counted(view))
        return view.now - at, "" if ms is None else scope.calendar.text(at + ms)

    return Condition(rested, Limit("rest", block, kind), actual)


def _counted_conversion(block: syntax.Block, scope: Scope) -> Callable[[View], int] | None:
    """Return the function that finds when `converts when` last became true (ms, 0: never).

    A `viewed` or `did` stays true once it was: a window that has passed since, or an `at most`, takes nothing back.
    """
    written = block.converts_when
    if written is None:
        return None
    if not isinstance(written, syntax.Behaviour):
        holds = truth_of(conditions.compiled(written, scope).holds)
        return lambda view: view.now if holds(view) else 0
    matcher = scope.count(written)
    times, on_days = max(written.at_least or 0, 1), written.across or 1
    window = written.within if times > 1 or on_days > 1 else None

    def converted(view: View) -> int:
        row = view.rows.get(matcher)
        if row is None or row[0] < times:
            return 0
        if window is None and on_days == 1:
            day = row[1] if len(row) > 1 else 0
        else:
            day = windows.last_reached(
                row, view.today - KEPT_DAYS + 1, window or KEPT_DAYS, times if window else 1, on_days
            )
            if not day:
                return 0
        return scope.calendar.day_end(date_of(day)) if day else 1

    return converted


def _worth(worth: syntax.Worth | None, scope: Scope) -> Expression:
    if worth is None:
        return expression("{}", 0.0)
    if worth.interest:
        return expression("{}.value(view) + {}", scope.interests[worth.interest.lower()], worth.plus)
    if worth.score:
        return expression("{}.value(view) + {}", scope.scores[worth.score.lower()], worth.plus)
    return expression("{}", worth.plus)


def _end(until: Moment, calendar: Calendar) -> int:
    """Return the moment (ms) after an end, which is included whole: the day, or the minute."""
    return calendar.day_end(until.day) if until.minute is None else calendar.minute_end(until.naive())
