"""The client of the fault suite, a process of its own: `python -m tests.faults.client <settings as JSON>`.

It sends hits at a steady rate, whatever becomes of the answers, and writes down how each was answered, one JSON line a
request, into its book. It says `warm`, `sent` and `done` on standard output as it comes to its phases, and goes on when
it reads a line. In the last phase it sends again, with the same message ids, whatever was not accepted.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, TextIO

import uvloop

from tests.faults.visitors import COOKIE, Cast, Order, Visitor

ANSWER_WITHIN_S = 20
RETRY_SHARE = 0.3
RETRY_AFTER_S = (0.2, 2.0)
LATE_TRIES = 60
TICK_S = 0.005
KEPT_ACCEPTED = 500

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Answer:
    """What came back: the status (0: the connection broke or there was no answer), headers and body."""

    status: int
    head: bytes = b""
    body: bytes = b""


class Client:
    """Sends orders over kept connections and writes the book."""

    def __init__(self, settings: dict[str, Any], book: RawIOBase) -> None:
        self._host, self._port = settings["host"], settings["port"]
        self._rng = random.Random(settings["seed"])  # noqa: S311 - repeatable on purpose
        self._cast = Cast(self._rng, settings["secret_key"], settings["visitors"])
        self._book = book
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(settings["connections"])
        self._stood = 0.0
        self._undone: list[Order] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def warm_up(self) -> None:
        """Send the first hits of the browsers, so that they have their cookies."""
        for order in self._cast.first_hits():
            await self._send(order)

    async def send(self, hits: int, rate: float) -> None:
        """Send that many requests at the rate (1/s), and wait until each has ended in some way."""
        begun = time.monotonic()
        for number in range(hits):
            wait = begun + number / rate - time.monotonic()
            if wait > 0.001:
                await asyncio.sleep(wait)
            await self._room.acquire()
            self._spawn(self._sent(self._cast.next()))
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def send_again(self) -> int:
        """Send what is not accepted, again and again; return how many messages never were."""
        for _ in range(LATE_TRIES):
            # One that was tried in between, and failed again, stands here twice.
            orders = list({id(order): order for order in self._undone if order.left}.values())
            self._undone = []
            if not orders:
                return 0
            for order in orders:
                await self._send(order, again=True)
            if self._undone:
                await asyncio.sleep(0.5)
        return sum(len(order.left) for order in self._undone)

    async def tick(self) -> None:
        """Notice how long this process itself stood still: that time is nobody else's lateness."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self._stood += max(0.0, now - before - TICK_S)
            before = now

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, order: Order) -> None:
        try:
            await self._send(order)
        finally:
            self._room.release()
        if order.left and order.visitor is not None and self._rng.random() < RETRY_SHARE:
            # As real clients do: while others go on, and while the gateway may be replaying what it kept.
            await asyncio.sleep(self._rng.uniform(*RETRY_AFTER_S))
            await self._send(order, again=True)

    async def _send(self, order: Order, *, again: bool = False) -> None:
        """Send an order, take what its answer says, and write it down."""
        order.tries += 1
        cookie = f"cookie: {COOKIE}={order.visitor.cookie}\r\n" if order.visitor and order.visitor.cookie else ""
        head = (
            f"POST {order.path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n{cookie}"
            f"content-type: application/json\r\ncontent-length: {len(order.body)}\r\n\r\n"
        )
        connection = await self._connection()
        begun, stood = time.monotonic(), self._stood
        answer = Answer(0) if connection is None else await self._exchange(connection, head.encode() + order.body)
        ended = time.monotonic()
        accepted, odd, degraded = _taken(order, answer) if answer.status == 200 else ([], "", False)
        order.left = [m for m in order.left if m not in set(accepted)]
        self._keep(order, answer, again=again)
        entry = {
            "kind": order.kind,
            "status": answer.status,
            "begun": begun,
            "ended": ended,
            "stood": self._stood - stood,
            "ids": order.ids,
            "accepted": accepted,
            "again": again,
        }
        self._book.write(json.dumps(entry | ({"odd": odd} if odd else {}) | {"degraded": degraded}).encode() + b"\n")

    def _keep(self, order: Order, answer: Answer, *, again: bool) -> None:
        cookie = _cookie(answer.head)
        if cookie and order.kind == "newcomer":
            order.visitor = Visitor(len(self._cast.browsers), cookie=cookie)
            self._cast.browsers.append(order.visitor)
        elif cookie and order.visitor is not None:
            order.visitor.cookie = cookie
        if order.left and order.kind != "repeat":
            if again or order.tries == 1:
                self._undone.append(order)
        elif order.kind in ("track", "batch", "decide") and not again:
            self._cast.accepted.append(order)
            del self._cast.accepted[:-KEPT_ACCEPTED]

    async def _connection(self) -> Connection | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.close()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await asyncio.open_connection(self._host, self._port)
        except OSError:
            await asyncio.sleep(0.02)
            return None

    async def _exchange(self, connection: Connection, request: bytes) -> Answer:
        reader, writer = connection
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                low = head.lower()
                at = low.index(b"content-length:") + 15
                body = await reader.readexactly(int(low[at : low.index(b"\r\n", at)]))
        except (OSError, EOFError, ValueError):
            writer.close()
            return Answer(0)
        if b"connection: close" in low:
            writer.close()
        else:
            self._idle.append(connection)
        return Answer(int(head[9:12]), head, body)


def _taken(order: Order, answer: Answer) -> tuple[list[str], str, bool]:
    """Return the messages that an answer accepts, what is odd about it, and whether a decision was degraded."""
    said = json.loads(answer.body)
    refused = {order.ids[item["index"]] for item in said["rejected"] if item["index"] < len(order.ids)}
    late = set(said.get("retry", ()))
    # Nothing here may be dropped; where something was, the answer does not say which.
    accepted = [m for m in order.ids if m not in refused and m not in late and not said["dropped"]]
    fits = said["accepted"] == len(accepted) and not said["dropped"] and late <= set(order.ids)
    return accepted, "" if fits else answer.body.decode()[:500], bool(said.get("degraded"))


def _cookie(head: bytes) -> str:
    """Return the visitor's cookie that an answer gives, "" if it gives none."""
    sign = f"set-cookie: {COOKIE}=".encode()
    at = head.lower().find(sign.lower())
    return head[at + len(sign) :].partition(b";")[0].decode() if at >= 0 else ""


async def main(settings: dict[str, Any], book: RawIOBase, out: TextIO) -> None:
    """Go through the phases; each begins when a line is read from standard input."""

    def say(word: str) -> None:
        out.write(f"{word}\n")
        out.flush()

    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    client = Client(settings, book)
    ticking = asyncio.create_task(client.tick())
    await client.warm_up()
    say("warm")
    await orders.readline()
    await client.send(settings["hits"], settings["rate"])
    say("sent")
    await orders.readline()
    say(f"done {await client.send_again()}")
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    # Unbuffered, so that a reader sees every line at once, whatever becomes of this process.
    with Path(given["book"]).open("wb", buffering=0) as opened:
        uvloop.run(main(given, opened, sys.stdout))
