"""The replay: what waits in the spool goes to the store as soon as that takes hits again, oldest first.

It runs beside the hits, which go straight to the store meanwhile: a fold does not depend on the order of arrival. Every
record takes the way of a hit from the visitors on, so consent, erasures and duplicates are judged by what is stored by
now. What the store refuses again and again while it takes others is set aside with its reason, and blocks nothing.

Any worker may replay any segment that nobody has locked: those of the dead are adopted that way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import orjson

from gateway.envelope import UNAVAILABLE, Site
from gateway.errors import StoreUnavailable
from gateway.jobs import Job
from gateway.ports import Erasure
from gateway.spool.erasing import erase_what_waits
from gateway.spool.records import Unreplayable, erases, job_of
from gateway.spool.segments import (
    ASIDE,
    Claim,
    Damage,
    Record,
    Writer,
    claimed,
    listed,
    made_at,
    segment_name,
    swept,
    waiting,
)
from gateway.telemetry import Telemetry

log = logging.getLogger("tuttu")

LOOK_S = 1.0
AT_ONCE = 16
"""Jobs that are on their way to the store together."""
TRIES = 5
FIRST_PAUSE_S = 0.2
LONGEST_REST_S = 0.05
ERASE_EVERY_S = 3600.0
DOUBT_S = 3600.0
"""For how long a segment must have been too old before it is deleted."""


class StoreAway(Exception):
    """The store does not take hits, so the replay waits."""


class Replay:
    """Replays the segments of a folder. `clock` returns ms since 1970.

    `submit` brings a job to the store, `follow` does what comes after one that was stored; `probe` raises
    StoreUnavailable when the store takes no writes now. Segments older than `most_age_s` are deleted. `erasures`
    returns those of the ledger; it may block on the disk.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        folder: Path,
        sites: Mapping[str, Site],
        *,
        submit: Callable[[Job], Awaitable[None]],
        follow: Callable[[Job], Awaitable[None]],
        probe: Callable[[], Awaitable[None]],
        seal: Callable[[], Awaitable[None]],
        most_age_s: float,
        telemetry: Telemetry,
        clock: Callable[[], int],
        erasures: Callable[[], Sequence[Erasure]] = tuple,
    ) -> None:
        self._folder = folder
        self._erasures = erasures
        self._sites = sites
        self._submit = submit
        self._follow = follow
        self._probe = probe
        self._seal = seal
        self._most_age_s = most_age_s
        self._telemetry = telemetry
        self._clock = clock
        self._unkept: list[bytes] = []
        self._looked: dict[Path, int] = {}
        self._aside: Writer | None = None
        self._why_aside: Counter[str] = Counter()
        self._shut: set[Path] = set()
        self._unreadable: set[str] = set()
        self._doomed: dict[Path, float] = {}

    def remember(self, payloads: Sequence[bytes]) -> None:
        """Replay records that could not be written to disk, from memory."""
        self._unkept += payloads

    async def run(self) -> None:
        """Replay again and again until cancelled; whatever goes wrong is tried again later."""
        loop = asyncio.get_running_loop()
        erase_at = loop.time()
        while True:
            try:
                await asyncio.to_thread(self._tidy)
                await self.once()
                if loop.time() >= erase_at:
                    await self.erase()
                    erase_at = loop.time() + ERASE_EVERY_S
            except OSError as err:
                log.warning("the spool waits: %s", err)
            except Exception:
                log.exception("the replay failed; it is tried again")
            await asyncio.sleep(LOOK_S)

    async def erase(self) -> None:
        """Take what was erased out of all that waits, but for what others write or replay at this moment."""
        await self._seal()
        self._end_aside()
        await asyncio.to_thread(lambda: erase_what_waits(self._folder, self._erasures()))

    async def once(self) -> None:
        """Replay all that waits and that nobody else has locked, as long as the store takes it."""
        try:
            found = await asyncio.to_thread(listed, self._folder)
            if not found and not self._unkept:
                return
            await self._check_store()
            await self._erase_first()
            while self._unkept:
                await self._chunk(self._unkept[:AT_ONCE])
                del self._unkept[:AT_ONCE]
            await self._seal()
            for path in await asyncio.to_thread(listed, self._folder):
                claim = await asyncio.to_thread(self._claimed, path)
                if claim is not None:
                    with claim:
                        await self._segment(claim)
        except StoreAway:
            return
        finally:
            self._end_aside()

    async def _erase_first(self) -> None:
        """Bring the withdrawals to the store before all else, or what came after one would be taken away with it.

        They come again in their turn, and have no second effect then.
        """
        payloads = await asyncio.to_thread(self._withdrawals)
        for first in range(0, len(payloads), AT_ONCE):
            jobs = []
            for payload in payloads[first : first + AT_ONCE]:
                with contextlib.suppress(Unreplayable):
                    jobs.append(job_of(payload, self._sites))
            await asyncio.gather(*map(self._submit, jobs), return_exceptions=True)

    def _withdrawals(self) -> list[bytes]:
        """Return the erasures that wait in segments that are new or have grown since the last look."""
        found = []
        looked: dict[Path, int] = {}
        for path in listed(self._folder):
            with contextlib.suppress(FileNotFoundError):
                looked[path] = path.stat().st_size
                if self._looked.get(path) != looked[path]:
                    found += [one.payload for one in waiting(path) if isinstance(one, Record) and erases(one.payload)]
        self._looked = looked
        return found

    async def _segment(self, claim: Claim) -> None:
        """Replay one segment and delete it; raises StoreAway."""
        if not claim.readable:
            if claim.path.name not in self._unreadable:
                self._unreadable.add(claim.path.name)
                log.error("%s is not a segment of this version; it is left alone", claim.path)
            return
        chunk: list[bytes] = []
        for record in claim.records():
            if isinstance(record, Damage):
                await self._chunk(chunk)
                claim.note(record.end)
                chunk = []
                self._telemetry.count(("spool_damaged", "torn" if record.torn else "damaged"))
                log.warning("%s: %d bytes hold no whole record", claim.path.name, record.size)
            else:
                chunk.append(record.payload)
                if len(chunk) >= AT_ONCE:
                    await self._chunk(chunk)
                    claim.note(record.end)
                    chunk = []
        await self._chunk(chunk)
        await asyncio.to_thread(claim.remove)

    async def _chunk(self, payloads: Sequence[bytes]) -> None:
        """Bring some records to the store, or put them aside; raises StoreAway when it takes none.

        Rests as long as it worked, so that the hits of now have half of the worker.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        pause = FIRST_PAUSE_S
        left = list(payloads)
        for _ in range(TRIES):
            left = [p for p, done in zip(left, await self._tried(left), strict=True) if not done]
            if not left:
                break
            await self._check_store()
            await asyncio.sleep(pause)
            pause *= 2
        for payload in left:
            self._put_aside(payload, "the store took others, but not this")
        await asyncio.sleep(min(loop.time() - begun, LONGEST_REST_S))

    async def _check_store(self) -> None:
        """Raise StoreAway unless the store takes a write: else what is good would be set aside."""
        try:
            await self._probe()
        except StoreUnavailable:
            raise StoreAway from None

    async def _tried(self, payloads: Sequence[bytes]) -> list[bool]:
        """Try each record once; return for each whether it is settled."""
        jobs: list[Job | None] = []
        for payload in payloads:
            try:
                jobs.append(job_of(payload, self._sites))
            except Unreplayable as err:
                jobs.append(None)
                self._put_aside(payload, str(err))
        results = await asyncio.gather(*(self._settled(job) for job in jobs if job is not None), return_exceptions=True)
        found = iter(results)
        settled = []
        for payload, job in zip(payloads, jobs, strict=True):
            result = True if job is None else next(found)
            if isinstance(result, asyncio.CancelledError):
                raise result
            if isinstance(result, BaseException):
                log.error("a spooled record cannot be replayed", exc_info=result)
                self._put_aside(payload, f"{type(result).__name__}: {result}")
                result = True
            settled.append(result)
        return settled

    async def _settled(self, job: Job) -> bool:
        await self._submit(job)
        if not job.done:
            return False
        for outcome in job.outcomes(UNAVAILABLE):
            self._telemetry.count(("spool_replayed", outcome.kind))
        await self._follow(job)
        return True

    def _put_aside(self, payload: bytes, why: str) -> None:
        """Write a record where it blocks nothing, before the position moves past it. Rare, so it may block the loop."""
        if self._aside is None:
            self._aside = Writer(self._folder, segment_name(self._clock(), ASIDE))
        self._aside.append([orjson.dumps({"why": why, "at": self._clock(), "record": b64encode(payload).decode()})])
        self._telemetry.count(("spool_aside",))
        self._why_aside[why] += 1

    def _end_aside(self) -> None:
        if self._aside is not None:
            for why, number in self._why_aside.items():
                log.error("%d spooled records are set aside in %s: %s", number, self._aside.path.name, why)
            self._why_aside.clear()
            self._aside.close()
            self._aside = None

    def _claimed(self, path: Path) -> Claim | None:
        """Lock a segment; one that this user may not open must not keep the others waiting."""
        try:
            return claimed(path)
        except PermissionError as err:
            if path not in self._shut:
                self._shut.add(path)
                log.error("%s: %s; it is left alone", path, err.strerror)  # noqa: TRY400 - the text is all
            return None

    def _tidy(self) -> None:
        """Delete what is too old, and what crashes left behind."""
        swept(self._folder, self._clock())
        oldest = self._clock() - 1000 * self._most_age_s
        old = [p for p in (*listed(self._folder), *listed(self._folder, ASIDE)) if 0 < made_at(p) < oldest]
        now = time.monotonic()
        # A clock that was set wrong, and is set right again within the hour, must not cost anything.
        self._doomed = {path: self._doomed.get(path, now) for path in old}
        for path in old:
            claim = self._claimed(path) if now - self._doomed[path] >= DOUBT_S else None
            if claim is not None:
                with claim:
                    lost = sum(isinstance(one, Record) for one in claim.records())
                    self._telemetry.count(("spool_expired",), lost)
                    log.error("%s is older than spool_max_age_h; %d records in it are lost", path.name, lost)
                    claim.remove()
