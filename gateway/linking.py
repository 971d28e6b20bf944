"""Anonymous becomes known: the steps by which a browser's history becomes a person's, over the store.

A merge crosses partitions, so it cannot be one step (design.md, section 5). (1) The browser's document becomes an alias
that carries the history as a snapshot, by compare-and-set. (2) Whoever follows the alias unites the snapshot with the
person's profile, in the same write as the hit's own events, unless the person names the alias already. (3) The snapshot
is dropped. After a crash between any two, the next hit that meets the alias goes on from there; step 1 leaves a note
that step 3 takes away, so that the sweep (`gateway/erasure.py`) does so for a browser that never comes back.
"""

from __future__ import annotations

import secrets

from gateway.envelope import Envelope, Hit
from gateway.errors import StoreUnavailable
from gateway.held import Held, from_store
from gateway.identity.consent import allows_profile
from gateway.identity.visitor import new_visitor_id
from gateway.jobs import Job, Step
from gateway.pipeline import is_erased, purposes
from gateway.ports import ProfileStore, Stored, VisitorKey, Write
from gateway.store.keys import PROFILE_LIFETIME_S, TOMBSTONE_LIFETIME_S
from gateway.telemetry import Telemetry
from personalize import aliases, documents
from personalize.aliases import MOST_OLDER_IDS, Alias
from personalize.marks import Marks
from personalize.profiles import Profile, chosen

_DAY_MS = 86_400_000
RENEWED_AFTER_DAYS = 30
"""An alias lives as long as a profile, so it is written anew with a visit now and then."""


class Linker:
    """Makes and keeps aliases in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: ProfileStore, telemetry: Telemetry) -> None:
        self._store = store
        self._telemetry = telemetry
        # A revision is unique to one write attempt anywhere: this worker's boot, then a number.
        self._boot = secrets.token_urlsafe(6)
        self._attempts = 0

    def revision(self) -> str:
        """Return a revision that nobody has used."""
        self._attempts += 1
        return f"{self._boot}{self._attempts:x}"

    async def person(self, key: VisitorKey) -> tuple[VisitorKey, Profile]:
        """Return who a known person is by now, as the store has it: the last of the ids, with its profile."""
        for _ in range(MOST_OLDER_IDS + 2):
            stored = await self._store.read(key, "")
            held = Held(Profile(), Marks()) if stored is None else from_store(key, stored, Held(Profile(), Marks()))
            if held.alias is None:
                return key, held.profile
            key = target(key, held.alias)
        raise StoreUnavailable("a person's older ids lead in a circle")

    async def link(self, key: VisitorKey, held: Held, jobs: list[Job], now: int) -> Held | VisitorKey | None:
        """Make a visitor whose profile is nobody's a person's own (step 1), if both allow it.

        Returns what stands at the visitor's key now: the alias, or what another worker wrote, or the same `held` where
        the visitor allows nothing (the jobs stay, and are dropped there). A key when the jobs are to go there without
        the visitor's history: the person has withdrawn. None when the person has no room for more.
        """
        person_key, person = await self.person(VisitorKey(key.site, "k", jobs[0].person))
        events = [(job.hit, envelope) for job in jobs for envelope in job.envelopes]
        # A retry from before an erasure proves nothing any more; its events are dropped where they go.
        if person_key == key or _all_erased(events, held.profile.erased):
            return held
        if _all_erased(events, person.erased):
            return person_key
        name = f"{key.kind}:{key.id}"
        if not _any_allowed(events, Profile(consent=chosen(held.profile.consent, person.consent))):
            return person_key if _any_allowed(events, held.profile) else held
        if not aliases.has_room(person, name, held.profile):
            self._telemetry.count(("links_refused",))
            return None
        alias = _new_alias(name, held.profile, person_key, person, now)
        other = await self._write(key, alias, held.revision, held.marks)
        if other is not None:
            return from_store(key, other, held)
        self._telemetry.count(("merges",))
        return Held(Profile(), held.marks, held.room, held.room_at, alias)

    async def give_cookie(self, person_key: VisitorKey, person: Profile, job: Job, now: int) -> None:
        """Let a person start anew on a browser that was somebody else's: a fresh id that is theirs, nothing merged."""
        job.wants_cookie = False
        if not _any_allowed([(job.hit, envelope) for envelope in job.envelopes], person):
            return
        job.cookie_id = new_visitor_id()
        key = VisitorKey(person_key.site, "a", job.cookie_id)
        name = f"a:{job.cookie_id}"
        if not aliases.has_room(person, name, Profile()):
            self._telemetry.count(("links_refused",))
            return
        alias = _new_alias(name, Profile(), person_key, person, now)
        if await self._write(key, alias, "", Marks()) is None:
            job.path = [Step(key, alias, Marks()), *job.path]

    async def checked(self, key: VisitorKey, held: Held) -> Held:
        """Return what holds at a key whose alias was doubted: the alias, or a tombstone where it is void.

        `held` is what the store has just said.
        """
        alias = held.alias
        if alias is None:
            return held
        _, person = await self.person(target(key, alias))
        until = aliases.void_until(f"{key.kind}:{key.id}", alias.at, person)
        if not until:
            return held
        tombstone = aliases.tombstone(alias, until, person.consent)
        tombstone.revision = self.revision()
        document = documents.encode(tombstone, tombstone.revision)
        # What the browser did before it became this person's was to be erased with the person.
        write = Write(key, alias.revision, document, TOMBSTONE_LIFETIME_S, b"", [], erase_before=tombstone.erased)
        other = await self._store.commit(write)
        if isinstance(other, Stored):
            return from_store(key, other, held)
        return Held(tombstone, Marks(), held.room, held.room_at)

    async def tidy(self, job: Job, now: int) -> dict[VisitorKey, Held | None]:
        """Drop the snapshots that have arrived (step 3), shorten the way, renew what is old.

        Returns what stands at each key that was touched; None where somebody else was first.
        """
        touched: dict[VisitorKey, Held | None] = {}
        for at, step in enumerate(job.path):
            alias = step.alias
            end = f"k:{job.at.id}" if at == 0 else alias.to
            old = job.opened_visit and now // _DAY_MS - alias.renewed >= RENEWED_AFTER_DAYS
            if alias.snapshot is None and alias.to == end and not old:
                continue
            fresh = Alias(end, alias.at, alias.erased, None, now // _DAY_MS)
            other = await self._write(step.key, fresh, alias.revision, None)
            touched[step.key] = Held(Profile(), Marks(), alias=fresh) if other is None else None
        return touched

    async def _write(self, key: VisitorKey, alias: Alias, expected: str, marks: Marks | None) -> Stored | None:
        """Write an alias in the place of what is expected there; return what is there instead, None when written.

        With marks it begins a merge, without it ends one. An alias without a history leaves nothing to finish.
        """
        alias.revision = self.revision()
        document = aliases.encode(alias, alias.revision)
        write = Write(key, expected, document, PROFILE_LIFETIME_S, marks.packed if marks else b"", [])
        if marks is None:
            write.merged = alias.at
        elif alias.snapshot is not None:
            write.merging = alias.at
        answer = await self._store.commit(write)
        return answer if isinstance(answer, Stored) else None


def target(key: VisitorKey, alias: Alias) -> VisitorKey:
    """Return the key that an alias at `key` points to."""
    kind, _, id_ = alias.to.partition(":")
    return VisitorKey(key.site, kind, id_)


def _new_alias(name: str, profile: Profile, person_key: VisitorKey, person: Profile, now: int) -> Alias:
    """Return an alias whose moment is later than all that was said of this name before."""
    at = max(now, person.erased + 1, profile.erased + 1, abs(person.aliases.get(name, 0)) + 1)
    snapshot = profile if profile.revision else None
    return Alias(f"k:{person_key.id}", at, profile.erased, snapshot, now // _DAY_MS)


def _any_allowed(events: list[tuple[Hit, Envelope]], profile: Profile) -> bool:
    return any(allows_profile(purposes(hit, envelope, profile)) for hit, envelope in events)


def _all_erased(events: list[tuple[Hit, Envelope]], erased: int) -> bool:
    """Tell whether every event is one that an erasure keeps out."""
    return bool(events) and all(is_erased(envelope, erased) for _, envelope in events)
