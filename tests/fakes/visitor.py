"""A made-up visitor for tests of the core: what they did, when, and how the rules see them then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from personalize.loader import load
from personalize.model import Context, Event, EventType, Facts, Shown, stamp_of
from personalize.plan import Plan, compile_rules
from personalize.profiles import Profile, fold
from personalize.view import View

HELSINKI = "Europe/Helsinki"


def plan_of(text: str, zone: str = HELSINKI) -> Plan:
    """Return the plan of one rule file; warnings are allowed, errors are not."""
    rules, problems = load({"rules.yaml": text})
    assert rules is not None, "\n".join(map(str, problems))
    return compile_rules(rules, zone)


class Visitor:
    """Events fold into `profile` at once; `now` is a local wall-clock time of the plan's zone."""

    def __init__(self, plan: Plan, now: str = "2026-11-20 10:00", **facts: Any) -> None:
        self.plan = plan
        self.now = plan.calendar.ms(datetime.fromisoformat(now))
        self.profile = Profile()
        self.context = Context(Facts(**facts), frozenset({"analytics", "personalization"}))
        self._events = 0

    def viewed(
        self, path: str, *, times: int = 1, properties: Mapping[str, Any] | None = None, **ago: float
    ) -> Visitor:
        """View a page so long ago (days=, hours=, minutes=)."""
        return self._happened("page", ago, times, path=path, properties=properties or {})

    def did(self, name: str, *, times: int = 1, properties: Mapping[str, Any] | None = None, **ago: float) -> Visitor:
        """Do something so long ago."""
        return self._happened("track", ago, times, name=name, properties=properties or {})

    def reacted(self, word: str, block: str, *, times: int = 1, **ago: float) -> Visitor:
        """See, click, dismiss or convert on a block (`Shown`, `Clicked`, `Dismissed`, `Converted`) so long ago."""
        placement = self.plan.blocks[block].placement
        shown = Shown(placement, block, "", self.plan.version, self.now, "rule")
        return self._happened("track", ago, times, name=f"Content {word}", shown=shown)

    def is_known_by(self, **traits: Any) -> Visitor:
        """Have these traits."""
        return self._happened("identify", {}, 1, traits=traits)

    def works_at(self, **attributes: Any) -> Visitor:
        """Belong to a company by a group call."""
        return self._happened("group", {}, 1, group_id="g1", traits=attributes)

    def view(self) -> View:
        """Return the visitor as the rules see them now."""
        return View(self.plan, self.profile, self.context, self.now)

    def _happened(self, kind: EventType, ago: Mapping[str, float], times: int, **fields: Any) -> Visitor:
        at = self.now - timedelta(**ago) // timedelta(milliseconds=1)
        for _ in range(times):
            self._events += 1
            stamp = stamp_of(at, self._events)
            event = Event(kind, f"m{self._events}", at, stamp, facts=self.context.facts, browser=True, **fields)
            self.profile = fold(self.plan, self.profile, event, self.now)
        return self
