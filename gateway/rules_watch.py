"""The watch over the rule folders: what changes there is checked aside, tested, and goes live in all workers at once.

A folder is read when it has been still for a moment, and what was read counts only if nothing was written meanwhile:
editors write files twice, version control and copies write many. The content's hash decides in the end; a file that
was only touched changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from gateway.reload import Stamp, stamp_of
from gateway.settings import Settings
from gateway.site_rules import Live, SiteRules
from gateway.telemetry import Telemetry
from personalize.errors import RulesError

log = logging.getLogger("tuttu")

LOOK_S = 0.5
"""How often a folder is looked at: one stat for each of its files, in a thread."""
STILL_S = 0.3
"""How long a changed folder must have been still."""
RETRY_S = 5.0
"""How long after rules that a worker could not take they are tried again."""


class NotTaken(RulesError):
    """Good rules did not reach every worker, so none has them; the text is a sentence that says why."""


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
        self._one_at_a_time = asyncio.Lock()

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
        """Return one sentence for each site whose folder was refused."""
        return [note for rules in self._sites if (note := rules.note())]

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
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), LOOK_S)
            try:
                stamp = await asyncio.to_thread(stamp_of, rules.folder)
                if asked.is_set() or stamp != rules.stamp:
                    asked.clear()
                    await self._reload(rules, await _still(rules, stamp), roll_out)
            except Exception:
                log.exception("the rules of site %s could not be looked at; what is live stays", rules.key)
                await asyncio.sleep(RETRY_S)

    async def _reload(self, rules: SiteRules, stamp: Stamp, roll_out: RollOut) -> None:
        """Load the folder aside and let it go live, or say why not."""
        found: Live | RulesError
        try:
            found = await asyncio.to_thread(rules.load)
        except RulesError as error:
            found = error
        if await asyncio.to_thread(stamp_of, rules.folder) != stamp:
            return  # written while it was read; the next look finds it
        result: Result = "good"
        keep = True
        if isinstance(found, RulesError):
            rules.refuse(found)
            result, keep = "bad", False
        elif found.version == rules.live.version:
            result, keep = "same", rules.take_same(found)
        else:
            try:
                async with self._one_at_a_time:
                    await roll_out(rules.key, found.packed)
            except NotTaken as error:
                rules.refuse(error)
                self._reloads["bad"] += 1
                await asyncio.sleep(RETRY_S)  # the stamp stays what it was, so the next look tries again
                return
            rules.take(found)
        rules.stamp = stamp
        self._reloads[result] += 1
        if keep:
            await asyncio.to_thread(rules.keep)


async def _still(rules: SiteRules, stamp: Stamp) -> Stamp:
    """Wait until the folder has been the same for a moment and return its stamp then."""
    while True:
        await asyncio.sleep(STILL_S)
        again = await asyncio.to_thread(stamp_of, rules.folder)
        if again == stamp:
            return stamp
        stamp = again
