"""uvicorn's server, with an end that loses no request.

SIGTERM: for `delay_s` everything goes on, so that whoever sends traffic here can notice; but every answer is the last
one on its connection. Then what has arrived is accepted and answered, and the rest is let go. SIGINT, and any second
signal, skip the delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from gateway.errors import Busy
from gateway.http.connections import Connections
from gateway.http.protocol import Connection
from gateway.listening import SETTLE_S

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger("tuttu")

_LOOK_S = 0.02
_PARENTS_TURN_S = 0.5
"""The parent ends the delay of all its workers together; one that was sent the signal by somebody else waits longer."""
_LAST_WORDS_S = 0.2
_FIRST_WORDS_S = 0.3
"""Who has just connected is about to ask."""


class Server(uvicorn.Server):
    """Serves the public port until a signal, or `stop`."""

    def __init__(self, application: Any, connections: Connections, *, delay_s: float, drain_s: float) -> None:
        protocol = partial(Connection, keeper=connections)
        super().__init__(
            uvicorn.Config(
                application,
                loop="uvloop",
                http=cast("type[HttpToolsProtocol]", protocol),
                ws="none",
                lifespan="off",
                access_log=False,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                date_header=False,
            )
        )
        self._connections = connections
        connections.open = cast("set[Connection]", self.server_state.connections)
        self._delay_s = delay_s
        self._drain_s = drain_s
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that ask for the end; they are not raised again, so the process ends with 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, partial(self.stop, at_once=True))
        yield

    def stop(self, *, at_once: bool = False) -> None:
        """Begin the end; a second call, or `at_once`, skips the delay."""
        if at_once or self._asked.is_set():
            self._hurry.set()
        if not self._asked.is_set():
            self._asked.set()
            self._connections.drain()

    async def main_loop(self) -> None:
        """Serve until asked to stop, and through the delay."""
        self._watching = asyncio.create_task(self._connections.watch())
        await self._asked.wait()
        if self._delay_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._delay_s + _PARENTS_TURN_S)
        # From here on the parent keeps newcomers away; those who are half through the door still come in.
        await asyncio.sleep(SETTLE_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept and answer what has come, within `drain_s`; then let the rest go."""
        loop = asyncio.get_running_loop()
        last = [connection for listening in sockets or [] for connection in _all_waiting(listening)]
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for accepted in last:
            with contextlib.suppress(OSError):  # gone again
                await loop.connect_accepted_socket(self._protocol, accepted)
        deadline, patience = loop.time() + self._drain_s, loop.time() + _FIRST_WORDS_S
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < deadline:
            self._connections.close_idle(newcomers=loop.time() > patience)
            await asyncio.sleep(_LOOK_S)
        if self.server_state.connections or self.server_state.tasks:
            log.warning("%d connections were not done within %g s", len(self.server_state.connections), self._drain_s)
            self._connections.end_all(Busy("the gateway is stopping", hint="send it again"))
            await asyncio.sleep(_LAST_WORDS_S)
            for task in self.server_state.tasks:
                task.cancel()
        self._watching.cancel()

    def _protocol(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg] # uvicorn makes its protocols so, though their base class takes nothing


def _all_waiting(listening: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that the system has accepted for us and that nobody has taken yet."""
    with contextlib.suppress(OSError):  # BlockingIOError: there is none left
        while True:
            accepted, _ = listening.accept()
            accepted.setblocking(False)  # noqa: FBT003 - the standard library's signature
            yield accepted
