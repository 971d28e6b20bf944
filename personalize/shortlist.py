"""Which blocks of a long placement are worth a look, so that a thousand blocks cost a visitor little more than ten.

A set of blocks is an integer with a bit for each. Blocks are filed by the keys and spans that their conditions need
(see `filing`), one drawer for each place that these are found in: looking up what the visitor has there gives the
blocks that are still possible, however many there are. What several blocks ask alike is asked once for all of them.
Nothing that could be shown is left out: a filing asks for no more than a block's own checks, and all of them must hold.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import accumulate
from math import inf
from operator import or_, xor
from typing import Protocol

from personalize import filing, places
from personalize.blocks import FOREVER, Block
from personalize.expression import Expression, truth_of
from personalize.filing import Keys, Place, Span
from personalize.scope import Scope
from personalize.view import View

_WORTH_IT = 4
"""So many blocks must need something before it is looked up; fewer are asked themselves in the same time."""


class Drawer(Protocol):
    """The blocks that are filed by one thing."""

    filed: int

    def possible(self, view: View) -> int:
        """Return the blocks that are still possible for this visitor, with -1 for all."""


class Shortlist:
    """The drawers of one placement. `candidates` gives the numbers of the blocks worth a look, in order."""

    def __init__(self, blocks: Sequence[Block], scope: Scope) -> None:
        self._numbers = range(len(blocks))
        self._everyone = (1 << len(blocks)) - 1
        keys: dict[Place, list[tuple[int, Keys]]] = {}
        spans: dict[Place, list[tuple[int, Span]]] = {}
        asked: dict[Expression, int] = {}
        for number, block in enumerate(blocks):
            bit = 1 << number
            if block.starts or block.ends < FOREVER:
                spans.setdefault(filing.NOW, []).append((bit, Span(filing.NOW, block.starts, block.ends - 1)))
            for part in filing.parts(block.checks, scope):
                for one in filing.filings(part.written):
                    if isinstance(one, Keys):
                        keys.setdefault(one.place, []).append((bit, one))
                    else:
                        spans.setdefault(one.place, []).append((bit, one))
                if not filing.is_told(part.written):
                    asked[part.holds] = asked.get(part.holds, 0) | bit
        numbers: dict[Place, Drawer] = {
            place: _Numbers(places.number(place, scope), filed) for place, filed in spans.items()
        }
        texts: dict[Place, Drawer] = {place: _Texts(places.texts(place, scope), filed) for place, filed in keys.items()}
        # What has to be worked out first comes last.
        found = sorted([*numbers.items(), *texts.items()], key=lambda item: item[0][0] in places.WORKED_OUT)
        drawers = [*(drawer for _, drawer in found), *(_Alike(truth_of(holds), bits) for holds, bits in asked.items())]
        self._drawers = tuple(drawer for drawer in drawers if drawer.filed.bit_count() >= _WORTH_IT)

    def candidates(self, view: View) -> Iterable[int]:
        """Return the numbers of the blocks that the visitor could be shown, as far as the drawers tell."""
        left = self._everyone
        for drawer in self._drawers:
            if left & drawer.filed:
                left &= drawer.possible(view)
                if left.bit_count() < _WORTH_IT:
                    break
        return self._numbers if left == self._everyone else _numbers_in(left)


def _numbers_in(blocks: int) -> Iterator[int]:
    while blocks:
        lowest = blocks & -blocks
        yield lowest.bit_length() - 1
        blocks ^= lowest


class _Texts:
    """Blocks by the texts that a visitor must have in one place, or must not have there."""

    __slots__ = ("_globs", "_lengths", "_one", "_other", "_parts", "_read", "_table", "filed")

    def __init__(self, read: places.Texts, filed: Sequence[tuple[int, Keys]]) -> None:
        self._read = read
        needed: dict[int, tuple[str, ...]] = {}
        barred: dict[str, int] = {}
        common = Counter(key for _, one in filed for key in one.keys)
        for bit, (_, keys, is_barred) in filed:
            if is_barred:
                for key in keys:
                    barred[key] = barred.get(key, 0) | bit
            elif bit not in needed or common[keys[0]] < common[needed[bit][0]]:
                # Of several needs in one place the rarest is filed; the block itself asks for the others.
                needed[bit] = keys
        wanted: dict[str, int] = {}
        for bit, keys in needed.items():
            for key in keys:
                wanted[key] = wanted.get(key, 0) | bit
        self.filed = _together(bit for bit, _ in filed)
        self._other = ~_together(needed)
        self._table = {key: (wanted.get(key, 0), barred.get(key, 0)) for key in wanted.keys() | barred.keys()}
        self._one = {key: (fits | self._other) & ~bars for key, (fits, bars) in self._table.items()}
        self._globs = {key for key in self._table if key.endswith("*")}
        self._parts = [(key[1:-1], *self._table[key]) for key in self._globs if key[:-1].startswith("*")]
        self._lengths = sorted({len(key) - 1 for key in self._globs if not key[:-1].startswith("*")})

    def possible(self, view: View) -> int:
        texts = self._read(view)
        if texts is None:
            return -1
        if len(texts) == 1 and not self._globs:
            (text,) = texts
            return self._one.get(text, self._other)
        possible, barred = self._other, 0
        table = self._table
        for text in texts:
            if text in table:
                wanted, unwanted = table[text]
                possible |= wanted
                barred |= unwanted
            if self._globs:
                for wanted, unwanted in self._fitting(text):
                    possible |= wanted
                    barred |= unwanted
        return possible & ~barred

    def _fitting(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the blocks that want what a glob fits and those that are barred by it, glob by glob."""
        for length in self._lengths:
            if (key := text[:length] + "*") in self._table:
                yield self._table[key]
        for part, wanted, unwanted in self._parts:
            if part in text:
                yield wanted, unwanted


class _Numbers:
    """Blocks by the span in which a number must lie: the blocks for each bound and for each gap between two bounds."""

    __slots__ = ("_bounds", "_cells", "_other", "_read", "filed")

    def __init__(self, read: places.Number, filed: Sequence[tuple[int, Span]]) -> None:
        self._read = read
        spans: dict[int, tuple[float, float]] = {}
        for bit, (_, low, high) in filed:
            least, most = spans.get(bit, (-inf, inf))
            spans[bit] = max(low, least), min(high, most)
        self._bounds = sorted({end for span in spans.values() for end in span})
        turns = [0] * (2 * len(self._bounds) + 1)
        for bit, (low, high) in spans.items():
            if low <= high:
                turns[2 * bisect_left(self._bounds, low) + 1] ^= bit
                turns[2 * bisect_left(self._bounds, high) + 2] ^= bit
        self.filed = _together(spans)
        self._other = ~self.filed
        self._cells: list[int] = [cell | self._other for cell in accumulate(turns, xor)]

    def possible(self, view: View) -> int:
        number = self._read(view)
        if number is None:
            return -1
        if number != number:  # noqa: PLR0124 - a number that is not there
            return self._other
        return self._cells[bisect_left(self._bounds, number) + bisect_right(self._bounds, number)]


class _Alike:
    """Blocks that ask the same."""

    __slots__ = ("_holds", "filed")

    def __init__(self, holds: Callable[[View], bool], filed: int) -> None:
        self._holds = holds
        self.filed = filed

    def possible(self, view: View) -> int:
        return -1 if self._holds(view) else ~self.filed


def _together(bits: Iterable[int]) -> int:
    together: int = reduce(or_, bits, 0)
    return together
