"""How a block is chosen, under `first match` and under `best score`.

For a few blocks the whole choice is written out as one function, all their checks in a row, because calling a function
for each block takes as long as what it does. Of many blocks a shortlist says which are worth a look; those are asked
one by one. Whoever wants a receipt gives a list: what was seen of each block is put there, and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from personalize.blocks import Block
from personalize.decision import Look
from personalize.expression import Expression, expression, first_false, function, value_of
from personalize.view import View

Choice = Callable[[View, list[Look] | None], Block | None]
"""Returns the block to show, None for the fallback."""

Candidates = Callable[[View], Iterable[int]]
"""Returns the numbers of the blocks on a shortlist."""


class Asked:
    """One block of many: `lacking` gives the place of its first check that does not hold, or -1; `worth` its worth."""

    __slots__ = ("actual", "block", "lacking", "worth")

    worth: Callable[[View], float]

    def __init__(self, block: Block) -> None:
        self.block = block
        self.actual: Sequence[Callable[[View], Any]] = block.actual
        self.lacking = first_false([check.holds for check in block.checks])
        self.worth = value_of(block.worth)


def first_of_few(blocks: Sequence[Block]) -> Choice:
    """Return the function that finds the first block that fits."""
    return function(*_in_order(blocks), Expression("return None"), takes="view, seen")


def best_of_few(blocks: Sequence[Block]) -> Choice:
    """Return the function that finds the block that fits and is worth most, if that is more than 0."""
    start = Expression("best = None; most = 0.0")
    return function(start, *_by_worth(blocks), Expression("return best"), takes="view, seen")


def first_of_many(blocks: Sequence[Block], candidates: Candidates) -> Choice:
    """Return the function that finds the first block that fits, of those on the shortlist."""
    asked = [Asked(block) for block in blocks]

    def choice(view: View, seen: list[Look] | None) -> Block | None:
        for one in asked if seen is not None else map(asked.__getitem__, candidates(view)):
            place = one.lacking(view)
            if place < 0:
                return one.block
            if seen is not None:
                seen.append((place, one.actual[place](view), None))
        return None

    return choice


def best_of_many(blocks: Sequence[Block], candidates: Candidates) -> Choice:
    """Return the function that finds the best block of those on the shortlist."""
    asked = [Asked(block) for block in blocks]

    def choice(view: View, seen: list[Look] | None) -> Block | None:
        best, most = None, 0.0
        for one in asked if seen is not None else map(asked.__getitem__, candidates(view)):
            worth = one.worth(view)
            if worth <= most and seen is None:
                continue
            place = one.lacking(view)
            if place < 0 and worth > most:
                best, most = one.block, worth
            if seen is not None:
                seen.append((place, None if place < 0 else one.actual[place](view), worth))
        return best

    return choice


def _in_order(blocks: Sequence[Block]) -> Iterator[Expression]:
    """Yield the lines that return the first block that fits; the loops have one round and are there to be left."""
    for block in blocks:
        yield Expression("while True:")
        yield from _checked(block)
        yield Expression(" return {}", (block,))
        if block.checks:
            yield Expression("if seen is not None: seen.append((place, {}[place](view), None))", (block.actual,))


def _by_worth(blocks: Sequence[Block]) -> Iterator[Expression]:
    """Yield the lines that keep the best block of those so far."""
    for block in blocks:
        yield expression("worth = {}", block.worth)
        yield Expression("while True:")
        yield Expression(" if worth <= most and seen is None: break")
        yield from _checked(block)
        yield Expression(" place = -1")
        yield Expression(" if worth > most: best = {}; most = worth", (block,))
        yield Expression(" break")
        noted = "if seen is not None: seen.append((place, None if place < 0 else {}[place](view), worth))"
        yield Expression(noted, (block.actual,))


def _checked(block: Block) -> Iterator[Expression]:
    """Yield the lines of a loop that is left at the first check that does not hold."""
    for place, check in enumerate(block.checks):
        yield expression(f" if not {{}}: place = {place}; break", check.holds)
