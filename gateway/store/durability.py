"""Writes that are answered only when a replica, or the disk, has them too.

They go over a connection of their own, because a server runs nothing of a connection that waits: decisions would wait
behind every write. While one group of writes waits for its confirmation the next ones gather, and leave together once
it has come; so there is one WAIT for each group, and a slow replica makes groups larger instead of a queue longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from gateway.errors import StoreUnavailable, StoreUnfit
from gateway.settings import Durability
from gateway.store import keys
from gateway.store.connection import StoreConnection
from gateway.store.link import Limits, Link, packed

SHARE = 0.4
"""Of the deadline, for one confirmation: a write may have to wait for the group before it, then for its own."""

_DISK = {b"appendonly": b"yes", b"appendfsync": b"always", b"no-appendfsync-on-rewrite": b"no"}
"""What makes a server write to its disk before it answers; the last one stops that while it rewrites its file."""
_TOUCH: tuple[str | int, ...] = ("SET", keys.PROBE_KEY, "", "PX", 1000)
"""A write that nobody reads: its confirmation covers all writes before it, also those of a connection that broke."""

_Waiting = tuple[bytes, asyncio.Future[Any]]


def connection_to(
    url: str,
    *,
    durability: Durability = "store",
    limits: Limits | None = None,
    on_event: Callable[[str], None] = lambda _: None,
) -> StoreConnection:
    """Return a connection to the store whose `write` gives this durability."""
    if durability == "store":
        return StoreConnection(url, limits=limits, on_event=on_event)
    return DurableConnection(url, durability, limits=limits or Limits(), on_event=on_event)


class ConfirmedWrites(StoreConnection):
    """A connection for writes alone. A write whose confirmation does not come fails, and may have been applied.

    While confirmations stay out, writes fail at once; the store is asked until one comes.
    """

    def __init__(self, url: str, durability: Durability, *, limits: Limits, on_event: Callable[[str], None]) -> None:
        super().__init__(url, limits=limits, on_event=on_event)
        self.write = self._gather
        self._durability = durability
        self._room = limits.capacity
        self._patience_ms = max(1, int(limits.deadline_s * 1000 * SHARE))
        self._confirm: tuple[str | int, ...] = ("WAIT", 1, self._patience_ms)
        self._next: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._unconfirmed = ""
        self._closed = False
        self._asked: Link | None = None
        self.on_told: Callable[[], None] = lambda: None
        """Called after everything that may have changed `trouble`."""

    @property
    def trouble(self) -> str:
        """Why a write has no chance now, one sentence; "" while it has one."""
        return super().trouble or self._unconfirmed

    async def close(self) -> None:
        """Close the connection; writes under way fail."""
        self._closed = True
        await super().close()
        if self._working is not None:
            await asyncio.wait([self._working])
        self._fail(self._next, "the gateway closed the connection")

    def _gather(self, payload: bytes) -> asyncio.Future[Any]:
        """Take a write for the next group; raise StoreUnavailable at once when that is futile."""
        link = self._connected_link()
        if not link.answering or self._unconfirmed:
            raise StoreUnavailable(self.trouble)
        if not self._confirm:
            return link.send(payload)
        if len(self._next) >= self._room:
            raise StoreUnavailable("the store is too slow: too many writes are waiting for it")
        future = asyncio.get_running_loop().create_future()
        self._next.append((payload, future))
        self._work()
        return future

    def _work(self) -> None:
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._write_groups(), name="durable writes")

    async def _write_groups(self) -> None:
        """Write group after group until nothing is left; while there are no confirmations, ask for one."""
        while not self._closed and (self._next or self._unconfirmed):
            if self._unconfirmed:
                await self._ask_again()
            else:
                group, self._next = self._next, []
                # Who gave up before the group left needs no write.
                if waiting := [one for one in group if not one[1].done()]:
                    await self._write_group(waiting)

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        link = self._link
        replies = [self._sent(payload) for payload, _ in group]
        try:
            why = await self._confirmation()
            while not all(reply.done() for reply in replies):
                # The server had forgotten the scripts, and writes were sent again behind the confirmation.
                await asyncio.wait(replies)
                why = await self._confirmation()
        except StoreUnavailable as error:
            why = str(error)
        else:
            if self._link is not link:  # a new connection confirms nothing of what an old one wrote
                why = why or "the connection to the store broke"
            self._set_unconfirmed(why)
        await asyncio.wait(replies)
        if why:
            self._fail([*group, *self._next], why)
        for (_, future), reply in zip(group, replies, strict=True):
            refusal = reply.exception()
            if not future.done():
                future.set_result(reply.result()) if refusal is None else future.set_exception(refusal)

    def _sent(self, payload: bytes) -> asyncio.Future[Any]:
        try:
            return self.send(payload)
        except StoreUnavailable as error:
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def _confirmation(self) -> str:
        """Return why what was written on this connection is not confirmed, "" if it is; raise StoreUnavailable."""
        if not self._confirm:
            return ""
        reply = await self.call(*self._confirm)
        if (reply[0] if isinstance(reply, list) else reply) >= 1:
            return ""
        who = "no replica" if self._confirm[0] == "WAIT" else "the store's disk has not"
        return f"{who} confirmed a write within {self._patience_ms} ms"

    async def _ask_again(self) -> None:
        try:
            _, why = await asyncio.gather(self.call(*_TOUCH), self._confirmation())
        except StoreUnavailable:
            # It says itself what is wrong, or is being connected again.
            why = self._unconfirmed
        self._set_unconfirmed(why)
        if why:
            await asyncio.sleep(self._patience_ms / 1000)

    def _tell(self) -> None:
        super()._tell()
        self.on_told()

    def _set_unconfirmed(self, why: str) -> None:
        self._unconfirmed = why
        self._tell()

    @staticmethod
    def _fail(group: Sequence[_Waiting], why: str) -> None:
        for _, future in group:
            if not future.done():
                future.set_exception(StoreUnavailable(why))

    # -- whether the server is fit -------------------------------------------------------------------------------

    async def _check(self, link: Link) -> None:
        if link is self._asked:  # confirmations tell all that can change on this link
            return
        if self._durability == "replica":
            await self._allowed(link, ("WAIT", 0, 0), "Let the gateway's account use WAIT.")
            self._asked = link
            return
        try:
            found = await link.call("CONFIG", "GET", "*append*")
        except StoreUnavailable:
            if link.trouble or link.lost.done():
                raise
            found = []
        settings = dict(zip(found[::2], found[1::2], strict=False))
        if wrong := [name.decode() for name, good in _DISK.items() if settings and settings.get(name) != good]:
            said = ", ".join(f"{name} is {settings.get(name.encode(), b'unknown').decode()}" for name in wrong)
            raise StoreUnfit(f"the store answers before its disk has a write: {said}", hint=_HINT)
        self._confirm = () if settings else ("WAITAOF", 1, 0, self._patience_ms)
        if self._confirm:
            await self._allowed(link, ("WAITAOF", 1, 0, 1), _HINT)
            self._asked = link

    @staticmethod
    async def _allowed(link: Link, command: tuple[str | int, ...], hint: str) -> None:
        try:
            await link.call(*command)
        except StoreUnavailable as error:
            if link.trouble or link.lost.done():
                raise
            raise StoreUnfit(f"the store cannot confirm writes: {error}", hint=hint) from error


_HINT = (
    "Set `appendonly yes`, `appendfsync always` and `no-appendfsync-on-rewrite no` at the store and let the gateway's "
    "account use CONFIG GET, or WAITAOF of Redis or Valkey 7.2 or later; or choose another durability."
)


class DurableConnection(StoreConnection):
    """A connection whose writes go over a second one, where they are confirmed. All else is as in StoreConnection."""

    def __init__(self, url: str, durability: Durability, *, limits: Limits, on_event: Callable[[str], None]) -> None:
        super().__init__(url, limits=limits, on_event=on_event)
        self._writes = ConfirmedWrites(url, durability, limits=limits, on_event=on_event)
        self._writes.on_change = lambda _: None
        self._writes.on_loss = self._lose
        self.write = self._writes.write
        self.probe = packed(*_TOUCH)  # what changes nothing is not sent to replicas, so nothing would be confirmed

    @property
    def answering(self) -> bool:
        """Whether both connections are there, and calls on them are answered in time."""
        return super().answering and self._writes.answering

    @property
    def trouble(self) -> str:
        """Why a write has no chance now, one sentence; "" while it has one."""
        return super().trouble or self._writes.trouble

    async def start(self) -> None:
        """Try to connect once, and go on in the background whether or not that succeeded."""
        await self._writes.start()
        self._writes.on_told = self._tell
        await super().start()
        self.unfit = self._writes.unfit

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        await asyncio.gather(super().close(), self._writes.close())
