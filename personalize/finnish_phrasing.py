"""How values read in Finnish: the same phrases as in `phrasing`, with Finnish cases, commas and dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import isinf

from personalize import phrasing
from personalize.compare import Test
from personalize.values import UNIT_MS, Cap, NumberRange

WEEKDAYS = ("maanantai", "tiistai", "keskiviikko", "torstai", "perjantai", "lauantai", "sunnuntai")

_UNITS = {"day": ("päivä", "päivää", "päivän"), "hour": ("tunti", "tuntia", "tunnin")}
_MINUTES = ("minuutti", "minuuttia", "minuutin")
DAYS = ("päivä", "päivää")
VISITS = ("käynti", "käyntiä")


def number(value: float, digits: int = 2) -> str:
    """`5` for 5.0, `24,94` for 24.9438."""
    return phrasing.number(value, digits).replace(".", ",")


def number_range(wanted: NumberRange) -> str:
    """`vähintään 25`, `50 to 500` with a dash, `5`."""
    low, high = ("" if isinf(end) else number(end) for end in (wanted.low, wanted.high))
    if low == high:
        return low
    if not high:
        return f"{'yli' if wanted.open_low else 'vähintään'} {low}"
    if not low:
        return f"{'alle' if wanted.open_high else 'enintään'} {high}"
    return f"{low}\N{EN DASH}{high}" if wanted.low >= 0 else f"välillä {low} \N{HORIZONTAL ELLIPSIS} {high}"


def test(wanted: Test) -> str:
    """The value of an `is:` or a `where` property."""
    return number_range(wanted) if isinstance(wanted, NumberRange) else one_of(wanted)


def tests(wanted: Mapping[str, Test], verb: str, *, joined: str) -> str:
    """`type on whitepaper tai case ja topic on reporting`."""
    return f" {joined} ".join(f"{name} {verb} {test(value)}" for name, value in wanted.items())


def one_of(texts: Iterable[str]) -> str:
    """Join texts: `basic tai pro`."""
    return " tai ".join(texts)


def all_of(texts: Sequence[str]) -> str:
    """Join texts: `a, b ja c`."""
    return " ja ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


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


def _measured(count: int, words: Sequence[str], *, genitive: bool) -> str:
    return f"{count} {words[2]}" if genitive else amount(count, words)
