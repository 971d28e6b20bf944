"""Where anything of a visitor is held: their keys, what stands there, and which parts of the log are theirs.

A browser leads to its own things and to nothing of the person whom it may belong to: a cookie is anybody's who sits at
the browser. A person leads to everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.ports import LogReader, MergeNotes, ProfileStore, VisitorKey
from gateway.rights.holdings import Holding, Holdings
from gateway.rights.merges import Merges
from personalize.aliases import Alias
from personalize.profiles import Profile

MOST_ENTRIES = 20_000
"""Log entries that are read for one request; the log is a buffer of hours."""


@dataclass(slots=True)
class Found:
    """What is held: documents, a person's list of aliases, and the log as (whose, through which browser)."""

    held: list[Holding] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[VisitorKey, str], None] = field(default_factory=dict)
    of_a_person: bool = False
    """Whether a browser belongs to a person, whose counts hold what it did since."""

    def add(self, held: Holding, *, via: str = "") -> None:
        """Add what is held at a key, with its part of the log."""
        self.places[(held.key, via)] = None
        if not via:
            self.held.append(held)


class Finder:
    """Finds over a store and its log; all methods raise StoreUnavailable."""

    def __init__(self, store: ProfileStore, log: LogReader, notes: MergeNotes) -> None:
        self._holdings = Holdings(store)
        self._merges = Merges(self._holdings, notes)
        self._log = log

    async def find(self, keys: Sequence[VisitorKey]) -> Found:
        """Return what is held at these keys of one site and at those that belong to them."""
        found = Found()
        for key in keys:
            way = await self._holdings.follow(key)
            if key.kind == "k":
                await self._add_person(found, way)
            else:
                _add_browser(found, way)
        return found

    async def entries(self, found: Found, most: int = MOST_ENTRIES) -> list[bytes]:
        """Return the log entries of what was found, at most so many."""
        entries: list[bytes] = []
        for key, via in found.places:
            entries += await self._log.entries(key, via, most - len(entries))
            if len(entries) >= most:
                break
        return entries

    async def claimed(self, person: VisitorKey) -> list[VisitorKey]:
        """Return where clients that only claimed a person's user ids, old ones too, were written."""
        way = await self._holdings.follow(person)
        older = await self._merges.linked(way[-1])
        ids = [held.key.id for held in way] + [name[2:] for name, at in older.items() if name[:2] == "k:" and at > 0]
        return [VisitorKey(person.site, "c", id_) for id_ in dict.fromkeys(ids)]

    async def _add_person(self, found: Found, way: Sequence[Holding]) -> None:
        person = way[-1]
        found.add(person)
        if not isinstance(person.found, Profile):
            return
        linked = await self._merges.linked(person)
        found.aliases |= linked
        for name, at in linked.items():
            if at > person.erased:
                kind, _, id_ = name.partition(":")
                held = await self._holdings.read(VisitorKey(person.key.site, kind, id_))
                if isinstance(held.found, Alias):
                    found.add(held)


def _add_browser(found: Found, way: Sequence[Holding]) -> None:
    browser, person = way[0], way[-1]
    found.add(browser)
    if not isinstance(browser.found, Alias) or browser.found.at <= person.erased:
        return
    found.of_a_person = True
    name = browser.name
    found.aliases[name] = browser.found.at
    older = person.found.aliases if isinstance(person.found, Profile) else {}
    for key in [held.key for held in way[1:]] + [
        VisitorKey(browser.key.site, "k", key[2:]) for key, at in older.items() if key[:2] == "k:" and at > 0
    ]:
        found.add(Holding(key), via=name)
