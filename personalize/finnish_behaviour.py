"""What a visitor did, in Finnish: `viewed` and `did` as clauses, as nouns and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from personalize import finnish_phrasing as phrasing
from personalize import syntax
from personalize.behaviour import least


def clause(written: syntax.Behaviour, holds: bool) -> str:  # noqa: FBT001 - a row of the table of conditions
    """Return a condition as a clause, with `holds` False its negation."""
    often = phrasing.all_of(_bounds(written)) if holds else phrasing.one_of(_beyond_bounds(written))
    within = f"viimeisten {written.within} päivän aikana" if written.within else ""
    happened = holds or bool(often)  # the opposite of a limit is another limit, only that of "ever" is "never"
    if holds and written.at_most == least(written) == 0:
        often, happened = "", False
    when = " ".join(filter(None, (often, "tänään" if written.within == 1 else within)))
    where = _where(written) + ("," if written.properties and when else "")
    return f"kävijä {phrasing.verb(holds=happened)} {_HAPPENED[written.head](written, happened)}{where} {when}".rstrip()


def _viewed(written: syntax.Behaviour, holds: bool) -> str:  # noqa: FBT001 - a row of a table below
    if phrasing.ANY in written.names:
        return "käynyt jollakin sivulla" if holds else "käynyt millään sivulla"
    return f"käynyt sivulla {phrasing.named(written.names, holds=holds)}"


def _did(written: syntax.Behaviour, holds: bool) -> str:  # noqa: FBT001 - as above
    if phrasing.ANY in written.names:
        return "tehnyt jonkin toiminnon" if holds else "tehnyt mitään toimintoa"
    return f"tehnyt {'toiminnon' if holds else 'toimintoa'} {phrasing.named(written.names, holds=holds)}"


def _bounds(written: syntax.Behaviour) -> Iterator[str]:
    if written.at_least or (written.at_least == 0 and written.at_most is None):
        yield f"vähintään {_times(written.at_least)}"
    if written.at_most is not None:
        yield f"enintään {_times(written.at_most)}"
    if written.across:
        yield f"vähintään {_on_days(written.across)}"


def _beyond_bounds(written: syntax.Behaviour) -> Iterator[str]:
    """Yield what each limit turns into where they do not hold together; nothing for what is never done at all."""
    low, days = least(written), written.across or 1
    if low > days:  # fewer times than days are fewer days too
        yield f"enintään {_times(low - 1)}"
    elif low == days == 1 and written.at_most is not None:
        yield _times(0)
    if days > 1:
        yield f"enintään {_on_days(days - 1)}"
    if written.at_most is not None:
        yield f"vähintään {_times(written.at_most + 1)}"
    elif not low:
        yield f"alle {_times(0)}"


def _times(count: int) -> str:
    return phrasing.times(count) if count else "0 kertaa"


def _on_days(days: int) -> str:
    return f"{days} eri päivänä" if days > 1 else "1 päivänä"


def _where(written: syntax.Behaviour) -> str:
    tests = " ja ".join(f"{name} {phrasing.is_value(test, holds=True)}" for name, test in written.properties.items())
    return f", jossa {tests}" if tests else ""


def happening(written: syntax.Behaviour) -> str:
    """Return what is counted, as a noun: `sivun /prices* katselu`."""
    return f"{_GRANTED[written.head](written)}{_where(written)}"


def times_on_days(count: int, days: int) -> str:
    """Return `kerran`, `kahdesti samana päivänä`, `3 kertaa 2 eri päivänä`; 0 days says nothing of days."""
    on_days = f" {'samana' if days == 1 else f'{days} eri'} päivänä" if days and count > 1 else ""
    return f"{phrasing.times(count)}{on_days}"


_HAPPENED: Mapping[str, Callable[[syntax.Behaviour, bool], str]] = {"viewed": _viewed, "did": _did}

_GRANTED: Mapping[str, Callable[[syntax.Behaviour], str]] = {
    "viewed": lambda it: (
        "jonkin sivun katselu" if phrasing.ANY in it.names else f"sivun {phrasing.one_of(it.names)} katselu"
    ),
    "did": lambda it: "jokin toiminto" if phrasing.ANY in it.names else f"toiminto {phrasing.one_of(it.names)}",
}
