"""What a restore must not bring back: every erasure that anybody remembers, and what is left of a document under it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from gateway.ports import Erasure, Merge
from gateway.store.keys import named_visitor, visitor_name
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile

_BROKEN = (orjson.JSONDecodeError, LookupError, TypeError, AttributeError)


class Erasures:
    """The latest erasure (ms) of each visitor, and of each browser on a person; names are those inside keys."""

    def __init__(self, erasures: Iterable[Erasure] = ()) -> None:
        self.whole: dict[str, int] = {}
        self._via: dict[tuple[str, str], int] = {}
        for erasure in erasures:
            self.add(erasure)

    def add(self, erasure: Erasure) -> None:
        """Remember an erasure."""
        name = visitor_name(erasure.visitor)
        if erasure.via:
            self._via[name, erasure.via] = max(erasure.before, self._via.get((name, erasure.via), 0))
        else:
            self.whole[name] = max(erasure.before, self.whole.get(name, 0))

    def __iter__(self) -> Iterator[Erasure]:
        """Yield them."""
        yield from (Erasure(named_visitor(name), before) for name, before in self.whole.items())
        yield from (Erasure(named_visitor(name), before, via) for (name, via), before in self._via.items())

    def add_document(self, name: str, document: bytes) -> None:
        """Remember what a document says of its own erasure."""
        try:
            found = aliases.decode(document)
        except _BROKEN:
            return
        if found.erased:
            self.add(Erasure(named_visitor(name), found.erased))

    def left_of_entry(self, entry: bytes) -> bytes | None:
        """Return what may come back of a log entry: nothing, or without the erased contact that it names, or all."""
        try:
            fields = orjson.loads(entry)
            site, whose, time, through = fields["s"], fields["v"], fields["t"], fields.get("w")
        except _BROKEN:
            return entry
        before = self.whole.get(f"{site}:{whose}", 0)
        if through:
            before = max(before, self.whole.get(f"{site}:{through}", 0), self._via.get((f"{site}:{whose}", through), 0))
        if time <= before:
            return None
        if time <= self.whole.get(f"{site}:{fields.get('p')}", 0):
            del fields["p"]
            return orjson.dumps(fields)
        return entry

    def begun_merge(self, name: str, document: bytes) -> Merge | None:
        """Return the merge that a document tells was begun and not finished."""
        if b'"of":' not in document:
            return None
        try:
            found = aliases.decode(document)
        except _BROKEN:
            return None
        if not isinstance(found, Alias) or found.snapshot is None:
            return None
        return Merge(named_visitor(name), found.at)

    def left_of(self, name: str, document: bytes, revision: str) -> bytes | None:
        """Return what may come back of a document, None for nothing; where it changed it has the new revision."""
        before = self.whole.get(name, 0)
        try:
            found = aliases.decode(document)
        except _BROKEN:
            return None if before else document
        site = name.partition(":")[0]
        if isinstance(found, Alias):
            person = f"{site}:{found.to}"
            of_person = max(self.whole.get(person, 0), self._via.get((person, name[len(site) + 1 :]), 0))
            gone = before > found.erased and before >= found.at
            return None if gone or of_person >= found.at else document
        if found.erased < before:
            return None
        released = {
            alias: -erased
            for alias, at in found.aliases.items()
            if 0 < at <= (erased := max(self.whole.get(f"{site}:{alias}", 0), self._via.get((name, alias), 0)))
        }
        contact = found.contact
        forgotten = bool(contact) and contact[0] <= self.whole.get(f"{site}:k:{contact[1]}", 0)
        if not released and not forgotten:
            return document
        found.aliases = found.aliases | released
        if forgotten:
            found.contact = []
        return documents.encode(found, revision)

    def tombstone(self, name: str, document: bytes | None, revision: str) -> tuple[bytes, int]:
        """Return the tombstone of a visitor, and its time (ms); a choice in the erased document outlives it."""
        before = self.whole.get(name, 0)
        try:
            found = aliases.decode(document) if document else None
        except _BROKEN:
            found = None
        if isinstance(found, Alias):
            site, _, alias = name.partition(":")
            person = f"{site}:{found.to}"
            before = max(before, self.whole.get(person, 0), self._via.get((person, alias), 0))
        tombstone = aliases.tombstone(found, before, found.consent if isinstance(found, Profile) else [])
        tombstone.aliases = {}  # each of them is remembered as erased itself
        return documents.encode(tombstone, revision), tombstone.erased
