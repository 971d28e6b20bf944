"""Erasure's second half: what an erasure left half done is finished, and the log entries go, soon after the profiles.

The script that wrote the first tombstone left a note in the same step, so an erasure is finished even if the gateway
that began it has died. Each is written into the ledger before its note is settled, so that a restored backup does not
bring it back. A merge that was left half done is finished as well: else its browser, which the person does not list,
would be out of an erasure's reach. Several gateways on one store may sweep at once; that is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from redis.exceptions import RedisError

from gateway.errors import StoreUnavailable
from gateway.ports import Erasure, LogEraser, Recognitions, VisitorKey
from gateway.rights.erasing import Erased, Eraser
from gateway.rights.ledger import Ledger

log = logging.getLogger("tuttu")

PAUSE_S = 2.0
FRESH_MS = 600_000
"""How far back the ledger is trusted over the store when the sweep begins: a power cut takes the store's last 2 s."""
COMPACT_EVERY_S = 86_400
MERGING_MS = 60_000
"""A merge takes milliseconds; one that was begun longer ago waits for a hit that may never come."""

FinishMerge = Callable[[VisitorKey], Awaitable[None]]
"""Does for a visitor whose merge was left half done what their next hit would do; raises StoreUnavailable."""


class SweptLog(LogEraser, Recognitions, Protocol):
    """The log as the sweep needs it."""


class Sweep:
    """Finishes what is noted in one store. `clock` returns ms since 1970; without `finish_merge` merges are left.

    `forget` is told who was erased, so that no worker goes on remembering them; `erase_what_waits` takes them out of
    the spool.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the supervisor names each part
        self,
        log_eraser: SweptLog,
        eraser: Eraser,
        ledger: Ledger,
        clock: Callable[[], int],
        finish_merge: FinishMerge | None = None,
        forget: Callable[[Sequence[VisitorKey]], None] = lambda _: None,
        erase_what_waits: Callable[[Sequence[Erasure]], int] = lambda _: 0,
    ) -> None:
        self._forget = forget
        self._erase_what_waits = erase_what_waits
        self._log = log_eraser
        self._eraser = eraser
        self._ledger = ledger
        self._clock = clock
        self._finish_merge = finish_merge

    async def run(self) -> None:
        """Sweep again and again until cancelled; a store or a disk that is away is tried again later."""
        loop = asyncio.get_running_loop()
        again, compact_at = True, loop.time()
        while True:
            try:
                if again:
                    await self.renew()
                    again = False
                await self.once()
                if loop.time() >= compact_at:
                    compact_at = loop.time() + COMPACT_EVERY_S
                    await asyncio.to_thread(self._ledger.compact, self._clock())
            except (RedisError, OSError, StoreUnavailable) as err:
                log.warning("erased visitors' log entries wait: %s", err)
            except Exception:
                # Nothing that was foreseen, but the sweep must not end for good; the notes stay.
                log.exception("the sweep of erasures failed")
            await asyncio.sleep(PAUSE_S)

    async def once(self) -> None:
        """Finish what is noted now."""
        finished, written = [], []
        for note in await self._log.pending():
            done = Erased(note.before)
            try:
                await self._eraser.finish(note, done)
                finished.append(note)
                # With a person's also their browsers': a backup must find them together.
                written += [note, *(one for one in done.notes if one != note)]
            except (LookupError, ValueError, TypeError, AttributeError):
                log.exception("an erasure could not be finished; it is tried again")
        if finished:
            self._forget([note.visitor for note in finished])
            await asyncio.to_thread(self._ledger.append, written, self._clock())
            await asyncio.to_thread(self._erase_what_waits, written)
            await self._forget_contacts([note for note in finished if note.visitor.kind == "k" and not note.via])
        for note in finished:
            try:
                await self._log.erase(note)
            except (LookupError, ValueError, TypeError):
                # An entry that cannot be read must not keep the others' waiting.
                log.exception("an erased visitor's log entries could not be erased; it is tried again")
        await self._finish_merges()

    async def _forget_contacts(self, contacts: list[Erasure]) -> None:
        """Let browsers forget that an e-mail's link recognized them as somebody who is erased."""
        for browser, contact in await self._log.forget(contacts):
            await self._eraser.forget_contact(browser, contact)

    async def _finish_merges(self) -> None:
        if self._finish_merge is None:
            return
        for merge, _ in await self._eraser.merges.under_way():
            if merge.at + MERGING_MS <= self._clock():
                await self._finish_merge(merge.visitor)

    async def renew(self) -> None:
        """Erase again what the ledger holds and the store has lost."""
        since = self._clock() - FRESH_MS
        for line in await asyncio.to_thread(self._ledger.read):
            if line.at > since:
                await self._eraser.renew(line.erasure)
