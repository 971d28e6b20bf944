"""What parent and worker say to each other: JSON, one object a line, over a socket pair.

The parent sends the worker's Orders first, then asks for a Report now and then. When the line ends, the other side has
died: a worker without a parent stops, for it has lost its store's keeper.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import orjson

_LINE_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Line:
    """One end of the line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, message: dict[str, Any]) -> None:
        """Send one message; a line that has ended is no error here, the reader notices it."""
        self.writer.write(orjson.dumps(message) + b"\n")
        try:
            await self.writer.drain()
        except ConnectionError:
            return

    async def hear(self) -> dict[str, Any] | None:
        """Return the next message, None when the other side is gone."""
        try:
            line = await self.reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = orjson.loads(line)
        return message

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def open_line(end: socket.socket) -> Line:
    """Return a line over one end of a socket pair."""
    reader, writer = await asyncio.open_connection(sock=end, limit=_LINE_BYTES)
    return Line(reader, writer)
