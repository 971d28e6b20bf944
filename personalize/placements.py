"""A compiled placement: which of its blocks a visitor sees.

`first match`: the first block that fits. `best score`: of the blocks that fit the one worth most, if that is more than
0; ties go to the earlier. When none is left: the fallback, whatever its own exclusions. A placement without a written
fallback ends in a block without `when`, which then is it (the loader has seen to that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

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
        # Not the bound methods: a placement that refers to itself would outlive its plan until the collector runs.
        self._find = Placement._first if by_order else Placement._best
        self._explain = Placement._look if by_order else Placement._weigh
        self._reason: Reason = "rule" if by_order else "best_score"

    def choose(self, view: View) -> tuple[Block, Reason]:
        """Return the block to show and the reason, which names why the profile was not read, if it was not."""
        return self._settled(view, self._find(self, view))

    def explain(self, view: View, plan_version: str) -> tuple[Block, Reason, Receipt]:
        """Return what `choose` returns, and every candidate in order and why it won or lost."""
        found, candidates = self._explain(self, view)
        block, reason = self._settled(view, found)
        return block, reason, Receipt(self.name, plan_version, candidates)

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

    def _look(self, view: View) -> tuple[Block | None, Callable[[], tuple[Candidate, ...]]]:
        """Return the first block that fits, and what makes the candidates of what was found on the way."""
        seen: list[tuple[int, Any]] = []
        for block in self._contenders:
            place = block.lacking(view)
            if place < 0:
                return block, partial(self._looked_at, seen, block)
            seen.append((place, block.actual[place](view)))
        return None, partial(self._looked_at, seen, None)

    def _looked_at(self, seen: Sequence[tuple[int, Any]], found: Block | None) -> tuple[Candidate, ...]:
        candidates = [block.unmet(*why) for block, why in zip(self.blocks, seen, strict=False)]
        if found is None:
            return self._with_fallback(candidates)
        behind = (block.judged("lost", "behind", None, found.name) for block in self.blocks[len(seen) + 1 :])
        return *candidates, found.judged("won", "first"), *behind

    def _weigh(self, view: View) -> tuple[Block | None, Callable[[], tuple[Candidate, ...]]]:
        """Return the block that fits and is worth most, and what makes the candidates of what was found."""
        best, most = None, 0.0
        seen: list[tuple[float, int, Any]] = []
        for block in self.blocks:
            worth, place = block.worth(view), block.lacking(view)
            if place >= 0:
                seen.append((worth, place, block.actual[place](view)))
                continue
            seen.append((worth, place, None))
            if worth > most:
                best, most = block, worth
        return best, partial(self._weighed, seen, best, most)

    def _weighed(
        self, seen: Sequence[tuple[float, int, Any]], best: Block | None, most: float
    ) -> tuple[Candidate, ...]:
        candidates = []
        for block, (worth, place, actual) in zip(self.blocks, seen, strict=True):
            if block is best:
                candidates.append(block.judged("won", "best", worth))
            elif place >= 0:
                candidates.append(block.unmet(place, actual, worth))
            elif worth <= 0 or best is None:
                candidates.append(block.judged("lost", "worthless", worth))
            else:
                candidates.append(block.judged("lost", "outdone", worth, best.name, most))
        return self._with_fallback(candidates) if best is None else tuple(candidates)

    def _with_fallback(self, candidates: list[Candidate]) -> tuple[Candidate, ...]:
        """Return the candidates with the fallback among them: at its own place, or last."""
        fallback = self.fallback
        at = self.blocks.index(fallback) if fallback in self.blocks else len(candidates)
        worth = candidates[at].worth if at < len(candidates) else None
        candidates[at : at + 1] = [fallback.judged("won", "fallback", worth)]
        return tuple(candidates)
