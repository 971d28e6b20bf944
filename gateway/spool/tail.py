"""The tail: what the store has taken in the last seconds, to be sent again when it may have lost it.

A store that is killed, or whose replica takes over, may have forgotten writes that it had answered. A message that is
sent again has its effect once, so all of the tail is, whether it was lost or not.
"""

from __future__ import annotations

import time
from collections import deque

from gateway.jobs import Job
from gateway.spool.records import Kept, kept_of
from personalize.profiles import Profile

KEPT_S = 5.0
MOST = 20_000
"""Jobs that are kept at most."""


class Tail:
    """One worker's tail. It goes by the monotonic clock: a step of the other one must not empty it."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, Kept]] = deque(maxlen=MOST)

    def add(self, job: Job, profile: Profile) -> None:
        """Keep of a job that the store has just taken what is needed, and let go of old ones.

        `profile` is what stands in the store now.
        """
        kept, now = self._kept, time.monotonic()
        kept.append((now, kept_of(job, profile)))
        while kept[0][0] < now - KEPT_S:
            kept.popleft()

    def taken(self) -> list[Kept]:
        """Return what was kept in the last seconds, and forget it."""
        oldest = time.monotonic() - KEPT_S
        found = [one for at, one in self._kept if at >= oldest]
        self._kept.clear()
        return found
