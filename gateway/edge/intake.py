"""A hit with its events on their way, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.envelope import TOO_LATE, BadEvent, Envelope, Hit, Outcome
from gateway.jobs import Job
from personalize.profiles import Profile


@dataclass(slots=True)
class Intake:
    """A hit with its events on their way; `jobs` hold one visitor's events each, or one erasure."""

    hit: Hit
    envelopes: list[Envelope]
    bad: list[BadEvent]
    jobs: list[Job] = field(default_factory=list)
    choice: frozenset[str] | None = None
    """The visitor's choice as of the request's latest event that carries one."""
    chosen: int = 0
    """When they made it (ms)."""

    clicks: list[Job] = field(default_factory=list)
    """What the hit's page views tell of clicks in e-mails, on the profiles of the contacts."""
    contact: Profile | None = None
    """The profile of the contact as whom the browser is recognized, for a decision alone."""

    @property
    def limit(self) -> frozenset[str]:
        """The most that may be in force for a decision, as the request and each of its events say."""
        limit = self.hit.limit
        for envelope in self.envelopes:
            limit = limit if envelope.limit is limit else limit & envelope.limit
        return limit

    @property
    def withdrawal(self) -> Job | None:
        """The erasure that the hit asks for; of two the one that is not done."""
        erasures = [job for job in self.jobs if job.erase_before]
        return min(erasures, key=lambda job: job.durable) if erasures else None

    def outcomes(self, waiting: Outcome) -> list[tuple[int, str, Outcome]]:
        """Return (position, message id, outcome) of every event; `waiting` stands for those without an answer."""
        undone = {
            id(e): outcome
            for job in self.jobs
            if not job.done
            for e, outcome in zip(job.envelopes, job.outcomes(waiting), strict=True)
        }
        found = [(e.index, e.event.message_id, undone.get(id(e), e.outcome) or waiting) for e in self.envelopes]
        return found + [(b.index, "", b.outcome) for b in self.bad]


def late(outcomes: Sequence[tuple[int, str, Outcome]]) -> list[str]:
    """Return the message ids that the client is to send again after a decision at its deadline."""
    return [message_id for _, message_id, outcome in outcomes if outcome is TOO_LATE]
