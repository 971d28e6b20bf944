"""A compiled placement: which of its blocks a visitor sees.

`first match`: the first block that fits. `best score`: of the blocks that fit the one worth most, if that is more than
0; ties go to the earlier. When none is left: the fallback, whatever its own exclusions. A placement without a written
fallback ends in a block without `when`, which then is it (the loader has seen to that).
"""

from __future__ import annotations

from collections.abc import Sequence

from personalize import choosing, syntax
from personalize.blocks import Block
from personalize.decision import Candidate, Decision, Look, Receipt
from personalize.scope import Scope
from personalize.shortlist import Shortlist
from personalize.view import View

_FEW = 8
"""So many blocks are asked one after the other in less time than a shortlist takes."""


class Placement:
    """A slot on a page; `decide` says which of its blocks a visitor sees."""

    __slots__ = ("_by_order", "_choose", "blocks", "fallback", "name", "shortlist", "where")

    def __init__(self, placement: syntax.Placement, scope: Scope) -> None:
        self.name = placement.name
        self.where = placement.where
        self.blocks = tuple(Block(block, placement.name, scope) for block in placement.blocks)
        self.fallback = self._fallback(placement.fallback, scope)
        self._by_order = placement.choose == "first match"
        # Under "first match" a last block that is the fallback never wins by rule.
        contenders = self.blocks[:-1] if self._by_order and placement.fallback is None else self.blocks
        self.shortlist = Shortlist(contenders, scope) if len(contenders) > _FEW else None
        if self.shortlist is None:
            choose = choosing.first_of_few if self._by_order else choosing.best_of_few
            self._choose: choosing.Choice = choose(contenders)
        else:
            choose_of_many = choosing.first_of_many if self._by_order else choosing.best_of_many
            self._choose = choose_of_many(contenders, self.shortlist.candidates)

    def decide(self, view: View, asked_as: str, plan_version: str | None = None) -> Decision:
        """Return the decision for the name that was asked for; with a receipt when the plan's version is given.

        Its content may be shared between visitors and must not be changed.
        """
        seen: list[Look] | None = None if plan_version is None else []
        found = self._choose(view, seen)
        receipt = None if seen is None or plan_version is None else Receipt(self, plan_version, seen, found)
        block = self.fallback if found is None else found
        reason = view.context.unread or ("fallback" if found is None else "rule" if self._by_order else "best_score")
        content = block.content if block.fill is None else block.fill(view)
        return Decision(asked_as, block.name, content, reason, None, receipt, block.html)

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
