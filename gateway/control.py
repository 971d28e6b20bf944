"""What parent and worker say to each other over a socket pair: JSON objects, each behind its length.

The parent sends the worker's orders first, then asks for a report now and then, and says who was erased and is to be
forgotten: `{"forget": [[site, kind, id], …]}`. When the line ends, the other side has died: a worker without a parent
stops, for it has lost its store's keeper.

New rules and keys come in two steps, so that either all workers have them or none: `{"prepare": n, "site", "rules"}`,
or `{"prepare": n, "keys"}`, is answered `{"prepared": n}`, or with an `"error"`; after `{"go": n}` the worker's next
hit sees them. New keys are accepted from the first step on and sign after the second: what one worker signs all others
verify. A line keeps its order, and a new worker's orders hold what is live when they are written: no worker misses a
step.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import orjson

_LENGTH_BYTES = 4


class NotTaken(Exception):
    """What all workers were to take did not reach every one, so none has it; the text is a sentence that says why."""


@dataclass(slots=True)
class Line:
    """One end of the line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def post(self, message: dict[str, Any]) -> None:
        """Send one message without waiting for room on the line."""
        text = orjson.dumps(message)
        self.writer.write(len(text).to_bytes(_LENGTH_BYTES, "big") + text)

    async def say(self, message: dict[str, Any]) -> None:
        """Send one message; a line that has ended is no error here, the reader notices it."""
        self.post(message)
        try:
            await self.writer.drain()
        except ConnectionError:
            return

    async def hear(self) -> dict[str, Any] | None:
        """Return the next message, None when the other side is gone."""
        try:
            length = int.from_bytes(await self.reader.readexactly(_LENGTH_BYTES), "big")
            message: dict[str, Any] = orjson.loads(await self.reader.readexactly(length))
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        return message

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def open_line(end: socket.socket) -> Line:
    """Return a line over one end of a socket pair."""
    reader, writer = await asyncio.open_connection(sock=end)
    return Line(reader, writer)
