"""One connection to the store, from its first byte to its loss. It does not reconnect; StoreConnection does.

All calls of one loop tick leave in one write, and replies answer calls strictly in order. A call that waited too long
fails, but its slot in the queue stays: a late reply finds its own slot and can never answer another call. Once a call
came late, further ones fail at once until the store answers in time again, see breaker.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import hiredis

from gateway.errors import StoreUnavailable
from gateway.store.breaker import PROBE, Breaker
from gateway.store.scripts import SOURCES

Slot = tuple[asyncio.Future[Any], bytes, float]
"""A call under way: who waits, what was sent (empty once it was sent again), and when it left (loop time)."""

_NOTHING_YET = object()

EXPECTED_REFUSALS = {
    "READONLY": "the store is a read-only replica",
    "OOM": "the store is out of memory",
    "LOADING": "the store is still loading its data",
    "MASTERDOWN": "the store has lost its primary",
    "NOREPLICAS": "the store has too few replicas",
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the cluster is moving this slot",
    "BUSY": "the store is busy with a script",
    "MISCONF": "the store cannot write to its disk",
}
"""Refusals that a store may give on a bad day; any other one is reported, since it points at a fault of ours."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many calls may wait.

    A call fails after `deadline_s`; the connection counts as dead once its oldest call waited for `dead_s`; beyond
    `capacity` calls under way a further one fails at once.
    """

    deadline_s: float = 1.0
    dead_s: float = 3.0
    capacity: int = 10_000


def packed(*parts: bytes | int | str) -> bytes:
    """Return a command as it is sent."""
    command: bytes = hiredis.pack_command(parts)  # type: ignore[arg-type]  # its stub takes a tuple for one part
    return command


class Link(asyncio.Protocol):
    """A connection's protocol: packs the calls of a tick into one write and hands each reply to its caller.

    `refusals` counts error replies by their code; `on_event` hears of those that point at a fault of ours, `on_change`
    when `trouble` has another value.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        refusals: Counter[str],
        on_event: Callable[[str], None],
        on_lost: Callable[[Link], None],
        on_change: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING_YET)
        self._slots: deque[Slot] = deque()
        self._outgoing: list[bytes] = []
        self._tick = 0.0
        self._loading_scripts = False
        self._stalled = False
        self._limits = limits
        self._capacity = limits.capacity
        self._breaker = Breaker(limits.deadline_s, self._breaker_changed)
        self._probe: asyncio.Future[Any] | None = None
        self._period = limits.deadline_s / 10
        self._refusals = refusals
        self._on_event = on_event
        self._on_lost = on_lost
        self._on_change = on_change
        self.why = ""
        """Why the connection is gone."""
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Done, with the reason, once the connection is gone; `on_lost` hears of it in the very same moment."""

    @property
    def answering(self) -> bool:
        """Whether calls go out; else they fail at once, because earlier ones came late."""
        return not self._breaker.open

    @property
    def trouble(self) -> str:
        """Why a write has no chance now; "" while it has one."""
        return self._breaker.why

    def call(self, *parts: bytes | int | str) -> asyncio.Future[Any]:
        """Send one command and return the future of its reply; see `send`."""
        return self.send(packed(*parts))

    def send(self, payload: bytes) -> asyncio.Future[Any]:
        """Send one packed command with the others of this tick; its future fails only with StoreUnavailable."""
        if len(self._slots) >= self._capacity:
            raise StoreUnavailable(self._why_not())
        future = self._loop.create_future()
        self._push(future, payload, payload)
        return future

    def _why_not(self) -> str:
        if self.lost.done():
            return f"the connection to the store broke: {self.why}"
        return self._breaker.why if self._breaker.open else "the store is too slow: too many calls are waiting for it"

    def _push(self, future: asyncio.Future[Any], payload: bytes, kept: bytes) -> None:
        if not self._outgoing:
            self._tick = self._loop.time()
            self._loop.call_soon(self._flush)
        self._outgoing.append(payload)
        self._slots.append((future, kept, self._tick))

    def abort(self, why: str) -> None:
        """Close the connection at once; every call under way fails."""
        self.why = self.why or why
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport and begin to watch the clock."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not its subclasses
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail every call under way: whether the store applied it is not known."""
        self._timer.cancel()
        self.why = self.why or (f"{exc}" if exc else "the store closed the connection")
        self._on_lost(self)
        self._capacity = 0
        self._outgoing.clear()
        while self._slots:
            self._fail(self._slots.popleft()[0], f"the connection to the store broke: {self.why}")
        self.lost.set_result(self.why)

    def data_received(self, data: bytes) -> None:
        """Give each reply to the call at the head of the queue."""
        slots = self._slots
        gets = self._reader.gets
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _NOTHING_YET:
                future, payload, _ = slots.popleft()
                if reply.__class__ is hiredis.ReplyError:
                    self._refused(future, payload, str(reply))
                elif not future.done():
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.abort(f"what it sent is no answer: {error}")

    def _flush(self) -> None:
        if self._outgoing:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def _refused(self, future: asyncio.Future[Any], payload: bytes, text: str) -> None:
        code = text.partition(" ")[0]
        if code == "NOSCRIPT" and payload:
            self._send_with_scripts(future, payload)
            return
        if code == "READONLY":
            # The primary has moved. This address may lead to the new one, but only by a new connection.
            self.abort("the store became a read-only replica")
        meaning = EXPECTED_REFUSALS.get(code)
        self._breaker.was_refused(code, meaning or "", self._loop.time())
        if future is self._probe:
            future.set_result(code)
            return
        self._refusals[code] += 1
        if meaning is None and self._refusals[code] == 1:
            self._on_event(f"the store refused a call: {text}")
        self._fail(future, meaning or f"the store refused the call: {text}")

    def _send_with_scripts(self, future: asyncio.Future[Any], payload: bytes) -> None:
        """Send a call again behind its scripts, which the server has forgotten; the server answers in order."""
        if not self._loading_scripts:
            self._loading_scripts = True
            for script in SOURCES:
                loaded = self._loop.create_future()
                loaded.add_done_callback(self._scripts_loaded)
                self._push(loaded, packed("SCRIPT", "LOAD", script), b"")
        self._push(future, payload, b"")

    def _scripts_loaded(self, loaded: asyncio.Future[Any]) -> None:
        self._loading_scripts = False
        # Nobody else looks at this future: a failure shows in the calls that come after it.
        loaded.exception()

    def _watch(self) -> None:
        self._due = self._loop.time() + self._period
        self._timer = self._loop.call_at(self._due, self._fail_late)

    def _fail_late(self) -> None:
        """Fail the calls whose deadline passes before the next look; a timer for each would cost more than a call."""
        now = self._loop.time()
        # Our own loop stood still, and replies may lie unread: that is not the store's fault. Once, they get a chance.
        in_time = now - self._due <= self._period
        self._stalled = not self._stalled and not in_time
        self._watch()
        if self._stalled:
            return
        if self._slots:
            if now - self._slots[0][2] >= self._limits.dead_s:
                self.abort(f"no answer for {self._limits.dead_s:g} s")
                return
            limit = now + self._period - self._limits.deadline_s
            if in_time and self._slots[0][2] <= limit:
                self._breaker.came_late()
            self._fail_until(limit)
        if self._breaker.wants_probe(now):
            self._send_probe(now)

    def _fail_until(self, limit: float) -> None:
        for future, _, left in self._slots:
            if left > limit:
                break
            if future is not self._probe:
                self._fail(future, f"the store did not answer within {self._limits.deadline_s:g} s")

    def _send_probe(self, now: float) -> None:
        self._probe = self._loop.create_future()
        self._probe.add_done_callback(self._probe_came_back)
        self._breaker.probe_left(now)
        self._push(self._probe, PROBE, b"")

    def _probe_came_back(self, probe: asyncio.Future[Any]) -> None:
        self._probe = None
        if probe.exception() is None:  # else the connection is lost
            code = probe.result()
            self._breaker.probe_came_back(self._loop.time(), code if isinstance(code, str) else "")

    def _breaker_changed(self) -> None:
        # `send` compares with the capacity anyway, so an open breaker costs the hot path nothing.
        self._capacity = 0 if self._breaker.open else self._limits.capacity
        self._on_change()

    @staticmethod
    def _fail(future: asyncio.Future[Any], why: str) -> None:
        if not future.done():
            future.set_exception(StoreUnavailable(why))
