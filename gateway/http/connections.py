"""All connections of one worker: a look once a second ends those that take too long, and finds room for new ones.

What a connection did at one look is compared with the next, so requests need no timers of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import termios
from collections import deque
from itertools import islice

from gateway.errors import GatewayError, TooSlow
from gateway.http.limits import Limits
from gateway.http.protocol import Connection, Stage
from gateway.telemetry import Telemetry

_AT_ONCE = 500
"""Connections that are looked at before hits get a turn."""
_ROOM_EVERY_S = 0.1
"""How often at most to look for idle connections when a new one finds no room."""


class Connections:
    """The connections of one worker: `open` is the server's own set of them."""

    def __init__(self, limits: Limits, telemetry: Telemetry) -> None:
        self.limits = limits
        self.open: set[Connection] = set()
        self.draining = False
        self._telemetry = telemetry
        self._idle: deque[Connection] = deque()
        self._looked_for_room = 0.0
        self._ends = {
            Stage.IDLE: limits.keep_alive_s,
            Stage.HEAD: limits.header_deadline_s,
            Stage.TAIL: limits.body_deadline_s,
            Stage.UNREAD: limits.unread_s,
            Stage.FAREWELL: limits.farewell_s,
        }

    def count(self, cause: str) -> None:
        """Count a connection that ends for a reason of ours."""
        self._telemetry.count(("connections_ended", cause))

    async def watch(self) -> None:
        """Look at all connections for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.look_every_s)
            self._idle.clear()
            found = iter(list(self.open))
            while some := list(islice(found, _AT_ONCE)):
                now = loop.time()
                for connection in some:
                    self._look(connection, now)
                await asyncio.sleep(0)

    def _look(self, connection: Connection, now: float) -> None:
        stage = connection.stage
        unsent = connection.transport.get_write_buffer_size() if stage is Stage.UNREAD else 0
        doing = (stage, connection.cycle, unsent)
        if doing != connection.seen:
            connection.seen = doing
            connection.since = now
        elif now - connection.since >= self._ends.get(stage, float("inf")):
            self._end(connection, stage)

    def _end(self, connection: Connection, stage: Stage) -> None:
        if stage is Stage.HEAD:
            connection.refuse(
                TooSlow("the request's headers did not arrive in time", hint="send it again, headers at once")
            )
        elif stage is Stage.IDLE:
            if _let_go(connection):
                self.count("idle")
        else:
            if stage is not Stage.FAREWELL:
                self.count("unread" if stage is Stage.UNREAD else "too_slow")
            connection.transport.abort()

    # -- room ------------------------------------------------------------------------------------------------------

    def make_room(self, newcomer: Connection) -> bool:
        """Close the connection that has been idle longest, those that never asked anything first; False without any."""
        now = asyncio.get_running_loop().time()
        if not self._idle and now - self._looked_for_room >= _ROOM_EVERY_S:
            self._looked_for_room = now
            idle = [c for c in self.open if c is not newcomer and c.stage is Stage.IDLE]
            idle.sort(key=lambda c: (c.cycle is not None, c.since if c.seen and c.seen[0] is Stage.IDLE else now))
            self._idle.extend(idle)
        while self._idle:
            connection = self._idle.popleft()
            if connection in self.open and connection.stage is Stage.IDLE and _let_go(connection):
                self.count("pushed_out")
                self.open.discard(connection)
                return True
        return False

    # -- the end ---------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Let every answer from now on be the last one on its connection."""
        self.draining = True
        for connection in self.open:
            connection.close_after_answer()

    def close_idle(self, *, newcomers: bool = True) -> None:
        """Close the connections without a request, also without one that has arrived and was not read yet.

        `newcomers` says whether those go too that have not asked anything yet.
        """
        for connection in list(self.open):
            if connection.stage is Stage.IDLE and (newcomers or connection.cycle is not None):
                _let_go(connection)

    def end_all(self, error: GatewayError) -> None:
        """Refuse what is still under way."""
        for connection in list(self.open):
            connection.refuse(error)


def _let_go(connection: Connection) -> bool:
    """Close an idle connection, unless the system holds bytes of it that nobody has read yet; tell whether it did.

    The transport closes only when the loop comes round again. What would arrive until then would be lost, so the client
    is told at once; what is under way to us at this very moment is lost all the same, as HTTP/1.1 has it.
    """
    number = connection.transport.get_extra_info("socket").fileno()
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as same:
        if any(fcntl.ioctl(same, termios.FIONREAD, b"\0" * 4)):
            return False
        same.shutdown(socket.SHUT_WR)
    connection.transport.close()
    return True
