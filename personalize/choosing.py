"""How a block is chosen, under `first match` and under `best score`, with and without a note of what was seen.

For a few blocks the whole choice is written out as one function, all their checks in a row, because calling a function
for each block takes as long as what it does. Of many blocks a shortlist says which are worth a look; those are asked
one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from personalize.blocks import Block
from personalize.decision import Look
from personalize.expression import Expression, expression, function
from personalize.view import View

Find = Callable[[View], Block | None]
"""Returns the block to show, None for the fallback."""

Explain = Callable[[View], tuple[Block | None, list[Look]]]
"""Returns the same, and what was seen of each block."""


# -- first match ----------------------------------------------------------------------------------------------------
def first_of_few(blocks: Sequence[Block]) -> Find:
    """Return the function that finds the first block that fits."""
    asked = (expression("if {}: return {}", block.needs.holds, block) for block in blocks)
    return function(*asked, Expression("return None"))


def first_of_many(candidates: Callable[[View], Iterable[Block]]) -> Find:
    """Return the same for the candidates of a shortlist."""

    def find(view: View) -> Block | None:
        for block in candidates(view):
            if block.lacking(view) < 0:
                return block
        return None

    return find


def first_of_few_explained(blocks: Sequence[Block]) -> Explain:
    """Return the function that finds the first block that fits, and notes what the blocks before it lack."""
    return function(Expression("seen = []"), *_asked_in_order(blocks), Expression("return None, seen"))


def first_of_many_explained(blocks: Sequence[Block]) -> Explain:
    """Return the same for many blocks, none of which a receipt may leave out."""

    def explain(view: View) -> tuple[Block | None, list[Look]]:
        seen: list[Look] = []
        for block in blocks:
            place = block.lacking(view)
            if place < 0:
                return block, seen
            seen.append((place, block.actual[place](view), None))
        return None, seen

    return explain


def _asked_in_order(blocks: Sequence[Block]) -> Iterator[Expression]:
    for block in blocks:
        yield Expression("while True:")
        yield from _checked(block)
        yield expression(" return {}, seen", block)
        yield expression("seen.append((place, {}[place](view), None))", block.actual)


def _checked(block: Block) -> Iterator[Expression]:
    """Yield the lines of a loop that ends at the first check that does not hold."""
    for place, check in enumerate(block.checks):
        yield expression(f" if not {{}}: place = {place}; break", check.holds)


# -- best score -----------------------------------------------------------------------------------------------------
def best_of_few(blocks: Sequence[Block]) -> Find:
    """Return the function that finds the block that fits and is worth most, if that is more than 0."""
    return function(Expression("best = None; most = 0.0"), *_weighed(blocks), Expression("return best"))


def best_of_many(candidates: Callable[[View], Iterable[Block]]) -> Find:
    """Return the same for the candidates of a shortlist."""

    def find(view: View) -> Block | None:
        best, most = None, 0.0
        for block in candidates(view):
            worth = block.worth(view)
            if worth > most and block.lacking(view) < 0:
                best, most = block, worth
        return best

    return find


def best_of_few_explained(blocks: Sequence[Block]) -> Explain:
    """Return the function that finds the best block, and notes what each of them is worth and lacks."""
    start = Expression("best = None; most = 0.0; seen = []")
    return function(start, *_weighed_and_asked(blocks), Expression("return best, seen"))


def best_of_many_explained(blocks: Sequence[Block]) -> Explain:
    """Return the same for many blocks, none of which a receipt may leave out."""

    def explain(view: View) -> tuple[Block | None, list[Look]]:
        best, most = None, 0.0
        seen: list[Look] = []
        for block in blocks:
            worth, place = block.worth(view), block.lacking(view)
            seen.append((place, None if place < 0 else block.actual[place](view), worth))
            if place < 0 and worth > most:
                best, most = block, worth
        return best, seen

    return explain


def _weighed(blocks: Sequence[Block]) -> Iterator[Expression]:
    for block in blocks:
        yield expression("worth = {}", block.worth_now)
        yield expression("if worth > most and {}: best = {}; most = worth", block.needs.holds, block)


def _weighed_and_asked(blocks: Sequence[Block]) -> Iterator[Expression]:
    for block in blocks:
        yield expression("worth = {}", block.worth_now)
        yield Expression("while True:")
        yield from _checked(block)
        yield expression(" if worth > most: best = {}; most = worth", block)
        yield Expression(" place = -1; break")
        yield expression("seen.append((place, None if place < 0 else {}[place](view), worth))", block.actual)
