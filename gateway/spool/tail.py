"""The tail: what the store has taken in the last seconds, to be sent again when it may have lost it.

A store that is killed, or whose replica takes over, may have forgotten writes that it had answered. A message that is
sent again has its effect once, so all of the tail is, whether it was lost or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gateway.jobs import Job

KEPT_MS = 6_000
"""Five seconds, and one in which a hit may have waited for the store."""
MOST = 20_000
"""Jobs that are kept at most; at about 5 KB each."""


class Tail:
    """One worker's tail; `clock` returns ms since 1970."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._jobs: deque[Job] = deque(maxlen=MOST)

    def add(self, job: Job) -> None:
        """Keep a job that the store has just taken, and let go of old ones; its hit says what time it is."""
        jobs = self._jobs
        jobs.append(job)
        oldest = job.hit.received - KEPT_MS
        while jobs[0].hit.received < oldest:
            jobs.popleft()

    def taken(self) -> list[Job]:
        """Return the jobs of the last seconds, and forget them."""
        oldest = self._clock() - KEPT_MS
        found = [job for job in self._jobs if job.hit.received >= oldest]
        self._jobs.clear()
        return found
