"""The watch over the rule folders: what changes there is checked aside, tested, and goes live in all workers at once.

A folder is read when it has been still for a moment, and what was read counts only if nothing was written meanwhile:
editors write files twice, version control and copies write many. One that is never still is read all the same, and
counts when two reads give the same. The content's hash decides in the end; a file that was only touched changes
nothing. Folders are looked at in threads that nobody waits for at the end: they may lie on a volume that is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal, TypeVar

from gateway.control import NotTaken
from gateway.daemon import in_daemon
from gateway.reload import Stamp, read_rules, stamp_of
from gateway.settings import Settings
from gateway.site_rules import Live, SiteRules
from gateway.telemetry import Telemetry
from personalize.errors import RulesError

log = logging.getLogger("tuttu")

T = TypeVar("T")

LOOK_S = 0.5
"""How often a folder is looked at: one stat for each of its files."""
SHARE = 0.05
"""How much of a core the looks may take; a folder of many thousand files is looked at less often."""
STILL_S = 0.3
"""How long a changed folder must have been still."""
RESTLESS_S = 10.0
"""How long to wait for a folder to be still before it is read as it is."""
SILENT_S = 10.0
"""How long a folder may take to answer before that is said."""
RETRY_S = 5.0
"""How long after rules that a worker could not take, or that could not be kept, that is tried again."""


class _Unforeseen(RulesError):
    """A folder broke the watch itself; the log has the traceback."""


Result = Literal["good", "bad", "same"]

RollOut = Callable[[str, str], Awaitable[None]]
"""Brings a site's packed rules to every worker, or raises NotTaken."""


class RulesWatch:
    """The rules of all sites that have a rule folder; reads them all when it is made.

    `clock` returns ms since 1970. Raises RulesError when a folder is bad and no last good rules were kept.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self._sites = [SiteRules(site, settings.data, clock) for site in settings.site if site.rules]
        self._asked = {rules.key: asyncio.Event() for rules in self._sites}
        self._reloads: Counter[Result] = Counter()

    def packed(self) -> dict[str, str]:
        """Return the live rules by site, packed for a worker."""
        return {rules.key: rules.live.packed for rules in self._sites}

    def look_now(self) -> None:
        """Read every folder again, changed or not."""
        for asked in self._asked.values():
            asked.set()

    async def run(self, roll_out: RollOut) -> None:
        """Watch until cancelled."""
        await asyncio.gather(*(self._watch(rules, roll_out) for rules in self._sites))

    def notes(self) -> list[str]:
        """Return one sentence for each thing about the sites' rules that somebody should see to."""
        return [note for rules in self._sites for note in rules.notes()]

    def report(self) -> dict[str, Any]:
        """Return what there is to know about each site's rules."""
        return {rules.key: rules.report() for rules in self._sites}

    def measure(self, telemetry: Telemetry) -> None:
        """Add the numbers of the watch."""
        for result, n in self._reloads.items():
            telemetry.counters[("rules_reloads", result)] = n
        for rules in self._sites:
            telemetry.site_gauges[("rules_version_info", rules.key, rules.live.version)] = 1
            telemetry.site_gauges[("rules_refused", rules.key)] = rules.refused is not None

    async def _watch(self, rules: SiteRules, roll_out: RollOut) -> None:
        asked = self._asked[rules.key]
        pause, keep_again = LOOK_S, 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), pause)
            try:
                stamp, took = await _answer(rules, partial(_look, rules))
                pause = max(LOOK_S, took / SHARE)
                if asked.is_set() or stamp != rules.stamp:
                    asked.clear()
                    await self._reload(rules, await _still(rules, stamp), roll_out)
                else:
                    rules.restless = False
                now = asyncio.get_running_loop().time()
                if rules.unkept and now > keep_again:
                    keep_again = now + RETRY_S
                    await asyncio.to_thread(rules.keep)
            except Exception as error:
                if not rules.refused or not isinstance(rules.refused.error, _Unforeseen):
                    log.exception("the rules of site %s cannot be read", rules.key)
                said = f"the folder cannot be read: {type(error).__name__}: {error}"
                rules.refuse(_Unforeseen(said), again=True)
                asked.set()  # once it can be, it is read whether it has changed or not
                await asyncio.sleep(RETRY_S)

    async def _reload(self, rules: SiteRules, stamp: Stamp, roll_out: RollOut) -> None:
        """Load the folder aside and let it go live, or say why not."""
        files = await _answer(rules, partial(_read, rules))
        found: Live | RulesError
        try:
            found = files if isinstance(files, RulesError) else await in_daemon(partial(rules.load, files))
        except RulesError as error:
            found = error
        (after, _) = await _answer(rules, partial(_look, rules))
        if after != stamp and not (rules.restless and _same(files, await _answer(rules, partial(_read, rules)))):
            return  # written while it was read; the next look finds it
        result: Result = "good"
        keep = True
        if isinstance(found, RulesError):
            rules.refuse(found, again=rules.restless)
            result, keep = "bad", False
        elif found.version == rules.live.version:
            result, keep = "same", rules.take_same(found)
        else:
            try:
                await roll_out(rules.key, found.packed)
            except NotTaken as error:
                rules.refuse(RulesError(str(error)), again=True)
                self._reloads["bad"] += 1
                await asyncio.sleep(RETRY_S)  # the stamp stays what it was, so the next look tries again
                return
            rules.take(found)
        rules.stamp = stamp
        self._reloads[result] += 1
        if keep:
            await asyncio.to_thread(rules.keep)


async def _answer(rules: SiteRules, ask: Callable[[], T]) -> T:
    """Return what the folder answers, and say it while that takes long."""
    answering = asyncio.ensure_future(in_daemon(ask))
    try:
        done, _ = await asyncio.wait((answering,), timeout=SILENT_S)
        if not done:
            rules.silent = True
            log.error("rules of site %s: the folder %s has not answered for %g s", rules.key, rules.folder, SILENT_S)
        return await answering
    finally:
        rules.silent = False
        answering.cancel()


def _look(rules: SiteRules) -> tuple[Stamp, float]:
    """Return the folder's stamp and the seconds of a core that it took."""
    begun = time.thread_time()
    return stamp_of(rules.folder), time.thread_time() - begun


def _read(rules: SiteRules) -> dict[str, bytes] | RulesError:
    try:
        return read_rules(rules.folder)
    except RulesError as error:
        return error


def _same(one: dict[str, bytes] | RulesError, other: dict[str, bytes] | RulesError) -> bool:
    return one == other or (isinstance(one, RulesError) and str(one) == str(other))


async def _still(rules: SiteRules, stamp: Stamp) -> Stamp:
    """Wait until the folder has been the same for a moment, or for long enough, and return its stamp then."""
    deadline = asyncio.get_running_loop().time() + RESTLESS_S
    while True:
        await asyncio.sleep(STILL_S)
        again, _ = await _answer(rules, partial(_look, rules))
        if again == stamp:
            rules.restless = False
            return stamp
        stamp = again
        if asyncio.get_running_loop().time() > deadline:
            if not rules.restless:
                log.warning("rules of site %s: the folder %s changes all the time", rules.key, rules.folder)
            rules.restless = True
            return stamp
