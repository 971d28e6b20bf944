"""Reasons in Finnish: why a block won or lost, what a score is made of, and the lines of a whole explanation.

One of the modules of `language.Language`. Conditions stand in `finnish_conditions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from personalize import finnish_phrasing as phrasing
from personalize.decision import Candidate, Limit, Reached, Unmet, Written
from personalize.explain_scores import DayExplained, LineExplained, ScoreExplained
from personalize.explain_touches import TouchExplained
from personalize.finnish_behaviour import times_on_days
from personalize.finnish_conditions import (
    NAMES,
    actual,
    condition,
    grant,
    happening,
    lack,
    moment,
    owners_of,
    segment,
)
from personalize.finnish_phrasing import local_time, number
from personalize.model import Reason
from personalize.phrasing import TIMES, as_written, digits_apart, reacted_ago, value
from personalize.phrasing import moment as iso_moment

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
    "click": "kävijä klikkasi sitä",
    "dismiss": "kävijä sulki sen",
    "convert": "se johti konversioon",
}
_WITHIN = {1: "tänään", 0: "kaikkiaan"}


def sentence(unmet: Unmet) -> str:
    """Return as a sentence what keeps a block from being shown."""
    if isinstance(unmet.written, Limit):
        return _LIMITS[unmet.written.head](unmet.written, unmet.actual)
    return f"Vaatii, että {lack(unmet)}."


def step(lacking: Unmet | Reached | None) -> str:
    """Return whether a step of a ladder fits: `sopii`, or what is lacking, or when it was reached for good."""
    if isinstance(lacking, Reached):
        return f"saavutettiin {phrasing.local_time(lacking.day)}, eikä siitä palata taaksepäin"
    return "sopii" if lacking is None else f"vaatii, että {lack(lacking)}"


def candidate(one: Candidate) -> str:
    """Return why a block won or lost, as a sentence."""
    return _CAUSES[one.because](one)


def reason(code: Reason) -> str:
    """Return the reason of a decision in a word or two."""
    return _REASONS[code]


# -- a whole explanation, line by line ------------------------------------------------------------------------------
def heading(now: str, visits: int | None) -> str:
    """Return the first line of an explanation: when, and how many visits, None where the profile was not read."""
    when = local_time(now)
    return when if visits is None else f"{when}, {phrasing.amount(visits, phrasing.VISITS)}"


def unread(code: str) -> str:
    """Return the line that says why the profile was not read, and what counts as missing therefore."""
    return f"Profiilia ei luettu, koska {_UNREAD[code]}: teot, käynnit, ominaisuudet ja tuotteet katsotaan puuttuviksi."


def touch(one: TouchExplained) -> str:
    """Return when, where and by what the visitor came: `Tuli ensin 14.11.2026 klo 10.00 sivulle /a: kampanja x.`."""
    brought = [
        f"kampanja {one.campaign}" if one.has_campaign else "",
        f"sivulta {one.touch.referrer}" if one.touch.referrer else "",
        f"mainoksesta ({', '.join(one.clicks)})" if one.clicks else "",
    ]
    landing = f" sivulle {one.touch.landing}" if one.touch.landing else ""
    by = ", ".join(filter(None, brought))
    which = {"first": "ensin", "last": "viimeksi"}[one.which]
    return f"Tuli {which} {local_time(one.when)}{landing}{': ' if by else ''}{by}."


def counting(day: str, written: Iterable[Written]) -> str:
    """Return the line that says since which ISO day these are counted."""
    return f"Laskettu {local_time(day)} alkaen: {'; '.join(map(happening, written))}."


def score(explained: ScoreExplained) -> str:
    """Return a score's own line: `pisteet engagement 24,94 (puoliintuvat 14 päivässä)`."""
    verb = "puoliintuvat" if explained.kind == "score" else "puoliintuu"
    halves = f" ({verb} {explained.half_life} päivässä)" if explained.half_life else ""
    return f"{NAMES[explained.kind]} {explained.name} {number(explained.shown / 100)}{halves}"


def given(line: LineExplained) -> str:
    """Return what gave points and how often: `sivun /prices* katselu: 3 kertaa 2 eri päivänä`."""
    if not line.days and line.count < 2:
        return grant(line.written)
    return f"{grant(line.written)}: {times_on_days(line.count, line.days)}"


def day(one: DayExplained, each: float) -> str:
    """Return how a day's points come about: `14.11.2026  1 x 8 x 0,743 = 5,94`."""
    of = f" (yhteensä {phrasing.times(one.happened)})" if one.happened > one.counted else ""
    weight = "" if one.weight == 1 else f" {TIMES} {phrasing.comma(one.weight_shown(each))}"
    when = local_time(one.date) if one.date else "aiemmin"
    factors = f"{one.counted}{of} {TIMES} {phrasing.comma(as_written(each))}{weight}"
    return f"{when:10}  {factors} = {number(one.shown / 100)}"


def in_segment(name: str, lacking: Unmet | None) -> str:
    """Return a segment's line."""
    return f"segmentti {name}: {segment(lacking)}"


def on_ladder(kind: str, name: str) -> str:
    """Return the line of a stage or a temperature."""
    return f"{NAMES[kind]} {name or 'puuttuu'}"


def placement(name: str, block: str | None, why: Reason) -> str:
    """Return a placement's line: what it shows and the reason in short."""
    return f"paikka {name}: {block or 'sellaista ei ole'} ({reason(why)})"


def outcome(one: Candidate) -> str:
    """Return `voitti` or `hävisi`, and the block."""
    return f"{'voitti' if one.outcome == 'won' else 'hävisi'} {one.block}"


def of_test(name: str) -> str:
    """Return the line above the visitor of a test."""
    return f"testi {name}"


def of_visitor(name: str, version: str = "") -> str:
    """Return the line above any other visitor, with the rules' version where they are live ones."""
    return f"kävijä {name}, säännöt {version}" if version else f"kävijä {name}"


# -- what a block's limits say --------------------------------------------------------------------------------------
def _schedule(limit: Limit, now: str) -> str:
    starts, until = limit.block.starts, limit.block.until
    if starts and now < iso_moment(starts.naive()):
        return f"Alkaa {moment(starts)}; nyt on {local_time(now)}."
    return f"Päättyi {moment(until)}; nyt on {local_time(now)}." if until else ""


def _owners(limit: Limit, owned: Sequence[str]) -> str:
    return f"Ei {owners_of(limit.block.owners)} omistajille; kävijä omistaa: {value(phrasing.all_of(owned))}."


def _cap(limit: Limit, shown: int) -> str:
    most = limit.block.show_at_most
    if most is None:
        return ""
    within = _WITHIN.get(most.days, f"viimeisten {most.days} päivän aikana")
    return f"Näytetään enintään {phrasing.cap(most)}; on näytetty {phrasing.times(shown)} {within}."


def _rest(limit: Limit, actual: tuple[int, str]) -> str:
    ago, until = actual
    rests = f"Lepää {local_time(until)} asti" if until else "Ei näytetä enää"
    since = reacted_ago(ago, today="tänään", long_ago="yli 90 päivää sitten") or phrasing.ago(ago)
    return f"{rests}, koska {_DONE[limit.after]} {since}."


_LIMITS: Mapping[str, Callable[[Limit, Any], str]] = {
    "schedule": _schedule,
    "owners": _owners,
    "cap": _cap,
    "rest": _rest,
}


# -- why a block won or lost ----------------------------------------------------------------------------------------
def _outdone(one: Candidate) -> str:
    order = " ja se on listassa aiemmin" if one.worth == one.other_worth else ""
    worth, most = one.worth or 0.0, one.other_worth or 0.0
    digits = digits_apart(worth, most)
    return f'Arvo on {number(worth, digits)}; lohkon "{one.other}" arvo on {number(most, digits)}{order}.'


def _worth(one: Candidate) -> str:
    worth = one.worth or 0.0
    return number(worth, digits_apart(worth, 0))


_CAUSES: Mapping[str, Callable[[Candidate], str]] = {
    "first": lambda _: "Ensimmäinen, joka sopii.",
    "best": lambda one: f"Sopii, ja sen arvo on suurin: {_worth(one)}.",
    "fallback": lambda _: "Mikään muu ei sovi, joten näytetään oletus.",
    "behind": lambda one: f'On listassa vasta sopivan lohkon "{one.other}" jälkeen.',
    "unmet": lambda one: sentence(one.unmet) if one.unmet else "",
    "worthless": lambda one: f"Arvo on {_worth(one)}; mukana ovat vain lohkot, joiden arvo on yli 0.",
    "outdone": _outdone,
}

_REASONS: Mapping[Reason, str] = {
    "rule": "sääntö",
    "best_score": "suurin arvo",
    "fallback": "oletus",
    "no_consent": "ei lupaa",
    "degraded": "ilman profiilia",
    "claim": "pelkkä väite",
    "unknown": "tuntematon",
}

_UNREAD: Mapping[str, str] = {
    "no_consent": "kävijä ei ole antanut lupaa kohdentamiseen",
    "degraded": "tietovarasto ei ehtinyt vastata",
    "claim": "selain vain väittää, kuka kävijä on",
}
