"""Conditions in Finnish: what a rule says, and what the visitor has instead.

A condition is a clause, so that it reads naturally after "vaatii, että"; its negation is the same clause with the other
verb. The rules' own names, paths and values stand as they are written in the YAML. A new head word is a row in
`_CONDITIONS` (for a new family) and one in `_ACTUAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from personalize import finnish_behaviour as behaviour
from personalize import finnish_phrasing as phrasing
from personalize import syntax
from personalize.decision import Limit, Unmet, Written
from personalize.finnish_phrasing import local_time, number
from personalize.phrasing import digits_outside, value
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
    "employees": "henkilöstömäärä",
}
_VISIT = {
    "first visit": ("ensimmäisestä käynnistä", "käyntejä"),
    "last visit": ("edellisestä käynnistä", "aiempaa käyntiä"),
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
    """Return what a rule says, as a clause: `kävijä on käynyt sivulla /prices* vähintään kahdesti`."""
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


def happening(written: Written) -> str:
    """Return what is counted, as a noun where it is something that visitors do: `sivun /prices* katselu`."""
    return behaviour.happening(written) if isinstance(written, syntax.Behaviour) else condition(written)


def grant(written: syntax.Grant) -> str:
    """Return what gives points: `sivun /prices* katselu, enintään kahdesti päivässä`."""
    said = happening(written.condition)
    return f"{said}, enintään {phrasing.cap(written.cap)}" if written.cap else said


# -- what the rule says ---------------------------------------------------------------------------------------------
def _clause(written: syntax.Condition, *, holds: bool = True) -> str:
    """Return a condition as a clause, with `holds` False its negation."""
    said: Callable[[Any, bool], str] = _CONDITIONS[type(written)]
    return said(written, holds)


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
    names = phrasing.named(written.names, holds=holds)
    subject = "kävijä" if written.head == "in segment" else NAMES[written.head]
    return f"{subject} {phrasing.verb(holds=holds)} {'segmentissä ' if written.head == 'in segment' else ''}{names}"


def _points(written: syntax.Points, holds: bool) -> str:  # noqa: FBT001 - as above
    other = None if holds else phrasing.beyond(written.range)
    said = phrasing.value_range(other or written.range)
    holds = holds or bool(other)
    if written.head == "interest":
        return f"kiinnostus aiheeseen {written.name} {phrasing.verb(holds=holds)} {said}"
    return f"pisteet {written.name} {'ovat' if holds else 'eivät ole'} {said}"


def _visits(written: syntax.Visits, holds: bool) -> str:  # noqa: FBT001 - as above
    other = None if holds else phrasing.beyond(written.range)
    if holds or other:
        return f"käyntejä on {phrasing.number_range(other or written.range)}"
    return f"käyntien määrä ei ole {phrasing.number_range(written.range)}"


def _company(written: syntax.Company, holds: bool) -> str:  # noqa: FBT001 - as above
    said = [
        f"{_COMPANY.get(name, name)} {phrasing.is_value(test, holds=holds, amount=name == 'employees')}"
        for name, test in written.attributes.items()
    ]
    # Not all of them is one or another not.
    return f"yrityksen {(' ja ' if holds else ' tai ').join(said)}"


def _attribute(written: syntax.Attribute, holds: bool) -> str:  # noqa: FBT001 - as above
    if written.head == "bot" and phrasing.ANY in written.texts:
        return f"kävijä {phrasing.verb(holds=holds)} botti"
    return f"{_ATTRIBUTES[written.head]} {phrasing.is_value(written.texts, holds=holds)}"


def _listed(written: syntax.Listed, holds: bool) -> str:  # noqa: FBT001 - as above
    everything = phrasing.ANY in written.texts
    if written.head == "consent":
        texts = phrasing.one_of(written.texts)
        said, missing = ("jokin lupa", "mitään lupaa") if everything else (f"lupa {texts}", f"lupaa {texts}")
        return f"{said} on annettu" if holds else f"{missing} ei ole annettu"
    texts = phrasing.named(written.texts, holds=holds)
    if holds:
        return f"kävijä omistaa {'jonkin tuotteen' if everything else f'tuotteen {texts}'}"
    return f"kävijä ei omista {'mitään tuotetta' if everything else f'tuotetta {texts}'}"


def _visitor_is(written: syntax.VisitorIs, holds: bool) -> str:  # noqa: FBT001 - as above
    return (
        f"kävijä {phrasing.verb(holds=holds)} {phrasing.named((_KINDS[kind] for kind in written.kinds), holds=holds)}"
    )


def _since(written: syntax.Since, holds: bool) -> str:  # noqa: FBT001 - as above
    visit, none = _VISIT[written.head]
    length = phrasing.length(written.ago.ms)
    if holds:
        return f"{visit} on {'yli' if written.ago.older else 'alle'} {length}"
    return f"{visit} on {'enintään' if written.ago.older else 'vähintään'} {length} tai {none} ei ole"


def _when(written: syntax.When, holds: bool) -> str:  # noqa: FBT001 - as above
    span = written.range
    match span:
        case DailyRange():
            words = f"välillä {phrasing.clock(span.low)}{_DASH}{phrasing.clock(span.high)}"
            return f"kello {phrasing.verb(holds=holds)} {words}"
        case WeekdayRange():
            low, high = phrasing.WEEKDAYS[span.low], phrasing.WEEKDAYS[span.high]
            return f"viikonpäivä {phrasing.verb(holds=holds)} {low if low == high else f'väliltä {low}{_DASH}{high}'}"
        case DateRange(first=None, last=last) if last:
            return f"päivä on {f'viimeistään {phrasing.day(last)}' if holds else f'{phrasing.day(last)} jälkeen'}"
        case DateRange(last=None, first=first) if first:
            return f"päivä on {'aikaisintaan' if holds else 'ennen'} {phrasing.day(first)}"
        case DateRange(first=first, last=last) if first and last:
            low, high = phrasing.day(first), phrasing.day(last)
            words = low if low == high else f"välillä {low}{_DASH}{high}"
        case _:
            words = ""
    return f"päivä {phrasing.verb(holds=holds)} {words}"


_CONDITIONS: Mapping[type, Callable[[Any, bool], str]] = {
    syntax.Behaviour: behaviour.clause,
    syntax.Logic: _logic,
    syntax.Named: _named,
    syntax.Points: _points,
    syntax.Trait: lambda c, holds: f"ominaisuus {c.name} {phrasing.is_value(c.test, holds=holds)}",
    syntax.Company: _company,
    syntax.Attribute: _attribute,
    syntax.Listed: _listed,
    syntax.VisitorIs: _visitor_is,
    syntax.Visits: _visits,
    syntax.Since: _since,
    syntax.When: _when,
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
    "owners": lambda limit: f"ei {owners_of(limit.block.owners)} omistajille",
    "cap": lambda limit: f"enintään {phrasing.cap(limit.block.show_at_most)}" if limit.block.show_at_most else "",
    "rest": _written_rest,
}


def owners_of(products: Sequence[str]) -> str:
    """Return whose owners are meant, in the genitive: `tuotteen a`, `tuotteiden a tai b`."""
    if phrasing.ANY in products:
        return "minkään tuotteen"
    return f"{'tuotteen' if len(products) == 1 else 'tuotteiden'} {phrasing.one_of(products)}"


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
    return f"tähän mennessä {behaviour.times_on_days(count, on_days)}"


def _parts(unmet: Unmet) -> str:
    parts = unmet.actual
    return actual(parts[0]) if len(parts) == 1 else "; ".join(map(lack, parts))


def _points_had(unmet: Unmet) -> str:
    wanted = unmet.written.range if isinstance(unmet.written, syntax.Points) else None
    return f"nyt {number(unmet.actual, digits_outside(unmet.actual, wanted) if wanted else 2)}"


def _segments(unmet: Unmet) -> str:
    found = unmet.actual
    if not found:
        return "ei mukana"
    return segment(found[0][1]) if len(found) == 1 else "; ".join(f"{name}: {segment(it)}" for name, it in found)


def _text(unmet: Unmet) -> str:
    text = value(unmet.actual)
    if not text and unmet.written.head == "bot":
        return "ei ole botti"
    return f"nyt {text}" if text else "ei tiedossa"


def _company_had(unmet: Unmet) -> str:
    known = {_COMPANY.get(name, name): value(found) for name, found in unmet.actual.items()}
    if len(known) == 1:
        (text,) = known.values()
        return f"nyt {text}" if text else "ei tiedossa"
    return ", ".join(f"{name} {text or 'ei tiedossa'}" for name, text in known.items())


def _ago(unmet: Unmet) -> str:
    if unmet.actual is None:
        return "ei käyntejä" if unmet.written.head == "first visit" else "ei aiempaa käyntiä"
    return f"käynti oli {phrasing.ago(unmet.actual)}"


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
    "consent": lambda unmet: f"nyt {value(unmet.actual) or 'ei mitään lupaa'}",
    "owns": lambda unmet: f"nyt {value(unmet.actual) or 'ei mitään'}",
    "visitor is": _kinds,
    **dict.fromkeys(("first visit", "last visit"), _ago),
    "time of day": lambda unmet: f"nyt {phrasing.clock(unmet.actual)}",
    "weekday": lambda unmet: f"nyt {phrasing.WEEKDAYS[unmet.actual]}",
    "date": lambda unmet: f"nyt {local_time(unmet.actual)}",
}
