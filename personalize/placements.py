"""A compiled placement: which of its blocks a visitor sees.

`first match`: the first block that fits. `best score`: of the blocks that fit the one worth most, if that is more than
0; ties go to the earlier. When none is left: the fallback, whatever its own exclusions. A placement without a written
fallback ends in a block without `when`, which then is it (the loader has seen to that).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from personalize import syntax
from personalize.blocks import Block
from personalize.condition import first_unmet
from personalize.decision import Because, Candidate, Receipt
from personalize.model import Reason
from personalize.scope import Scope
from personalize.shortlist import Shortlist
from personalize.view import View

_FEW = 16
"""So many blocks are asked one by one in less time than a shortlist takes."""


class Placement:
    """A slot on a page; `choose` picks its block, `receipt` tells why."""

    __slots__ = ("_candidates", "_find", "_reason", "blocks", "fallback", "name", "where")

    def __init__(self, placement: syntax.Placement, scope: Scope) -> None:
        self.name = placement.name
        self.where = placement.where
        self.blocks = tuple(Block(block, placement.name, scope) for block in placement.blocks)
        self.fallback = self._fallback(placement.fallback, scope)
        by_order = placement.choose == "first match"
        # Under "first match" a last block that is the fallback never wins by rule.
        contenders = self.blocks[:-1] if by_order and placement.fallback is None else self.blocks
        self._candidates: Callable[[View], Sequence[Block]] = lambda _: contenders
        if len(contenders) > _FEW:
            self._candidates = Shortlist(contenders, placement.blocks[: len(contenders)], scope).candidates
        # Not the bound methods: a placement that refers to itself would outlive its plan until the collector runs.
        self._find: Callable[[Placement, View], Block | None] = Placement._first if by_order else Placement._best
        self._reason: Reason = "rule" if by_order else "best_score"

    def choose(self, view: View) -> tuple[Block, Reason]:
        """Return the block to show and the reason, which names why the profile was not read, if it was not."""
        block = self._find(self, view)
        unread = view.context.unread
        if block is None:
            return self.fallback, unread or "fallback"
        return block, unread or self._reason

    def receipt(self, view: View, winner: Block, plan_version: str) -> Receipt:
        """Return every candidate in order and why it won or lost."""
        found = self._find(self, view)
        seen = []
        after = False
        for block in self.blocks:
            seen.append(self._candidate(block, view, winner, found, after=after))
            after = after or (block is found and self._reason == "rule")
        if winner not in self.blocks:
            seen.append(Candidate(winner.name, "won", "fallback", winner.where))
        return Receipt(self.name, plan_version, tuple(seen))

    def _fallback(self, fallback: syntax.Fallback | None, scope: Scope) -> Block:
        if fallback is None:
            return self.blocks[-1]
        named = [block for block in self.blocks if block.name.lower() == fallback.block.lower()]
        return named[0] if named and fallback.content is None else Block.of_fallback(fallback, self.name, scope)

    def _first(self, view: View) -> Block | None:
        for block in self._candidates(view):
            if block.test(view):
                return block
        return None

    def _best(self, view: View) -> Block | None:
        best, most = None, 0.0
        for block in self._candidates(view):
            worth = block.worth(view)
            if worth > most and block.test(view):
                best, most = block, worth
        return best

    def _candidate(self, block: Block, view: View, winner: Block, found: Block | None, *, after: bool) -> Candidate:
        """Return why this block won or lost; `found` is the one that fits, `after` says that this one stands behind."""
        worth = block.worth(view) if self._reason == "best_score" else None
        if block is winner:
            because: Because = "fallback" if found is None else "first" if worth is None else "best"
            return Candidate(block.name, "won", because, block.where, worth)
        if found is not None and after:
            return Candidate(block.name, "lost", "behind", block.where, worth, other=found.name)
        unmet = first_unmet(block.checks, view)
        if unmet is not None:
            return Candidate(block.name, "lost", "unmet", unmet.written.where or block.where, worth, unmet)
        if worth is not None and worth <= 0:
            return Candidate(block.name, "lost", "worthless", block.where, worth)
        if worth is None or found is None:
            return Candidate(block.name, "lost", "kept as fallback", block.where, worth)
        return Candidate(
            block.name, "lost", "outdone", block.where, worth, other=found.name, other_worth=found.worth(view)
        )
