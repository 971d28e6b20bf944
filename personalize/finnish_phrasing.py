"""How values read in Finnish: the same phrases as in `phrasing`, with Finnish cases, commas and dates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from math import inf, isinf

from personalize import phrasing
from personalize.compare import Test
from personalize.values import UNIT_MS, Cap, NumberRange

ANY = "*"
"""The text that every value fits."""

WEEKDAYS = ("maanantai", "tiistai", "keskiviikko", "torstai", "perjantai", "lauantai", "sunnuntai")

_UNITS = {"day": ("päivä", "päivää", "päivän"), "hour": ("tunti", "tuntia", "tunnin")}
_MINUTES = ("minuutti", "minuuttia", "minuutin")
DAYS = ("päivä", "päivää")
VISITS = ("käynti", "käyntiä")


def number(value: float, digits: int = 2) -> str:
    """`5` for 5.0, `24,94` for 24.9438."""
    return comma(phrasing.number(value, digits))


def comma(text: str) -> str:
    """`0,743` for `0.743`."""
    return text.replace(".", ",")


def number_range(wanted: NumberRange) -> str:
    """`vähintään 25`, `5`, and `50 to 500` with a dash: how many there are of something."""
    low, high = ("" if isinf(end) else number(end) for end in (wanted.low, wanted.high))
    if low == high:
        return low
    if not high:
        return f"{'yli' if wanted.open_low else 'vähintään'} {low}"
    if not low:
        return f"{'alle' if wanted.open_high else 'enintään'} {high}"
    return f"{low}\N{EN DASH}{high}" if wanted.low >= 0 else f"{low} \N{HORIZONTAL ELLIPSIS} {high}"


def value_range(wanted: NumberRange) -> str:
    """`välillä 50 to 500` with a dash, otherwise as `number_range`: where a value lies."""
    return f"{'välillä ' if is_span(wanted) else ''}{number_range(wanted)}"


def is_span(wanted: NumberRange) -> bool:
    """Tell whether a range has two ends."""
    return wanted.low < wanted.high and not isinf(wanted.low) and not isinf(wanted.high)


def beyond(limit: NumberRange) -> NumberRange | None:
    """Return what lies on the other side of a limit: `alle 5` for `vähintään 5`; None for what has two ends or none."""
    if isinf(limit.low) is isinf(limit.high):
        return None
    if isinf(limit.high):
        return NumberRange(-inf, limit.low, open_high=not limit.open_low)
    return NumberRange(limit.high, inf, open_low=not limit.open_high)


def verb(*, holds: bool) -> str:
    """`on` or `ei ole`."""
    return "on" if holds else "ei ole"


def is_value(test: Test, *, holds: bool, amount: bool = False) -> str:
    """Return what a value is or is not: `on vähintään 5`, `ei ole basic eikä pro`, `on tiedossa`."""
    if isinstance(test, NumberRange):
        said = number_range if amount else value_range
        other = None if holds else beyond(test)
        return f"on {said(other)} tai ei tiedossa" if other else f"{verb(holds=holds)} {said(test)}"
    return f"{verb(holds=holds)} {'tiedossa' if ANY in test else named(test, holds=holds)}"


def one_of(texts: Iterable[str]) -> str:
    """Join texts: `basic, plus tai pro`."""
    return _joined(texts, "tai")


def named(texts: Iterable[str], *, holds: bool) -> str:
    """Join texts behind a verb: `on FI tai SE`, `ei ole FI eikä SE`."""
    return _joined(texts, "tai" if holds else "eikä")


def all_of(texts: Iterable[str]) -> str:
    """Join texts: `a, b ja c`."""
    return _joined(texts, "ja")


def times(count: int) -> str:
    """`kerran`, `kahdesti`, `3 kertaa`, `ei kertaakaan`."""
    return {0: "ei kertaakaan", 1: "kerran", 2: "kahdesti"}.get(count, f"{count} kertaa")


def amount(count: int, unit: Sequence[str]) -> str:
    """`1 päivä`, `3 päivää`: a number and its noun, which is partitive after all numbers but one."""
    return f"{count} {unit[0] if count == 1 else unit[1]}"


def length(ms: int, *, genitive: bool = False) -> str:
    """`14 päivää`, `90 minuuttia`, in the genitive `14 päivän`: in the largest unit up to days that leaves no rest."""
    for unit, words in _UNITS.items():
        if ms and ms % UNIT_MS[unit] == 0:
            return _measured(ms // UNIT_MS[unit], words, genitive=genitive)
    return _measured(ms // UNIT_MS["minute"], _MINUTES, genitive=genitive)


def ago(ms: int) -> str:
    """`3 päivää sitten`, `1 tunti sitten`, `juuri äsken`: how long something lies back, rounded down."""
    for unit, words in (*_UNITS.items(), ("minute", _MINUTES)):
        if ms >= UNIT_MS[unit]:
            return f"{amount(ms // UNIT_MS[unit], words)} sitten"
    return "juuri äsken"


def cap(most: Cap) -> str:
    """`5 kertaa viikossa`, `kerran 30 päivässä`, `kerran kaikkiaan`."""
    span = {0: "kaikkiaan", 1: "päivässä", 7: "viikossa"}.get(most.days, f"{most.days} päivässä")
    return f"{times(most.count)} {span}"


def clock(minute: int) -> str:
    """`8.30` for minute 510 of the day."""
    return f"{minute // 60}.{minute % 60:02}"


def day(when: date) -> str:
    """`20.11.2026`."""
    return f"{when.day}.{when.month}.{when.year}"


def local_time(text: str) -> str:
    """`20.11.2026 klo 10.00` for `2026-11-20 10:00`, `20.11.2026` for the day alone."""
    iso, _, clock_text = text.partition(" ")
    written = day(date.fromisoformat(iso))
    hour, _, minute = clock_text.partition(":")
    return f"{written} klo {int(hour)}.{minute}" if clock_text else written


def _joined(texts: Iterable[str], word: str) -> str:
    *first, last = [*texts] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def _measured(count: int, words: Sequence[str], *, genitive: bool) -> str:
    return f"{count} {words[2]}" if genitive else amount(count, words)
