"""Conditions in Finnish: what a rule says, and what the visitor has instead.

A condition is a clause, so that it reads naturally after "vaatii, että"; its negation is the same clause with the other
verb. The rules' own names, paths and values stand as they are written in the YAML. A new head word is a row in
`_CONDITIONS` (for a new family) and one in `_ACTUAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personalize import finnish_phrasing as phrasing
from personalize import syntax
from personalize.compare import text_of
from personalize.decision import Limit, Unmet, Written
from personalize.finnish_phrasing import local_time, number
from personalize.phrasing import digits_outside
from personalize.phrasing import moment as iso_moment
from personalize.values import DailyRange, DateRange, Moment, WeekdayRange

NAMES = {"stage": "vaihe", "temperature": "lämpötila", "score": "pisteet", "interest": "kiinnostus"}

_DASH = "\N{EN DASH}"
_KINDS = {"new": "uusi", "returning": "palaava", "known": "tunnistettu", "anonymous": "tunnistamaton"}
_COMPANY = {
    "name": "nimi",
    "domain": "verkkotunnus",
    "type": "tyyppi",
    "industry": "toimiala",
    "employees": "henkilöstö",
}
_ATTRIBUTES = {
    "country": "maa",
    "region": "alue",
    "city": "kaupunki",
    "language": "kieli",
    "device": "laite",
    "browser": "selain",
    "os": "käyttöjärjestelmä",
    "campaign": "kampanja",
    "source": "lähde",
    "medium": "kanava",
    "referrer": "viittaava sivu",
    "page": "sivu",
    "bot": "botti",
}


def condition(written: Written) -> str:
    """Return what a rule says, as a clause: `kävijä on katsonut sivua /prices* vähintään kahdesti`."""
    return _WRITTEN_LIMITS[written.head](written) if isinstance(written, Limit) else _clause(written)


def actual(unmet: Unmet) -> str:
    """Return what the visitor has instead: `nyt 15`, `kerran 1 päivänä`, `ei tiedossa`."""
    return _ACTUAL[unmet.written.head](unmet)


def lack(unmet: Unmet) -> str:
    """Return both: `pisteet fit ovat vähintään 25 (nyt 15)`."""
    return _lack(unmet, holds=True)


def _lack(unmet: Unmet, *, holds: bool) -> str:
    written = unmet.written
    if not isinstance(written, syntax.Logic):
        said = condition(written) if isinstance(written, Limit) else _clause(written, holds=holds)
        return f"{said} ({actual(unmet)})"
    together, holds = _together(written, holds=holds)
    if len(written.conditions) == 1:
        return _lack(unmet.actual[0], holds=holds)
    parts = [lack(part) for part in unmet.actual]
    return " ja ".join(parts) if (together, holds) == (True, True) else f"{_SAID[together, holds]} ({'; '.join(parts)})"


def segment(lacking: Unmet | None) -> str:
    """Return whether a visitor is in a segment: `mukana`, or what is lacking."""
    return "mukana" if lacking is None else f"ei mukana; vaatii, että {lack(lacking)}"


def grant(written: syntax.Grant) -> str:
    """Return what gives points: `sivun /prices* katselu, enintään kahdesti päivässä`."""
    it = written.condition
    said = f"{_GRANTED[it.head](it)}{_where(it)}" if isinstance(it, syntax.Behaviour) else condition(it)
    return f"{said}, enintään {phrasing.cap(written.cap)}" if written.cap else said


# -- what the rule says ---------------------------------------------------------------------------------------------
def _clause(written: syntax.Condition, *, holds: bool = True) -> str:
    """Return a condition as a clause, with `holds` False its negation."""
    said: Callable[[Any, bool], str] = _CONDITIONS[type(written)]
    return said(written, holds)


def _is(holds: bool) -> str:  # noqa: FBT001 - the only thing that it is about
    return "on" if holds else "ei ole"


def _behaviour(written: syntax.Behaviour, holds: bool) -> str:  # noqa: FBT001 - a row of the table below
    names = phrasing.one_of(written.names)
    done = f"katsonut sivua {names}"
    if written.head == "did":
        done = f"tehnyt {'toiminnon' if holds else 'toimintoa'} {names}"
    parts = []
    if written.at_least is not None:
        parts.append(f"vähintään {_times(written.at_least)}")
    if written.at_most is not None:
        parts.append(f"enintään {_times(written.at_most)}")
    if written.across:
        parts.append(f"{written.across} eri päivänä" if written.across > 1 else "1 päivänä")
    if written.within:
        parts.append(f"{written.within} päivän sisällä")
    where = _where(written) + ("," if written.properties and parts else "")
    return " ".join(filter(None, (f"kävijä {_is(holds)} {done}{where}", ", ".join(parts))))


def _times(count: int) -> str:
    return phrasing.times(count) if count else "0 kertaa"


def _where(written: syntax.Behaviour) -> str:
    return f", jossa {phrasing.tests(written.properties, 'on', joined='ja')}" if written.properties else ""


def _logic(written: syntax.Logic, holds: bool) -> str:  # noqa: FBT001 - as above
    together, holds = _together(written, holds=holds)
    if len(written.conditions) == 1:
        return _clause(written.conditions[0], holds=holds)
    return f"{_SAID[together, holds]} ({'; '.join(map(condition, written.conditions))})"


def _together(written: syntax.Logic, *, holds: bool) -> tuple[bool, bool]:
    """Return whether the parts hold only together, and whether they are to hold."""
    return written.head in {"not", "all of"}, holds is (written.head in {"any of", "all of"})


_SAID = {
    (True, True): "kaikki nämä pitävät paikkansa",
    (True, False): "ainakin yksi näistä ei pidä paikkaansa",
    (False, True): "jokin näistä pitää paikkansa",
    (False, False): "mikään näistä ei pidä paikkaansa",
}


def _named(written: syntax.Named, holds: bool) -> str:  # noqa: FBT001 - as above
    names = phrasing.one_of(written.names)
    subject = "kävijä" if written.head == "in segment" else NAMES[written.head]
    return f"{subject} {_is(holds)} {'segmentissä ' if written.head == 'in segment' else ''}{names}"


def _points(written: syntax.Points, holds: bool) -> str:  # noqa: FBT001 - as above
    verb = _is(holds)
    if written.head == "score":
        verb = "ovat" if holds else "eivät ole"
    return f"{NAMES[written.head]} {written.name} {verb} {phrasing.number_range(written.range)}"


def _company(written: syntax.Company, holds: bool) -> str:  # noqa: FBT001 - as above
    attributes = {_COMPANY.get(name, name): test for name, test in written.attributes.items()}
    # Not all of them is one or another not.
    return f"yrityksen {phrasing.tests(attributes, _is(holds), joined='ja' if holds else 'tai')}"


def _listed(written: syntax.Listed, holds: bool) -> str:  # noqa: FBT001 - as above
    texts = phrasing.one_of(written.texts)
    if written.head == "consent":
        return f"lupa {texts} {_is(holds)} annettu"
    return f"kävijä omistaa tuotteen {texts}" if holds else f"kävijä ei omista tuotetta {texts}"


def _since(written: syntax.Since, holds: bool) -> str:  # noqa: FBT001 - as above
    visit = "ensimmäisestä käynnistä" if written.head == "first visit" else "edellisestä käynnistä"
    return f"{visit} {_is(holds)} {'yli' if written.ago.older else 'alle'} {phrasing.length(written.ago.ms)}"


def _when(written: syntax.When, holds: bool) -> str:  # noqa: FBT001 - as above
    span = written.range
    match span:
        case DailyRange():
            return f"kello {_is(holds)} {phrasing.clock(span.low)}{_DASH}{phrasing.clock(span.high)}"
        case WeekdayRange():
            low, high = phrasing.WEEKDAYS[span.low], phrasing.WEEKDAYS[span.high]
            return f"viikonpäivä {_is(holds)} {low if low == high else f'{low}{_DASH}{high}'}"
        case DateRange(first=None, last=last) if last:
            words = f"viimeistään {phrasing.day(last)}"
        case DateRange(last=None, first=first) if first:
            words = f"aikaisintaan {phrasing.day(first)}"
        case DateRange(first=first, last=last) if first and last:
            words = phrasing.day(first) if first == last else f"{phrasing.day(first)}{_DASH}{phrasing.day(last)}"
        case _:
            words = ""
    return f"päivä {_is(holds)} {words}"


_CONDITIONS: Mapping[type, Callable[[Any, bool], str]] = {
    syntax.Behaviour: _behaviour,
    syntax.Logic: _logic,
    syntax.Named: _named,
    syntax.Points: _points,
    syntax.Trait: lambda c, holds: f"ominaisuus {c.name} {_is(holds)} {phrasing.test(c.test)}",
    syntax.Company: _company,
    syntax.Attribute: lambda c, holds: f"{_ATTRIBUTES[c.head]} {_is(holds)} {phrasing.one_of(c.texts)}",
    syntax.Listed: _listed,
    syntax.VisitorIs: lambda c, holds: f"kävijä {_is(holds)} {phrasing.one_of(_KINDS[kind] for kind in c.kinds)}",
    syntax.Visits: lambda c, holds: f"käyntejä {_is(holds)} {phrasing.number_range(c.range)}",
    syntax.Since: _since,
    syntax.When: _when,
}

_GRANTED: Mapping[str, Callable[[syntax.Behaviour], str]] = {
    "viewed": lambda it: f"sivun {phrasing.one_of(it.names)} katselu",
    "did": lambda it: f"toiminto {phrasing.one_of(it.names)}",
}


def _written_schedule(limit: Limit) -> str:
    ends = (("alkaen", limit.block.starts), ("asti", limit.block.until))
    return " ".join(f"{moment(at)} {word}" for word, at in ends if at)


def _written_rest(limit: Limit) -> str:
    ms = limit.block.rests[limit.after] if limit.after else None
    return (
        f"pysyvä lepo ({limit.after})" if ms is None else f"{phrasing.length(ms, genitive=True)} lepo ({limit.after})"
    )


_WRITTEN_LIMITS: Mapping[str, Callable[[Limit], str]] = {
    "schedule": _written_schedule,
    "owners": lambda limit: f"ei tuotteen {phrasing.one_of(limit.block.owners)} omistajille",
    "cap": lambda limit: f"enintään {phrasing.cap(limit.block.show_at_most)}" if limit.block.show_at_most else "",
    "rest": _written_rest,
}


def moment(at: Moment) -> str:
    """Return an end of a schedule: `30.11.2026`, `30.11.2026 klo 16.00`."""
    return phrasing.day(at.day) if at.minute is None else local_time(iso_moment(at.naive()))


# -- what the visitor has -------------------------------------------------------------------------------------------
def _counted(unmet: Unmet) -> str:
    count, on_days, total = unmet.actual
    if not total:
        return "ei kertaakaan"
    if not count and isinstance(unmet.written, syntax.Behaviour):
        return "ei tänään" if unmet.written.within == 1 else f"ei näiden {unmet.written.within} päivän aikana"
    return times_on_days(count, on_days)


def times_on_days(count: int, days: int) -> str:
    """Return `kerran`, `kahdesti samana päivänä`, `3 kertaa 2 päivänä`; 0 days says nothing of days."""
    on_days = f" {'samana' if days == 1 else days} päivänä" if days and count > 1 else ""
    return f"{phrasing.times(count)}{on_days}"


def _parts(unmet: Unmet) -> str:
    parts = unmet.actual
    return actual(parts[0]) if len(parts) == 1 else "; ".join(map(lack, parts))


def _points_had(unmet: Unmet) -> str:
    wanted = unmet.written.range if isinstance(unmet.written, syntax.Points) else None
    return f"nyt {number(unmet.actual, digits_outside(unmet.actual, wanted) if wanted else 2)}"


def _segments(unmet: Unmet) -> str:
    found = unmet.actual
    return segment(found[0][1]) if len(found) == 1 else "; ".join(f"{name}: {segment(it)}" for name, it in found)


def _text(unmet: Unmet) -> str:
    text = text_of(unmet.actual)
    return f"nyt {text}" if text else "ei tiedossa"


def _company_had(unmet: Unmet) -> str:
    known = {_COMPANY.get(name, name): text_of(value) for name, value in unmet.actual.items()}
    if len(known) == 1:
        (text,) = known.values()
        return f"nyt {text}" if text else "ei tiedossa"
    return ", ".join(f"{name} {text or 'ei tiedossa'}" for name, text in known.items())


def _ago(unmet: Unmet) -> str:
    if unmet.actual is None:
        return "ei käyntejä" if unmet.written.head == "first visit" else "ei aiempaa käyntiä"
    return phrasing.ago(unmet.actual)


def _kinds(unmet: Unmet) -> str:
    return f"nyt {phrasing.all_of([_KINDS[kind] for kind in unmet.actual])}"


_ACTUAL: Mapping[str, Callable[[Unmet], str]] = {
    **dict.fromkeys(syntax.Behaviour.heads, _counted),
    **dict.fromkeys(syntax.Logic.heads, _parts),
    "in segment": _segments,
    **dict.fromkeys(("stage", "temperature"), lambda unmet: f"nyt {unmet.actual or 'ei mikään'}"),
    **dict.fromkeys(("score", "interest"), _points_had),
    "visits": lambda unmet: f"nyt {number(unmet.actual)}",
    "trait": _text,
    "company": _company_had,
    **dict.fromkeys(syntax.Attribute.heads, _text),
    **dict.fromkeys(("consent", "owns"), lambda unmet: f"nyt {', '.join(unmet.actual) or 'ei mitään'}"),
    "visitor is": _kinds,
    **dict.fromkeys(("first visit", "last visit"), _ago),
    "time of day": lambda unmet: f"nyt {phrasing.clock(unmet.actual)}",
    "weekday": lambda unmet: f"nyt {phrasing.WEEKDAYS[unmet.actual]}",
    "date": lambda unmet: f"nyt {local_time(unmet.actual)}",
}
