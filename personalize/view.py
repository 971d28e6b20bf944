"""One request's view of its visitor: what conditions, scores and contents read, each thing worked out at most once.

A view is made for one profile at one moment and thrown away with the request. It does not read the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from personalize import visits
from personalize.calendar import Calendar
from personalize.globs import normal_path
from personalize.model import PURPOSES, Context
from personalize.profiles import Profile

_NOBODY = Profile()
_NO_TRAITS: Mapping[str, Any] = {}


class ViewPlan(Protocol):
    """What a view needs of the compiled rules."""

    @property
    def calendar(self) -> Calendar:
        """The site's calendar."""


class View:
    """The visitor as the rules see them now.

    A profile that was not read (`context.unread`) is an empty one, so that nothing of it can leak into a decision.
    `traits` holds the visitor's traits by name, None for one that was removed; `company` the company's attributes as
    the request says, overlaid by those of the visitor's last group call, then by what is kept about the company itself;
    `rows` the day counts by matcher, `history` those of blocks. What most requests do not need is worked out when it is
    first read.
    `memo` belongs to the compiled rules: segments, ladders and scores keep there what they found, by keys of their own.
    """

    __slots__ = (
        "_local",
        "_owned",
        "_page",
        "_purposes",
        "company",
        "context",
        "facts",
        "history",
        "memo",
        "now",
        "plan",
        "profile",
        "rows",
        "today",
        "traits",
    )

    def __init__(self, plan: ViewPlan, profile: Profile | None, context: Context, now: int) -> None:
        self.plan = plan
        self.profile = profile = _NOBODY if profile is None or context.unread else profile
        self.context = context
        self.now = now
        self.facts = context.facts
        groups = profile.traits
        self.traits: Mapping[str, Any] = (
            groups[0][1] if len(groups) == 1 else _together(groups) if groups else _NO_TRAITS
        )
        group = profile.company
        self.company = {**self.facts.company, **group[2]} if group else self.facts.company
        if context.company and not context.unread:
            self.company = {**self.company, **context.company}
        self.rows = profile.matchers
        self.history = profile.blocks
        self.today = plan.calendar.day(now)
        self.memo: dict[object, Any] = {}
        self._owned: frozenset[str] | None = None
        self._purposes: frozenset[str] | None = None
        self._page: str | None = None
        self._local: datetime | None = None

    @property
    def owned(self) -> frozenset[str]:
        """The products that the visitor owns, in lower case."""
        if self._owned is None:
            self._owned = frozenset([name.lower() for name in self.profile.owned()])
        return self._owned

    @property
    def purposes(self) -> frozenset[str]:
        """What the visitor consented to, in lower case.

        The gateway's purposes as of this request; others (`email`) as the trait `consent` lists them, which says
        nothing about the gateway's.
        """
        if self._purposes is None:
            listed = self.traits.get("consent")
            others = [x.lower() for x in (listed if isinstance(listed, list) else [listed]) if isinstance(x, str)]
            self._purposes = self.context.consent.union(others) - (PURPOSES - self.context.consent)
        return self._purposes

    @property
    def page(self) -> str:
        """The path of the page of this request as paths are compared, "" without one."""
        if self._page is None:
            self._page = normal_path(self.facts.page)
        return self._page

    @property
    def minute(self) -> int:
        """The minute of the site's day."""
        return self.plan.calendar.minute(self.now)

    @property
    def local(self) -> datetime:
        """The site's wall clock."""
        if self._local is None:
            self._local = self.plan.calendar.local(self.now)
        return self._local

    @property
    def visits(self) -> int:
        """The number of visits, the present one included."""
        return visits.count(self.profile.visits)

    @property
    def last_visit(self) -> int | None:
        """When the visit before the present one ended (ms), or None."""
        end = visits.previous_end(self.profile.visits, self.now // 1000)
        return None if end is None else end * 1000


def _together(groups: list[list[Any]]) -> Mapping[str, Any]:
    """Return the traits of all groups; a name stands in one of them."""
    return {name: value for _, group in groups for name, value in group.items()}


def without_request(profile: Profile, *, known: bool = False) -> Context:
    """Return the context in which a stored profile is read outside of any request: as the visitor was last seen."""
    consent = profile.consent[1] if profile.consent else ()
    return Context(profile.last_seen(), frozenset(consent), known=known)
