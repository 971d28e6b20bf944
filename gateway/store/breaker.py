"""Whether calls to the store are worth sending: opened by calls that came late, closed by a probe that came soon.

Refusals that hold for every call ("not now") do not open it: they cost one round trip, and while writes are refused
reads may still work. They are remembered until a probe is taken, so that others know when writing is worth a try.
This file does no I/O and reads no clock; times are the loop's, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

NOT_NOW = {"LOADING", "BUSY", "MISCONF", "OOM", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS"}
"""The codes of refusals that every write would get now."""

PROBE = b"*4\r\n$8\r\nSETRANGE\r\n$10\r\n{p0}:probe\r\n$1\r\n0\r\n$0\r\n\r\n"
"""To a store it is a write, and is refused as one, but an empty range changes nothing and is neither logged nor sent
to replicas. A PING would be answered by a store that is out of memory."""


class Breaker:
    """The breaker of one connection; `on_change` hears when `why` has another value.

    A probe is short when it came back within a quarter of the deadline: a store whose every answer takes longer than
    the deadline keeps the breaker open, instead of closing it for one deadline after each probe.
    """

    def __init__(self, deadline_s: float, on_change: Callable[[], None]) -> None:
        self._deadline = deadline_s
        self._on_change = on_change
        self._refused = ""
        self._asked: float | None = None
        self._ask_at = 0.0
        self.open = False

    @property
    def why(self) -> str:
        """Why a write has no chance now; "" while it has one."""
        if self.open:
            return f"the store did not answer within {self._deadline:g} s; it is asked until it answers in time again"
        return self._refused

    def came_late(self) -> None:
        """Take notice of a call that was not answered in time."""
        if not self.open:
            self.open = True
            self._on_change()

    def was_refused(self, code: str, meaning: str, now: float) -> None:
        """Take notice of a refusal."""
        if code in NOT_NOW:
            # Asked after a pause: a store at the brink of its memory would change its mind at every probe.
            self._ask_at = now + self._deadline
            if self._refused != meaning:
                self._refused = meaning
                self._on_change()

    def wants_probe(self, now: float) -> bool:
        """Tell whether a probe shall be sent now; there is one under way at most."""
        return self._asked is None and (self.open or (self._refused != "" and now >= self._ask_at))

    def probe_left(self, now: float) -> None:
        """Take the time at which a probe was sent."""
        self._asked = now

    def probe_came_back(self, now: float, refusal: str) -> None:
        """Take the answer of the probe: the code of its refusal, or "" if it was taken."""
        if self._asked is None:
            return
        before = self.why
        if now - self._asked < self._deadline / 4:
            self.open = False
        self._asked = None
        # A refusal of another kind, as of an account that may not write this key, says nothing of other writes.
        if refusal not in NOT_NOW:
            self._refused = ""
        if self.why != before:
            self._on_change()
