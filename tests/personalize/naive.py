"""The rule language, read aloud: every word answered from the raw events, as simply as it can be said.

Written from the description of the language, not from the compiled code, and without anything of it but the parsed
rules: no day counts, no profile, no index, no memo. The properties in test_exactness.py hold the two side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import fsum, isfinite
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from personalize import syntax
from personalize.model import Event, Facts
from personalize.values import Cap, NumberRange

MINUTE, DAY = 60_000, 86_400_000
GATEWAY_PURPOSES = {"analytics", "personalization", "ads"}
REACTIONS = {"click": "content clicked", "dismiss": "content dismissed", "convert": "content converted"}


@dataclass
class World:
    """A rule set, one visitor with everything that ever happened, and a moment (ms)."""

    rules: syntax.RuleSet
    zone: str
    now: int
    happened: Sequence[Event]
    facts: Facts = field(default_factory=Facts)
    allowed: frozenset[str] = frozenset()
    known: bool = False
    unread: bool = False
    erased: int = 0

    @property
    def events(self) -> list[Event]:
        """What the rules may know of: nothing of a profile that is not read, nothing from before an erasure."""
        return [] if self.unread else [e for e in self.happened if e.time > self.erased]

    # -- time ----------------------------------------------------------------------------------------------------------
    def wall(self, ms: int) -> datetime:
        """Return what the site's clock shows at a moment."""
        utc = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(milliseconds=ms)
        return utc.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def age(self, event: Event) -> int:
        """Return how many midnights ago an event was."""
        return (self.wall(self.now).date() - self.wall(event.time).date()).days

    # -- conditions ----------------------------------------------------------------------------------------------------
    def holds(self, c: Any) -> bool:  # noqa: C901, PLR0911, PLR0912 - every word of the language, one after the other
        """Tell whether a condition holds."""
        match c.head:
            case "viewed" | "did":
                return self.has_behaved(c)
            case "not":
                return not self.all_hold(c.conditions)
            case "all of":
                return self.all_hold(c.conditions)
            case "any of":
                return any(self.holds(part) for part in c.conditions)
            case "none of":
                return not any(self.holds(part) for part in c.conditions)
            case "in segment":
                return any(self.is_in(name) for name in c.names)
            case "stage":
                return self.stage().lower() in [name.lower() for name in c.names]
            case "temperature":
                return self.temperature().lower() in [name.lower() for name in c.names]
            case "score":
                return in_range(self.points(self.rules.scores, c.name), c.range)
            case "interest":
                return in_range(self.points(self.rules.interests, c.name), c.range)
            case "trait":
                return fits(self.traits().get(c.name), c.test)
            case "company":
                return all(fits(self.attribute(name), test) for name, test in c.attributes.items())
            case "consent":
                return any(like(purpose, text) for purpose in self.purposes() for text in c.texts)
            case "owns":
                return any(like(product, text) for product in self.owned() for text in c.texts)
            case "visitor is":
                visits = len(self.visits())
                kinds = {"new": visits <= 1, "returning": visits > 1, "known": self.known, "anonymous": not self.known}
                return any(kinds[kind] for kind in c.kinds)
            case "visits":
                return in_range(len(self.visits()), c.range)
            case "first visit":
                browsing = [e.time for e in self.events if is_browsing(e)]
                return bool(browsing) and self.is_ago(min(browsing), c.ago)
            case "last visit":
                previous = self.previous_visit()
                return previous is not None and self.is_ago(previous, c.ago)
            case "time of day":
                clock = self.wall(self.now)
                return wraps(clock.hour * 60 + clock.minute, c.range.low, c.range.high)
            case "weekday":
                return wraps(self.wall(self.now).weekday(), c.range.low, c.range.high)
            case "date":
                today = self.wall(self.now).date()
                return (c.range.first or date.min) <= today <= (c.range.last or date.max)
            case "page":
                return bool(self.facts.page) and any(like(path(self.facts.page), path(text)) for text in c.texts)
            case attribute:
                said = getattr(self.facts, attribute)
                return bool(said) and any(like(said, text) for text in c.texts)

    def all_hold(self, conditions: Sequence[Any]) -> bool:
        """Tell whether all conditions hold."""
        return all(self.holds(condition) for condition in conditions)

    def has_behaved(self, c: syntax.Behaviour) -> bool:
        """`viewed`, `did`: so often in the window, and on so many days of it."""
        matching = self.matching(c)
        counted = matching if c.within is None else [e for e in matching if self.age(e) < c.within]
        least = c.at_least if c.at_least is not None else 0 if c.at_most is not None else 1
        often = least <= len(counted) and (c.at_most is None or len(counted) <= c.at_most)
        days = {self.age(e) for e in matching if self.age(e) < (c.within or 90)}
        return often and len(days) >= (c.across or 0)

    def matching(self, c: syntax.Behaviour) -> list[Event]:
        """Return the events that a behaviour means, whenever they were."""
        return [
            e
            for e in self.events
            if any(like(*pair) for pair in texts_of(e, c))
            and all(fits(e.properties.get(name), test) for name, test in c.properties.items())
        ]

    def is_ago(self, at: int, ago: Any) -> bool:
        """`more than 21 days ago`, `less than 2 hours ago`."""
        return self.now - at > ago.ms if ago.older else self.now - at < ago.ms

    def is_in(self, name: str) -> bool:
        """Tell whether the visitor is in a segment."""
        return self.all_hold(named(self.rules.segments, name).when)

    def stage(self) -> str:
        """Return the first stage that fits."""
        return next((step.name for step in self.rules.stages if self.all_hold(step.when)), "")

    def temperature(self) -> str:
        """Return the first temperature that fits."""
        return next((step.name for step in self.rules.temperatures if self.all_hold(step.when)), "")

    # -- what is known of the visitor ----------------------------------------------------------------------------------
    def traits(self) -> dict[str, Any]:
        """Return the traits: of each the value that was written last."""
        said = sorted((e for e in self.events if e.type == "identify"), key=lambda e: e.stamp)
        return {name: value for e in said for name, value in e.traits.items()}

    def company(self) -> dict[str, Any]:
        """Return the company of the request, overlaid by what the last group call said."""
        said = sorted((e for e in self.events if e.type == "group"), key=lambda e: e.stamp)
        return {**self.facts.company, **(said[-1].traits if said else {})}

    def attribute(self, name: str) -> Any:
        """Return an attribute of the company, `crm id` also as crm_id and crmId."""
        first, *rest = name.split()
        spellings = (name, "_".join([first, *rest]), first + "".join(word.capitalize() for word in rest))
        return next((value for s in spellings if (value := self.company().get(s)) is not None), None)

    def purposes(self) -> set[str]:
        """Return what is allowed: the gateway's own purposes as of this request, others as the trait lists them."""
        listed = self.traits().get("consent")
        texts = {x.lower() for x in (listed if isinstance(listed, list) else [listed]) if isinstance(x, str)}
        return set(self.allowed) | (texts - GATEWAY_PURPOSES)

    def owned(self) -> list[str]:
        """Return the products that the visitor owns: the trait `owns`, and what was bought."""
        listed = self.traits().get("owns")
        owned = [x for x in (listed if isinstance(listed, list) else [listed]) if isinstance(x, str)]
        for e in self.events:
            if e.type == "track" and e.shown is None and e.name.lower() in ("order completed", "purchase"):
                items = e.properties.get("products", [e.properties])
                owned += [x.get("name") or x.get("product") if isinstance(x, Mapping) else x for x in items]
        return [x for x in owned if x]

    def visits(self) -> list[tuple[int, int]]:
        """Return (first, last) second of each visit: it ends after 30 minutes without an event."""
        found: list[tuple[int, int]] = []
        for at in sorted(e.time // 1000 for e in self.events if is_browsing(e)):
            if found and at - found[-1][1] < 30 * 60:
                found[-1] = (found[-1][0], at)
            else:
                found.append((at, at))
        return found

    def previous_visit(self) -> int | None:
        """Return when the visit before the present one ended (ms); without a present one, when the last one did."""
        over = [last for _, last in self.visits() if self.now // 1000 - last >= 30 * 60 or last != self.visits()[-1][1]]
        return over[-1] * 1000 if over else None

    # -- scores --------------------------------------------------------------------------------------------------------
    def points(self, scores: Sequence[syntax.Score], name: str) -> float:
        """Return the points of a score or an interest now."""
        score = named(scores, name)
        return fsum(self.given(grant, score.half_life) for grant in score.grants)

    def given(self, grant: syntax.Grant, half_life: int | None) -> float:
        """Return the points of one grant: for what the visitor is once, for what they did by age."""
        if not isinstance(grant.condition, syntax.Behaviour):
            return grant.points if self.holds(grant.condition) else 0.0
        ages = sorted(self.age(e) for e in self.matching(grant.condition))
        per_days = half_life is not None or (grant.cap is not None and grant.cap.days)
        kept = under_cap([age for age in ages if age < 90] if per_days else ages, grant.cap)
        return fsum(grant.points * (2 ** (-age / half_life) if half_life else 1) for age in kept)

    # -- placements ----------------------------------------------------------------------------------------------------
    def choose(self, placement: syntax.Placement) -> tuple[str, str]:
        """Return the block that a placement shows, and why."""
        last = placement.blocks[-1]
        fallback = placement.fallback.block if placement.fallback else last.name
        fitting = [block for block in placement.blocks if self.may_show(block)]
        if placement.choose == "best score":
            worthy = [block for block in fitting if self.worth(block) > 0]
            if worthy:
                return max(worthy, key=self.worth).name, "best_score"
            return fallback, "fallback"
        if placement.fallback is None:
            fitting = [block for block in fitting if block is not last]
        return (fitting[0].name, "rule") if fitting else (fallback, "fallback")

    def may_show(self, block: syntax.Block) -> bool:
        """Tell whether a block fits and is not excluded."""
        return (
            self.is_scheduled(block)
            and self.all_hold(block.when)
            and not any(like(product, text) for product in self.owned() for text in block.owners)
            and (block.show_at_most is None or self.shown(block, block.show_at_most) < block.show_at_most.count)
            and all(self.is_rested(block, kind, ms) for kind, ms in block.rests.items())
        )

    def is_scheduled(self, block: syntax.Block) -> bool:
        """`from` and `until`, both included: the clock has shown the one, and will yet show the other (or shows it)."""
        day = timedelta(days=1)
        if block.starts and self.furthest_clock() < block.starts.naive():
            return False
        if not block.until:
            return True
        over = block.until.naive() + (day if block.until.minute is None else timedelta(minutes=1))
        return self.clock_to_come() < over

    def furthest_clock(self) -> datetime:
        """Return the latest time that the clock has shown: it is put back in autumn."""
        return max(self.wall(self.now - minutes * MINUTE) for minutes in range(0, 181, 15 if self.is_even() else 1))

    def clock_to_come(self) -> datetime:
        """Return the earliest time that the clock will show from now on."""
        return min(self.wall(self.now + minutes * MINUTE) for minutes in range(0, 181, 15 if self.is_even() else 1))

    def is_even(self) -> bool:
        """Tell whether the clock is not changed these hours."""
        return self.wall(self.now + 180 * MINUTE) - self.wall(self.now - 180 * MINUTE) == timedelta(minutes=360)

    def reactions(self, block: syntax.Block, name: str) -> Iterator[Event]:
        """Yield the reactions of one name to a block."""
        for e in self.events:
            if e.type == "track" and e.name.lower() == name and e.shown is not None and e.shown.block == block.name:
                yield e

    def shown(self, block: syntax.Block, cap: Cap) -> int:
        """Return how often a block was shown in the days of a cap."""
        return sum(not cap.days or self.age(e) < cap.days for e in self.reactions(block, "content shown"))

    def is_rested(self, block: syntax.Block, kind: str, ms: int | None) -> bool:
        """Tell whether a rest is over: so long after the last reaction."""
        times = [e.time for e in self.reactions(block, REACTIONS[kind])]
        if kind == "convert" and block.converts_when is not None:
            times += self.converted(block.converts_when)
        return not times or (ms is not None and self.now >= max(times) + ms)

    def converted(self, c: Any) -> list[int]:
        """Return when a `converts when` last came true, if it did: at the end of that day, or now while it holds.

        What was done stays done: only the last day on which a window would have held so much matters.
        """
        if not isinstance(c, syntax.Behaviour):
            return [self.now] if self.holds(c) else []
        matching = self.matching(c)
        times, days = max(c.at_least or 0, 1), c.across or 1
        if len(matching) < times:
            return []
        if times == days == 1 or (c.within is None and days == 1):
            return [self.day_end(max(matching, key=lambda e: e.time))]
        kept = [e for e in matching if self.age(e) < 90]
        for last in sorted(kept, key=lambda e: e.time, reverse=True):
            inside = [e for e in kept if 0 <= self.age(e) - self.age(last) < (c.within or 90)]
            if (c.within is None or len(inside) >= times) and len({self.age(e) for e in inside}) >= days:
                return [self.day_end(last)]
        return []

    def day_end(self, event: Event) -> int:
        """Return the first moment after the day of an event."""
        day, at = self.wall(event.time).date(), event.time
        while self.wall(at + MINUTE).date() <= day:
            at += MINUTE
        while self.wall(at).date() <= day:
            at += 1
        return at

    def worth(self, block: syntax.Block) -> float:
        """Return what a block is worth under `best score`."""
        if block.worth is None:
            return 0.0
        scored = self.points(self.rules.scores, block.worth.score) if block.worth.score else 0.0
        liked = self.points(self.rules.interests, block.worth.interest) if block.worth.interest else 0.0
        return scored + liked + block.worth.plus


# -- texts, numbers, caps --------------------------------------------------------------------------------------------
def like(text: str, pattern: str) -> bool:
    """Tell whether a text is the pattern, case ignored, `*` standing for anything."""
    parts = [re.escape(part) for part in pattern.lower().split("*")]
    return re.fullmatch(".*".join(parts), text.lower(), re.DOTALL) is not None


def path(text: str) -> str:
    """Return a path as it is compared: without query, fragment and trailing slash, percent signs resolved."""
    text = unquote(re.split("[?#]", text)[0])
    return text.rstrip("/") or "/" if len(text) > 1 else text


def texts_of(e: Event, c: syntax.Behaviour) -> list[tuple[str, str]]:
    """Return each pair of a text of the event and a pattern of the behaviour that are to be compared."""
    if c.head == "did":
        return [(e.name, name) for name in c.names] if e.type == "track" else []
    seen = {"page": e.path, "screen": e.name}.get(e.type)
    return [] if seen is None else [(path(seen), path(name)) for name in c.names]


def fits(value: Any, test: Any) -> bool:
    """Tell whether a JSON value fits a number phrase or one of several texts."""
    if value is None or isinstance(value, dict):
        return False
    if isinstance(value, list):
        return any(fits(item, test) for item in value)
    number = number_of(value)
    if isinstance(test, NumberRange):
        return number is not None and in_range(number, test)
    texts = [str(value).lower()] if isinstance(value, bool | str) else [str(value), f"{value:g}"]
    same_number = not isinstance(value, str) and number is not None and number in [number_of(text) for text in test]
    return same_number or any(like(text, pattern) for text in texts for pattern in test)


def number_of(value: Any) -> float | None:
    """Return the number that a value is or spells."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except ValueError:
        return None
    return number if number is None or isfinite(number) else None


def in_range(number: float, wanted: NumberRange) -> bool:
    """Tell whether a number lies in a range."""
    above = number > wanted.low if wanted.open_low else number >= wanted.low
    below = number < wanted.high if wanted.open_high else number <= wanted.high
    return above and below


def wraps(at: int, low: int, high: int) -> bool:
    """Tell whether a minute or a weekday lies in a range, which may go over its end."""
    return low <= at <= high if low <= high else at >= low or at <= high


def under_cap(ages: Sequence[int], cap: Cap | None) -> list[int]:
    """Return the occurrences (ages, ascending) that a cap lets through: one by one, the most recent first."""
    kept: list[int] = []
    for age in ages:
        if cap is None or sum(not cap.days or age - other < cap.days for other in kept) < cap.count:
            kept.append(age)
    return kept


def named(things: Sequence[Any], name: str) -> Any:
    """Return the thing of this name."""
    return next(thing for thing in things if thing.name.lower() == name.lower())


def is_browsing(e: Event) -> bool:
    """Tell whether an event opens or extends a visit."""
    return e.browser and e.type in ("page", "screen", "track")
