"""The spool of one worker: what the store did not take is on disk before it is answered.

Hits that come while a write is under way go together in the next one, with one fsync. The limits come first: a full
spool, or a disk without room, takes nothing, and the hit is answered 503 as if there were no spool.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gateway.envelope import NO_CONSENT, SPOOLED, TOO_HOT, Outcome
from gateway.identity.consent import allows_profile
from gateway.jobs import Job
from gateway.pipeline import purposes
from gateway.spool.buckets import Buckets
from gateway.spool.records import kept_of, record_of
from gateway.spool.segments import Writer, segment_name, size_of
from gateway.telemetry import Telemetry
from personalize.profiles import Profile

log = logging.getLogger("tuttu")

SEGMENT_BYTES = 8_000_000
SEGMENT_S = 600
"""A segment ends after so long, so that what was erased can be taken out of it."""
WITHIN_S = 2.0
"""How long a hit waits for the disk."""
MOST_QUEUED_BYTES = 64_000_000
"""What may wait for the disk; beyond it the disk cannot keep up."""
LOOK_EVERY_BYTES = 1_000_000


class SpoolFull(OSError):
    """The spool takes nothing now; the text is a sentence that says why."""


@dataclass(slots=True, frozen=True)
class Limits:
    """How much a spool may hold: `most` bytes of all its segments, as long as `free` bytes of the disk stay free."""

    most: int
    free: int


class Spool:
    """Writes to the spool of a data folder; `clock` returns ms since 1970. Start it inside of a running loop."""

    def __init__(self, folder: Path, limits: Limits, telemetry: Telemetry, clock: Callable[[], int]) -> None:
        self.folder = folder
        self.trouble = ""
        """Why it takes nothing, "" as long as it does."""
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._buckets = Buckets()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._queue: list[tuple[Sequence[bytes], int, asyncio.Future[None]]] = []
        self._queued = 0
        self._writing: asyncio.Task[None] | None = None
        # Only the thread touches these.
        self._writer: Writer | None = None
        self._since = 0
        self._looked_at = -1

    async def keep(self, jobs: Sequence[Job], known: Callable[[Job], Profile]) -> None:
        """Spool jobs that the store did not take; one that is `spooled` afterwards is on disk.

        `known` returns what is remembered of a job's visitor. What may not be kept is dropped here, and where
        only the store knows whether it may be, the job is left alone.
        """
        kept: list[tuple[Job, list[Outcome]]] = []
        payloads: list[bytes] = []
        for job in jobs:
            if job.durable or job.keeping or not (job.envelopes or job.erase_before):
                continue
            profile = job.profile or known(job)
            outcomes = self._admitted(job, profile)
            if outcomes is not None:
                job.keeping = True
                kept.append((job, outcomes))
                payloads += self._payload(job, outcomes, profile)
        try:
            if payloads:
                await self.put(payloads, sum(outcomes.count(SPOOLED) for _, outcomes in kept))
        except OSError:
            return  # `trouble` says why
        finally:
            for job, _ in kept:
                job.keeping = False
        for job, outcomes in kept:
            self._settle(job, outcomes, job.profile or known(job))

    def _payload(self, job: Job, outcomes: Sequence[Outcome], profile: Profile) -> list[bytes]:
        """Return the record of a job, if anything of it is to be kept."""
        taken = [e for e, outcome in zip(job.envelopes, outcomes, strict=True) if outcome is SPOOLED]
        if not taken and not job.erase_before:
            return []
        return [record_of(kept_of(job, profile), taken, self._clock())]

    def _settle(self, job: Job, outcomes: Sequence[Outcome], profile: Profile) -> None:
        if job.done:
            return  # the store was faster; the replay will find a duplicate
        job.spooled = outcomes
        job.erased = bool(job.erase_before) and not (profile.consent and profile.consent[0] > job.decided)
        if job.given_up:
            self._telemetry.count(("events_late",), outcomes.count(SPOOLED))

    async def put(self, payloads: Sequence[bytes], events: int = 0) -> None:
        """Write records; they are on disk when this returns. Raises OSError, SpoolFull and TimeoutError among others.

        `events` is how many of them count as late should they get there after a TimeoutError.
        """
        loop = asyncio.get_running_loop()
        size = sum(map(len, payloads))
        if self._queued + size > MOST_QUEUED_BYTES:
            self._telemetry.count(("spool_failures",))
            raise SpoolFull("the disk cannot keep up")
        future = loop.create_future()
        self._queue.append((payloads, events, future))
        self._queued += size
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="spool")
        try:
            async with asyncio.timeout(WITHIN_S):
                await future
        except TimeoutError:
            self._failing("the disk does not answer")
            raise

    async def seal(self) -> None:
        """End the segment that is being written, so that it can be replayed."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    async def look(self) -> None:
        """See whether it could take a hit now; `trouble` says so afterwards."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._look)

    async def close(self) -> None:
        """Write what waits, and end."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await self.seal()
        self._thread.shutdown(wait=False)

    def _admitted(self, job: Job, profile: Profile) -> list[Outcome] | None:
        """Return what becomes of a job's events in the spool; None when only the stored choice could say."""
        found: list[Outcome] = []
        hit, visitor = job.hit, job.visitor
        for envelope in job.envelopes:
            if visitor.kind != "g" and not allows_profile(purposes(hit, envelope, profile)):
                # What a visitor without a signal has chosen is in the store; the default must not speak for a "yes".
                if envelope.signal is None and not profile.consent and allows_profile(envelope.limit):
                    return None
                found.append(NO_CONSENT)
            elif not hit.secret and not self._buckets.take(visitor, hit.received):
                found.append(TOO_HOT)
            else:
                found.append(SPOOLED)
        return found

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue, []
            payloads = [payload for some, _, _ in batch for payload in some]
            error: OSError | None = None
            try:
                await loop.run_in_executor(self._thread, self._write, payloads)
            except OSError as err:
                error = err
            except Exception as err:
                log.exception("the spool could not be written")
                error = OSError(str(err))
            self._queued -= sum(map(len, payloads))
            if error is not None:
                self._telemetry.count(("spool_failures",))
            for _, events, future in batch:
                if future.done():
                    if error is None:
                        self._telemetry.count(("events_late",), events)
                elif error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

    def _write(self, payloads: Sequence[bytes]) -> None:
        now = self._clock()
        writer = self._writer
        if writer is not None and (writer.size > SEGMENT_BYTES or now - self._since > 1000 * SEGMENT_S):
            self._close()
            writer = None
        try:
            if writer is None or self.trouble or writer.size - self._looked_at > LOOK_EVERY_BYTES:
                self._check(sum(map(len, payloads)))
                if writer is None:
                    writer = self._writer = Writer(self.folder, segment_name(now))
                    self._since = now
                self._looked_at = writer.size
            writer.append(payloads)
        except OSError as err:
            self._failed(err)
            raise
        self._well()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OSError as err:
                log.warning("the spool: %s", err)

    def _check(self, size: int) -> None:
        """Raise SpoolFull when there is no room for so many bytes."""
        if size_of(self.folder) + size > self._limits.most:
            raise SpoolFull(f"the spool is full ({self._limits.most:,} bytes, spool_max_bytes)")
        place = self.folder
        while not place.exists() and place != place.parent:
            place = place.parent
        found = os.statvfs(place)
        if found.f_bavail * found.f_frsize - size < self._limits.free:
            raise SpoolFull(f"the disk has no more than {self._limits.free:,} bytes free (spool_free_bytes)")

    def _look(self) -> None:
        try:
            self._check(0)
            if self.trouble and self._writer is None:
                Writer(self.folder, segment_name(self._clock())).close()  # can a file be made again?
        except OSError as err:
            self._failed(err)
        else:
            self._well()

    def _failed(self, err: OSError) -> None:
        """Note why nothing is taken. What is open may be broken, so the next write begins another segment."""
        self._close()
        self._failing(str(err) if isinstance(err, SpoolFull) else f"{self.folder}: {err.strerror or err}")

    def _failing(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            log.error("the spool takes nothing: %s", trouble)

    def _well(self) -> None:
        if self.trouble:
            self.trouble = ""
            log.info("the spool takes hits again")
