"""`make bench-drain`: SIGTERM under load; how many requests were lost (none may be), and how long the end took.

The client sends at a steady rate, or as fast as the gateway answers if that is slower, over many keep-alive
connections; it opens a new one whenever an answer was the last on its own, and stops when connections are refused. A
request counts as sent once its bytes were written, and as answered once its whole answer has come. It waits for events
of its sockets by itself: everything that it costs is taken from the gateway, which shares the machine with it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.machine import processor
from tests.integration.process import Gateway

_BEFORE_S = 3.0
_PATIENCE_S = 30.0
_BODY = b'{"writeKey":"demo","messageId":"%010d","event":"drained"}'
_HEAD = (
    b"POST /v1/track HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nCookie: %b\r\n"
    b"Content-Length: " + b"%d\r\n\r\n" % len(_BODY % 0)
)


@dataclass(slots=True)
class _Open:
    """A connection of a browser, and what has come of the answer that it waits for."""

    socket: socket.socket
    head: bytes
    """What each request begins with; it names the visitor whom the gateway's first answer made."""
    read: bytes = b""
    waits: bool = False


@dataclass
class Client:
    """Asks over the connections of so many browsers, `rate` times a second in all."""

    address: tuple[str, int]
    connections: int
    rate: float
    sent: int = 0
    lost: int = 0
    refused: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    """How many answers came with each status."""

    def __post_init__(self) -> None:
        self._poll = select.epoll()
        self._open: dict[int, _Open] = {}
        self._idle: deque[_Open] = deque()
        self._begun = time.monotonic()
        for _ in range(self.connections):
            self._connect(_HEAD % b"")

    def run(self, seconds: float) -> None:
        """Ask for so long, or as long as anybody listens."""
        end = time.monotonic() + seconds
        while self._open and (now := time.monotonic()) < end:
            # First what has come: nobody asks over a connection that is known to be closed.
            for number, happened in self._poll.poll(0.001):
                if happened & select.EPOLLOUT:
                    self._connected(number)
                else:
                    self._hear(number)
            due = int((now - self._begun) * self.rate) - self.sent
            for _ in range(min(due, len(self._idle))):
                self._ask(self._idle.popleft())

    def _connect(self, head: bytes) -> None:
        opened = socket.socket()
        opened.setblocking(False)  # noqa: FBT003 - the standard library's signature
        opened.connect_ex(self.address)
        self._poll.register(opened.fileno(), select.EPOLLOUT)
        self._open[opened.fileno()] = _Open(opened, head)

    def _connected(self, number: int) -> None:
        connection = self._open[number]
        if connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.refused += 1
            self._open.pop(number).socket.close()
            return
        self._poll.modify(number, select.EPOLLIN)
        self._idle.append(connection)

    def _ask(self, connection: _Open) -> None:
        if connection.socket.fileno() < 0:
            return  # closed while it was idle
        # Clients must look before they ask: over a connection whose end has just come, nothing can be asked.
        with contextlib.suppress(ConnectionError):
            try:
                connection.socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                connection.socket.send(connection.head + _BODY % self.sent)
                self.sent += 1
                connection.waits = True

    def _hear(self, number: int) -> None:
        connection = self._open[number]
        try:
            data = connection.socket.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.lost += connection.waits
            self._replace(number)
            return
        connection.read += data
        head, found, body = connection.read.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.answered[head[9:12].decode()] += 1
        connection.read, connection.waits = b"", False
        if cookie := head.partition(b"set-cookie: ")[2].partition(b";")[0]:
            connection.head = _HEAD % cookie
        if b"connection: close" in head:
            self._replace(number)
        else:
            self._idle.append(connection)

    def _replace(self, number: int) -> None:
        connection = self._open.pop(number)
        connection.socket.close()  # which also ends the watch over it
        self._connect(connection.head)


def _drained(gateway: Gateway, client: Client) -> tuple[float, float]:
    """Return how many requests a second were answered before the signal, and how long the end took (s)."""
    client.run(_BEFORE_S)
    rate, start = client.answered.total() / _BEFORE_S, time.monotonic()
    os.kill(gateway.pid, signal.SIGTERM)
    client.run(_PATIENCE_S)
    return rate, gateway.ended(_PATIENCE_S) - start


def main() -> int:
    """Run once; 0 when nothing was lost and the gateway ended with 0."""
    parser = argparse.ArgumentParser(prog="make bench-drain", description=__doc__)
    parser.add_argument("--rate", type=int, default=5_000, help="requests a second (5000)")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay", default="2", help="drain_delay_s (2)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = ("--workers", str(args.workers))
        with Gateway(Path(folder) / "data", *options, env={"TUTTU_DRAIN_DELAY_S": args.delay}) as gateway:
            parts = urlsplit(gateway.public)
            client = Client((parts.hostname or "", parts.port or 80), args.connections, args.rate)
            rate, seconds = _drained(gateway, client)
            code = gateway.exit_code
    answered = ", ".join(f"{n} with {status}" for status, n in sorted(client.answered.items()))
    sys.stdout.write(
        f"machine   {processor()}, {os.cpu_count()} cores; client and gateway share them\n"
        f"load      {rate:.0f} answers a second over {args.connections} connections, {args.workers} workers\n"
        f"sent      {client.sent}\n"
        f"answered  {client.answered.total()} ({answered})\n"
        f"lost      {client.lost}\n"
        f"refused   {client.refused} connections, after the end\n"
        f"exit      code {code} after {seconds:.1f} s, of which {args.delay} s are drain_delay_s\n"
    )
    return 1 if client.lost or code else 0


if __name__ == "__main__":
    sys.exit(main())
