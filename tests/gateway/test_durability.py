"""Writes that a replica or the disk must have before they are answered, with real servers that freeze and die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Stored, VisitorKey, Write
from gateway.settings import Durability
from gateway.store import connection as connection_module
from gateway.store import keys
from gateway.store.connection import StoreConnection
from gateway.store.durability import connection_to
from gateway.store.embedded import EmbeddedStore
from gateway.store.engine import installed_engines
from gateway.store.link import Limits
from gateway.store.profiles import RedisProfiles
from tests.gateway.store_servers import Server, primary_and_replica, server

QUICK = Limits(deadline_s=0.5, dead_s=1.5)
OLD = [engine for engine in installed_engines() if engine.version < (7, 2)]


@contextlib.asynccontextmanager
async def connected(
    url: str, durability: Durability, limits: Limits = QUICK
) -> AsyncIterator[tuple[StoreConnection, RedisProfiles]]:
    connection = connection_to(url, durability=durability, limits=limits, on_event=print)
    await connection.start()
    try:
        yield connection, RedisProfiles(connection, log_cap=100_000)
    finally:
        await connection.close()


def write(number: int, size: int = 0) -> Write:
    document = b'{"r":"1","x":"%b"}' % (b"x" * size)
    return Write(VisitorKey("demo", "a", f"{number}"), "", document, 1000, b"", [b"entry"])


async def usable(connection: StoreConnection, within: float = 5.0) -> None:
    await asyncio.wait_for(connection.usable.wait(), within)


def missing(store: Server, written: set[int]) -> set[int]:
    """Return which of the visitors a server does not have."""
    names = {n: keys.visitor_name(write(n).visitor) for n in written}
    with redis.Redis(port=store.port) as client, client.pipeline(transaction=False) as pipe:
        for name in names.values():
            pipe.exists(keys.profile_prefix(keys.partition_of(name.encode())) + name)
        return {n for n, there in zip(names, pipe.execute(), strict=True) if not there}


def waits(store: Server) -> int:
    """Return how many confirmations a server was asked for."""
    found = store.ask("INFO", "commandstats")
    return sum(found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("wait", "waitaof"))


async def test_a_write_is_answered_when_a_replica_has_it_and_one_wait_serves_a_whole_group(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        async with connected(primary.url, "replica") as (connection, profiles):
            before = waits(primary)
            assert await asyncio.gather(*(profiles.commit(write(n)) for n in range(200))) == [Committed(0)] * 200
            assert waits(primary) - before == 1
            assert missing(replica, set(range(200))) == set()
            # A conflict is told as ever, and scripts that were forgotten are loaded, written and confirmed again.
            assert isinstance(await profiles.commit(write(7)), Stored)
            primary.ask("SCRIPT", "FLUSH")
            before = waits(primary)
            assert await profiles.commit(write(200)) == Committed(0)
            assert waits(primary) - before == 2
            assert connection.trouble == ""


async def test_while_no_replica_confirms_writes_fail_in_time_and_decisions_go_on(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        async with connected(primary.url, "replica") as (connection, profiles):
            await profiles.commit(write(0))
            replica.signal(signal.SIGSTOP)
            begun = time.monotonic()
            first = asyncio.ensure_future(profiles.commit(write(1)))
            await asyncio.sleep(0.05)
            later = asyncio.ensure_future(profiles.commit(write(2)))
            for _ in range(50):
                assert await profiles.read(write(0).visitor, "1") is None
            assert not first.done()
            for waiting in (first, later):
                with pytest.raises(StoreUnavailable, match="no replica confirmed"):
                    await waiting
            assert time.monotonic() - begun < QUICK.deadline_s
            assert "no replica" in connection.trouble
            assert not connection.usable.is_set()
            with pytest.raises(StoreUnavailable, match="no replica"):
                await profiles.commit(write(3))
            assert missing(primary, {1, 2, 3}) == {2, 3}, "the first one was applied, and nobody was told so"
            replica.signal(signal.SIGCONT)
            await usable(connection)
            assert await profiles.commit(write(3)) == Committed(0)
            assert connection.losses == 0


async def test_a_group_goes_on_without_those_who_gave_up(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        async with connected(primary.url, "replica") as (_, profiles):
            replica.signal(signal.SIGSTOP)
            early = [asyncio.ensure_future(profiles.commit(write(n))) for n in range(10)]
            await asyncio.sleep(0.02)
            queued = [asyncio.ensure_future(profiles.commit(write(n))) for n in range(10, 20)]
            await asyncio.sleep(0.02)
            for task in (*early[::2], *queued[::2]):
                task.cancel()
            replica.signal(signal.SIGCONT)
            assert await asyncio.gather(*early[1::2], *queued[1::2]) == [Committed(0)] * 10
            # Who gave up before the group left was not written.
            assert missing(primary, set(range(20))) == set(range(10, 20, 2))


async def test_closing_leaves_nobody_waiting(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        async with connected(primary.url, "replica") as (_, profiles):
            replica.signal(signal.SIGSTOP)
            under_way = [asyncio.ensure_future(profiles.commit(write(n))) for n in range(5)]
            await asyncio.sleep(0.02)
            waiting = [asyncio.ensure_future(profiles.commit(write(n))) for n in range(5)]
            await asyncio.sleep(0.02)
        outcomes = await asyncio.gather(*under_way, *waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}


async def acknowledged(primary: Server, durability: Durability, most: int, size: int = 0) -> set[int]:
    """Write from eight sides, kill the primary amid that, and return what was acknowledged."""
    answered: set[int] = set()
    numbers = iter(range(most))

    async def go_on(profiles: RedisProfiles) -> None:
        with contextlib.suppress(StoreUnavailable):
            for number in numbers:
                await profiles.commit(write(number, size))
                answered.add(number)
                if len(answered) == most - 8:
                    primary.signal(signal.SIGKILL)

    async with connected(primary.url, durability, Limits()) as (_, profiles):
        await asyncio.gather(*(go_on(profiles) for _ in range(8)))
    return answered


async def test_a_promoted_replica_has_every_acknowledged_write(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        answered = await acknowledged(primary, "replica", 500)
        replica.ask("REPLICAOF", "NO", "ONE")
        assert len(answered) >= 492
        assert missing(replica, answered) == set()


async def test_without_confirmations_a_promoted_replica_may_lack_acknowledged_writes(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        replica.signal(signal.SIGSTOP)
        # More than the system's own buffers hold: what is in them reaches the replica although the primary is dead.
        answered = await acknowledged(primary, "store", 2000, size=16_000)
        replica.signal(signal.SIGCONT)
        replica.ask("REPLICAOF", "NO", "ONE")
        assert missing(replica, answered)


async def test_the_embedded_store_writes_to_disk_first_for_as_long_as_that_is_set(tmp_path: Path) -> None:
    for fsync, policy in ((True, b"always"), (False, b"everysec")):
        store = EmbeddedStore(tmp_path / "store", on_event=print, fsync=fsync)
        await store.start()
        async with connected(store.url, "disk") as (connection, profiles):
            assert (connection.unfit is None) == fsync
            if fsync:
                assert await profiles.commit(write(1)) == Committed(0)
                # A gateway that finds the server of another one makes it write as it needs it.
                await connection.call("CONFIG", "SET", "appendfsync", "everysec")
                guest = EmbeddedStore(tmp_path / "store", on_event=print, fsync=True)
                await guest.start()
                await guest.stop()
            assert (await connection.call("CONFIG", "GET", "appendfsync"))[1] == policy
            assert isinstance(await profiles.read(write(1).visitor, ""), Stored)
        await store.stop()


async def test_a_store_that_answers_before_its_disk_has_a_write_is_unfit_until_it_is_set_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LOOK_S", 0.05)
    with server(tmp_path / "store", appendonly="yes") as store:
        async with connected(store.url, "disk") as (connection, profiles):
            assert connection.unfit is not None
            assert "appendfsync is everysec" in str(connection.unfit)
            assert "appendfsync always" in connection.unfit.hint
            with pytest.raises(StoreUnavailable, match="appendfsync is everysec"):
                await profiles.commit(write(1))
            store.ask("CONFIG", "SET", "appendfsync", "always")
            await usable(connection)
            assert await profiles.commit(write(1)) == Committed(0)
            lost = asyncio.Event()
            connection.on_loss = lost.set
            store.ask("CONFIG", "SET", "no-appendfsync-on-rewrite", "yes")
            await asyncio.wait_for(lost.wait(), 5)
            assert "no-appendfsync-on-rewrite is yes" in connection.trouble


async def test_an_account_that_may_not_see_the_settings_has_each_group_confirmed(tmp_path: Path) -> None:
    with server(tmp_path / "store", appendonly="yes", appendfsync="always") as store:
        store.ask("ACL", "SETUSER", "default", "-config")
        async with connected(store.url, "disk") as (connection, profiles):
            before = waits(store)
            assert await asyncio.gather(*(profiles.commit(write(n)) for n in range(20))) == [Committed(0)] * 20
            assert waits(store) - before == 1
            assert connection.unfit is None
    with server(tmp_path / "no-file") as store:
        store.ask("ACL", "SETUSER", "default", "-config")
        async with connected(store.url, "disk") as (connection, _):
            assert "appendonly is disabled" in str(connection.unfit)


@pytest.mark.skipif(not OLD, reason="this machine has no store server before 7.2")
async def test_an_old_store_that_hides_its_settings_is_unfit(tmp_path: Path) -> None:
    with server(tmp_path / "store", OLD[0], appendonly="yes", appendfsync="always") as store:
        async with connected(store.url, "disk") as (connection, _):
            assert connection.unfit is None
        store.ask("ACL", "SETUSER", "default", "-config")
        async with connected(store.url, "disk") as (connection, _):
            assert "cannot confirm writes" in str(connection.unfit)


def test_a_gateway_does_not_start_over_a_store_that_is_unfit(tmp_path: Path) -> None:
    with server(tmp_path / "store") as store:
        command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--redis", store.url]
        command += ["--data", str(tmp_path / "data")]
        env = {**os.environ, "TUTTU_DURABILITY": "disk"}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "appendonly is no" in ended.stderr
    assert "Set `appendonly yes`" in ended.stderr
    assert "Traceback" not in ended.stderr
