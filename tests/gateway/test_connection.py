"""The connection under everything that a store, a network or a caller can do to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.errors import StartupError, StoreUnavailable
from gateway.ports import Committed, Stored, VisitorKey, Write
from gateway.store.address import Address, parse_address
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.link import Limits
from gateway.store.profiles import RedisProfiles
from tests.gateway.real_store import connected, stoppable

QUICK = Limits(deadline_s=0.2, dead_s=0.6)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    async with stoppable(tmp_path / "store") as running:
        yield running


@pytest.fixture
async def connection(server: EmbeddedStore) -> AsyncIterator[StoreConnection]:
    async with connected(server.url) as connection:
        yield connection


async def until(condition: Callable[[], bool], within: float = 3.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.01)


class CountingTransport:
    """A transport that counts its writes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def count_writes(connection: StoreConnection) -> CountingTransport:
    link: Any = connection._link
    counting = link._transport = CountingTransport(link._transport)
    return counting


def write(number: int, expected: str = "", revision: str = "1") -> Write:
    document = b'{"r":"%b"}' % revision.encode()
    return Write(VisitorKey("demo", "a", f"{number}"), expected, document, 100, b"", [])


async def test_all_calls_of_a_tick_leave_in_one_write_and_are_answered_in_order(connection: StoreConnection) -> None:
    transport = count_writes(connection)
    replies = await asyncio.gather(*(connection.call("ECHO", str(n)) for n in range(500)))
    assert replies == [b"%d" % n for n in range(500)]
    assert transport.writes == 1
    assert await connection.call(b"ECHO", 7) == b"7"
    assert transport.writes == 2


async def test_calls_of_many_tasks_share_a_write(connection: StoreConnection) -> None:
    profiles = RedisProfiles(connection, log_cap=1000)
    transport = count_writes(connection)
    results = await asyncio.gather(*(profiles.commit(write(n)) for n in range(100)))
    assert results == [Committed(0)] * 100
    assert transport.writes == 1


async def test_cancelled_calls_leave_the_others_in_order(connection: StoreConnection) -> None:
    futures = [connection.call("ECHO", str(n)) for n in range(10)]
    for future in futures[::2]:
        future.cancel()
    assert await asyncio.gather(*futures[1::2]) == [b"1", b"3", b"5", b"7", b"9"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.call("BLPOP", "nothing", "0.2"), 0.05)
    assert await connection.call("ECHO", "next") == b"next"


async def test_forgotten_scripts_are_loaded_again(connection: StoreConnection) -> None:
    profiles = RedisProfiles(connection, log_cap=1000)
    for _ in range(2):
        await connection.call("SCRIPT", "FLUSH")
        await connection.call("FLUSHALL")
        results = await asyncio.gather(
            *(profiles.commit(write(n)) for n in range(50)), profiles.read(write(0).visitor, "")
        )
        assert results[:50] == [Committed(0)] * 50
        assert isinstance(results[50], Stored)
    assert not connection.refusals


async def test_a_script_that_nobody_knows_is_refused_once(connection: StoreConnection) -> None:
    with pytest.raises(StoreUnavailable, match="NOSCRIPT"):
        await connection.call("EVALSHA", "0" * 40, 0)
    assert connection.refusals == {"NOSCRIPT": 1}


async def test_a_call_beyond_the_capacity_fails_at_once(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=Limits(capacity=5)) as connection:
        futures = [connection.call("PING") for _ in range(5)]
        with pytest.raises(StoreUnavailable, match="too slow"):
            connection.call("PING")
        await asyncio.gather(*futures)
        assert await connection.call("PING") == b"PONG"


async def test_late_calls_fail_and_their_replies_answer_nobody_else(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=Limits(deadline_s=0.2, dead_s=30)) as connection:
        os.kill(server.pid, signal.SIGSTOP)
        begun = time.monotonic()
        late = [connection.call("INCR", "n") for _ in range(20)]
        outcomes = await asyncio.gather(*late, return_exceptions=True)
        assert 0.1 < time.monotonic() - begun < 0.4
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        os.kill(server.pid, signal.SIGCONT)
        await until(lambda: connection.answering)
        assert await connection.call("ECHO", "newer") == b"newer"
        # The late ones were applied all the same.
        assert await connection.call("GET", "n") == b"20"
        assert connection.losses == 0


async def test_a_store_that_hangs_is_given_up_and_found_again(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=QUICK) as connection:
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(StoreUnavailable, match="within"):
            await connection.call("PING")
        await until(lambda: not connection.connected)
        with pytest.raises(StoreUnavailable, match="no connection"):
            connection.call("PING")
        assert connection.losses == 1
        os.kill(server.pid, signal.SIGCONT)
        await until(lambda: connection.connected, within=5)
        assert await connection.call("PING") == b"PONG"


async def test_a_stall_of_our_own_loop_is_not_the_stores_fault(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=QUICK) as connection:
        futures = [connection.call("ECHO", str(n)) for n in range(3)]
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - the stall that is meant
        assert await asyncio.gather(*futures) == [b"0", b"1", b"2"]


async def test_calls_under_way_fail_when_the_store_dies_and_it_is_found_again(server: EmbeddedStore) -> None:
    events: list[str] = []
    async with connected(server.url, on_event=events.append) as connection:
        run = connection.run_id
        assert len(run) == len(connection.replication_id) == 40
        waiting = connection.call("BLPOP", "nothing", 30)
        await asyncio.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(StoreUnavailable, match="broke"):
            await waiting
        assert not connection.connected
        with pytest.raises(StoreUnavailable, match="no connection"):
            connection.send(b"*1\r\n$4\r\nPING\r\n")
        await until(lambda: connection.connected)
        assert connection.losses == 1
        assert connection.run_id != run
        assert await connection.call("PING") == b"PONG"
    assert [event.split(" ")[0] for event in events][:2] == ["connected", "no"]
    assert events[-1].startswith("connected")


async def test_it_starts_without_a_store_and_finds_it_later(tmp_path: Path) -> None:
    server = EmbeddedStore(tmp_path / "store", on_event=print)
    async with connected(server.url) as connection:
        with pytest.raises(StoreUnavailable, match="no connection to the store"):
            connection.call("PING")
        await server.start()
        await until(lambda: connection.connected)
    await server.stop()


async def test_a_replica_is_refused_until_it_is_a_primary(server: EmbeddedStore, connection: StoreConnection) -> None:
    profiles = RedisProfiles(connection, log_cap=1000)
    async with Redis.from_url(server.url) as admin:
        await admin.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreUnavailable, match="read-only replica"):
            await profiles.commit(write(1))
        await until(lambda: not connection.connected)
        await asyncio.sleep(0.3)
        assert not connection.connected
        await admin.replicaof("NO", "ONE")
        await until(lambda: connection.connected)
    assert await profiles.commit(write(1)) == Committed(0)


async def test_a_full_store_refuses_and_changes_nothing(server: EmbeddedStore, connection: StoreConnection) -> None:
    profiles = RedisProfiles(connection, log_cap=1000)
    await profiles.commit(write(1))
    async with Redis.from_url(server.url) as admin:
        await admin.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="out of memory"):
            await profiles.commit(write(1, "1", "2"))
        assert await profiles.read(write(1).visitor, "1") is None
        await admin.config_set("maxmemory", 0)
    assert await profiles.commit(write(1, "1", "2")) == Committed(0)
    assert connection.refusals == {"OOM": 1}


async def test_unexpected_refusals_are_reported_once(server: EmbeddedStore) -> None:
    events: list[str] = []
    async with connected(server.url, on_event=events.append) as connection:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="unknown command"):
                await connection.call("NONSENSE")
        assert connection.refusals == {"ERR": 2}
        assert len([event for event in events if "unknown command" in event]) == 1


async def test_password_and_database_are_sent_over_tcp(server: EmbeddedStore) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Redis.from_url(server.url) as admin:
        await admin.config_set("port", port)
        await admin.config_set("requirepass", "p@ss/word")
        for password, database, works in (("p%40ss%2Fword", 0, True), ("wrong", 0, False), ("p%40ss%2Fword", 5, False)):
            async with connected(f"redis://:{password}@127.0.0.1:{port}/{database}") as connection:
                assert connection.connected == works
        await admin.config_set("requirepass", "")


async def test_garbage_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(babble, tmp_path / "s"), connected(f"unix://{tmp_path}/s") as connection:
        with pytest.raises(StoreUnavailable, match="no answer"):
            connection.call("PING")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///a%20b/s.sock", Address(path="/a b/s.sock")),
        ("unix://me:@/s?db=2", Address(path="/s", username="me", database=2)),
        ("redis://h", Address(host="h")),
        ("redis://h:7000/3", Address(host="h", port=7000, database=3)),
        ("rediss://u%40@[::1]/", Address(host="::1", tls=True, username="u@")),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize("url", ["", "h:6379", "http://h", "redis://", "unix://", "redis://h/x", "redis://h:port"])
def test_bad_addresses(url: str) -> None:
    with pytest.raises(StartupError, match="cannot be read") as caught:
        parse_address(url)
    assert "unix:///" in caught.value.hint


def test_an_address_does_not_show_its_password() -> None:
    address = parse_address("redis://me:secr%40t@h:1")
    assert address.password == "secr@t"  # noqa: S105 - made up for this test
    assert "secr" not in f"{address} {address!r}"
