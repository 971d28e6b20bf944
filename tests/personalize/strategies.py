"""Random visitors: what they did, when, and how late that came in; what a request says of them.

The words are few, so that visitors meet the rules of rule_strategies.py; the times lie around the borders: midnights,
both changes of the clock, ends of windows and of visits, the last of the 90 kept days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from personalize.model import Context, Event, Facts, Shown, stamp_of
from personalize.plan import Plan
from personalize.profiles import Profile, fold
from personalize.syntax import AttributeWord

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONE = "Europe/Helsinki"
ZONES = st.sampled_from([ZONE] * 6 + ["America/St_Johns", "Australia/Lord_Howe", "UTC"])
ATTRIBUTES: tuple[str, ...] = AttributeWord.__args__  # type: ignore[attr-defined]  # a Literal lists its texts there


def pick(*options: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of one of these values, the same one each time: making it costs more than drawing from it."""
    try:
        return _picked(*options)
    except TypeError:  # a list or a map among them
        return st.sampled_from(options)


@lru_cache(None, typed=True)
def _picked(*options: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(options)


MOSTLY = st.sampled_from([True, True, False])
SELDOM = st.sampled_from([False, False, True])
BLOCKS = ("a0", "a1", "a2", "b0", "b1", "b2", "b3")

NOWS = pick(
    # Helsinki: 03:00 becomes 04:00 and 04:00 becomes 03:00 again; the nights around both, and ordinary days.
    "2026-03-29 00:10", "2026-03-29 02:59", "2026-03-29 04:00", "2026-03-30 09:00", "2026-10-25 03:30",
    "2026-10-25 04:00", "2026-10-25 23:59", "2026-10-26 00:00", "2027-03-28 12:00", "2027-10-31 03:00",
    "2026-07-01 12:00", "2026-11-23 08:00", "2027-01-01 00:00",
)  # fmt: skip


def moment(clock: str, zone: str = ZONE) -> int:
    """Return the moment (ms) of a wall-clock time."""
    return round(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@st.composite
def times(draw: st.DrawFn, now: int, zone: str, longest: int = 100) -> int:
    """Return the moment of an event: lately, around a midnight, or around the end of a window."""
    kind = draw(pick("lately", "lately", "midnight", "window", "any"))
    if kind == "lately":
        return now - draw(st.integers(0, min(longest, 3) * DAY))
    if kind == "any":
        return now - draw(st.integers(0, longest * DAY))
    ago = draw(st.sampled_from([d for d in (0, 1, 2, 6, 7, 8, 13, 14, 29, 30, 44, 60, 88, 89, 90, 91) if d <= longest]))
    nudge = draw(pick(-HOUR, -1, 0, 1, HOUR))
    if kind == "window":
        return min(now, now - ago * DAY + nudge)
    midnight = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(now, round((midnight - timedelta(days=ago)).timestamp() * 1000) + nudge)


JSON_VALUES = (
    "Pro",
    "pro",
    "Pirate",
    3,
    5,
    5.0,
    5.5,
    "5",
    "3.0",
    ["x", "pro"],
    [4, "y"],
    None,
    True,
    {},
    "",
    "Case Study",
)
VALUES = st.sampled_from(JSON_VALUES)
PROPERTIES = st.fixed_dictionaries({}, optional={"n": VALUES, "kind": VALUES})
BOUGHT = pick({"product": "Insight Pro"}, {"products": [{"name": "basic"}, {"sku": ""}]}, {"products": ["x", "X"]}, {})
BROUGHT_BY = pick({}, {}, {"page": "/x?q"}, {"came_from": "other.example/a"}, {"campaign": "autumn", "content": "b"})
CLICKS = pick({}, {}, {}, {"gclid": "g1"}, {"gclid": "g2", "ttclid": "t1"})
COMPANIES = st.dictionaries(pick("name", "crm id", "crm_id", "crmId", "employees"), VALUES, max_size=3)
SAID = pick("", "", "FI", "sv", "en", "Sven")
FACTS = st.builds(
    Facts,
    **{word: SAID for word in ATTRIBUTES if word != "page"},
    page=pick("", "/a", "/A/b/", "/c?x", "/k%C3%A4"),
    company=COMPANIES,
)
PURPOSES = st.lists(pick("ads", "analytics", "personalization"), unique=True, max_size=3).map(sorted)
AGREED = pick(["email"], ["Email", "sms", "analytics"], ["ads", 5, None], "sms", [], None, {})


@dataclass(slots=True, frozen=True)
class Arrival:
    """An event and the moment at which it came in (ms), at most seven days after it happened."""

    event: Event
    at: int


@st.composite
def arrivals(
    draw: st.DrawFn, now: int, zone: str = ZONE, *, most: int = 14, longest: int = 100, of: str = "visitor"
) -> list[Arrival]:
    """Return events up to now with their arrivals, in any order; `of` keeps the message ids of visitors apart."""
    found: list[Arrival] = []
    for number in range(draw(st.integers(0, most))):
        at = draw(times(now, zone, longest))
        if found and draw(SELDOM):
            # At the same moment as another, or just inside or outside of its visit.
            at = min(now, draw(st.sampled_from(found)).event.time + draw(pick(0, 30 * MINUTE, 30 * MINUTE - 1000)))
        late = draw(pick(0, 0, 0, MINUTE, DAY, 6 * DAY, 7 * DAY))
        found.append(Arrival(draw(events(at, f"{of}-{number}", hash_of(of, number))), min(now, at + late)))
    return found


@st.composite
def habits(draw: st.DrawFn, now: int, zone: str = ZONE, *, of: str = "habit") -> list[Arrival]:
    """Return plain events, several at a time, at the moments at which windows, caps and rests begin and end."""
    found: list[Arrival] = []
    today = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(draw(st.integers(0, 4))):
        kind, what = draw(HABITS)
        day = today - timedelta(days=draw(BORDER_DAYS), minutes=-draw(pick(0, 720, 1439)))
        at = min(now, round(day.timestamp() * 1000))
        if what.startswith("Content") and draw(st.booleans()):
            at = now - draw(pick(MINUTE, DAY, 14 * DAY, 60 * DAY)) + draw(pick(-1, 0, 1))
        shown = Shown("hero", draw(pick("a0", "b0")), "", "v", at, "rule") if what.startswith("Content") else None
        for again in range(draw(pick(1, 1, 2, 5))):
            message = f"{of}-habit-{number}-{again}"
            event = Event(kind, message, at, stamp_of(at, hash_of(of, 99 + 9 * number + again)))
            event.path, event.name = (what, "") if kind == "page" else ("", what)
            event.properties, event.shown = {"n": 3, "kind": "pro"}, shown
            found.append(Arrival(event, at))
    return found


HABITS = pick(
    *(("page", path) for path in ("/a", "/A/b", "/c")),
    *(("track", name) for name in ("order", "purchase", "Content Shown", "Content Shown")),
    *(("track", f"Content {reaction}") for reaction in ("Clicked", "Dismissed", "Converted")),
)
BORDER_DAYS = pick(0, 1, 2, 6, 7, 8, 29, 30, 31, 88, 89, 90)


def hash_of(of: str, number: int) -> int:
    """Return different 22 bits for each message, in no order."""
    return (number * 2_654_435_761 + sum(of.encode()) * 40_503) & 0x3FFFFF


@st.composite
def events(draw: st.DrawFn, at: int, message: str, fingerprint: int) -> Event:
    """Return an event at a moment."""
    kind = draw(pick("page", "page", "page", "track", "track", "shown", "shown", "buy", "identify", "group", "screen"))
    event = Event("track", message, at, stamp_of(at, fingerprint), browser=draw(MOSTLY))
    match kind:
        case "page" | "screen":
            event.type = kind
            seen = draw(pick("/a", "/a/", "/A/b", "/c?x=1", "/k%C3%A4", "/", "/a/b"))
            event.path, event.name = (seen, "") if kind == "page" else ("", seen)
            event.properties = draw(PROPERTIES)
        case "track":
            event.name = draw(pick("order", "Order now", "sign up", "backup"))
            event.properties = draw(PROPERTIES)
        case "buy":
            event.name = draw(pick("Order Completed", "purchase"))
            event.properties = draw(BOUGHT)
        case "shown":
            event.name = draw(pick("Content Shown", "Content Shown", "Content Clicked", "content dismissed",
                                   "Content Converted"))  # fmt: skip
            if draw(MOSTLY):
                event.shown = Shown("hero", draw(pick("a0", "a0", *BLOCKS)), "", "v", at, "rule")
        case "identify":
            event.type = kind
            event.traits = draw(st.fixed_dictionaries({}, optional={
                "plan": VALUES, "seats": VALUES, "owns": pick("basic", ["Insight Pro", 5], 5, None, "X"),
                "consent": AGREED}))  # fmt: skip
            event.user_id = draw(pick("", "u1", "u2"))
        case _:
            event.type = kind
            event.traits = draw(COMPANIES)
            event.group_id = draw(pick("g1", "g2"))
            event.vouched = draw(st.booleans())
    event.facts = Facts(country=draw(pick("", "FI", "SE")), **draw(BROUGHT_BY))
    event.consent = draw(st.none() | st.none() | PURPOSES)
    if draw(SELDOM):
        event.contact = (at, draw(pick("k1", "k2")), at + draw(pick(0, DAY)))
    event.clicks = draw(CLICKS)
    return event


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    """Return what a request says."""
    allowed = frozenset(draw(PURPOSES))
    return Context(draw(FACTS), allowed, known=draw(st.booleans()), unread=draw(pick("", "", "", "", "", "no_consent")))


def arrived(plan: Plan, arriving: Sequence[Arrival], start: Profile | None = None) -> Profile:
    """Return the profile after these arrivals, each folded when it came in."""
    profile = start or Profile()
    for arrival in sorted(arriving, key=lambda arrival: arrival.at):
        profile = fold(plan, profile, arrival.event, arrival.at)
    return profile


def tombstone(erased: int) -> Profile:
    """Return what is left of an erased profile, as the gateway writes it; without an erasure an empty one."""
    return Profile(erased=erased, consent=[erased, []]) if erased else Profile()
