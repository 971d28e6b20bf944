"""Lanes: each visitor has one call to the store in flight; jobs that arrive meanwhile wait and go together."""

from __future__ import annotations

import asyncio
from collections import deque

from gateway.jobs import MOST_EVENTS, Job
from gateway.ports import VisitorKey
from gateway.telemetry import Telemetry

MOST_WAITING = 2_000
"""Hits that may wait for one visitor; more than that is no visitor, and they are told to come later."""


_Lane = deque[Job]
"""The jobs that wait while the call of their visitor is in flight."""


class Lanes:
    """The lanes of one worker; a job that has waited `patience_ms` goes without an answer."""

    def __init__(self, telemetry: Telemetry, patience_ms: int) -> None:
        self._telemetry = telemetry
        self._patience_ms = patience_ms
        self._lanes: dict[VisitorKey, _Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def open(self, job: Job) -> bool:
        """Open the lane of `job.at`, if nobody is in it: the caller is to run the job now, then `leave`."""
        if job.at in self._lanes:
            return False
        self._lanes[job.at] = _Lane()
        return True

    async def wait(self, job: Job) -> list[Job]:
        """Wait for the lane of `job.at`, which is open; return the jobs that the caller is to run now, then `leave`.

        Empty when the job was run along by another, or may not wait any longer.
        """
        lane = self._lanes[job.at]
        if len(lane) >= MOST_WAITING:
            self._telemetry.count(("store_failures",))
            return []
        return _next_jobs(lane, job) if await self._leads(lane, job) else []

    def leave(self, key: VisitorKey, jobs: list[Job]) -> None:
        """Wake those whose jobs have been run, and let the next waiting job lead, or close the lane."""
        for job in jobs:
            if job.turn is not None and not job.turn.done():
                job.turn.set_result(False)
        self._pass_on(key)

    async def _leads(self, lane: _Lane, job: Job) -> bool:
        """Wait for the lane; return whether this job is to run the next call, rather than having been run along."""
        loop = asyncio.get_running_loop()
        job.turn = loop.create_future()
        key = job.at
        lane.append(job)
        bell = loop.call_later(self._patience_ms / 1000, self._give_up, lane, job)
        try:
            return await job.turn
        except asyncio.CancelledError:
            if job in lane:
                lane.remove(job)
            if job.turn.done() and not job.turn.cancelled() and job.turn.result():
                self._pass_on(key)
            raise
        finally:
            bell.cancel()

    def _give_up(self, lane: _Lane, job: Job) -> None:
        """Let a job that has waited long enough go without an answer from the store."""
        if job.turn is None or job.turn.done():
            return
        if job in lane:
            lane.remove(job)
        else:
            job.given_up = True  # its call is under way and may still land
        job.turn.set_result(False)
        self._telemetry.count(("store_failures",))

    def _pass_on(self, key: VisitorKey) -> None:
        for job in self._lanes[key]:
            if job.turn is not None and not job.turn.done():
                job.turn.set_result(True)
                return
        del self._lanes[key]


def _next_jobs(lane: _Lane, leader: Job) -> list[Job]:
    """Take the jobs of the next call: an erasure alone, else those up to the next erasure or other person.

    All that wait go together, unless their events are too many for one call.
    """
    while lane.popleft() is not leader:
        continue  # one whose caller has just gone
    jobs = [leader]
    room = MOST_EVENTS - len(leader.envelopes)
    while not leader.erase_before and lane and not lane[0].erase_before and lane[0].person == leader.person:
        room -= len(lane[0].envelopes)
        if room < 0:
            break
        jobs.append(lane.popleft())
    return jobs
