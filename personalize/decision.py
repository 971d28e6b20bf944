"""A decision and its receipt as data: why each block won or lost, with what the visitor has instead.

No sentences here: `english` and the other languages make them of this data, and only when somebody reads them. What
is made anew for each decision is not frozen, because that takes five times as long; treat all of it as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from personalize import syntax
from personalize.model import Reason


@dataclass(slots=True, frozen=True)
class Limit:
    """A limit of a block besides its conditions; the block holds the value. `after` is a rest's cause, else ""."""

    head: Literal["schedule", "owners", "cap", "rest"]
    block: syntax.Block
    after: Literal["", "dismiss", "convert", "click"] = ""

    @property
    def where(self) -> str:
        """The position of the block, file:line:column."""
        return self.block.where


Written: TypeAlias = syntax.Condition | Limit
"""What a rule says: a condition as it was parsed, or a block's limit. Both have a `head` and a `where`."""


@dataclass(slots=True)
class Unmet:
    """A condition that does not hold and what the visitor has instead.

    The shape of `actual` goes by the head:

    viewed, did                 (times in the window, on how many days, times in all)
    not, any of, none of, all of  the parts that decide, each as an Unmet, also where a part holds
    in segment                  a tuple of (segment's name, what it lacks as an Unmet, or None: in it)
    stage, temperature          its name, "" for none
    score, interest             the points, a float; visits: their number
    trait                       its JSON value, None when it is missing; company: {attribute: value}
    country … bot               the request's text, "" when it is missing
    consent, owns, visitor is   a tuple of texts
    first visit, last visit     how long ago, in ms; None for never
    time of day, weekday, date  minute of the day; 0 for Monday; the ISO date
    schedule                    the site's wall clock, `2026-11-20 10:00`
    owners                      the excluded products that the visitor owns
    cap                         how often it was shown in the cap's days
    rest                        (how long ago in ms, the end of the rest as wall clock, "" for never)
    """

    written: Written
    actual: Any


@dataclass(slots=True, frozen=True)
class Reached:
    """A stage that no longer fits but was reached on an ISO date, where stages move forward only."""

    day: str


Because = Literal["first", "best", "fallback", "behind", "unmet", "worthless", "outdone"]
"""Why a candidate won (the first three) or lost: it stands behind one that fits, a condition or limit is unmet, its
worth is not above 0, or another is worth more."""


@dataclass(slots=True)
class Candidate:
    """One block of a placement and why it won or lost; `where` is the place of the rule that decided.

    `worth` is there under `best score`. `unmet` goes with the cause "unmet"; `other` is the block that fits instead,
    `other_worth` its worth, with "behind" and "outdone".
    """

    block: str
    outcome: Literal["won", "lost"]
    because: Because
    where: str = ""
    worth: float | None = None
    unmet: Unmet | None = None
    other: str = ""
    other_worth: float | None = None


class Judge(Protocol):
    """The placement that a receipt is about."""

    name: str

    def candidates(self, seen: Sequence[Look], found: Any) -> tuple[Candidate, ...]:
        """Return every candidate, from what was seen of each and the block that was found."""


Look: TypeAlias = tuple[int, Any, float | None]
"""What was seen of one block: the place of its first check that does not hold (-1: all hold), what the visitor has
there instead, and its worth under `best score`."""


@dataclass(slots=True)
class Receipt:
    """Why a placement shows what it shows: what was seen of each block, gathered with the decision.

    `found` is the block that fits, None where the fallback is shown. The candidates are put into words of their own
    only when somebody reads them.
    """

    judge: Judge
    plan_version: str
    seen: Sequence[Look]
    found: Any

    @property
    def placement(self) -> str:
        """The placement's name."""
        return self.judge.name

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate in the order in which it was considered, and why it won or lost."""
        return self.judge.candidates(self.seen, self.found)


@dataclass(slots=True)
class Decision:
    """What one placement shows. `block` is None only for a placement that the rules do not have.

    `html` says that the content's texts are HTML that the rules' author vouches for (`html: trusted`).
    """

    placement: str
    block: str | None
    content: Mapping[str, Any] | None
    reason: Reason
    variant: str | None = None
    receipt: Receipt | None = None
    html: bool = False
