"""Bringing to the store what waits: by this command where no gateway runs, else by the gateway, while this watches."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway.app import Gateway, sites_of
from gateway.commands.live_rules import live_plan
from gateway.commands.opened import COULD_NOT, GOOD, opened_store, say
from gateway.fetch.progress import Progress
from gateway.ring import new_secret
from gateway.settings import Settings
from gateway.spool.aside import bring_back
from gateway.spool.looking import bytes_left, segment_at
from gateway.spool.segments import is_locked, listed
from gateway.store.folder import OWNER_LOCK
from personalize.plan import empty_plan

_LOOK_S = 0.2
_QUIET_S = 10.0
"""After so long without any progress it is said."""


def replay(settings: Settings, folder: Path, *, aside: bool) -> int:
    """Replay what waits, and return the exit code; `aside` lets what was set aside wait again before.

    Raises UsageError, GatewayError, RedisError and OSError.
    """
    if aside:
        back, held = bring_back(folder)
        say(f"set aside before, and waiting again: {back:,} record{'' if back == 1 else 's'}")
        if held:
            say("what was set aside just now is still being written; try again in a while")
    if not listed(folder):
        sys.stdout.write(f"Nothing waits in {folder}.\n")
        return GOOD
    if not settings.redis and _gateway_runs(settings):
        return _watched(settings, folder)
    return asyncio.run(_replayed(settings, folder))


def _gateway_runs(settings: Settings) -> bool:
    return is_locked(settings.data / "store" / OWNER_LOCK)


def _watched(settings: Settings, folder: Path) -> int:
    """Wait until the gateway that runs here has replayed all."""
    progress = Progress()
    progress.say(f"a gateway runs on {settings.data}: it replays by itself, and this waits for it (Ctrl-C ends that)")
    total = left = bytes_left(folder)
    moved, quiet = time.monotonic(), False
    with progress.step("replaying", total, "bytes") as advance:
        while left:
            if not _gateway_runs(settings):
                say("tuttu spool replay: the gateway has ended; start it again, or this command")
                return COULD_NOT
            time.sleep(_LOOK_S)
            now = bytes_left(folder)
            if now < left:
                moved, quiet = time.monotonic(), False
            elif time.monotonic() - moved > _QUIET_S and not quiet:
                quiet = True
                say(f"nothing has moved for {_QUIET_S:g} s; does the gateway reach its store? /ready tells")
            left = now
            advance(max(0, total - left))
    strange = [path.name for path in listed(folder)]
    for name in strange:
        say(f"{name} stays: it is not in the format of this version")
    sys.stdout.write(f"All {'else' if strange else 'of it'} has left the spool.\n")
    return COULD_NOT if strange else GOOD


async def _replayed(settings: Settings, folder: Path) -> int:
    """Replay by a gateway of our own that nobody else can reach."""
    sites = sites_of(settings, {site.key: new_secret() for site in settings.site}, {})
    for site, about in zip(sites, settings.site, strict=True):
        site.plan = live_plan(settings, about) or empty_plan(about.time_zone)
    async with opened_store(settings) as store:
        gateway = Gateway(settings, sites, [new_secret()], new_secret(), store.profiles, spool=folder)
        total = bytes_left(folder)
        with Progress().step("replaying", total, "bytes") as advance:
            watching = asyncio.create_task(_watch(folder, total, advance))
            try:
                await _passes(gateway, folder)
            finally:
                watching.cancel()
                if gateway.spool is not None:
                    await gateway.spool.close()
            advance(max(0, total - bytes_left(folder)))
        return _told(gateway, folder)


async def _passes(gateway: Gateway, folder: Path) -> None:
    """Replay until nothing waits, or nothing more can be done; clicks that follow may wait in their turn."""
    work = gateway.replay(folder)
    before: list[Path] = []
    while (waiting := listed(folder)) and waiting != before:
        before = waiting
        await work.once()


async def _watch(folder: Path, total: int, advance: Callable[[int], None]) -> None:
    while True:
        advance(max(0, total - bytes_left(folder)))
        await asyncio.sleep(_LOOK_S)


def _told(gateway: Gateway, folder: Path) -> int:
    """Say what became of the events, and return the exit code."""
    counters = gateway.telemetry.counters
    became = {key[1]: n for key, n in counters.items() if key[0] == "spool_replayed"}
    events = ", ".join(f"{n:,} {kind}" for kind, n in sorted(became.items(), key=lambda item: -item[1]))
    sys.stdout.write(f"events: {events or 'none'}\n")
    for name, text in (
        ("erasures", "visitors erased, as they had wished"),
        ("spool_aside", "records set aside (`tuttu spool show` says why)"),
        ("spool_damaged", "places that hold no whole record"),
    ):
        number = sum(n for key, n in counters.items() if key[0] == name)
        if number:
            sys.stdout.write(f"{text}: {number:,}\n")
    left = [segment for segment in map(segment_at, listed(folder)) if segment is not None]
    for segment in left:
        if not segment.readable:
            say(f"{segment.path.name} stays: it is not in the format of this version")
        elif segment.locked:
            say(f"{segment.path.name} stays: another process writes or replays it")
        else:
            say(f"{segment.path.name} stays, with {segment.records:,} records: the store takes no writes")
    return COULD_NOT if left or counters.get(("spool_aside",)) else GOOD
