"""The same requests over sockets, to a real gateway: what a proxy or a client would write, byte for byte."""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import quote, urlsplit

from tests.fuzz.requests import Sent

WITHIN_S = 30.0
_OURS = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection", b"expect"})
"""Headers that this file writes itself: a request that lies about its length waits for a deadline, and has a test of
its own."""


class Client:
    """Sends requests one after another, on one connection for as long as the gateway keeps it open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._address = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.statuses: Counter[int] = Counter()

    async def send(self, sent: Sent) -> int:
        """Return the status of one request; 0 where the gateway closed the connection without an answer."""
        return await asyncio.wait_for(self._send(sent), WITHIN_S)

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _send(self, sent: Sent) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        status, goes_on = 0, False
        try:
            writer.write(written(sent))
            await writer.drain()
            status, goes_on = await _answer(reader, head=sent.method == "HEAD")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        if not goes_on:
            await self.close()
        self.statuses[status] += 1
        return status


def written(sent: Sent) -> bytes:
    """Return a request as HTTP/1.1. Line ends are taken out: what they do to a request is no matter of its content."""
    target = quote(sent.path, safe="/%:@.-_~").encode()
    if sent.query:
        target += b"?" + sent.query.replace(b" ", b"+").translate(None, b"\r\n\x00")
    lines = [b"%s %s HTTP/1.1" % (sent.method.encode(), target), b"host: gateway.test"]
    lines += [b"%s: %s" % (name, value.translate(None, b"\r\n")) for name, value in sent.headers if name not in _OURS]
    return b"\r\n".join((*lines, b"content-length: %d" % len(sent.body), b"", sent.body))


async def _answer(reader: asyncio.StreamReader, *, head: bool) -> tuple[int, bool]:
    """Return an answer's status, and whether the connection may be used again."""
    top = await reader.readuntil(b"\r\n\r\n")
    lines = top.lower().split(b"\r\n")
    status = int(lines[0].split()[1])
    fields = dict(line.partition(b": ")[::2] for line in lines[1:] if line)
    length = fields.get(b"content-length")
    if length is not None and not head:
        await reader.readexactly(int(length))
    known = length is not None or status in (204, 304) or head
    return status, known and fields.get(b"connection") != b"close"
