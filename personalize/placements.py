"""A compiled placement: which of its blocks a visitor sees.

`first match`: the first block that fits. `best score`: of the blocks that fit the one worth most, if that is more than
0; ties go to the earlier. When none is left: the fallback, whatever its own exclusions. A placement without a written
fallback ends in a block without `when`, which then is it (the loader has seen to that).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from personalize import syntax
from personalize.blocks import Block
from personalize.decision import Candidate, Look, Receipt
from personalize.model import Reason
from personalize.scope import Scope
from personalize.shortlist import Shortlist
from personalize.view import View

_FEW = 6
"""So many blocks are asked one by one in less time than a shortlist takes."""


class Placement:
    """A slot on a page; `choose` picks its block, `explain` also tells of every block why it won or lost."""

    __slots__ = ("_by_order", "_contenders", "_shortlist", "blocks", "fallback", "name", "where")

    def __init__(self, placement: syntax.Placement, scope: Scope) -> None:
        self.name = placement.name
        self.where = placement.where
        self.blocks = tuple(Block(block, placement.name, scope) for block in placement.blocks)
        self.fallback = self._fallback(placement.fallback, scope)
        self._by_order = placement.choose == "first match"
        # Under "first match" a last block that is the fallback never wins by rule.
        self._contenders = self.blocks[:-1] if self._by_order and placement.fallback is None else self.blocks
        self._shortlist = Shortlist(self._contenders, scope) if len(self._contenders) > _FEW else None

    def choose(self, view: View) -> tuple[Block, Reason]:
        """Return the block to show and the reason, which names why the profile was not read, if it was not."""
        blocks = self._contenders if self._shortlist is None else self._shortlist.candidates(view)
        return self._settled(view, _first(blocks, view) if self._by_order else _best(blocks, view))

    def explain(self, view: View, plan_version: str) -> tuple[Block, Reason, Receipt]:
        """Return what `choose` returns, and the receipt; every block that could matter is looked at."""
        seen: list[Look] = []
        found = _first_seen(self._contenders, view, seen) if self._by_order else _best_seen(self.blocks, view, seen)
        block, reason = self._settled(view, found)
        return block, reason, Receipt(self, plan_version, seen, found)

    def candidates(self, seen: Sequence[Look], found: Block | None) -> tuple[Candidate, ...]:
        """Return every candidate of a receipt, in order."""
        judged = _in_order(self.blocks, seen, found) if self._by_order else _by_worth(self.blocks, seen, found)
        if found is None:
            # The fallback takes its own place among the blocks; one with content of its own stands last.
            at = self.blocks.index(self.fallback) if self.fallback in self.blocks else len(judged)
            worth = judged[at].worth if at < len(judged) else None
            judged[at : at + 1] = [self.fallback.judged("won", "fallback", worth)]
        return tuple(judged)

    def _fallback(self, fallback: syntax.Fallback | None, scope: Scope) -> Block:
        if fallback is None:
            return self.blocks[-1]
        named = [block for block in self.blocks if block.name.lower() == fallback.block.lower()]
        return named[0] if named and fallback.content is None else Block.of_fallback(fallback, self.name, scope)

    def _settled(self, view: View, found: Block | None) -> tuple[Block, Reason]:
        unread = view.context.unread
        if found is None:
            return self.fallback, unread or "fallback"
        return found, unread or ("rule" if self._by_order else "best_score")


def _first(blocks: Iterable[Block], view: View) -> Block | None:
    for block in blocks:
        if block.lacking(view) < 0:
            return block
    return None


def _best(blocks: Iterable[Block], view: View) -> Block | None:
    best, most = None, 0.0
    for block in blocks:
        worth = block.worth(view)
        if worth > most and block.lacking(view) < 0:
            best, most = block, worth
    return best


def _first_seen(blocks: Iterable[Block], view: View, seen: list[Look]) -> Block | None:
    """Do as `_first` and note what was seen of each block before the one that fits."""
    for block in blocks:
        place = block.lacking(view)
        if place < 0:
            return block
        seen.append((place, block.actual[place](view), None))
    return None


def _best_seen(blocks: Iterable[Block], view: View, seen: list[Look]) -> Block | None:
    """Do as `_best` and note what was seen of each block."""
    best, most = None, 0.0
    for block in blocks:
        worth, place = block.worth(view), block.lacking(view)
        if place >= 0:
            seen.append((place, block.actual[place](view), worth))
            continue
        seen.append((place, None, worth))
        if worth > most:
            best, most = block, worth
    return best


def _in_order(blocks: Sequence[Block], seen: Sequence[Look], found: Block | None) -> list[Candidate]:
    judged = [block.unmet(*look) for block, look in zip(blocks, seen, strict=False)]
    if found is not None:
        judged.append(found.judged("won", "first"))
        judged += [block.judged("lost", "behind", None, found.name) for block in blocks[len(judged) :]]
    return judged


def _by_worth(blocks: Sequence[Block], seen: Sequence[Look], found: Block | None) -> list[Candidate]:
    most = next((worth for block, (_, _, worth) in zip(blocks, seen, strict=True) if block is found), None)
    judged = []
    for block, (place, actual, worth) in zip(blocks, seen, strict=True):
        if place >= 0:
            judged.append(block.unmet(place, actual, worth))
        elif block is found:
            judged.append(block.judged("won", "best", worth))
        elif found is None or not worth or worth < 0:
            judged.append(block.judged("lost", "worthless", worth))
        else:
            judged.append(block.judged("lost", "outdone", worth, found.name, most))
    return judged
