"""Merge: the histories of two browsers of one person become one profile.

The result is what one profile would hold if all the events of both had been folded into it, in any order: `merge` is
commutative and associative, the empty profile changes nothing, and merging first or folding first comes to the same.
Three things differ from that, all on the safe side:

- A profile cannot be merged twice: counts add, so merging it with itself doubles them. Whoever calls sees to it that a
  merge happens once (by its id, which the known profile keeps).
- The later erasure of the two holds for both. What either did after its own erasure stays, but a late event of the
  other browser from before that time is dropped from then on, as if it had been erased too. The other way round, late
  events of the erased browser would bring back what its visitor withdrew, and that cannot be undone.
- What one of the two had already let go at a cap stays gone, and the days that one has cut off are cut off for both.

Visits are joined as far as their ends are known, 8 days back; older ones are added up, also where both browsers were
in use at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from personalize import clicks, counters, touches, visits
from personalize.profiles import FoldPlan, Profile, chosen, latest_owned, started, within_caps


class Places(Protocol):
    """What merge needs of the stages."""

    def place(self, name: str) -> int:
        """Return how many stages stand above this one; for a name that there is not, all of them."""


class MergePlan(FoldPlan, Protocol):
    """What merge needs of the compiled rules."""

    @property
    def stages(self) -> Places:
        """The ladder of stages."""


def merge(plan: MergePlan, a: Profile, b: Profile, now: int) -> Profile:
    """Return the profile of both; it has no revision yet. `now` (ms) is the day on which both are looked at."""
    a, b = started(plan, a, now), started(plan, b, now)
    floor = max(a.floor, b.floor)
    first_visit = min(a.first_visit or b.first_visit, b.first_visit or a.first_visit)
    refused = max(clicks.refused_at(each.consent, each.ads_refused) for each in (a, b))
    p = Profile(
        erased=max(a.erased, b.erased),
        first_visit=first_visit,
        floor=floor,
        visits=visits.merged(*(visits.collapsed(each.visits, now // 1000) for each in (a, b))),
        matchers=_rows(a.matchers, b.matchers, floor),
        # The later notice: no count goes earlier than the rules of either browser's last hit would let it go.
        unnamed=_each(max, a.unnamed, b.unnamed),
        consent=chosen(a.consent, b.consent),
        company=_latest(a.company, b.company),
        member=_latest(a.member, b.member),
        user=_latest(a.user, b.user),
        seen=_latest(a.seen, b.seen),
        blocks=_histories(a.blocks, b.blocks, floor),
        furthest=_furthest(plan, a.furthest, b.furthest),
        aliases=_each(_later_word, a.aliases, b.aliases),
        contact=max(a.contact, b.contact),
        first=touches.first_of((a.first, b.first), first_visit),
        last=touches.last_of(a.last, b.last),
        clicks=clicks.kept(_each(_latest, a.clicks, b.clicks), refused),
        unknown={k: _greater(a.unknown.get(k), b.unknown.get(k)) for k in a.unknown.keys() | b.unknown.keys()},
        overflow=a.overflow + b.overflow,
    )
    p.ads_refused = clicks.remembered(p.consent, refused)
    p.traits = within_caps(p, _traits(a.traits, b.traits))
    p.owns = latest_owned(p, _each(max, a.owns, b.owns))
    return p


def _each(pick: Callable[[Any, Any], Any], one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return both maps in one; where a name stands in both, what `pick` makes of its two values."""
    return {**one, **other, **{name: pick(one[name], other[name]) for name in one.keys() & other.keys()}}


def _rows(one: Mapping[str, counters.Row], other: Mapping[str, counters.Row], floor: int) -> dict[str, counters.Row]:
    """Return the counts of both, added up, without the days that either has cut off."""
    return {name: counters.pruned(row, floor) for name, row in _each(counters.merged, one, other).items()}


def _histories(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]], floor: int) -> dict[str, list[Any]]:
    """Return the block histories of both: showings add up, the latest reaction of each kind stands."""
    both = _each(lambda h, more: [counters.merged(h[0], more[0]), *map(max, h[1:], more[1:])], one, other)
    return {name: [counters.pruned(h[0], floor), *h[1:]] for name, h in both.items()}


def _traits(one: list[list[Any]], other: list[list[Any]]) -> list[list[Any]]:
    """Return the trait groups of both; a name keeps the value of its latest writer."""
    latest: dict[str, list[Any]] = {}
    for stamp, group in (*one, *other):
        for name, value in group.items():
            latest[name] = _latest(latest.get(name, []), [stamp, value])
    groups: dict[int, dict[str, Any]] = {}
    for name, (stamp, value) in latest.items():
        groups.setdefault(stamp, {})[name] = value
    return [[stamp, groups[stamp]] for stamp in sorted(groups, reverse=True)]


def _latest(one: list[Any], other: list[Any]) -> list[Any]:
    """Return the later of two lists that start with a stamp; of two with the same stamp always the same one."""
    if not one or not other:
        return one or other
    if one[0] != other[0]:
        return one if one[0] > other[0] else other
    return _greater(one, other)  # type: ignore[no-any-return]  # one of two lists


def _later_word(one: int, other: int) -> int:
    """Return the later of two words on a browser; of two at the same time the one that lets it go."""
    return min(one, other) if abs(one) == abs(other) else max(one, other, key=abs)


def _furthest(plan: MergePlan, one: list[Any], other: list[Any]) -> list[Any]:
    """Return the note of the further stage; of two notes of one stage the earlier."""
    return min(filter(None, (one, other)), key=lambda note: (plan.stages.place(note[0]), note[1], note[0]), default=[])


def _greater(one: Any, other: Any) -> Any:
    """Return the one of two JSON values that stands last in an order that means nothing but is always the same."""
    return max(one, other, key=lambda value: b"" if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
