"""The visitors that this worker is working on: one call in flight for each, profiles in a bounded cache.

Hits of a visitor that arrive while a call is in flight wait and are folded together into the next one. A cached profile
is only ever a guess: every write and every decision compares its revision with what the store holds. A cached alias is
one as well: the person's profile, which the store confirms with the same call, must name it. Nobody is answered before
the store said yes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.envelope import DUPLICATE, NOT_YOURS, TOO_MANY_IDS, Hit, Outcome
from gateway.errors import StoreUnavailable
from gateway.held import Held, from_store
from gateway.jobs import Job, Step
from gateway.lanes import Lanes
from gateway.linking import Linker, target
from gateway.pipeline import Round
from gateway.ports import Committed, ProfileStore, Stored, VisitorKey, Write
from gateway.spool.tail import Tail
from gateway.store.keys import PROFILE_LIFETIME_S, TOMBSTONE_LIFETIME_S
from gateway.telemetry import Telemetry
from personalize import aliases, documents, visits
from personalize.aliases import MOST_OLDER_IDS
from personalize.marks import Marks
from personalize.profiles import Profile

TRIES = 5
CACHED_BYTES = 32_000_000
"""Documents and marks that are kept, whatever their number: a claim costs nothing, and may fill 48 KB."""

MOST_STEPS = 3 * (MOST_OLDER_IDS + 3)
"""Documents that a job may pass on its way, with one doubt and as another person: a longer way is a circle."""


class Visitors:
    """The worker's visitors over a store.

    At most `cached` profiles are kept; after `patience_ms` no further call is made for a hit. `clock` returns ms since
    1970. What the store has taken goes into the `tail`. `durable` says that writes
    are to be confirmed by more than the store's own word.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self, store: ProfileStore, telemetry: Telemetry, *, cached: int, patience_ms: int, clock: Callable[[], int],
        tail: Tail | None = None,
        durable: bool = False,
    ) -> None:  # fmt: skip
        self._store = store
        self._telemetry = telemetry
        self._tail = tail
        self._durable = durable
        self._cached = cached
        self._patience_ms = patience_ms
        self._clock = clock
        self._cache: dict[VisitorKey, Held] = {}
        self._cached_bytes = 0
        self._lanes = Lanes(telemetry, patience_ms)
        self._linker = Linker(store, telemetry)

    def __len__(self) -> int:
        return len(self._cache)

    def remembered(self, job: Job) -> Profile:
        """Return what is remembered of a job's visitor, which the store may have changed since; else an empty profile.

        A visitor who is a person by now is known by that person.
        """
        held = self._cache.get(job.at)
        return Profile() if held is None else held.profile

    def forget(self, key: VisitorKey) -> None:
        """Let go of what is remembered of a visitor; the next hit asks the store."""
        self._forget(key)

    async def submit(self, job: Job) -> None:
        """Apply a job; returns when the store has answered. On failure `job.done` stays False."""
        for _ in range(MOST_STEPS):
            job.to = None
            await self._step(job)
            if not job.moved():
                break
        if job.done and job.path and not job.erase_before:
            await self._tidy(job)

    async def _step(self, job: Job) -> None:
        """Run the job in the lane of where it is, with all that wait there."""
        jobs = [job] if self._lanes.open(job) else await self._lanes.wait(job)
        if not jobs:
            return
        key, settled = job.at, False
        try:
            await self._apply(key, jobs)
            settled = True
        except StoreUnavailable as err:
            # The write may have landed or not. What the cache holds was a guess before, and still says what the
            # visitor had chosen, which the spool goes by.
            settled = True
            self._telemetry.count(("store_failures",))
            for each in jobs:
                each.failure = err.message
        finally:
            if not settled:
                self._forget(key)
            self._lanes.leave(key, jobs)

    async def _apply(self, key: VisitorKey, jobs: list[Job]) -> None:
        """Bring the jobs to the store, on what it holds by now, and settle them or send them on.

        Raises StoreUnavailable.
        """
        begun = self._clock()
        on_the_way = [job for job in jobs if job.path or job.person or job.doubted]
        doubted = any(job.doubted for job in on_the_way) if on_the_way else False
        held, confirmed = self._cache.get(key), False
        if held is None or doubted:
            held, confirmed = await self._read(key, held, jobs[0].hit, begun, doubted=doubted)
        for _ in range(TRIES):
            if held.alias is not None:
                self._keep(key, held)
                _send_on(key, held, jobs, sure=confirmed)
                return
            if on_the_way:
                if not confirmed and any(_is_strangers(key, held.profile, job) for job in jobs):
                    # An older id may have become this person's since: that is not to be judged by memory.
                    stored = await self._store.read(key, held.revision)
                    held, confirmed = held if stored is None else from_store(key, stored, held), True
                    continue
                jobs = [job for job in jobs if _belongs(key, held.profile, job)]
                found = await self._joined(key, held, jobs, begun)
                if found is not None:
                    held, confirmed = found, True
                    continue
                jobs = [job for job in jobs if job.to is None and not job.done]
                if not jobs:
                    return
            other = await self._tried(key, held, jobs, begun, confirmed=confirmed)
            if other is None:
                return
            held, confirmed = from_store(key, other, held), True
            if self._clock() - begun > self._patience_ms:
                break
        raise StoreUnavailable("other workers were first again and again, or the store was too slow")

    async def _joined(self, key: VisitorKey, held: Held, jobs: list[Job], now: int) -> Held | None:
        """Make the visitor the person's who has proved to be it; return what stands at the key now, if that changed."""
        for job in jobs:
            if job.wants_cookie:
                await self._linker.give_cookie(key, held.profile, job, now)
        linking = [job for job in jobs if job.person not in ("", key.id) and not job.path and not job.erase_before]
        if not linking:
            return None
        found = await self._linker.link(key, held, linking, now)
        if isinstance(found, Held):
            return None if found is held else found
        for job in linking:
            if key.kind == "k" and found is None:
                _refuse(job, TOO_MANY_IDS)
            else:
                job.to = found or VisitorKey(key.site, "k", job.person)
        return None

    async def _read(
        self, key: VisitorKey, held: Held | None, hit: Hit, now: int, *, doubted: bool
    ) -> tuple[Held, bool]:
        """Return what is stored of a visitor whom the cache lacks or is wrong about, and whether the store said so."""
        held = held or Held(Profile(), Marks(), room_at=now)
        if key.id == hit.minted and not doubted:
            return held, False  # nobody else can know this visitor yet
        stored = await self._store.read(key, "")
        found = Held(Profile(), Marks(), held.room, held.room_at) if stored is None else from_store(key, stored, held)
        return (await self._linker.checked(key, found) if doubted else found), True

    async def _tried(self, key: VisitorKey, held: Held, jobs: list[Job], now: int, *, confirmed: bool) -> Stored | None:
        """Settle the jobs on what is held, if the store holds the same; return what it holds if not."""
        if jobs[0].erase_before:
            write, after = self._erasure(key, held, jobs[0])
        else:
            write, after = await self._attempt(key, held, jobs, now)
        if write is not None:
            other = self._other(write, await self._store.commit(write))
        else:
            other = None if confirmed else await self._store.read(key, held.revision)
        if other is not None:
            return other
        if write is not None:
            self._keep(key, after)
            self._note_written(jobs, after.profile)
        else:
            await self._note_unchanged(key, after, jobs)
        for job in jobs:
            job.done = True
            if job.given_up:
                self._telemetry.count(("events_late",), _late(job))
        return None

    def _note_written(self, jobs: list[Job], profile: Profile) -> None:
        """Let the tail have what was written."""
        for job in jobs:
            if job.erased:
                job.erase_before = profile.erased  # should the store forget it, so it is done again
            if self._tail is not None:
                self._tail.add(job, profile)

    async def _note_unchanged(self, key: VisitorKey, held: Held, jobs: list[Job]) -> None:
        """Make sure of what was found done already."""
        if self._durable and any(map(_has_duplicate, jobs)):
            # The write that left the mark may never have been confirmed; this one's confirmation covers it.
            await self._store.probe()
        if jobs[0].erased or (held.profile.erased and not held.profile.visits):
            self._forget(key)  # erased before: no sweep will say again that nobody is to remember them
        else:
            self._keep(key, held)

    def _other(self, write: Write, answer: Committed | Stored) -> Stored | None:
        """Count the store's answer to a write; return None when it was applied, else what is stored."""
        if isinstance(answer, Stored):
            self._telemetry.count(("conflicts",))
            return answer
        if answer.trimmed:
            self._telemetry.count(("log_trimmed",), answer.trimmed)
        if write.erase_before:
            self._telemetry.count(("erasures", "withdrawal"))
        return None

    async def _attempt(self, key: VisitorKey, held: Held, jobs: list[Job], now: int) -> tuple[Write | None, Held]:
        """Fold the jobs onto what is held; return the write, or None when nothing would change."""
        r = Round(key, held.profile, held.marks, now, held.room_now(now))
        for job in jobs:
            for step in job.path:
                self._unite(r, job, step)
            before = visits.count(r.profile.visits)
            for _ in r.apply(job.hit, job.envelopes, floor=job.floor, through=job.through):
                await asyncio.sleep(0)
            job.profile = r.profile
            job.opened_visit = visits.count(r.profile.visits) != before
        if not r.fingerprints and r.profile is held.profile:
            return None, held
        revision = self._linker.revision()
        profile, document, gone = documents.encode_capped(r.profile, revision)
        profile.revision = revision
        for part, n in gone.items():
            self._telemetry.count(("profile_overflow", part), n)
        marks, pushed_out = r.marks.added(tuple(r.fingerprints), now)
        if pushed_out:
            self._telemetry.count(("marks_pushed_out",), pushed_out)
        lifetime = TOMBSTONE_LIFETIME_S if profile.erased else PROFILE_LIFETIME_S
        write = Write(key, held.profile.revision, document, lifetime, marks.packed, r.entries)
        return write, Held(profile, marks, r.room, now, size=len(document) + len(marks.packed))

    def _unite(self, r: Round, job: Job, step: Step) -> None:
        """Bring the history that an alias still carries, with its marks, into the person's round (a merge's step 2)."""
        if aliases.holds(r.profile, step.name, step.alias.at):
            return
        r.profile = aliases.united(job.hit.plan, r.profile, step.name, step.alias, r.now)
        r.marks, pushed_out = r.marks.united(step.marks)
        if pushed_out:
            self._telemetry.count(("marks_pushed_out",), pushed_out)

    def _erasure(self, key: VisitorKey, held: Held, job: Job) -> tuple[Write | None, Held]:
        """Replace the profile by a tombstone, unless a later choice is stored.

        Also where nothing is stored, or an older tombstone: a hit from before the withdrawal may still be on its way.
        """
        profile, before, choice = held.profile, job.erase_before, [job.decided, []]
        chosen = profile.consent[0] if profile.consent else 0
        if job.hit.replayed:
            # What came after it stays, and a choice of later than it was taken away by it if the store had been there.
            job.erased = chosen <= job.decided or chosen > before
            if profile.erased >= before and chosen >= job.decided:
                return None, held  # it was done before
            choice = profile.consent if chosen > before else choice
        else:
            # The time is read anew: whatever is stored by now must not be later than it.
            before = max(before, self._clock())
            job.erased = chosen <= job.decided
        if not job.erased:
            return None, held
        tombstone = aliases.tombstone(profile, before, choice)
        tombstone.revision = self._linker.revision()
        document = documents.encode(tombstone, tombstone.revision)
        write = Write(key, profile.revision, document, TOMBSTONE_LIFETIME_S, b"", [], erase_before=tombstone.erased)
        return write, Held(tombstone, Marks(), held.room, held.room_at)

    def _keep(self, key: VisitorKey, held: Held) -> None:
        """Keep what the store has said, in the place of the visitors that were away for longest."""
        self._forget(key)
        if held.revision:
            held.marks = held.marks.at_rest()
            self._cache[key] = held
            self._cached_bytes += held.size
            while len(self._cache) > self._cached or self._cached_bytes > CACHED_BYTES:
                self._forget(next(iter(self._cache)))

    def _forget(self, key: VisitorKey) -> None:
        held = self._cache.pop(key, None)
        if held is not None:
            self._cached_bytes -= held.size

    async def _tidy(self, job: Job) -> None:
        """Finish the merges that the job has brought to their end; what is left undone, the next hit does."""
        try:
            for key, held in (await self._linker.tidy(job, self._clock())).items():
                if held is None:
                    self._forget(key)
                else:
                    self._keep(key, held)
        except StoreUnavailable:
            self._telemetry.count(("store_failures",))


def _send_on(key: VisitorKey, held: Held, jobs: list[Job], *, sure: bool) -> None:
    """Let jobs follow the alias that stands at their key."""
    if held.alias is not None:
        for job in jobs:
            job.go_on(target(key, held.alias), Step(key, held.alias, held.marks), sure=sure)


def _belongs(key: VisitorKey, profile: Profile, job: Job) -> bool:
    """Tell whether a job has come to the right profile; send it elsewhere if not."""
    for step in job.path:
        void = aliases.void_until(step.name, step.alias.at, profile)
        if void or (not job.sure and profile.aliases.get(step.name) != step.alias.at):
            job.start_again(job.visitor)
            return False
    if not _is_strangers(key, profile, job):
        return True
    if job.visitor.kind == "k":
        _refuse(job, NOT_YOURS)
    else:
        job.start_again(VisitorKey(key.site, "k", job.person))
        job.wants_cookie = bool(job.envelopes) and not job.hit.replayed
    return False


def _is_strangers(key: VisitorKey, profile: Profile, job: Job) -> bool:
    """Tell whether a job came through the alias of a browser that is this person's to prove another one."""
    if not job.person or not job.path or job.person == key.id:
        return False
    older = f"k:{job.person}"
    # A rename that was interrupted is not listed by the person yet; this job finishes it.
    return profile.aliases.get(older, 0) <= 0 and all(step.name != older for step in job.path)


def _refuse(job: Job, outcome: Outcome) -> None:
    """End a job whose older id cannot become its person's."""
    job.done = True
    for envelope in job.envelopes:
        envelope.outcome = outcome


def _has_duplicate(job: Job) -> bool:
    return any(envelope.outcome is DUPLICATE for envelope in job.envelopes)


def _late(job: Job) -> int:
    return sum(e.outcome is not None and e.outcome.kind == "stored" for e in job.envelopes)
