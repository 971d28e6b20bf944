"""The visitors that this worker is working on: one call in flight for each, profiles in a bounded cache.

Hits of a visitor that arrive while a call is in flight wait and are folded together into the next one. A cached profile
is only ever a guess: every write and every decision compares its revision with what the store holds. Nobody is
answered before the store said yes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from gateway.envelope import Envelope, Hit
from gateway.errors import StoreUnavailable
from gateway.pipeline import Round
from gateway.ports import ProfileStore, Stored, VisitorKey, Write
from gateway.store.keys import PROFILE_LIFETIME_S, TOMBSTONE_LIFETIME_S
from gateway.telemetry import Telemetry
from personalize import documents, visits
from personalize.marks import Marks
from personalize.profiles import Profile

log = logging.getLogger("tuttu")

TRIES = 5
MOST_WAITING = 2_000
"""Hits that may wait for one visitor; more than that is no visitor, and they are told to come later."""

BUCKET_EVENTS = 5_000
BUCKET_REFILL_PER_S = 50


@dataclass(slots=True, eq=False)
class Job:
    """What one hit wants of one visitor: add its events, or (with `erase_before`) be erased, or just be read.

    The envelopes' outcomes are provisional until `done`.
    """

    hit: Hit
    visitor: VisitorKey
    envelopes: list[Envelope]
    erase_before: int = 0
    decided: int = 0
    """When the visitor chose to be erased (ms); a choice stored later than that stands."""
    erased: bool = False
    """Whether the visitor's tombstone stands after the job."""
    profile: Profile | None = None
    """The visitor's profile after the job; empty for one who is not known."""
    done: bool = False
    """Whether the store has answered: the envelopes' outcomes hold. Without it the store failed or was too slow."""
    opened_visit: bool = False
    given_up: bool = False
    """Set by a caller that has answered without waiting."""
    turn: asyncio.Future[bool] | None = None


@dataclass(slots=True)
class _Held:
    """What the cache holds of a visitor: state as last confirmed by the store, and the token bucket."""

    profile: Profile
    marks: Marks
    room: float = BUCKET_EVENTS
    room_at: int = 0


@dataclass(slots=True)
class _Lane:
    waiting: deque[Job] = field(default_factory=deque)


class Visitors:
    """The worker's visitors over a store.

    `cached` profiles are kept; after `patience_ms` no further call is made for a hit. `clock` returns ms since 1970.
    """

    def __init__(
        self, store: ProfileStore, telemetry: Telemetry, *, cached: int, patience_ms: int, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._cached = cached
        self._patience_ms = patience_ms
        self._clock = clock
        self._cache: dict[VisitorKey, _Held] = {}
        self._lanes: dict[VisitorKey, _Lane] = {}
        # A revision is unique to one write attempt anywhere: this worker's boot, then a number.
        self._boot = secrets.token_urlsafe(6)
        self._attempts = 0

    def __len__(self) -> int:
        return len(self._cache)

    async def submit(self, job: Job) -> None:
        """Apply a job; returns when the store has answered. On failure `job.done` stays False."""
        key = job.visitor
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
            jobs = [job]
        else:
            if len(lane.waiting) >= MOST_WAITING:
                self._telemetry.count(("store_failures",))
                return
            if not await self._leads(lane, job):
                return
            jobs = _next_jobs(lane)
        try:
            await self._apply(key, jobs)
        except StoreUnavailable:
            self._telemetry.count(("store_failures",))
        finally:
            if not jobs[0].done:
                # The write may have landed or not: what the cache holds is no longer confirmed.
                self._cache.pop(key, None)
            for other in jobs:
                if other.turn is not None and not other.turn.done():
                    other.turn.set_result(False)
            self._pass_on(key, lane)

    async def _leads(self, lane: _Lane, job: Job) -> bool:
        """Wait for the lane; return whether this job is to run the next call, rather than having been run along."""
        loop = asyncio.get_running_loop()
        job.turn = loop.create_future()
        lane.waiting.append(job)
        bell = loop.call_later(self._patience_ms / 1000, self._give_up, lane, job)
        try:
            return await job.turn
        except asyncio.CancelledError:
            if job in lane.waiting:
                lane.waiting.remove(job)
            if job.turn.done() and not job.turn.cancelled() and job.turn.result():
                self._pass_on(job.visitor, lane)
            raise
        finally:
            bell.cancel()

    def _give_up(self, lane: _Lane, job: Job) -> None:
        """Let a job that has waited long enough go without an answer from the store."""
        if job.turn is None or job.turn.done():
            return
        if job in lane.waiting:
            lane.waiting.remove(job)
        else:
            job.given_up = True  # its call is under way and may still land
        job.turn.set_result(False)
        self._telemetry.count(("store_failures",))

    def _pass_on(self, key: VisitorKey, lane: _Lane) -> None:
        """Let the next waiting job lead, or close the lane."""
        for job in lane.waiting:
            if job.turn is not None and not job.turn.done():
                job.turn.set_result(True)
                return
        del self._lanes[key]

    async def _apply(self, key: VisitorKey, jobs: list[Job]) -> None:
        """Bring the jobs to the store, on what it holds by now, and settle them; raises StoreUnavailable."""
        begun = self._clock()
        held, confirmed = await self._held(key, jobs, begun)
        for _ in range(TRIES):
            if jobs[0].erase_before:
                write, after = self._erasure(held, jobs[0])
            else:
                write, after = self._attempt(key, held, jobs, begun)
            if write is not None:
                other = await self._committed(write)
            elif confirmed:
                other = None
            else:
                other = await self._store.read(key, held.profile.revision)
            if other is None:
                self._finish(key, after, jobs)
                return
            held, confirmed = _from_store(key, other, held), True
            if self._clock() - begun > self._patience_ms:
                break
        raise StoreUnavailable("other workers were first again and again, or the store was too slow")

    async def _held(self, key: VisitorKey, jobs: list[Job], now: int) -> tuple[_Held, bool]:
        """Return what is known of a visitor, and whether the store has just said so itself."""
        held = self._cache.get(key)
        if held is not None:
            return held, False
        held = _Held(Profile(), Marks(), room_at=now)
        if jobs[0].hit.minted:
            return held, False  # nobody else can know this visitor yet
        stored = await self._store.read(key, "")
        return held if stored is None else _from_store(key, stored, held), True

    async def _committed(self, write: Write) -> Stored | None:
        """Commit; return None when it was applied, else what is stored."""
        answer = await self._store.commit(write)
        if isinstance(answer, Stored):
            self._telemetry.count(("conflicts",))
            return answer
        if answer.trimmed:
            self._telemetry.count(("log_trimmed",), answer.trimmed)
        if write.erase_before:
            self._telemetry.count(("erasures", "withdrawal"))
        return None

    def _attempt(self, key: VisitorKey, held: _Held, jobs: list[Job], now: int) -> tuple[Write | None, _Held]:
        """Fold the jobs onto what is held; return the write, or None when nothing would change."""
        room = min(BUCKET_EVENTS, held.room + (now - held.room_at) * BUCKET_REFILL_PER_S / 1000)
        r = Round(key, held.profile, held.marks, now, room)
        for job in jobs:
            before = visits.count(r.profile.visits)
            r.apply(job.hit, job.envelopes)
            job.profile = r.profile
            job.opened_visit = visits.count(r.profile.visits) != before
        if not r.fingerprints:
            return None, held
        self._attempts += 1
        profile, document, gone = documents.encode_capped(r.profile, f"{self._boot}{self._attempts:x}")
        profile.revision = f"{self._boot}{self._attempts:x}"
        for part, n in gone.items():
            self._telemetry.count(("profile_overflow", part), n)
        marks, pushed_out = held.marks.added(tuple(r.fingerprints), now)
        if pushed_out:
            self._telemetry.count(("marks_pushed_out",), pushed_out)
        lifetime = TOMBSTONE_LIFETIME_S if profile.erased else PROFILE_LIFETIME_S
        write = Write(key, held.profile.revision, document, lifetime, marks.packed, r.entries)
        return write, _Held(profile, marks, r.room, now)

    def _erasure(self, held: _Held, job: Job) -> tuple[Write | None, _Held]:
        """Replace the profile by a tombstone, unless a later choice is stored.

        Also where nothing is stored, or an older tombstone: a hit from before the withdrawal may still be on its way.
        """
        profile, before = held.profile, job.erase_before
        job.erased = not profile.consent or profile.consent[0] <= job.decided
        if not job.erased:
            return None, held
        self._attempts += 1
        # The choice stays on the tombstone: the site's default does not make the visitor anew.
        tombstone = Profile(f"{self._boot}{self._attempts:x}", before, consent=[job.decided, []])
        document = documents.encode(tombstone, tombstone.revision)
        write = Write(job.visitor, profile.revision, document, TOMBSTONE_LIFETIME_S, b"", [], erase_before=before)
        return write, _Held(tombstone, Marks(), held.room, held.room_at)

    def _finish(self, key: VisitorKey, after: _Held, jobs: list[Job]) -> None:
        """Keep what the store confirmed and settle the jobs."""
        self._cache.pop(key, None)
        if after.profile.revision:
            after.marks = after.marks.at_rest()
            self._cache[key] = after
            if len(self._cache) > self._cached:
                del self._cache[next(iter(self._cache))]
        for job in jobs:
            job.done = True
            if job.given_up:
                late = sum(e.outcome is not None and e.outcome.kind == "stored" for e in job.envelopes)
                self._telemetry.count(("events_late",), late)


def _next_jobs(lane: _Lane) -> list[Job]:
    """Take the jobs of the next call: an erasure alone, else all that wait up to the next erasure."""
    jobs = [lane.waiting.popleft()]
    while not jobs[0].erase_before and lane.waiting and not lane.waiting[0].erase_before:
        jobs.append(lane.waiting.popleft())
    return jobs


def _from_store(key: VisitorKey, stored: Stored, held: _Held) -> _Held:
    """Return what the store holds, with the bucket that this worker kept; raises StoreUnavailable."""
    try:
        profile = documents.decode(stored.document) if stored.document is not None else Profile()
    except (orjson.JSONDecodeError, LookupError, TypeError) as err:
        log.exception("the stored profile of %s cannot be read", ":".join(key))
        raise StoreUnavailable("the stored profile cannot be read") from err
    return _Held(profile, Marks(stored.marks), held.room, held.room_at)
