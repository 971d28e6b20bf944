"""What takes too long or too much to be tried on a whole gateway: answers that nobody reads, open files."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.http.connections import Connections
from gateway.http.limits import Limits
from gateway.http.protocol import Connection
from gateway.http.server import Server
from gateway.telemetry import Telemetry

ANSWER = 8_000_000
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def large(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % ANSWER)]})
    await send({"type": "http.response.body", "body": b"a" * ANSWER})


@asynccontextmanager
async def serving(keeper: Connections) -> AsyncIterator[tuple[str, int]]:
    """Answer on a port of its own; yields its address."""
    server = Server(large, keeper, delay_s=0, drain_s=0)
    server.config.load()
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server.config, server.server_state, {}, keeper=keeper), "127.0.0.1", 0
    )
    yield listening.sockets[0].getsockname()
    listening.close()


async def test_a_client_that_reads_nothing_is_cut_off_and_a_slow_one_is_not() -> None:
    loop = asyncio.get_running_loop()
    telemetry = Telemetry()
    keeper = Connections(Limits(100, 0.4, 0.4, 30, unread_s=0.4), telemetry)
    watching = asyncio.create_task(keeper.watch())
    async with serving(keeper) as address:
        with socket.create_connection(address) as deaf, socket.create_connection(address) as slow:
            for client in (deaf, slow):
                client.sendall(ASK)
            slow.setblocking(False)  # noqa: FBT003 - the standard library's signature
            read = 0
            while telemetry.counters.get(("connections_ended", "unread"), 0) == 0 or read < ANSWER:
                read += len(await loop.sock_recv(slow, 400_000))
                await asyncio.sleep(0.05)
            assert telemetry.counters == {("connections_ended", "unread"): 1}
            assert len(keeper.open) == 1
    watching.cancel()


async def test_an_idle_client_hears_of_the_end_before_the_loop_comes_round_again() -> None:
    loop = asyncio.get_running_loop()
    keeper = Connections(Limits(100, 5, 5, 30), Telemetry())
    async with serving(keeper) as address:
        with socket.create_connection(address) as idle, socket.create_connection(address) as asks:
            deadline = loop.time() + 5
            while len(keeper.open) < 2:
                assert loop.time() < deadline
                await asyncio.sleep(0.01)
            asks.sendall(ASK)
            keeper.close_idle()
            idle.settimeout(1)
            assert idle.recv(1) == b""
            asks.setblocking(False)  # noqa: FBT003 - the standard library's signature
            assert (await loop.sock_recv(asks, 12)).startswith(b"HTTP/1.1 200"), "it had asked before"


def test_connections_follow_what_the_system_allows_and_the_log_says_so() -> None:
    code = (
        "import logging, resource; logging.basicConfig(); resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024));"
        "from gateway.http.limits import connections_allowed;"
        "print(connections_allowed(10000), connections_allowed(100), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "512 100 (1024, 1024)"
    assert done.stderr.count("at most 512 connections instead of 10000") == 1
