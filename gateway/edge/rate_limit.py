"""How many hits a second may come from one address: a bucket for each, in this worker's memory.

It fails open: an address that had to be forgotten for lack of room begins with a full bucket.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

BURST_S = 10
"""A bucket holds the hits of so many seconds."""
MOST_ADDRESSES = 100_000


class RateLimit:
    """At most `rate` hits a second, kept as the time at which each address' bucket is full again (GCRA)."""

    def __init__(self, rate: float, *, most: int = MOST_ADDRESSES, clock: Callable[[], float] = time.monotonic) -> None:
        self._each_s = 1 / rate
        self._burst_s = max(BURST_S, self._each_s)
        self._most = most
        self._clock = clock
        self._full_at: OrderedDict[str | int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def retry_after_s(self, address: str) -> int:
        """Take one hit of an address; 0 when it may pass, else after how many whole seconds there is room again."""
        if not address:
            return 0
        key = _network(address)
        now = self._clock()
        full_at = max(self._full_at.get(key, now), now) + self._each_s
        if full_at - now > self._burst_s + 1e-9:
            return max(1, math.ceil(full_at - now - self._burst_s))
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0


def _network(address: str) -> str | int:
    """Return what shares one bucket: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    if ":" not in address:
        return address
    try:
        six = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(six.ipv4_mapped) if six.ipv4_mapped else int(six) >> 64
