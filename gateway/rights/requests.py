"""What a request for export or deletion comes to: whose keys, what is done, and the report of it.

Who may ask for whom is settled before, at the edge.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gateway.identity.visitor import company_key, hashed
from gateway.ports import Erasure, LogEraser, LogReader, MergeNotes, ProfileStore, ReportStore, VisitorKey
from gateway.rights.erasing import Erased, Eraser
from gateway.rights.exporting import KINDS, OF_A_PERSON, export_of
from gateway.rights.finding import MOST_ENTRIES, Finder
from gateway.rights.ledger import Ledger
from gateway.rights.readable import time_text
from gateway.store.keys import erase_note, read_erase_note
from personalize.aliases import Alias
from personalize.calendar import Calendar
from personalize.marks import SIZE
from personalize.plan import Plan

PROMISED_MS = 86_400_000
"""Within this time everything has gone; usually it takes seconds."""

_LONGEST_NAME = 64


@dataclass(slots=True, frozen=True)
class Subject:
    """Whom a request is about: a person, a browser, a claimed profile or a company of one site."""

    key: VisitorKey

    @property
    def word(self) -> str:
        """What it is called in answers."""
        return KINDS[self.key.kind]


def person(site: str, user_id: str) -> Subject:
    """Return the person of a user id."""
    return Subject(VisitorKey(site, "k", hashed(site, "u", user_id)))


def claimed(site: str, anonymous_id: str) -> Subject:
    """Return what clients without a cookie wrote under an anonymous id."""
    return Subject(VisitorKey(site, "c", hashed(site, "a", anonymous_id)))


def browser(site: str, cookie_id: str) -> Subject:
    """Return the browser with a cookie's id."""
    return Subject(VisitorKey(site, "a", cookie_id))


def company(site: str, group_id: str) -> Subject:
    """Return a company itself, as the site's server has told about it."""
    return Subject(company_key(site, group_id))


def named(site: str, name: str) -> Subject | None:
    """Return the subject of a key as the log writes it, `<kind>:<id>`; None when it is none."""
    kind, colon, id_ = name.partition(":")
    return Subject(VisitorKey(site, kind, id_)) if colon and id_ and kind in KINDS else None


class Stores(NamedTuple):
    """One store by the ports that rights need."""

    profiles: ProfileStore
    log: LogReader
    eraser: LogEraser
    merges: MergeNotes
    reports: ReportStore


class Rights:
    """Exports and deletes over a store; `clock` returns ms since 1970. All methods raise StoreUnavailable.

    A deletion is in the `ledger` before it is answered, or a failover in the next moment would undo it. `waiting`
    returns the events of visitors that the store has not got yet, at most so many, as entries of the log. Both may be
    left out. Errors of the log's own client (redis.RedisError) and of the disk (OSError) come through as they are.
    """

    def __init__(
        self, stores: Stores, clock: Callable[[], int], ledger: Ledger | None = None,
        waiting: Callable[[Collection[VisitorKey], int], list[bytes]] = lambda _, __: [],
    ) -> None:  # fmt: skip
        self.eraser = Eraser(stores.profiles, stores.eraser, stores.merges, clock)
        self._finder = Finder(stores.profiles, stores.log, stores.merges)
        self._log = stores.log
        self._reports = stores.reports
        self._clock = clock
        self._ledger = ledger
        self._waiting = waiting

    async def export(self, subject: Subject, plan: Plan) -> dict[str, Any]:
        """Return everything that is held about a subject; see `export_of` for its shape."""
        found = await self._finder.find(await self._keys(subject))
        entries = await self._finder.entries(found, MOST_ENTRIES + 1)
        keys = {whose for whose, via in found.places if not via}
        waiting = await asyncio.to_thread(self._waiting, keys, MOST_ENTRIES + 1)
        return {"subject": subject.word, **export_of(found, entries, plan, self._clock(), waiting)}

    async def delete(self, subject: Subject, calendar: Calendar) -> dict[str, Any]:
        """Erase a subject and return the report, which is kept under its `report` for a while."""
        asked = self._clock()
        all_keys = await self._keys(subject)
        found = await self._finder.find(all_keys)
        entries = await self._finder.entries(found)
        done = Erased(0)
        # What was only claimed goes first: once the person's tombstone stands, the older user ids are unknown.
        for key in reversed(all_keys):
            one = await (self.eraser.erase_person if key.kind == "k" else self.eraser.erase_browser)(key)
            done.before = max(done.before, one.before)
            done.held += one.held
            done.notes += one.notes
            done.person |= one.person
        await self._write_down(done.notes)
        report = _report(subject, calendar, asked, done) | _pending(calendar, asked, len(entries))
        await self._reports.put(report["report"], orjson.dumps(report | {"left": _packed(done.notes)}))
        return report

    async def report(self, name: str) -> dict[str, Any] | None:
        """Return a deletion's report as of now: `done` when nothing is pending any more."""
        stored = await self._reports.get(name) if len(name) <= _LONGEST_NAME else None
        if stored is None:
            return None
        report: dict[str, Any] = orjson.loads(stored)
        left = [read_erase_note(note) for note in report.pop("left", ())]
        if left and not report["done"] and not await self._log.waiting(left):
            report |= {"done": True, "pending": None}
            # From here on the report names nobody.
            await self._reports.put(name, orjson.dumps(report))
        return report

    async def _write_down(self, erasures: Sequence[Erasure]) -> None:
        """Write erasures into the ledger, and see that the store has not lost them just before."""
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.append, erasures, self._clock())
            for erasure in erasures:
                await self.eraser.renew(erasure)

    async def _keys(self, subject: Subject) -> list[VisitorKey]:
        if subject.key.kind != "k":
            return [subject.key]
        return [subject.key, *await self._finder.claimed(subject.key)]


def _report(subject: Subject, calendar: Calendar, asked: int, done: Erased) -> dict[str, Any]:
    held = done.held
    profiles = [h for h in held if h.revision and not isinstance(h.found, Alias) and not h.is_tombstone]
    merged = [h for h in held if isinstance(h.found, Alias)]
    return {
        "report": secrets.token_urlsafe(18),
        "site": subject.key.site,
        "subject": subject.word,
        "asked": time_text(calendar, asked),
        "erased_up_to": time_text(calendar, done.before),
        "erased": {
            "profiles": len(profiles),
            "browsers": sum(h.key.kind != "k" for h in merged),
            "older_ids": sum(h.key.kind == "k" for h in merged),
            "marks": sum(len(h.marks) // SIZE for h in held),
        },
        "notes": [OF_A_PERSON] if done.person else [],
    }


def _pending(calendar: Calendar, asked: int, entries: int) -> dict[str, Any]:
    return {"done": False, "pending": {"log_entries": entries, "until": time_text(calendar, asked + PROMISED_MS)}}


def _packed(notes: Sequence[Erasure]) -> list[str]:
    return [erase_note(*note) for note in notes]
