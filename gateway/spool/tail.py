"""The tail: what the store has taken in the last seconds, to be sent again when it may have lost it.

A store that is killed, or whose replica takes over, may have forgotten writes that it had answered. A message that is
sent again has its effect once, so all of the tail is, whether it was lost or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gateway.jobs import Job
from gateway.spool.records import Kept, kept_of
from personalize.profiles import Profile

KEPT_MS = 6_000
"""Five seconds, and one in which a hit may have waited for the store."""
MOST = 20_000
"""Jobs that are kept at most."""


class Tail:
    """One worker's tail; `clock` returns ms since 1970."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._kept: deque[Kept] = deque(maxlen=MOST)

    def add(self, job: Job, profile: Profile) -> None:
        """Keep of a job that the store has just taken what is needed, and let go of old ones.

        `profile` is what stands in the store now. The job's hit says what time it is.
        """
        kept = self._kept
        kept.append(kept_of(job, profile))
        oldest = job.hit.received - KEPT_MS
        while kept[0].received < oldest:
            kept.popleft()

    def taken(self) -> list[Kept]:
        """Return what was kept in the last seconds, and forget it."""
        oldest = self._clock() - KEPT_MS
        found = [one for one in self._kept if one.received >= oldest]
        self._kept.clear()
        return found
