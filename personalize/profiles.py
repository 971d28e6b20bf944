"""The profile of one visitor, and `fold`, which adds an event to it.

Fold must not depend on the order in which events arrive: counts are by event day, every field with a last writer
carries the writer's stamp, erasure and consent win by time. This file does not read the clock, and it carries through
untouched what it does not know, so that an older worker never loses what a newer one wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from personalize import clicks, counters, touches, visits
from personalize.calendar import Calendar
from personalize.model import Event, Facts

UNNAMED_DAYS = 30
"""Days for which the counts of a matcher outlive the last plan that named it."""

PURCHASES = frozenset({"order completed", "purchase"})
"""Events whose products the visitor owns from then on (Segment's e-commerce spec, and the rules' own word)."""

REACTIONS = {"content clicked": 1, "content dismissed": 2, "content converted": 3}
"""Where in a block's history the time of the last such reaction stands; position 0 is the day count of showings."""

MAX_TRAITS = 100
MAX_TRAIT_BYTES = 4_096
"""All traits together, as JSON. The latest are kept; a single value of over MAX_VALUE_BYTES is left out."""
MAX_COMPANY_BYTES = 2_048
MAX_VALUE_BYTES = 1_024
MAX_OWNED = 50
MAX_PRODUCT_NAME = 100

_VISITING = frozenset({"page", "screen", "track"})
_SEEN = ("country", "region", "city", "language", "device", "browser", "os")


class FoldPlan(Protocol):
    """What fold needs of the compiled rules."""

    @property
    def calendar(self) -> Calendar:
        """The site's calendar."""

    @property
    def named(self) -> Collection[str]:
        """The ids of all matchers that the rules name."""

    def matching(self, event: Event) -> Sequence[str]:
        """Return the ids of the matchers that the event fits."""


@dataclass(slots=True)
class Profile:
    """One visitor's state; treat it as a value, fold returns a new one.

    `stamp`s are `Event.stamp`: time and tie-breaker in one integer. Absent things are empty.
    """

    revision: str = ""
    erased: int = 0
    """Events at or before this time (ms) were erased and stay out."""
    first_visit: int = 0
    """The earliest browsing event (ms)."""
    floor: int = 0
    """Day counts of this day number and before are gone."""
    visits: list[int] = field(default_factory=list)
    matchers: dict[str, list[int]] = field(default_factory=dict)
    unnamed: dict[str, int] = field(default_factory=dict)
    """Matchers that no rule names any more, and the day number on which that was noticed."""
    traits: list[list[Any]] = field(default_factory=list)
    """Groups `[stamp, {name: value}]`, newest first; a name stands in one group. None is a trait that was removed."""
    owns: dict[str, int] = field(default_factory=dict)
    """Purchased products with the time (ms) of the last purchase."""
    consent: list[Any] = field(default_factory=list)
    """The stored choice: `[time ms, [purposes, sorted]]`."""
    company: list[Any] = field(default_factory=list)
    """The last group call: `[stamp, group id, {attribute: value}]`."""
    user: list[Any] = field(default_factory=list)
    """The last user id that a client claimed: `[stamp, id]`."""
    seen: list[Any] = field(default_factory=list)
    """Where and with what the visitor was last seen: `[stamp, country, region, city, language, device, browser,
    os]`."""
    blocks: dict[str, list[Any]] = field(default_factory=dict)
    """Block history: `[day count row of showings, last click ms, last dismissal ms, last conversion ms]`."""
    furthest: list[Any] = field(default_factory=list)
    """The furthest stage reached: `[name, time ms]`; noted only where stages move forward only (see `stages`)."""
    aliases: dict[str, int] = field(default_factory=dict)
    """A person's browsers (`a:<id>`) and older ids (`k:<id>`), and when (ms) they became theirs; below 0: let go."""
    contact: list[Any] = field(default_factory=list)
    """As whom an e-mail's link last recognized this browser: `[time ms, id of the contact (kind k), until ms]`."""
    first: list[Any] = field(default_factory=list)
    """The first touch, of the event at `first_visit`, as a row of `touches`; empty when that was before touches."""
    last: list[Any] = field(default_factory=list)
    """The last touch, as a row of `touches`."""
    clicks: dict[str, list[Any]] = field(default_factory=dict)
    """The latest click id of each kind: `[stamp, id]`."""
    ads_refused: int = 0
    """When a choice without ads was made last (ms), where a later one allows them again."""
    unknown: dict[str, Any] = field(default_factory=dict)
    """Fields of a newer format, kept as they are."""
    overflow: int = field(default=0, compare=False)
    """How many values fold had to leave out at a cap since the profile was read; counted by the gateway, not stored."""
    member: list[Any] = field(default_factory=list)
    """The company that the site's own server named last: `[stamp, group id]`. What is kept about that company itself
    is read for such a visitor only; a browser may claim to belong anywhere."""

    def copy(self) -> Profile:
        """Return a shallow copy; fold replaces what it changes."""
        return Profile(
            self.revision, self.erased, self.first_visit, self.floor, self.visits, self.matchers, self.unnamed,
            self.traits, self.owns, self.consent, self.company, self.user, self.seen, self.blocks,
            self.furthest, self.aliases, self.contact, self.first, self.last, self.clicks, self.ads_refused,
            self.unknown, self.overflow, self.member,
        )  # fmt: skip

    def trait_values(self) -> dict[str, Any]:
        """Return the present traits by name."""
        return {k: v for _, group in self.traits for k, v in group.items() if v is not None}

    def owned(self) -> list[str]:
        """Return the products that the visitor owns: the trait `owns`, and what purchases added."""
        listed: Any = None
        for _, group in self.traits:
            listed = group.get("owns", listed)
        if not isinstance(listed, list):
            listed = [listed]
        return [*[x for x in listed if isinstance(x, str)], *self.owns]

    def last_seen(self) -> Facts:
        """Return the facts of the last browsing event, for scores that are read without a request."""
        return Facts(*self.seen[1:]) if self.seen else Facts()


def fold(plan: FoldPlan, profile: Profile, event: Event, now: int) -> Profile:
    """Return the profile with the event added; an event at or before the profile's erasure changes nothing."""
    if event.time <= profile.erased:
        return profile
    p = started(plan, profile, now)
    day = plan.calendar.day(event.time)
    matching = plan.matching(event)
    if matching:
        rows = p.matchers = dict(p.matchers)
        for matcher in matching:
            rows[matcher] = counters.added(rows.get(matcher), day, p.floor)
    if event.browser and event.type in _VISITING:
        _browse(p, event, now)
    _sign(p, event)
    if event.type == "track":
        _track(p, event, day)
    elif event.type == "identify" and event.traits:
        fresh = _bounded(p, event.traits, MAX_TRAIT_BYTES)
        p.traits = within_caps(p, _with_traits(p.traits, event.stamp, fresh))
    elif event.type == "group":
        _group(p, event)
    return p


def fold_company(profile: Profile, event: Event) -> Profile:
    """Return a company's own profile with a group event about it added: its attributes are kept as traits are."""
    if event.time <= profile.erased:
        return profile
    p = profile.copy()
    fresh = _bounded(p, event.traits, MAX_TRAIT_BYTES)
    p.traits = within_caps(p, _with_traits(p.traits, event.stamp, fresh))
    if not p.company or event.stamp > p.company[0]:
        p.company = [event.stamp, event.group_id, {}]
    return p


def started(plan: FoldPlan, profile: Profile, now: int) -> Profile:
    """Return a copy without what time lets go: visits past 8 days, counts past 90 days, matchers long unnamed."""
    p = profile.copy()
    # Each time, not once a day: else the form would tell in which order events came in.
    p.visits = visits.collapsed(p.visits, now // 1000)
    today = plan.calendar.day(now)
    if today - counters.KEPT_DAYS <= p.floor:
        return p
    p.floor = today - counters.KEPT_DAYS
    unnamed = {m: p.unnamed.get(m, today) for m in p.matchers if m not in plan.named}
    gone = {m for m, since in unnamed.items() if today - since >= UNNAMED_DAYS}
    p.unnamed = {m: since for m, since in unnamed.items() if m not in gone}
    p.matchers = {m: counters.pruned(row, p.floor) for m, row in p.matchers.items() if m not in gone}
    p.blocks = {name: [counters.pruned(h[0], p.floor), *h[1:]] for name, h in p.blocks.items()}
    return p


def _browse(p: Profile, event: Event, now: int) -> None:
    p.visits = visits.added(p.visits, event.time // 1000, now // 1000)
    if not p.first_visit or event.time < p.first_visit or (p.first and event.stamp < p.first[0]):
        p.first_visit, p.first = event.time, touches.row_of(event)
    if touches.is_brought(event):
        p.last = touches.last_of(p.last, touches.row_of(event))
    if not p.seen or event.stamp > p.seen[0]:
        f = event.facts
        p.seen = [event.stamp, f.country, f.region, f.city, f.language, f.device, f.browser, f.os]


def _group(p: Profile, event: Event) -> None:
    if not p.company or event.stamp > p.company[0]:
        p.company = [event.stamp, event.group_id, _bounded(p, event.traits, MAX_COMPANY_BYTES)]
    if event.vouched and (not p.member or event.stamp > p.member[0]):
        p.member = [event.stamp, event.group_id]


def _sign(p: Profile, event: Event) -> None:
    """Keep the latest user id that was claimed, recognition and consent choice, and the click ids that it allows."""
    if event.contact:
        p.contact = max(p.contact, list(event.contact))
    if event.user_id and (not p.user or event.stamp > p.user[0]):
        p.user = [event.stamp, event.user_id]
    if event.consent is not None:
        _choose(p, [event.time, list(event.consent)])
    if event.clicks and event.time > clicks.refused_at(p.consent, p.ads_refused):
        p.clicks = clicks.with_clicks(p.clicks, event.stamp, event.clicks)


def _choose(p: Profile, choice: list[Any]) -> None:
    """Add a consent choice; one without ads takes away the click ids from before it."""
    refused = max(clicks.refused_at(p.consent, p.ads_refused), clicks.refused_at(choice, 0))
    p.consent = chosen(p.consent, choice)
    p.ads_refused = clicks.remembered(p.consent, refused)
    if p.clicks:
        p.clicks = clicks.kept(p.clicks, refused)


def chosen(one: list[Any], other: list[Any]) -> list[Any]:
    """Return the later of two consent choices, `[time ms, [purposes]]`; of two at the same time what both allow."""
    if not one or not other:
        return one or other
    if one[0] == other[0]:
        return [one[0], sorted(set(one[1]) & set(other[1]))]
    return one if one[0] > other[0] else other


def _track(p: Profile, event: Event, day: int) -> None:
    name = event.name.lower()
    if event.shown is not None:
        history = p.blocks.get(event.shown.block) or [[0], 0, 0, 0]
        at = REACTIONS.get(name)
        if name == "content shown":
            p.blocks = {**p.blocks, event.shown.block: [counters.added(history[0], day, p.floor), *history[1:]]}
        elif at and event.time > history[at]:
            p.blocks = {**p.blocks, event.shown.block: [*history[:at], event.time, *history[at + 1 :]]}
    elif name in PURCHASES:
        bought = {x: max(event.time, p.owns.get(x, 0)) for x in purchased(event.properties)}
        if bought:
            p.owns = latest_owned(p, {**p.owns, **bought})


def purchased(properties: Mapping[str, Any]) -> list[str]:
    """Return the names of the products in a purchase: Segment's `products` list, else the event's own product."""
    listed = properties.get("products")
    items = listed[: 2 * MAX_OWNED] if isinstance(listed, list) else [properties]
    names = []
    for item in items:
        if isinstance(item, Mapping):
            item = next((item[k] for k in ("name", "product", "sku", "product_id") if item.get(k)), None)  # noqa: PLW2901 - one item, two spellings
        if isinstance(item, str) and 0 < len(item) <= MAX_PRODUCT_NAME:
            names.append(item)
    return names


def latest_owned(p: Profile, owns: dict[str, int]) -> dict[str, int]:
    """Return the products that were bought last, at most MAX_OWNED."""
    if len(owns) <= MAX_OWNED:
        return owns
    p.overflow += len(owns) - MAX_OWNED
    return dict(sorted(owns.items(), key=lambda item: (item[1], item[0]), reverse=True)[:MAX_OWNED])


def _bounded(p: Profile, values: Mapping[str, Any], room: int) -> dict[str, Any]:
    """Return the values of one event that are small enough, in its own order, as long as there is room (bytes)."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        size = size_of(name, value)
        if len(kept) < MAX_TRAITS and size <= min(MAX_VALUE_BYTES, room):
            kept[name] = value
            room -= size
        else:
            p.overflow += 1
    return kept


def within_caps(p: Profile, groups: list[list[Any]]) -> list[list[Any]]:
    """Return the groups with the latest traits, as many as the caps allow; of one event the first by name.

    In one case arrival decides: a large value that pushed older ones out at the cap of bytes, and was itself replaced
    by a smaller one, would have left them in, had it come later.
    """
    number = sum(len(group) for _, group in groups)
    size = sum(size_of(name, value) for _, group in groups for name, value in group.items())
    if number <= MAX_TRAITS and size <= MAX_TRAIT_BYTES:
        return groups
    left, room = MAX_TRAITS, MAX_TRAIT_BYTES
    out: list[list[Any]] = []
    for stamp, group in groups:
        kept: dict[str, Any] = {}
        for name in sorted(group):
            room -= size_of(name, group[name])
            if left == 0 or room < 0:
                p.overflow += number - sum(len(g) for _, g in out) - len(kept)
                return [*out, [stamp, kept]] if kept else out
            kept[name] = group[name]
            left -= 1
        out.append([stamp, kept])
    return out


def size_of(name: str, value: Any) -> int:
    """Return about how many bytes a trait takes, which are what the caps are about."""
    return _size(name) - 3 + _size(value)


def _size(value: Any) -> int:
    """Return about how many bytes a value takes as JSON; a control character takes six there, a letter up to four."""
    if isinstance(value, str):
        return len(value) + 3 if value.isascii() and value.isprintable() else len(orjson.dumps(value)) + 1
    return len(orjson.dumps(value)) + 1 if isinstance(value, dict | list) else 8


def _with_traits(groups: list[list[Any]], stamp: int, traits: Mapping[str, Any]) -> list[list[Any]]:
    """Return the groups with these traits set at `stamp`; a name keeps the value of its latest writer."""
    fresh = dict(traits)
    out: list[list[Any]] = []
    for at, group in groups:
        if at > stamp:
            for name in group.keys() & fresh.keys():
                del fresh[name]
            out.append([at, group])
        elif left := {k: v for k, v in group.items() if k not in fresh}:
            out.append([at, left])
    if fresh:
        out.append([stamp, fresh])
    out.sort(key=lambda g: -g[0])
    return out
