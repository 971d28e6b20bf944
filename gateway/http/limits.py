"""How many connections a worker may have, and for how long each may do what."""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass

log = logging.getLogger("tuttu")

_OWN_DESCRIPTORS = 512
"""Files that a worker needs besides its connections: store, network data, control line, spool, and MOST_REFUSED."""

MOST_REFUSED = 256
"""Connections over the limit that are told so; more of them at once are closed without a word."""


@dataclass(slots=True, frozen=True)
class Limits:
    """The limits of one worker's connections; times are in seconds."""

    connections: int
    header_deadline_s: float
    body_deadline_s: float
    keep_alive_s: float
    unread_s: float = 60.0
    """How long a client may leave its answer unread without taking a single byte of it."""
    farewell_s: float = 2.0
    """How long to go on listening to a client that was refused, so that it can read why (RFC 9112, section 9.6)."""

    @property
    def look_every_s(self) -> float:
        """How often to look at all connections: a connection ends at most two looks after its time."""
        return min(1.0, self.header_deadline_s / 4, self.body_deadline_s / 4, self.keep_alive_s / 4)


def connections_allowed(wanted: int) -> int:
    """Let the process open as many files as it may at all, and return how many of them can be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError) as err:  # macOS allows less than it says
            log.warning("the limit of open files stays at %d: %s", soft, err)
    if soft == resource.RLIM_INFINITY:
        return wanted
    possible = max(soft - _OWN_DESCRIPTORS, 16)
    if possible < wanted:
        log.warning(
            "at most %d connections instead of %d: the system allows %d open files (ulimit -n, LimitNOFILE)",
            possible,
            wanted,
            soft,
        )
    return min(wanted, possible)
