"""What is stored at one visitor's key, and changing it: read, compare and set, again after every lost race.

An unreadable document keeps its revision, so that it can be erased all the same.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, ProfileStore, Stored, VisitorKey, Write
from gateway.store.keys import PROFILE_LIFETIME_S, TOMBSTONE_LIFETIME_S
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile

TRIES = 50
"""A busy visitor's hits win some races; each try costs a round trip."""

MOST_HOPS = aliases.MOST_OLDER_IDS + 1
"""Aliases in a row from a browser to a person; more are a circle that somebody has made by hand."""

_REVISION = re.compile(rb'\{"r":"([^"\\]*)"')


@dataclass(slots=True, frozen=True)
class Holding:
    """A visitor's key and what it holds: a profile, an alias, nothing, or (`readable` False) damaged bytes."""

    key: VisitorKey
    revision: str = ""
    found: Profile | Alias | None = None
    marks: bytes = b""
    readable: bool = True

    @property
    def name(self) -> str:
        """The visitor's name in the log and in a person's list of aliases."""
        return f"{self.key.kind}:{self.key.id}"

    @property
    def erased(self) -> int:
        """Up to which time (ms) events are kept out already."""
        return self.found.erased if self.found is not None else 0

    @property
    def is_tombstone(self) -> bool:
        """Whether nothing but the note of an erasure is left here."""
        return isinstance(self.found, Profile) and aliases.is_tombstone(self.found)


@dataclass(slots=True, frozen=True)
class Change:
    """What a key shall hold, and whether entries of the log have to go with it."""

    document: Profile | Alias
    marks: bytes = b""
    erase_before: int = 0
    via: str = ""


class Holdings:
    """Reads and changes single keys of a store. Every method raises StoreUnavailable."""

    def __init__(self, store: ProfileStore) -> None:
        self._store = store
        self._boot = secrets.token_urlsafe(6)
        self._attempts = 0

    async def read(self, key: VisitorKey) -> Holding:
        """Return what is stored at a key."""
        return _holding(key, await self._store.read(key, ""))

    async def follow(self, key: VisitorKey) -> list[Holding]:
        """Return what is stored at a key and at every key that its aliases lead to, the last one no alias."""
        way = [await self.read(key)]
        while isinstance(alias := way[-1].found, Alias) and len(way) <= MOST_HOPS:
            kind, _, id_ = alias.to.partition(":")
            way.append(await self.read(VisitorKey(key.site, kind, id_)))
        return way

    async def change(self, key: VisitorKey, wanted: Callable[[Holding], Change | None]) -> Holding:
        """Bring a key to what is wanted of what it holds, None for no change; return what it held before."""
        held = await self.read(key)
        for _ in range(TRIES):
            change = wanted(held)
            if change is None:
                return held
            self._attempts += 1
            revision = f"{self._boot}r{self._attempts:x}"
            wants = change.document
            if isinstance(wants, Alias):
                document = aliases.encode(wants, revision)
            else:
                document = documents.encode(wants, revision)
            lifetime = TOMBSTONE_LIFETIME_S if wants.erased else PROFILE_LIFETIME_S
            write = Write(
                key, held.revision, document, lifetime, change.marks, [],
                erase_before=change.erase_before, via=change.via,
            )  # fmt: skip
            answer = await self._store.commit(write)
            if isinstance(answer, Committed):
                return held
            held = _holding(key, answer)
        raise StoreUnavailable("the visitor's hits were first again and again", hint="send the same request again")


def _holding(key: VisitorKey, stored: Stored | None) -> Holding:
    if stored is None or stored.document is None:
        return Holding(key)
    try:
        found = aliases.decode(stored.document)
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as err:
        revision = _REVISION.match(stored.document)
        if revision is None:
            raise StoreUnavailable(
                "the stored document has no revision, so it cannot be replaced safely",
                hint=f"look at the key of {':'.join(key)} in the store; tuttu did not write this",
            ) from err
        return Holding(key, revision[1].decode(), None, stored.marks, readable=False)
    return Holding(key, found.revision, found, stored.marks)
