"""A job: what one hit wants of one visitor, and the way that it takes through the visitor's aliases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.envelope import Envelope, Hit, Outcome
from gateway.ports import VisitorKey
from personalize.aliases import Alias
from personalize.marks import Marks
from personalize.profiles import Profile

MOST_EVENTS = 250
"""Events of one visitor that go to the store in one call: it does nothing else meanwhile, for anybody."""


@dataclass(slots=True)
class Step:
    """An alias that a job followed; its marks are the visitor's own from before, as long as it carries a snapshot."""

    key: VisitorKey
    alias: Alias
    marks: Marks

    @property
    def name(self) -> str:
        """The alias' name with its person."""
        return f"{self.key.kind}:{self.key.id}"


@dataclass(slots=True, eq=False)
class Job:
    """What one hit wants of one visitor: add its events, or (with `erase_before`) be erased, or just be read.

    The envelopes' outcomes are provisional until `done`.
    """

    hit: Hit
    visitor: VisitorKey
    envelopes: list[Envelope]
    person: str = ""
    """The id (kind `k`) of the person who has proved to be this visitor; the visitor's history becomes theirs."""
    erase_before: int = 0
    decided: int = 0
    """When the visitor chose to be erased (ms); a choice stored later than that stands."""
    erased: bool = False
    """Whether the visitor's tombstone stands after the job."""
    profile: Profile | None = None
    """The visitor's profile after the job; empty for one who is not known."""
    done: bool = False
    """Whether the store has answered: the envelopes' outcomes hold. Without it the store failed or was too slow."""
    spooled: Sequence[Outcome] | None = None
    """The envelopes' outcomes as long as the store has not answered, once the job is in the spool."""
    keeping: bool = False
    """Whether it is being spooled."""
    failure: str = ""
    """Why the store failed it, when it did."""
    opened_visit: bool = False
    given_up: bool = False
    """Set by a caller that has answered without waiting."""
    turn: asyncio.Future[bool] | None = None
    at: VisitorKey = field(init=False)
    """Whose documents the job is at: the visitor's, then those of whom the visitor's alias names."""
    to: VisitorKey | None = None
    """Where the job has to go on; None when it is where it belongs."""
    path: list[Step] = field(default_factory=list)
    sure: bool = True
    """Whether the store itself has said every step of the path, rather than this worker's memory."""
    doubted: bool = False
    """Whether the path turned out to be wrong or void once, so that the store is to be asked."""
    wants_cookie: bool = False
    """Whether the browser belonged to somebody else, so that this person gets a cookie of their own."""
    cookie_id: str = ""
    """The id of that cookie, once there is something to find under it."""

    def __post_init__(self) -> None:
        self.at = self.visitor

    @property
    def durable(self) -> bool:
        """Whether nothing of it can be lost any more: the store has answered, or it is spooled."""
        return self.done or self.spooled is not None

    def outcomes(self, waiting: Outcome) -> Sequence[Outcome]:
        """Return what became of the envelopes; `waiting` stands for what is not durable."""
        if self.done:
            return [envelope.outcome or waiting for envelope in self.envelopes]
        return [waiting] * len(self.envelopes) if self.spooled is None else self.spooled

    @property
    def last_index(self) -> int:
        """The position of the job's last event in its request, -1 without any."""
        return max((envelope.index for envelope in self.envelopes), default=-1)

    @property
    def floor(self) -> int:
        """Until when (ms) the visitor had erased what came through the aliases on the way."""
        return max((step.alias.erased for step in self.path), default=0) if self.path else 0

    @property
    def through(self) -> str:
        """The browser through whose alias the job came, as `a:<id>`; "" when it came to its own profile."""
        return next((step.name for step in self.path if step.key.kind == "a"), "") if self.path else ""

    def go_on(self, key: VisitorKey, step: Step, *, sure: bool) -> None:
        """Follow an alias."""
        self.path.append(step)
        self.sure = self.sure and sure
        self.to = key

    def moved(self) -> bool:
        """Go where the job was sent; tell whether it was sent anywhere."""
        if self.to is None:
            return False
        self.at = self.to
        return True

    def start_again(self, key: VisitorKey) -> None:
        """Take another way, from `key` on, which the store itself is to tell."""
        self.path, self.sure, self.doubted, self.to = [], True, True, key
