"""The breaker: calls that came late open it, a probe that came soon closes it, and what others learn of that."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, VisitorKey, Write
from gateway.store import connection as connection_module
from gateway.store.breaker import NOT_NOW, Breaker
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.link import EXPECTED_REFUSALS, Limits
from gateway.store.profiles import RedisProfiles
from gateway.telemetry import Telemetry
from tests.gateway.real_store import connected, stoppable

PATIENT = Limits(deadline_s=0.2, dead_s=30)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    async with stoppable(tmp_path / "store") as running:
        yield running


@contextlib.asynccontextmanager
async def slow_way(server: EmbeddedStore, socket: Path, delay: list[float]) -> AsyncIterator[str]:
    """Lead to the server by a way on which each answer takes `delay[0]` seconds longer."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(server.url.removeprefix("unix://"))
        writers.extend((writer, back))

        async def answer() -> None:
            while data := await there.read(1 << 16):
                asyncio.get_running_loop().call_later(delay[0], writer.write, data)

        answering = asyncio.create_task(answer())
        while data := await reader.read(1 << 16):
            back.write(data)
        answering.cancel()

    async with await asyncio.start_unix_server(serve, socket):
        yield f"unix://{socket}"
        for writer in writers:
            writer.close()


def write(number: int) -> Write:
    return Write(VisitorKey("demo", "a", f"{number}"), "", b'{"r":"1"}', 100, b"", [])


async def usable(connection: StoreConnection, within: float = 5.0) -> None:
    await asyncio.wait_for(connection.usable.wait(), within)


async def test_once_a_call_came_late_others_fail_at_once_until_the_store_answers(server: EmbeddedStore) -> None:
    events: list[str] = []
    async with connected(server.url, limits=PATIENT, on_event=events.append) as connection:
        os.kill(server.pid, signal.SIGSTOP)
        while connection.answering:  # a look that came late itself, on a busy machine, does not open it
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await connection.call("PING")
        assert connection.connected
        assert not connection.usable.is_set()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                connection.call("INCR", "n")
            await asyncio.sleep(0.05)
        link: Any = connection._link
        late = sum(payload == b"" or b"PING" in payload for _, payload, _ in link._slots)
        assert len(link._slots) == late, "calls that came late, and one probe behind them"
        telemetry = Telemetry()
        connection.report(telemetry)
        assert telemetry.gauges["store_breaker_open"] == 1
        os.kill(server.pid, signal.SIGCONT)
        await usable(connection)
        assert await connection.call("INCR", "n") == 1, "no call that failed at once was sent"
        connection.report(telemetry)
        assert (telemetry.gauges["store_breaker_open"], telemetry.counters["store_losses",]) == (0, 0)
    assert len(events) == 3
    assert "did not answer" in events[1]
    assert "takes writes" in events[2]


async def test_a_store_that_is_always_slow_keeps_it_open(server: EmbeddedStore, tmp_path: Path) -> None:
    delay, events = [0.0], list[str]()
    async with (
        slow_way(server, tmp_path / "s", delay) as url,
        connected(url, limits=PATIENT, on_event=events.append) as connection,
    ):
        delay[0] = 0.3
        with pytest.raises(StoreUnavailable):
            await connection.call("PING")
        await asyncio.sleep(1)  # three probes and more
        assert not connection.answering
        assert len(events) == 2
        delay[0] = 0.0
        await usable(connection)
        assert await connection.call("PING") == b"PONG"


async def test_stalls_of_our_own_loop_do_not_open_it(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=PATIENT) as connection:
        for _ in range(5):
            futures = [connection.call("ECHO", str(n)) for n in range(3)]
            await asyncio.sleep(0)
            time.sleep(0.25)  # noqa: ASYNC251 - the stall that is meant
            await asyncio.wait(futures)
            assert connection.answering


async def test_a_full_store_is_read_and_writes_are_known_to_be_futile(server: EmbeddedStore) -> None:
    events: list[str] = []
    async with (
        connected(server.url, limits=PATIENT, on_event=events.append) as connection,
        Redis.from_url(server.url) as admin,
    ):
        profiles = RedisProfiles(connection, log_cap=1000)
        await profiles.commit(write(1))
        await admin.config_set("maxmemory", 1)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="out of memory"):
                await profiles.commit(write(2))
        assert connection.trouble == "the store is out of memory"
        assert connection.answering
        for _ in range(6):  # longer than it takes to be asked again
            assert await profiles.read(write(1).visitor, "1") is None
            await asyncio.sleep(0.1)
        assert not connection.usable.is_set()
        await admin.config_set("maxmemory", 0)
        await usable(connection)
        assert await profiles.commit(write(2)) == Committed(0)
        assert connection.refusals == {"OOM": 2}, "the gateway's own questions are not counted"
        assert await admin.dbsize() == 2, "and leave nothing"
    assert len(events) == 3


async def test_too_few_replicas_are_known_too(server: EmbeddedStore) -> None:
    async with connected(server.url, limits=PATIENT) as connection, Redis.from_url(server.url) as admin:
        await admin.config_set("min-replicas-to-write", 1)
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await RedisProfiles(connection, log_cap=1000).commit(write(1))
        assert "too few replicas" in connection.trouble
        await admin.config_set("min-replicas-to-write", 0)
        await usable(connection)


async def test_a_loss_is_told_in_its_moment_and_closing_is_none(server: EmbeddedStore) -> None:
    told: list[tuple[bool, bool, int]] = []
    async with connected(server.url) as connection:
        waiting = connection.call("BLPOP", "nothing", 30)

        def on_loss() -> None:
            told.append((connection.connected, waiting.done(), connection.losses))

        connection.on_loss = on_loss
        await asyncio.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait([waiting])
        assert told == [(False, False, 1)], "before any caller, and before a new connection"
        await usable(connection)
    assert len(told) == 1


async def test_a_hook_that_raises_does_not_leave_callers_waiting(server: EmbeddedStore) -> None:
    async with connected(server.url) as connection:
        connection.on_loss = lambda: 1 / 0
        waiting = connection.call("BLPOP", "nothing", 30)
        await asyncio.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(StoreUnavailable):
            await waiting
        await usable(connection)


async def test_a_server_that_took_anothers_place_behind_a_connection_is_a_loss(
    server: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LOOK_S", 0.02)
    async with connected(server.url) as connection, Redis.from_url(server.url) as admin:
        before, lost = connection.replication_id, asyncio.Event()
        connection.on_loss = lost.set
        await admin.replicaof("127.0.0.1", "1")
        await admin.replicaof("NO", "ONE")  # with a new replication id, as after a failover
        await asyncio.wait_for(lost.wait(), 5)
        assert (connection.connected, connection.losses) == (True, 1)
        assert connection.replication_id != before


async def test_who_stops_waiting_disturbs_nobody(server: EmbeddedStore) -> None:
    async with connected(server.url) as connection:
        connection.call("BLPOP", "nothing", "0.2")
        impatient = [asyncio.ensure_future(connection.call("ECHO", str(n))) for n in range(100)]
        patient = [connection.call("ECHO", f"p{n}") for n in range(100)]
        _, late = await asyncio.wait(impatient, timeout=0.02)
        assert len(late) == 100
        for future in impatient[:50]:
            future.cancel()
        assert await asyncio.gather(*patient) == [b"p%d" % n for n in range(100)]
        assert [await future for future in impatient[50:]] == [b"%d" % n for n in range(50, 100)]
        assert connection.answering


@pytest.mark.parametrize("code", sorted(NOT_NOW))
def test_a_refusal_holds_until_a_probe_is_taken(code: str) -> None:
    changes: list[str] = []
    breaker = Breaker(1.0, lambda: changes.append(breaker.why))
    breaker.was_refused(code, EXPECTED_REFUSALS[code], now=0.0)
    assert not breaker.open, "a refusal costs no time"
    assert not breaker.wants_probe(0.5)
    assert breaker.wants_probe(1.0)
    breaker.probe_left(1.0)
    assert not breaker.wants_probe(3.0), "one at a time"
    breaker.was_refused(code, EXPECTED_REFUSALS[code], now=1.1)
    breaker.probe_came_back(1.1, code)
    assert breaker.why == EXPECTED_REFUSALS[code]
    breaker.probe_left(2.1)
    breaker.probe_came_back(2.2, "")
    assert changes == [EXPECTED_REFUSALS[code], ""]


def test_refusals_of_one_call_are_no_trouble() -> None:
    breaker = Breaker(1.0, lambda: None)
    for code in ("ERR", "WRONGTYPE", "NOPERM", "TRYAGAIN"):
        breaker.was_refused(code, "", now=0.0)
    assert breaker.why == ""
    assert not breaker.wants_probe(10.0)
