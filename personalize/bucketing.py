"""Buckets: the fixed place of a visitor in an experiment, the same on every machine and without any memory.

The hash is version 2 of GrowthBook's SDKs ("Build your own SDK", https://docs.growthbook.io/lib/build-your-own):
`fnv32a(str(fnv32a(seed + value))) % 10000`. A visitor whom GrowthBook puts into an arm is put into the same arm here.

Everything here is a whole number. GrowthBook divides the bucket by 10,000 and compares fractions. Sums of fractions
miss their mark by a little (0.1 + 0.7 is 0.7999999999999999), and then the bucket at an edge falls to the wrong side:
at most one in 10,000 for each edge, and for equal arms of everybody none. Shares here are exact, so neighbours meet
without gap or overlap.

A namespace, which keeps experiments apart, is a range of a bucket of its own: `choose(bucket(namespace, visitor),
[(0, 5_000)])`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

BUCKETS = 10_000
"""How many buckets there are: 0 to 9,999. A share of visitors is never finer than one bucket."""

Range = tuple[int, int]
"""The first bucket of an arm and the first after it."""


def bucket(seed: str, value: str) -> int:
    """Return the bucket of a value (a visitor's id) under a seed (an experiment's name)."""
    return _fnv32a(str(_fnv32a(seed + value))) % BUCKETS


def ranges(weights: Sequence[float], coverage: float = 1) -> tuple[Range, ...]:
    """Return the buckets of each arm, for weights of any sum and the share of all visitors to include (0 to 1).

    Each arm begins where it would begin with everybody included and grows from there, so that raising the coverage
    moves nobody from one arm to another. A bucket on the edge of two arms belongs to the earlier, as it does at
    GrowthBook. Raises ValueError for weights that share out nothing and for a coverage that is no share.
    """
    exact = [_exact(weight) for weight in weights]
    total = sum(exact)
    if total <= 0 or min(exact) < 0:
        raise ValueError(f"the weights {list(weights)} share out nothing: they are 0 or more, and one is more than 0")
    if not 0 <= coverage <= 1:
        raise ValueError(f"a coverage of {coverage} is no share from 0 to 1")
    included = _exact(coverage)
    found = []
    start = Fraction(0)
    for weight in exact:
        share = weight / total
        found.append((ceil(BUCKETS * start), ceil(BUCKETS * (start + share * included))))
        start += share
    return tuple(found)


def choose(at: int, among: Sequence[Range]) -> int | None:
    """Return the index of the arm that a bucket belongs to, or None for a visitor who is not included."""
    for arm, (low, high) in enumerate(among):
        if low <= at < high:
            return arm
    return None


def _exact(number: float) -> Fraction:
    """Return a number as it is written: 0.1 is one tenth, not the nearest sum of powers of two."""
    return Fraction(str(number))


def _fnv32a(text: str) -> int:
    """Return the 32-bit FNV-1a hash over UTF-16 code units, which are what JavaScript's charCodeAt gives."""
    # The two constants are from http://www.isthe.com/chongo/tech/comp/fnv/. In ASCII a unit is a byte.
    written = text.encode() if text.isascii() else text.encode("utf-16-le", "surrogatepass")
    found = 0x811C9DC5
    for unit in written if text.isascii() else struct.unpack(f"<{len(written) // 2}H", written):
        found = ((found ^ unit) * 0x01000193) & 0xFFFFFFFF
    return found
