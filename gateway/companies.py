"""What is kept about companies themselves, for decisions: from a bounded memory that no decision waits for.

A site's server tells about a company by a group call that names no person; that is a profile of kind `g`. A visitor
whom the server has put into the company sees its attributes. Which company that was is remembered, so that its profile
is read in one flush with the visitor's own; who comes for the first time has the company's attributes from their second
decision on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.errors import StoreUnavailable
from gateway.identity.visitor import company_key
from gateway.ports import ProfileStore, VisitorKey
from personalize import documents
from personalize.profiles import Profile

log = logging.getLogger("tuttu")

OLDEST_MS = 60_000
"""Attributes that were read longer ago are not used any more."""
FRESH_MS = 20_000
"""Attributes that were read longer ago are read again, while those at hand are used."""
PAUSE_MS = 1_000
"""After a read that failed, the store is left alone for so long."""
MOST_READS = 200
"""Reads under way at once; a decision that would begin one more goes without."""

_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Held:
    attributes: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""
    read_at: int = 0
    """When the store answered (ms); 0 when it never did."""
    asked_at: int = 0
    reading: bool = False


class Companies:
    """The worker's companies over a store; at most `cached` of them and twice as many visitors are remembered.

    `clock` returns ms since 1970.
    """

    def __init__(self, store: ProfileStore, *, cached: int, clock: Callable[[], int]) -> None:
        self._store = store
        self._cached = cached
        self._clock = clock
        self._held: dict[VisitorKey, _Held] = {}
        self._company_of: dict[VisitorKey, VisitorKey] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._held)

    def expect(self, visitor: VisitorKey) -> None:
        """Begin to read the company of a visitor who was here before, if what is known of it is not fresh."""
        company = self._company_of.get(visitor)
        if company is not None:
            self._refresh(company)

    def attributes(self, visitor: VisitorKey, profile: Profile) -> Mapping[str, Any]:
        """Return what is known now about the company that the site's server has put the visitor into."""
        if not profile.member:
            self._company_of.pop(visitor, None)
            return _NOTHING
        company = company_key(visitor.site, profile.member[1])
        self._company_of.pop(visitor, None)
        self._company_of[visitor] = company
        if len(self._company_of) > 2 * self._cached:
            del self._company_of[next(iter(self._company_of))]
        held = self._refresh(company)
        return held.attributes if held is not None and self._clock() - held.read_at <= OLDEST_MS else _NOTHING

    def forget(self, visitor: VisitorKey) -> None:
        """Remember no longer which company a visitor belongs to."""
        self._company_of.pop(visitor, None)

    def _refresh(self, company: VisitorKey) -> _Held | None:
        """Return what is held of a company, as the one used last; begin to read it when it is not fresh."""
        held = self._held.pop(company, None)
        now = self._clock()
        stale = held is None or (not held.reading and now - held.read_at > FRESH_MS and now - held.asked_at > PAUSE_MS)
        if stale and len(self._tasks) < MOST_READS:
            held = held or _Held()
            held.reading, held.asked_at = True, now
            task = asyncio.get_running_loop().create_task(self._read(company, held))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if held is not None:
            self._held[company] = held
            if len(self._held) > self._cached:
                del self._held[next(iter(self._held))]
        return held

    async def _read(self, company: VisitorKey, held: _Held) -> None:
        try:
            stored = await self._store.read(company, held.revision)
            if stored is not None:
                profile = documents.decode(stored.document) if stored.document is not None else Profile()
                held.attributes, held.revision = profile.trait_values(), profile.revision
            held.read_at = self._clock()
        except StoreUnavailable:
            pass  # the store's own calls count that; the next decision asks again
        except (orjson.JSONDecodeError, LookupError, TypeError):
            log.exception("the stored profile of %s cannot be read", ":".join(company))
        finally:
            held.reading = False
