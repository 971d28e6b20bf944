"""`make bench-drain`: SIGTERM under load; how many requests were lost (none may be), and how long the end took.

The client sends at a steady rate over many keep-alive connections, opens a new one whenever an answer was the last on
its own, and stops when connections are refused. A request counts as sent once its bytes were written, and as answered
once its whole answer has come.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import orjson
import uvloop

from benchmarks.machine import processor
from tests.integration.process import Gateway

_CONNECTIONS = 200
_BEFORE_S = 3.0
_PATIENCE_S = 30.0


@dataclass
class Counts:
    """What the client saw; `answered` by status."""

    sent: int = 0
    answered: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    refused: int = 0


class Client(asyncio.Protocol):
    """One connection that asks, waits for the answer, and asks again at its next turn."""

    def __init__(self, counts: Counts, number: int, every_s: float) -> None:
        self._counts = counts
        self._number = number
        self._every_s = every_s
        self._asked = 0
        self._waits = False
        self._read = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        self._asked += 1
        name = f"{self._number}-{id(self)}-{self._asked}"
        body = orjson.dumps({"writeKey": "demo", "anonymousId": name, "messageId": name, "event": "drained"})
        self._transport.write(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self._counts.sent += 1
        self._waits = True

    def data_received(self, data: bytes) -> None:
        """Take the answer when it is whole."""
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length):
            return
        status = head[9:12].decode()
        self._counts.answered[status] = self._counts.answered.get(status, 0) + 1
        self._read, self._waits = b"", False
        if b"connection: close" in head.lower():
            self._transport.close()
        else:
            asyncio.get_running_loop().call_later(self._every_s, self._ask)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count a request that was not answered."""
        self._counts.lost += self._waits
        self.ended.set_result(None)


async def _keep_asking(url: str, counts: Counts, number: int, every_s: float) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    await asyncio.sleep(every_s * number / _CONNECTIONS)
    while True:
        try:
            _, client = await loop.create_connection(lambda: Client(counts, number, every_s), host, port)
        except ConnectionError:
            counts.refused += 1
            return
        await client.ended
        await asyncio.sleep(every_s)


async def _run(gateway: Gateway, rate: int, counts: Counts) -> tuple[float, float]:
    """Return how many requests a second were sent before the signal, and how long the end took."""
    clients = [_keep_asking(gateway.public, counts, n, _CONNECTIONS / rate) for n in range(_CONNECTIONS)]
    running = asyncio.gather(*clients)
    await asyncio.sleep(_BEFORE_S)
    before, start = counts.sent / _BEFORE_S, time.monotonic()
    os.kill(gateway.pid, signal.SIGTERM)
    took = await asyncio.to_thread(gateway.ended, _PATIENCE_S)
    await running
    return before, took - start


def main() -> int:
    """Run once; 0 when nothing was lost and the gateway ended with 0."""
    parser = argparse.ArgumentParser(prog="make bench-drain", description=__doc__)
    parser.add_argument("--rate", type=int, default=5_000, help="requests a second (5000)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay", default="2", help="drain_delay_s (2)")
    args = parser.parse_args()
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        options = ("--workers", str(args.workers))
        with Gateway(Path(folder) / "data", *options, env={"TUTTU_DRAIN_DELAY_S": args.delay}) as gateway:
            rate, seconds = uvloop.run(_run(gateway, args.rate, counts))
            code = gateway.exit_code
    answered = ", ".join(f"{n} with {status}" for status, n in sorted(counts.answered.items()))
    sys.stdout.write(
        f"machine   {processor()}, {os.cpu_count()} cores; client and gateway share them\n"
        f"load      {rate:.0f} requests a second over {_CONNECTIONS} connections, {args.workers} workers\n"
        f"sent      {counts.sent}\n"
        f"answered  {sum(counts.answered.values())} ({answered})\n"
        f"lost      {counts.lost}\n"
        f"refused   {counts.refused} connections, after the end\n"
        f"exit      code {code} after {seconds:.1f} s, of which {args.delay} s are drain_delay_s\n"
    )
    return 1 if counts.lost or code else 0


if __name__ == "__main__":
    sys.exit(main())
