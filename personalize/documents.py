"""A profile as the one JSON document that the store keeps: short stable keys, a format number, hard caps.

The document starts with `{"r":"<revision>"`, so that the store compares revisions without decoding JSON. Keys that
this release does not know are carried through. What stays at a cap is chosen by event time, never by arrival.
"""

from __future__ import annotations

from itertools import compress
from operator import attrgetter
from typing import Any

import orjson

from personalize import counters
from personalize.profiles import Profile

FORMAT = 1
MAX_BYTES = 16_384
MAX_BLOCKS = 64

_FIELDS = (
    ("x", "erased"),
    ("s", "first_visit"),
    ("l", "floor"),
    ("v", "visits"),
    ("m", "matchers"),
    ("n", "unnamed"),
    ("t", "traits"),
    ("o", "owns"),
    ("c", "consent"),
    ("g", "company"),
    ("u", "user"),
    ("w", "seen"),
    ("b", "blocks"),
    ("h", "furthest"),
    ("d", "aliases"),
    ("k", "contact"),
    ("p", "first"),
    ("q", "last"),
    ("i", "clicks"),
    ("j", "ads_refused"),
    ("e", "member"),
)
_KEYS = tuple(key for key, _ in _FIELDS)
_VALUES = attrgetter(*(name for _, name in _FIELDS))
_KNOWN = frozenset({"r", "f", *_KEYS})


def decode(document: bytes) -> Profile:
    """Return the profile in a document; raises orjson.JSONDecodeError for what no release has written."""
    return of_table(orjson.loads(document))


def of_table(table: dict[str, Any]) -> Profile:
    """Return the profile in a decoded document."""
    profile = Profile(revision=table["r"])
    for key, name in _FIELDS:
        if key in table:
            setattr(profile, name, table[key])
    if not table.keys() <= _KNOWN:
        profile.unknown = {key: value for key, value in table.items() if key not in _KNOWN}
    return profile


def encode(profile: Profile, revision: str) -> bytes:
    """Return the document of a profile under a new revision; empty fields are left out."""
    return orjson.dumps({"r": revision, "f": FORMAT, **table_of(profile)})


def table_of(profile: Profile) -> dict[str, Any]:
    """Return what a profile's document holds besides revision and format."""
    values = _VALUES(profile)
    table = dict(compress(zip(_KEYS, values, strict=True), values))
    return table | profile.unknown if profile.unknown else table


def encode_capped(profile: Profile, revision: str) -> tuple[Profile, bytes, dict[str, int]]:
    """Return the profile within its caps, its document, and how many parts of each kind had to go."""
    gone: dict[str, int] = {}
    if profile.overflow:
        gone["value"] = profile.overflow
        profile = profile.copy()
        profile.overflow = 0
    if len(profile.blocks) > MAX_BLOCKS:
        profile = _fewer_blocks(profile, gone)
    document = encode(profile, revision)
    if len(document) > MAX_BYTES:
        profile, document = _shrunk(profile, revision, gone)
    return profile, document, gone


def _fewer_blocks(profile: Profile, gone: dict[str, int]) -> Profile:
    """Keep the blocks with the latest history."""
    p = profile.copy()
    latest = sorted(p.blocks, key=lambda name: (_last_day(p.blocks[name]), name), reverse=True)[:MAX_BLOCKS]
    gone["block"] = len(p.blocks) - len(latest)
    p.blocks = {name: p.blocks[name] for name in p.blocks if name in set(latest)}
    return p


def _last_day(history: list[Any]) -> float:
    row = history[0]
    return float(max(row[1] if len(row) > 1 else 0, max(history[1:]) / 86_400_000))


def _shrunk(profile: Profile, revision: str, gone: dict[str, int]) -> tuple[Profile, bytes]:
    """Let go until the document fits: the oldest days first, then the matchers hit longest ago.

    Everything else is bounded by fold, far below the limit for whatever people write; of texts that are made to take
    much room, purchases, traits and the company's attributes go. The floor that the days were cut at stays on the
    profile, so a late event of such a day cannot bring it back.
    """
    p = profile.copy()
    document = encode(p, revision)
    latest = {matcher: (row[1] if len(row) > 1 else 0, matcher) for matcher, row in p.matchers.items()}
    days = sorted({day for row in _rows(p) for day, _ in counters.days(row)})
    while len(document) > MAX_BYTES and days:
        # Eight days at a time: each round costs an encoding.
        p.floor, days = days[:8][-1], days[8:]
        p.matchers = {matcher: counters.pruned(row, p.floor) for matcher, row in p.matchers.items()}
        p.blocks = {name: [counters.pruned(h[0], p.floor), *h[1:]] for name, h in p.blocks.items()}
        gone["days"] = gone.get("days", 0) + 1
        document = encode(p, revision)
    while len(document) > MAX_BYTES and p.matchers:
        keep = sorted(p.matchers, key=latest.__getitem__, reverse=True)[: len(p.matchers) // 2]
        gone["matcher"] = gone.get("matcher", 0) + len(p.matchers) - len(keep)
        p.matchers = {matcher: p.matchers[matcher] for matcher in keep}
        document = encode(p, revision)
    while len(document) > MAX_BYTES and (p.owns or p.traits or (p.company and p.company[2])):
        gone["value"] = gone.get("value", 0) + _fewer_values(p)
        document = encode(p, revision)
    return p, document


def _fewer_values(p: Profile) -> int:
    """Take away half of the purchases, the oldest, else of the traits, else the company's attributes; say how many."""
    if p.owns:
        latest = sorted(p.owns.items(), key=lambda item: (item[1], item[0]), reverse=True)
        p.owns = dict(latest[: len(latest) // 2])
        return len(latest) - len(p.owns)
    if len(p.traits) > 1:
        left_out = p.traits[len(p.traits) // 2 :]
        p.traits = p.traits[: len(p.traits) // 2]
        return sum(len(group) for _, group in left_out)
    if p.traits:
        stamp, group = p.traits[0]
        names = sorted(group)[: len(group) // 2]
        p.traits = [[stamp, {name: group[name] for name in names}]] if names else []
        return len(group) - len(names)
    number = len(p.company[2])
    p.company = [*p.company[:2], {}]
    return number


def _rows(p: Profile) -> list[list[int]]:
    return [*p.matchers.values(), *(history[0] for history in p.blocks.values())]
