"""The replay over the in-memory store: what waits gets there once, and nothing keeps it from going on."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import gateway.app
from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Erasure, Stored, VisitorKey, Write
from gateway.spool import spool as module
from gateway.spool.aside import bring_back
from gateway.spool.records import set_aside
from gateway.spool.replay import Replay, erase_what_waits
from gateway.spool.segments import ASIDE, Writer, claimed, listed, made_at, segment_name, size_of
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running
from tests.gateway.making import NOW, site
from tests.gateway.spooling import logged, payloads_in, viewed

HOUR_MS = 3_600_000


async def put_raw(app: App, *payloads: bytes) -> None:
    spool = app.gateway.spool
    assert spool is not None
    await spool.put(payloads)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.spool.replay.FIRST_PAUSE_S", 0.001)


# -- replaying ---------------------------------------------------------------------------------------------------------


async def test_a_withdrawal_waits_and_erases(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as app:
        headers = {"sec-fetch-site": "same-origin"}
        answer = await app.post(headers=headers, messageId="m1", properties={"path": "/hinnoittelu"})
        headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
        app.store.down = True
        await app.post(headers=headers, messageId="m2")
        answer = await app.post(headers=headers, consent=[], messageId="m3")
        assert answer.status_code == 200
        assert "Max-Age=0" in answer.headers["set-cookie"]
        app.store.down = False
        await app.replay.once()
        (document,) = app.store.documents.values()
        assert b"hinnoittelu" not in document
        assert len(await app.store.pending()) == 1
        assert listed(tmp_path) == []


async def test_what_the_store_has_already_is_a_duplicate(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as app:
        await viewed(app, 1)
        app.store.down = True
        await viewed(app, 1, 2, 2)
        app.store.down = False
        await viewed(app, 2)
        await app.replay.once()
        assert logged(app) == ["m1", "m2"]
        counters = app.gateway.telemetry.counters
        assert counters["spool_replayed", "duplicate"] == 3


async def test_a_poisoned_record_is_set_aside_with_its_reason_and_the_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        await put_raw(app, b"\x00 no record", b'{"s":"demo"}')
        await viewed(app, 2)
        app.store.down = False
        await app.replay.once()
        assert logged(app) == ["m1", "m2"]
        assert listed(tmp_path) == []
        found = [set_aside(payload) for payload in payloads_in(tmp_path, ASIDE)]
        assert [inner for _, inner in found] == [b"\x00 no record", b'{"s":"demo"}']
        assert all("cannot be read" in why for why, _ in found)
        assert app.counted("spool_aside") == 2


async def test_a_record_that_breaks_the_fold_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1, 2, 3)
        app.store.down = False
        submit = app.replay._submit

        async def breaks(job: Any) -> None:
            if job.envelopes[0].event.message_id == "m2":
                raise ValueError("the fold broke")
            await submit(job)

        monkeypatch.setattr(app.replay, "_submit", breaks)
        await app.replay.once()
        assert logged(app) == ["m1", "m3"]
        ((why, _),) = [set_aside(payload) for payload in payloads_in(tmp_path, ASIDE)]
        assert why == "ValueError: the fold broke"


async def test_a_site_that_went_from_the_settings_is_set_aside_and_comes_back(tmp_path: Path) -> None:
    two = [site(), site(key="shop", secret_key="another")]  # noqa: S106 - a test's key
    async with running(sites=two, spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        await viewed(app, 2, writeKey="shop")
    async with running(spool=tmp_path) as app:
        await app.replay.once()
        assert logged(app) == ["m1"]
        ((why, _),) = [set_aside(payload) for payload in payloads_in(tmp_path, ASIDE)]
        assert 'no site "shop"' in why
    assert bring_back(tmp_path) == (1, 0)
    assert bring_back(tmp_path) == (0, 0)
    async with running(sites=two, spool=tmp_path) as app:
        await app.replay.once()
        assert logged(app) == ["m2"]
    assert size_of(tmp_path) == 0


class Refusing(FakeStore):
    """A store that answers, and takes writes as `takes` says."""

    def __init__(self, takes: Callable[[Write], bool]) -> None:
        super().__init__()
        self.takes = takes
        self.probed = False

    async def commit(self, write: Write) -> Committed | Stored:
        if not self.takes(write):
            raise StoreUnavailable("OOM command not allowed when used memory > 'maxmemory'")
        return await super().commit(write)

    async def probe(self) -> None:
        if not self.probed:
            raise StoreUnavailable("OOM command not allowed when used memory > 'maxmemory'")


async def test_a_store_that_takes_nobody_s_writes_puts_nothing_aside(tmp_path: Path) -> None:
    store = Refusing(lambda _: False)
    async with running(store, spool=tmp_path) as app:
        await viewed(app, *range(40))
        await app.replay.once()
        assert listed(tmp_path, ASIDE) == []
        assert len(payloads_in(tmp_path)) == 40
        store.takes, store.probed = lambda _: True, True
        await app.replay.once()
        assert len(logged(app)) == 40
        assert listed(tmp_path) == []


async def test_a_visitor_whom_the_store_never_takes_is_set_aside_and_blocks_nobody(tmp_path: Path) -> None:
    async with running(Refusing(lambda _: False), spool=tmp_path) as app:
        await viewed(app, *range(3))
        other = app.store
        assert isinstance(other, Refusing)
        other.probed = True
        other.takes = lambda write: b'"m1"' not in b"".join(write.entries)
        await app.replay.once()
        assert logged(app) == ["m0", "m2"]
        assert len(payloads_in(tmp_path, ASIDE)) == 1


async def test_a_store_that_goes_in_the_middle_of_a_segment_gets_the_rest_later(tmp_path: Path) -> None:
    store = FakeStore()
    async with running(store, spool=tmp_path) as app:
        store.down = True
        await viewed(app, *range(50))
        store.down = False
        commit = store.commit

        async def goes(write: Write) -> Committed | Stored:
            if len(store.writes) == 20:
                store.down = True
            return await commit(write)

        store.commit = goes  # type: ignore[method-assign] # the store of this test alone
        await app.replay.once()
        assert len(logged(app)) == 20
        assert len(payloads_in(tmp_path)) == 34  # 16 are noted as replayed
        store.commit, store.down = commit, False  # type: ignore[method-assign] # as above
        await app.replay.once()
        assert len(set(logged(app))) == len(logged(app)) == 50
        assert listed(tmp_path) == []


async def test_a_damaged_segment_gives_what_is_whole(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1, 2, 3)
        assert app.gateway.spool is not None
        await app.gateway.spool.seal()
        (path,) = listed(tmp_path)
        data = bytearray(path.read_bytes())
        second = data.index(b'"m2"')
        data[second] ^= 1
        path.write_bytes(bytes(data) + b"\xf5\x01TS torn")
        app.store.down = False
        await app.replay.once()
        assert logged(app) == ["m1", "m3"]
        counters = app.gateway.telemetry.counters
        assert (counters["spool_damaged", "damaged"], counters["spool_damaged", "torn"]) == (1, 1)
        assert listed(tmp_path) == []


async def test_a_segment_of_another_version_stays_and_blocks_nothing(tmp_path: Path) -> None:
    strange = tmp_path / segment_name(NOW - HOUR_MS)
    strange.write_bytes(b"tuttu spool 9\n\0\0" + bytes(40))
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        app.store.down = False
        await app.replay.once()
        assert logged(app) == ["m1"]
        assert listed(tmp_path) == [strange]


async def test_a_segment_that_may_not_be_opened_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / segment_name(1)

    def only_others(path: Path) -> Any:
        if path == shut:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return claimed(path)

    shut.touch()
    monkeypatch.setattr("gateway.spool.replay.claimed", only_others)
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        app.store.down = False
        app.replay._tidy()
        await app.replay.once()
        assert logged(app) == ["m1"]
        assert listed(tmp_path) == [shut]


async def test_two_workers_on_one_folder_replay_each_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 1_000)
    store = FakeStore()
    async with running(store, spool=tmp_path) as one, running(store, spool=tmp_path) as other:
        store.down = True
        await viewed(one, *range(30))
        await viewed(other, *range(30, 60))
        store.down = False
        assert len(listed(tmp_path)) > 4
        for _ in range(2):
            await asyncio.gather(one.replay.once(), other.replay.once())
        assert len(logged(one)) == len(set(logged(one))) == 60
        counts = [app.gateway.telemetry.counters["spool_replayed", "stored"] for app in (one, other)]
        assert sum(counts) == 60
        assert all(counts)
        assert listed(tmp_path) == []


async def test_the_segments_of_a_worker_that_died_are_adopted(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as dead:
        dead.store.down = True
        await viewed(dead, 1)
    async with running(spool=tmp_path) as app:
        await app.replay.once()
        assert logged(app) == ["m1"]


async def test_what_is_too_old_is_deleted_and_counted_and_other_names_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.spool.replay.DOUBT_S", 0)
    now = gateway.app.clock()
    for at, suffix in ((now - 3 * HOUR_MS, ".spool"), (now - 3 * HOUR_MS, ASIDE), (now - HOUR_MS, ".spool")):
        writer = Writer(tmp_path, segment_name(at, suffix))
        writer.append([b"{}", b"{}"])
        writer.close()
    kept = tmp_path / "kept-by-hand.spool"
    kept.write_bytes(listed(tmp_path)[0].read_bytes())
    async with running(spool=tmp_path, spool_max_age_h=2) as app:
        app.replay._tidy()
        assert app.counted("spool_expired") == 4
        assert [made_at(path) for path in listed(tmp_path)] == [now - HOUR_MS, 0]
        assert listed(tmp_path, ASIDE) == []


async def test_a_replay_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.spool.replay.LOOK_S", 0.01)
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        app.store.down = False
        once, failures = app.replay.once, [OSError("the disk is away"), RuntimeError("a fault of ours")]

        async def fails() -> None:
            if failures:
                raise failures.pop()
            await once()

        monkeypatch.setattr(app.replay, "once", fails)
        task = asyncio.create_task(app.replay.run())
        while not logged(app):  # noqa: ASYNC110 - the replay tells nobody
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])


# -- erasures ----------------------------------------------------------------------------------------------------------


async def test_an_erasure_takes_its_visitor_out_of_what_waits_and_was_set_aside(tmp_path: Path) -> None:
    shop = site(key="shop", secret_key="another")  # noqa: S106 - a test's key
    async with running(sites=[site(), shop], spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1, 2)
        await viewed(app, 3, writeKey="shop")
    async with running(spool=tmp_path) as app:
        app.store.down = True
        keys = [orjson.loads(payload) for payload in payloads_in(tmp_path)]
        erasures = [
            Erasure(VisitorKey(record["s"], *record["v"].split(":")), record["r"] + HOUR_MS)
            for record in keys
            if record["e"][0]["m"] != "m2"
        ]
        app.store.down = False
        shop_only = payloads_in(tmp_path)[2]
        replay = Replay._put_aside
        replay(app.replay, shop_only, "no site")
        app.replay._end_aside()
        assert erase_what_waits(tmp_path, erasures) == 3
        assert [orjson.loads(payload)["e"][0]["m"] for payload in payloads_in(tmp_path)] == ["m2"]
        assert listed(tmp_path, ASIDE) == []
        assert erase_what_waits(tmp_path, erasures) == 0


# -- the tail ----------------------------------------------------------------------------------------------------------


async def test_what_a_store_forgot_of_what_it_had_taken_is_there_again_once(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as app:
        await viewed(app, 1)
        before = app.store.snapshot()
        await viewed(app, 2, 3)
        app.store.roll_back(before)
        assert logged(app) == ["m1"]
        app.gateway.store_lost()
        await asyncio.gather(*app.gateway._resending)
        assert len(payloads_in(tmp_path)) == 3
        await app.replay.once()
        assert logged(app) == ["m1", "m2", "m3"]
        counters = app.gateway.telemetry.counters
        assert (counters["spool_replayed", "stored"], counters["spool_replayed", "duplicate"]) == (2, 1)
        assert counters["resent",] == 3
        app.gateway.store_lost()
        await asyncio.gather(*app.gateway._resending)
        await app.replay.once()
        assert logged(app) == ["m1", "m2", "m3"]


async def test_without_a_spool_the_tail_is_resent_from_memory() -> None:
    async with running() as app:
        before = app.store.snapshot()
        await viewed(app, *range(20))
        app.store.roll_back(before)
        app.gateway.store_lost()
        await asyncio.gather(*app.gateway._resending)
        await app.replay.once()
        assert len(logged(app)) == 20


async def test_the_tail_lets_go_of_what_is_older_than_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(spool=tmp_path) as app:
        await viewed(app, 1)
        later = time.monotonic() + 10
        monkeypatch.setattr("gateway.spool.tail.time.monotonic", lambda: later)
        await viewed(app, 2)
        app.gateway.store_lost()
        await asyncio.gather(*app.gateway._resending)
        assert [orjson.loads(payload)["e"][0]["m"] for payload in payloads_in(tmp_path)] == ["m2"]
