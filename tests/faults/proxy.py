"""A TCP proxy between the gateway and a store, whose line can be made bad in every way while it runs.

It runs in a thread with a loop of its own. What a black hole or a delay holds back is kept in order and delivered when
the line heals, also when the sender has gone by then, as a network does that comes back: the nastiest kind of lateness.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, NamedTuple, Self, cast

Address = tuple[str, int]

GARBAGE = b"\x00\xff<html>502 Bad Gateway</html>\r\n\x07\x07"
"""No RESP type begins with its first byte, so every reader of the protocol must notice."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing sends RST instead of FIN."""

CALL_WITHIN_S = 5
HELD_BYTES = 8_000_000
"""What one direction may hold back; beyond it the sender is not read from, as with full windows."""


@dataclass(frozen=True, slots=True)
class Line:
    """How the line is now. `to_store` and `to_gateway` say whether bytes pass in that direction at all.

    Every chunk arrives `delay_s` and up to `jitter_s` more after it was sent, in order. `bytes_per_s` 0 is unlimited.
    Garbage replaces the next answers of a connection: from their start, or from the middle of what arrived.
    """

    to_store: bool = True
    to_gateway: bool = True
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: int = 0
    garbage: Literal["", "start", "middle"] = ""


GOOD = Line()


class _Chunk(NamedTuple):
    """What one end read at once; `luck` is its share of the jitter."""

    data: bytes
    sent_at: float
    luck: float


class _End(asyncio.Protocol):
    """One end of a proxied connection; what it reads goes to the other end."""

    def __init__(self, proxy: StoreProxy, *, is_gateway: bool) -> None:
        self.proxy = proxy
        self.is_gateway = is_gateway
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.spoilt = False
        self._free_at = 0.0
        """When what was passed on last has gone through the line."""
        self._held: deque[_Chunk] = deque()
        self._held_bytes = 0
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.is_gateway:
            self.proxy.opened(self)

    def data_received(self, data: bytes) -> None:
        self._held.append(_Chunk(data, self.proxy.loop.time(), random.random()))  # noqa: S311 - a bad line, no secret
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES and self.transport:
            self.transport.pause_reading()
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self._ended = True
        if exc is not None and self.other:
            self.other.close(reset=True)
        self.pump()
        if not self._held or self.other is None or self.other.closed:
            self.proxy.ended(self)

    def pump(self) -> None:
        """Pass on what may pass by now."""
        line, loop = self.proxy.line, self.proxy.loop
        passes = line.to_store if self.is_gateway else line.to_gateway
        other = self.other
        if other is None or other.transport is None:
            return
        while self._held and passes:
            now, chunk = loop.time(), self._held[0]
            data = chunk.data
            through = max(chunk.sent_at, self._free_at) + (len(data) / line.bytes_per_s if line.bytes_per_s else 0)
            due = through + line.delay_s + chunk.luck * line.jitter_s
            if due > now + 0.0005:
                if self._timer is None:
                    self._timer = loop.call_at(due, self._later)
                return
            self._held.popleft()
            self._free_at = through
            self._held_bytes -= len(data)
            if not other.closed:
                other.transport.write(self._spoiled(data, line))
        if self.transport and not self.closed and self._held_bytes <= HELD_BYTES:
            self.transport.resume_reading()
        if self._ended and not self._held:
            other.close(reset=False)
            self.proxy.ended(self)

    def close(self, *, reset: bool) -> None:
        """Close this end, by RST or in order."""
        if self.transport is None or self.closed:
            self.closed = True
            return
        if reset:
            found = self.transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()
        else:
            self.transport.close()

    def forget(self) -> None:
        """Let go of what is held back; nothing of it arrives any more."""
        self._held.clear()
        self._held_bytes = 0

    def _later(self) -> None:
        self._timer = None
        self.pump()

    def _spoiled(self, data: bytes, line: Line) -> bytes:
        if self.spoilt:
            return b""  # after garbage there is no way back into the protocol
        if self.is_gateway or not line.garbage:
            return data
        self.spoilt = True
        self.proxy.spoilt += 1
        return GARBAGE if line.garbage == "start" else data[: len(data) // 2] + GARBAGE


class StoreProxy:
    """Listens on 127.0.0.1 on a free port and connects each client to `backend`; a context manager."""

    def __init__(self, backend: Address) -> None:
        self.line = GOOD
        self.loop = asyncio.new_event_loop()
        self.connections = 0
        """Connections that were accepted so far."""
        self.spoilt = 0
        """Connections that got garbage."""
        self._backend = backend
        self._ends: set[_End] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._thread = threading.Thread(target=self.loop.run_forever, name="store proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(CALL_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self.loop).result(CALL_WITHIN_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CALL_WITHIN_S)
        self.loop.close()

    @property
    def url(self) -> str:
        """The address for the gateway."""
        return f"redis://127.0.0.1:{self.port}"

    # -- what a test does to the line ------------------------------------------------------------------------------

    def heal(self) -> None:
        """Let everything pass again, and deliver what was held back."""
        self._do(self._set, GOOD)

    def become(self, **changes: bool | float | str) -> None:
        """Change the line, see Line; what is not named is good."""
        self._do(self._set, replace(GOOD, **changes))  # type: ignore[arg-type]  # names and types are Line's

    def cut(self, *, reset: bool = False, keep_held: bool = False) -> None:
        """Close all connections on both sides, in order or by RST; what is held back is lost with them or not."""
        self._do(self._cut, reset, keep_held)

    def refuse(self) -> None:
        """Close the listening socket and all connections: who connects is refused."""
        asyncio.run_coroutine_threadsafe(self._stop_listening(), self.loop).result(CALL_WITHIN_S)
        self.cut(reset=True)

    def listen(self) -> None:
        """Listen again on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(CALL_WITHIN_S)

    def retarget(self, backend: Address) -> None:
        """Lead new connections to another store, and cut those that lead to the old one: a failover."""
        self._backend = backend
        self.cut(reset=True)

    # -- in the loop -----------------------------------------------------------------------------------------------

    def opened(self, end: _End) -> None:
        """Connect a client that came to the store."""
        self.connections += 1
        self._ends.add(end)
        task = self.loop.create_task(self._connect(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ended(self, end: _End) -> None:
        """Forget an end that is closed and has nothing left to deliver."""
        self._ends.discard(end)

    async def _connect(self, end: _End) -> None:
        try:
            _, other = await self.loop.create_connection(lambda: _End(self, is_gateway=False), *self._backend)
        except OSError:
            end.close(reset=True)
            return
        end.other, other.other = other, end
        self._ends.add(other)
        end.pump()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await self.loop.create_server(
                lambda: _End(self, is_gateway=True), "127.0.0.1", self.port, reuse_address=True
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _set(self, line: Line) -> None:
        self.line = line
        for end in list(self._ends):
            end.pump()

    def _cut(self, reset: bool, keep_held: bool) -> None:  # noqa: FBT001 - called by `_do` alone
        for end in list(self._ends):
            if not keep_held:
                end.forget()
            end.close(reset=reset)

    async def _shut(self) -> None:
        await self._stop_listening()
        self._cut(True, False)  # noqa: FBT003 - see there
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)

    def _do(self, act: Callable[..., None], *args: object) -> None:
        done = threading.Event()

        def run() -> None:
            act(*args)
            done.set()

        self.loop.call_soon_threadsafe(run)
        if not done.wait(CALL_WITHIN_S):
            raise TimeoutError("the proxy's loop does not answer")
