"""A compiled placement: which of its blocks a visitor sees.

`first match`: the first block that fits. `best score`: of the blocks that fit the one worth most, if that is more than
0; ties go to the earlier. When none is left: the fallback, whatever its own exclusions. A placement without a written
fallback ends in a block without `when`, which then is it (the loader has seen to that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from functools import lru_cache

from personalize import syntax
from personalize.blocks import Block
from personalize.decision import Candidate, Receipt
from personalize.model import Reason
from personalize.scope import Scope
from personalize.shortlist import Shortlist
from personalize.view import View

_FEW = 16
"""So many blocks are asked one by one in less time than a shortlist takes."""


class Placement:
    """A slot on a page; `choose` picks its block, `explain` also tells of every block why it won or lost."""

    __slots__ = (
        "_candidates",
        "_contenders",
        "_explain",
        "_find",
        "_from",
        "_reason",
        "blocks",
        "fallback",
        "name",
        "where",
    )

    def __init__(self, placement: syntax.Placement, scope: Scope) -> None:
        self.name = placement.name
        self.where = placement.where
        self.blocks = tuple(Block(block, placement.name, scope) for block in placement.blocks)
        self.fallback = self._fallback(placement.fallback, scope)
        by_order = placement.choose == "first match"
        # Under "first match" a last block that is the fallback never wins by rule.
        contenders = self.blocks[:-1] if by_order and placement.fallback is None else self.blocks
        self._contenders = contenders
        self._candidates: Callable[[View], Iterable[Block]] = (
            Shortlist(contenders, scope).candidates if len(contenders) > _FEW else lambda _: contenders
        )
        self._find = self._first if by_order else self._best
        self._explain = self._by_order if by_order else self._by_worth
        self._from = lru_cache(_FEW)(self._from_winner)
        self._reason: Reason = "rule" if by_order else "best_score"

    def choose(self, view: View) -> tuple[Block, Reason]:
        """Return the block to show and the reason, which names why the profile was not read, if it was not."""
        return self._settled(view, self._find(view))

    def explain(self, view: View, plan_version: str) -> tuple[Block, Reason, Receipt]:
        """Return what `choose` returns, and every candidate in order and why it won or lost."""
        found, candidates = self._explain(view)
        block, reason = self._settled(view, found)
        if found is None:
            # A block of this placement takes its own place among the candidates, any other stands last.
            at = self.blocks.index(block) if block in self.blocks else len(candidates)
            worth = candidates[at].worth if at < len(candidates) else None
            candidates[at : at + 1] = [block.judged("won", "fallback", worth)]
        return block, reason, Receipt(self.name, plan_version, tuple(candidates))

    def _fallback(self, fallback: syntax.Fallback | None, scope: Scope) -> Block:
        if fallback is None:
            return self.blocks[-1]
        named = [block for block in self.blocks if block.name.lower() == fallback.block.lower()]
        return named[0] if named and fallback.content is None else Block.of_fallback(fallback, self.name, scope)

    def _settled(self, view: View, found: Block | None) -> tuple[Block, Reason]:
        unread = view.context.unread
        if found is None:
            return self.fallback, unread or "fallback"
        return found, unread or self._reason

    def _first(self, view: View) -> Block | None:
        for block in self._candidates(view):
            if block.lacking(view) < 0:
                return block
        return None

    def _best(self, view: View) -> Block | None:
        best, most = None, 0.0
        for block in self._candidates(view):
            worth = block.worth(view)
            if worth > most and block.lacking(view) < 0:
                best, most = block, worth
        return best

    def _by_order(self, view: View) -> tuple[Block | None, list[Candidate]]:
        """Return the first block that fits and what became of each; those behind it are not looked at."""
        candidates: list[Candidate] = []
        for block in self._contenders:
            place = block.lacking(view)
            if place < 0:
                candidates += self._from(len(candidates))
                return block, candidates
            candidates.append(block.unmet(view, place))
        return None, candidates

    def _from_winner(self, number: int) -> tuple[Candidate, ...]:
        """Return what became of a block that is the first to fit, and of those behind it."""
        winner, *behind = self.blocks[number:]
        return winner.judged("won", "first"), *(it.judged("lost", "behind", None, winner.name) for it in behind)

    def _by_worth(self, view: View) -> tuple[Block | None, list[Candidate]]:
        """Return the block that fits and is worth most, and what became of each."""
        best, most = None, 0.0
        weighed = []
        for block in self.blocks:
            worth, place = block.worth(view), block.lacking(view)
            weighed.append((block, worth, place))
            if worth > most and place < 0:
                best, most = block, worth
        candidates = []
        for block, worth, place in weighed:
            if block is best:
                candidates.append(block.judged("won", "best", worth))
            elif place >= 0:
                candidates.append(block.unmet(view, place, worth))
            elif worth <= 0 or best is None:
                candidates.append(block.judged("lost", "worthless", worth))
            else:
                candidates.append(block.judged("lost", "outdone", worth, best.name, most))
        return best, candidates
