"""Random rules, as the YAML that a marketer would write: every head word, nested, with everything built on it.

The visitors for them are in strategies.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from personalize.syntax import HEADS
from tests.personalize.strategies import ATTRIBUTES, BLOCKS, DAY, HOUR, MINUTE, MOSTLY, SELDOM, pick


# -- writing YAML ------------------------------------------------------------------------------------------------------
class Quoted(str):
    """A text that stands in quotes, as texts that look like something else must."""

    __slots__ = ()


def flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, Quoted) or (isinstance(value, str) and not re.fullmatch(r"[\w/-][\w/ .:-]*", value)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


# -- parts of rules ----------------------------------------------------------------------------------------------------
GLOBS = pick("/a", "/a*", "*b", "/A/", "/*", "/kä", "/c", "*a*b*", "/a/b?x=2", "nothing*")
NAMES = pick("order", "order*", "*up", "purchase", "content *", "Sign Up")
COUNTS = pick("once", "twice", "3 times", "4 times")
WINDOWS = pick("1 day", "2 days", "1 week", "30 days", "90 days")
CAPS = ("once per day", "4 times per day", "twice per week", "3 times per 30 days", "once ever", "5 times ever")
PHRASES = ("3", "at least 3", "at most 3", "more than 3", "less than 5", "3 to 5", "5.5")
WORDS = ("pro", "PRO", "p*", "*r*", Quoted("5"), Quoted("3"), Quoted("true"), "case study")
TEXTS = pick(*WORDS)
TESTS = pick(*PHRASES) | TEXTS | st.lists(TEXTS, min_size=1, max_size=2)
AGO = st.builds(
    "{} than {} ago".format,
    pick("more", "less"),
    pick("1 minute", "30 minutes", "2 hours", "24 hours", "1 day", "7 days", "2 weeks", "60 days"),
)
SEGMENTS = ("s0", "s1", "s2", "s3")
"""Only the first two stand below stages and temperatures; the others may name anything."""
STAGES = ("customer", "Trial", "stranger")
TEMPERATURES = ("hot", "cold")
WHOLE, DECAYED, TOPIC = "whole", "Decayed", "topic"


@st.composite
def behaviours(draw: st.DrawFn, *heads: str) -> dict[str, Any]:
    """Return what was viewed or done, with the properties that it should have."""
    head = draw(pick(*(heads or ("viewed", "did"))))
    names = GLOBS if head == "viewed" else NAMES
    condition: dict[str, Any] = {head: draw(names | st.lists(names, min_size=2, max_size=2))}
    if draw(SELDOM):
        condition["where"] = {draw(pick("n", "kind")): draw(TESTS)}
    return condition


@st.composite
def counted(draw: st.DrawFn, head: str) -> dict[str, Any]:
    """Return `viewed` or `did` with a count and a window."""
    condition = draw(behaviours(head))
    if draw(st.booleans()):
        condition["at least"] = draw(COUNTS | st.just("0 times"))
    if draw(SELDOM):
        condition["at most"] = draw(COUNTS)
    if draw(st.booleans()):
        condition["within"] = draw(WINDOWS)
    if draw(SELDOM):
        condition["across"] = draw(pick("1 day", "2 days", "3 days"))
    return condition


CLOCKS: tuple[dict[str, str], ...] = (
    {"time of day": "08:00 to 16:30"},
    {"time of day": "22:00 to 06:00"},
    {"time of day": "03:00 to 03:59"},
    {"time of day": "00:00 to 11:59"},
    {"time of day": "12:00 to 12:00"},
    {"weekday": "monday to friday"},
    {"weekday": "saturday to sunday"},
    {"weekday": "sunday"},
    {"weekday": "friday to monday"},
    {"weekday": "wednesday"},
    {"date": "2026-10-25"},
    {"date": "from 2026-10-24"},
    {"date": "until 2026-07-01"},
    {"date": "2026-03-29 to 2026-10-25"},
)
PLAIN: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "trait": st.fixed_dictionaries({"trait": pick("plan", "seats"), "is": TESTS}),
    "company": st.dictionaries(pick("name", "crm id", "employees"), TESTS, min_size=1, max_size=2).map(
        lambda attributes: {"company": attributes}
    ),
    "consent": st.fixed_dictionaries(
        {"consent": st.lists(pick("analytics", "personalization", "ads", "email", "sm*"), min_size=1, max_size=2)}
    ),
    "owns": st.fixed_dictionaries({"owns": pick("insight *", "basic", ["x", "Insight Pro"])}),
    "visitor is": st.fixed_dictionaries(
        {"visitor is": pick("new", "returning", "known", "anonymous", ["new", "known"], ["returning", "anonymous"])}
    ),
    "visits": st.fixed_dictionaries({"visits": pick("1", "at least 2", "at most 2", "2 to 3", "more than 3")}),
    "first visit": st.fixed_dictionaries({"first visit": AGO}),
    "last visit": st.fixed_dictionaries({"last visit": AGO}),
    "time of day": pick(*CLOCKS[:5]),
    "weekday": pick(*CLOCKS[5:10]),
    "date": pick(*CLOCKS[10:]),
    "score": pick(
        *({"score": WHOLE, "is": phrase} for phrase in ("at least 5", "more than 5", "at most 5", "0", "0 to 20")),
        *({"score": DECAYED, "is": phrase} for phrase in ("at least 1.00003", "less than 3.30007")),
    ),
    "interest": pick(*({"interest": TOPIC, "is": phrase} for phrase in ("at least 0.50003", "at most 4.00007"))),
    **{
        word: st.fixed_dictionaries({word: pick("fi", "F*", "*n*", "sv", ["x", "fi"], ["EN", "*v"])})
        for word in ATTRIBUTES
        if word != "page"
    },
    "page": st.fixed_dictionaries({"page": GLOBS}),
    "viewed": counted("viewed"),
    "did": counted("did"),
    "in segment": st.fixed_dictionaries({"in segment": pick("s0", "s1", ["s0", "s1"])}),
    "stage": st.fixed_dictionaries({"stage": pick(*STAGES, ["customer", "stranger"])}),
    "temperature": st.fixed_dictionaries({"temperature": pick(*TEMPERATURES)}),
}
"""For every head word but the four of logic the conditions that it makes."""

LOGIC = ("not", "any of", "none of", "all of")


@cache
def about(*heads: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return conditions, plain or nested, whose parts have one of these head words."""
    plain = st.one_of([PLAIN[head] for head in heads])
    nested = logic(plain | logic(plain))
    return pick(plain, plain, nested).flatmap(lambda chosen: chosen)


def logic(parts: st.SearchStrategy[Any], heads: Sequence[str] = LOGIC) -> st.SearchStrategy[dict[str, Any]]:
    """Return conditions with one of the words of logic."""
    return st.tuples(st.sampled_from(heads), st.lists(parts, min_size=1, max_size=2)).map(
        lambda both: {both[0]: both[1][0] if both[0] == "not" else both[1]}
    )


assert set(PLAIN) | set(LOGIC) == set(HEADS), "a head word lacks its strategy"

FIRST = tuple(head for head in PLAIN if head not in ("in segment", "stage", "temperature", "score", "interest"))
"""Head words that need no other rule: what everything else may be built on."""
ANY = about(*FIRST, "score", "interest", "in segment", "stage", "temperature")
OF_TOPICS = about(*FIRST, "score", "interest")
OF_STAGES = st.lists(about(*FIRST, "score", "in segment"), min_size=1, max_size=2)
OF_TEMPERATURES = about("stage", "visits", "score", "viewed")


@st.composite
def grants(draw: st.DrawFn, points: st.SearchStrategy[Any], give: str = "give") -> dict[str, Any]:
    """Return an item of `points`: for what the visitor did or is."""
    grant: dict[str, Any] = {give: draw(points)}
    if draw(MOSTLY):
        grant |= {f"for {key}" if key in HEADS else key: held for key, held in draw(behaviours()).items()}
        cap = draw(pick("", *CAPS))
        return grant | {"at most": cap} if cap else grant
    held = draw(pick(*ATTRIBUTES, "trait", "company"))
    return grant | {f"for {key}" if key in HEADS else key: held for key, held in draw(PLAIN[held]).items()}


HALF_LIVES = pick("1 day", "1 week", "14 days", "30 days", "45 days")
# Whole points without decay add up exactly in any order, so that a range may end on them; the others never meet one.
POINTS = pick("0.1", "0.7", "-3.3", "5", "20.25")


@st.composite
def scored(draw: st.DrawFn) -> dict[str, Any]:
    """Return the scores and the interest of a rule set."""
    whole = draw(st.lists(grants(pick("1", "5", "-5", "20")), min_size=1, max_size=3))
    decayed = draw(st.lists(grants(POINTS), min_size=1, max_size=4))
    topic = draw(st.lists(grants(pick("0.3", "1"), "by"), min_size=1, max_size=2))
    interest = {"interest": TOPIC, "grows": topic}
    if draw(st.booleans()):
        interest["half-life"] = draw(HALF_LIVES)
    return {
        "scores": [
            {"score": WHOLE, "points": whole},
            {"score": DECAYED, "half-life": draw(HALF_LIVES), "points": decayed},
        ],
        "interests": [interest],
    }


@st.composite
def grouped(draw: st.DrawFn) -> dict[str, Any]:
    """Return segments, stages and temperatures; each is built on those before."""
    named = [
        [draw(OF_TOPICS), draw(OF_TOPICS)],
        [draw(OF_TOPICS), {"in segment": "s0"}],
        [draw(ANY), draw(ANY)],
        [draw(ANY), draw(ANY), draw(ANY), draw(ANY)],
    ]
    return {
        "segments": [{"segment": name, "when": when} for name, when in zip(SEGMENTS, named, strict=True)],
        "stages": [
            {"stage": STAGES[0], "when": draw(OF_STAGES)},
            {"stage": STAGES[1], "when": draw(OF_STAGES)},
            {"stage": STAGES[2]},
        ],
        "temperatures": [
            {"temperature": TEMPERATURES[0], "when": [draw(OF_TEMPERATURES)]},
            {"temperature": TEMPERATURES[1]},
        ],
    }


@st.composite
def blocks(draw: st.DrawFn, name: str, clock: datetime) -> dict[str, Any]:
    """Return a block: for whom, when, how often."""
    block: dict[str, Any] = {"block": name}
    if draw(st.booleans()):
        block["when"] = draw(
            st.lists(ANY | pick({"in segment": "s2"}, {"not": {"in segment": ["s3", "s0"]}}), min_size=1, max_size=2)
        )
    moments = st.sampled_from([-DAY, -HOUR, -MINUTE, 0, MINUTE, HOUR, DAY]).map(
        lambda ms: clock + timedelta(milliseconds=ms)
    )
    shape = pick("%Y-%m-%d", "%Y-%m-%d %H:%M")
    if draw(SELDOM):
        ends = sorted(draw(st.tuples(moments, moments)))
        given, both = draw(shape), draw(pick(("from",), ("until",), ("from", "until")))
        block |= {word: f"{at:{given}}" for word, at in zip(("from", "until"), ends, strict=True) if word in both}
    if draw(SELDOM):
        block["show at most"] = draw(pick(*CAPS))
    for reaction in ("dismiss", "convert", "click"):
        if draw(SELDOM):
            rest = pick("1 minute", "24 hours", "1 day", "14 days", "60 days", "forever")
            block[f"rest after {reaction}"] = draw(rest)
    if draw(SELDOM):
        block["not for owners of"] = draw(pick("insight *", ["basic", "x"]))
    if draw(SELDOM):
        block["converts when"] = draw(st.one_of(PLAIN["did"], PLAIN["did"], PLAIN["viewed"], PLAIN["country"]))
    worth = pick(
        "1", "-3", "2.5", {"interest": TOPIC}, {"score": WHOLE, "plus": 1}, {"score": DECAYED, "plus": 0.50003}
    )
    if draw(MOSTLY):
        block["worth"] = draw(worth)
    return block | {"content": {"title": Quoted("x")}}


@st.composite
def placed(draw: st.DrawFn, now: int, zone: str) -> dict[str, Any]:
    """Return two placements, one of each kind."""
    clock = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    first = [draw(blocks(name, clock)) for name in BLOCKS[:3]]
    hero: dict[str, Any] = {"placement": "hero", "choose": "first match"}
    if draw(st.booleans()):
        hero["fallback"] = {"block": draw(pick("a0", "a2"))}
    else:
        first[-1].pop("when", None)
    best = [draw(blocks(name, clock)) for name in BLOCKS[3:]]
    fallback = draw(pick({"block": "b1"}, {"block": "else", "content": {"title": Quoted("y")}}))
    return {
        "placements": [
            hero | {"blocks": first},
            {"placement": "footer", "choose": "best score", "fallback": fallback, "blocks": best},
        ]
    }


def yaml(*parts: dict[str, Any]) -> str:
    """Return a rule file of these top-level words, every item of a list in a line of its own."""
    return "".join(
        f"{word}:\n" + "".join(f"  - {flow(item)}\n" for item in items)
        for part in parts
        for word, items in part.items()
    )
