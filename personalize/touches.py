"""First and last touch: what brought the visitor, the first time and lately.

The first touch belongs to the visitor's earliest browsing event, whatever brought it, a typed address too. The last
touch belongs to the latest browsing event that something outside brought: a campaign, another site's page, an ad's
click; a typed address or a step from page to page leaves it as it is. On one day (UTC) a campaign goes before a mere
referrer: single-page sites name the page that led to them again with every view. Both are chosen by what they hold, so
the order of arrival does not matter. A touch never holds the query of an address, and of any text only the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from personalize.model import Event, time_of

LONGEST_NAME = 100
LONGEST_ADDRESS = 200
"""In bytes of UTF-8, so that both touches together stay far below the cap of a document."""


class Touch(NamedTuple):
    """One touch. `stamp` is its event's, `landing` a path, `referrer` host and path of a page that is not the site's.

    A profile keeps it as a row without the empty texts at its end.
    """

    stamp: int
    landing: str = ""
    referrer: str = ""
    campaign: str = ""
    source: str = ""
    medium: str = ""
    term: str = ""
    content: str = ""

    @property
    def time(self) -> int:
        """When it was (ms)."""
        return time_of(self.stamp)


_WIDTH = len(Touch._fields)
_CAMPAIGN = Touch._fields.index("campaign")
_DAY_MS = 86_400_000


def touch_in(row: list[Any]) -> Touch:
    """Return the touch that a profile's row is; what a newer release has added to it is left out."""
    return Touch(*row[:_WIDTH])


def row_of(event: Event) -> list[Any]:
    """Return the touch of a browsing event as a profile keeps it."""
    facts = event.facts
    path = (event.path or facts.page).partition("?")[0].partition("#")[0]
    row = [
        event.stamp,
        _bounded(path, LONGEST_ADDRESS),
        _bounded(facts.came_from, LONGEST_ADDRESS),
        *_names(facts.campaign, facts.source, facts.medium, facts.term, facts.content),
    ]
    while row[-1] == "":
        del row[-1]
    return row


def is_brought(event: Event) -> bool:
    """Tell whether something outside of the site is known to have brought the visitor to this event's page."""
    facts = event.facts
    return bool(
        facts.came_from or facts.campaign or facts.source or facts.medium or facts.term or facts.content or event.clicks
    )


def first_of(rows: Iterable[list[Any]], first_visit: int) -> list[Any]:
    """Return the earliest of some first touches, none when the first visit (ms) lies before all of them.

    That is so for visitors who first came before touches were kept.
    """
    known = [row for row in rows if row and time_of(row[0]) == first_visit]
    return min(known, key=lambda row: (row[0], orjson.dumps(row)), default=[])


def last_of(one: list[Any], other: list[Any]) -> list[Any]:
    """Return the later of two last touches; of one with a campaign and one without on the same day the former."""
    if not one or not other:
        return one or other
    rank, others = _rank(one), _rank(other)
    if rank == others:
        return max(one, other, key=orjson.dumps)
    return one if rank > others else other


def _rank(row: list[Any]) -> tuple[int, bool, int]:
    return time_of(row[0]) // _DAY_MS, len(row) > _CAMPAIGN, row[0]


@lru_cache(256)
def _names(*texts: str) -> tuple[str, ...]:
    """Return the words of a campaign, bounded; visitors of a site share a few campaigns, so they are kept."""
    return tuple(_bounded(text, LONGEST_NAME) for text in texts)


def _bounded(text: str, longest: int) -> str:
    """Return the beginning of a text, without signs that cannot be printed: as JSON each of them takes six bytes."""
    if not text.isprintable():
        text = "".join(sign for sign in text if sign.isprintable())
    return text if len(text) * 4 <= longest else text.encode()[:longest].decode(errors="ignore")
