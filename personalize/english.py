"""Reasons in English: why a block won or lost, what a score is made of, and the lines of a whole explanation.

One of the modules of `language.Language`; a new cause or limit is a row in a table here and in each other language.
Conditions stand in `english_conditions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from personalize import phrasing
from personalize.decision import Candidate, Limit, Reached, Unmet, Written
from personalize.english_conditions import actual, condition, grant, lack, moment, segment, times_on_days
from personalize.explain_scores import DayExplained, LineExplained, ScoreExplained
from personalize.explain_touches import TouchExplained
from personalize.model import Reason
from personalize.phrasing import TIMES, number

__all__ = [
    "actual",
    "candidate",
    "condition",
    "counting",
    "day",
    "given",
    "grant",
    "heading",
    "in_segment",
    "lack",
    "number",
    "of_test",
    "of_visitor",
    "on_ladder",
    "outcome",
    "placement",
    "reason",
    "score",
    "segment",
    "sentence",
    "step",
    "touch",
    "unread",
]

_DONE = {
    "": "",
    "click": "the visitor clicked it",
    "dismiss": "the visitor dismissed it",
    "convert": "the visitor converted on it",
}
_WITHIN = {1: "today", 0: "in all"}


def sentence(unmet: Unmet) -> str:
    """Return as a sentence what keeps a block from being shown."""
    if isinstance(unmet.written, Limit):
        return _LIMITS[unmet.written.head](unmet.written, unmet.actual)
    return f"Needs {lack(unmet)}."


def step(lacking: Unmet | Reached | None) -> str:
    """Return whether a step of a ladder fits: `fits`, or what is lacking, or when it was reached for good."""
    if isinstance(lacking, Reached):
        return f"reached on {lacking.day}, does not go back"
    return "fits" if lacking is None else f"lacks {lack(lacking)}"


def candidate(one: Candidate) -> str:
    """Return why a block won or lost, as a sentence."""
    return _CAUSES[one.because](one)


def reason(code: Reason) -> str:
    """Return the reason of a decision in a word or two."""
    return code.replace("_", " ")


# -- a whole explanation, line by line ------------------------------------------------------------------------------
def heading(now: str, visits: int | None) -> str:
    """Return the first line of an explanation: when, and how many visits, None where the profile was not read."""
    return now if visits is None else f"{now}, {phrasing.amount(visits, 'visit')}"


def unread(code: str) -> str:
    """Return the line that says why the profile was not read, and what counts as missing therefore."""
    missing = "what they did, visits, traits and products count as missing"
    return f"The profile was not read, because {_UNREAD[code]}: {missing}."


def touch(one: TouchExplained) -> str:
    """Return when, where and by what the visitor came: `First came 2026-11-14 10:00 to /prices: campaign autumn.`."""
    brought = [
        f"campaign {one.campaign}" if one.has_campaign else "",
        f"from {one.touch.referrer}" if one.touch.referrer else "",
        f"by an ad ({', '.join(one.clicks)})" if one.clicks else "",
    ]
    landing = f" to {one.touch.landing}" if one.touch.landing else ""
    by = ", ".join(filter(None, brought))
    return f"{one.which.capitalize()} came {one.when}{landing}{': ' if by else ''}{by}."


def counting(day: str, written: Iterable[Written]) -> str:
    """Return the line that says since which ISO day these are counted."""
    return f"Counts since {day}: {'; '.join(map(condition, written))}."


def score(explained: ScoreExplained) -> str:
    """Return a score's own line: `score engagement 24.94, halves every 14 days`."""
    halves = f", halves every {phrasing.amount(explained.half_life, 'day')}" if explained.half_life else ""
    return f"{explained.kind} {explained.name} {number(explained.shown / 100)}{halves}"


def given(line: LineExplained) -> str:
    """Return what gave points and how often: `viewed /prices*, at most twice per day: 3 times on 2 days`."""
    if not line.days and line.count < 2:
        return grant(line.written)
    return f"{grant(line.written)}: {times_on_days(line.count, line.days)}"


def day(one: DayExplained, each: float) -> str:
    """Return how a day's points come about: `2026-11-14  1 x 8 x 0.743 = 5.94`."""
    of = f" (of {one.happened})" if one.happened > one.counted else ""
    weight = "" if one.weight == 1 else f" {TIMES} {one.weight_shown(each)}"
    shown = number(one.shown / 100)
    return f"{one.date or 'earlier':10}  {one.counted}{of} {TIMES} {phrasing.as_written(each)}{weight} = {shown}"


def in_segment(name: str, lacking: Unmet | None) -> str:
    """Return a segment's line."""
    return f"segment {name}: {segment(lacking)}"


def on_ladder(kind: str, name: str) -> str:
    """Return the line of a stage or a temperature."""
    return f"{kind} {name or 'none'}"


def placement(name: str, block: str | None, why: Reason) -> str:
    """Return a placement's line: what it shows and the reason in short."""
    return f"placement {name}: {block or 'no such placement'} ({reason(why)})"


def outcome(one: Candidate) -> str:
    """Return `won` or `lost`, and the block."""
    return f"{one.outcome:4} {one.block}"


def of_test(name: str) -> str:
    """Return the line above the visitor of a test."""
    return f"test {name}"


def of_visitor(name: str, version: str = "") -> str:
    """Return the line above any other visitor, with the rules' version where they are live ones."""
    return f"visitor {name}, rules {version}" if version else f"visitor {name}"


# -- what a block's limits say --------------------------------------------------------------------------------------
def _schedule(limit: Limit, now: str) -> str:
    starts, until = limit.block.starts, limit.block.until
    if starts and now < phrasing.moment(starts.naive()):
        return f"Starts {moment(starts)}; it is {now}."
    return f"Ended {moment(until)}; it is {now}." if until else ""


def _owners(limit: Limit, owned: Sequence[str]) -> str:
    owns = phrasing.value(" and ".join(owned))
    return f"Not for owners of {phrasing.one_of(limit.block.owners)}; the visitor owns {owns}."


def _cap(limit: Limit, shown: int) -> str:
    most = limit.block.show_at_most
    if most is None:
        return ""
    within = _WITHIN.get(most.days, f"in the last {most.days} days")
    return f"Is shown at most {phrasing.cap(most)}; was shown {phrasing.times(shown)} {within}."


def _rest(limit: Limit, actual: tuple[int, str]) -> str:
    ago, until = actual
    rests = f"Rests until {until}" if until else "Never shown again"
    since = phrasing.reacted_ago(ago, today="today", long_ago="more than 90 days ago") or phrasing.ago(ago)
    return f"{rests}, because {_DONE[limit.after]} {since}."


_LIMITS: Mapping[str, Callable[[Limit, Any], str]] = {
    "schedule": _schedule,
    "owners": _owners,
    "cap": _cap,
    "rest": _rest,
}


# -- why a block won or lost ----------------------------------------------------------------------------------------
def _outdone(one: Candidate) -> str:
    order = " and stands earlier" if one.worth == one.other_worth else ""
    worth, most = one.worth or 0.0, one.other_worth or 0.0
    digits = phrasing.digits_apart(worth, most)
    return f'Worth {number(worth, digits)}; "{one.other}" is worth {number(most, digits)}{order}.'


def _worth(one: Candidate) -> str:
    worth = one.worth or 0.0
    return number(worth, phrasing.digits_apart(worth, 0))


_CAUSES: Mapping[str, Callable[[Candidate], str]] = {
    "first": lambda _: "It is the first that fits.",
    "best": lambda one: f"It fits and is worth most: {_worth(one)}.",
    "fallback": lambda _: "Nothing else fits, so the fallback is shown.",
    "behind": lambda one: f'Stands after "{one.other}", which fits.',
    "unmet": lambda one: sentence(one.unmet) if one.unmet else "",
    "worthless": lambda one: f"It is worth {_worth(one)}; only blocks worth more than 0 compete.",
    "outdone": _outdone,
}

_UNREAD: Mapping[str, str] = {
    "no_consent": "the visitor has not allowed personalization",
    "degraded": "the store did not answer in time",
    "claim": "the client only claims an id",
}
