"""The spool of a worker: what is answered is on disk, and a disk that takes nothing is told."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

import gateway.app
from gateway.ports import VisitorKey
from gateway.spool import spool as module
from gateway.spool.buckets import Buckets
from gateway.spool.segments import listed, made_at
from gateway.spool.spool import Limits, Spool, SpoolFull
from gateway.telemetry import Telemetry
from tests.gateway.app import running
from tests.gateway.making import NOW
from tests.gateway.spooling import logged, payloads_in, viewed


async def test_hits_that_come_during_a_write_share_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (syncs.append(file), sync(file)))
    spool = Spool(tmp_path, Limits(10**9, 0), Telemetry(), lambda: NOW)
    await asyncio.gather(*(spool.put([b"%d" % n]) for n in range(100)))
    assert len(syncs) <= 3
    assert payloads_in(tmp_path) == [b"%d" % n for n in range(100)]
    await spool.close()


async def test_what_is_put_is_on_disk_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (sync(file), events.append("synced")))
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)
        events.append("answered")
    assert events == ["synced", "answered"]


async def test_a_full_spool_takes_nothing_and_tells_why(tmp_path: Path) -> None:
    telemetry = Telemetry()
    spool = Spool(tmp_path, Limits(200, 0), telemetry, lambda: NOW)
    await spool.put([b"x" * 100])
    await spool.seal()
    with pytest.raises(SpoolFull, match="spool_max_bytes"):
        await spool.put([b"y" * 100])
    assert "full" in spool.trouble
    assert telemetry.counters["spool_failures",] == 1
    listed(tmp_path)[0].unlink()  # it was replayed
    await spool.look()
    assert spool.trouble == ""
    await spool.put([b"y" * 100])
    assert payloads_in(tmp_path) == [b"y" * 100]
    await spool.close()


async def test_headroom_on_the_disk_is_kept(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    spool = Spool(tmp_path / "new" / "spool", Limits(10**12, free * 2), Telemetry(), lambda: NOW)
    with pytest.raises(SpoolFull, match="spool_free_bytes"):
        await spool.put([b"x"])
    assert not (tmp_path / "new").exists()
    await spool.look()
    assert "spool_free_bytes" in spool.trouble
    await spool.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
async def test_a_disk_that_fails_is_answered_503_and_a_disk_that_is_back_is_used(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await viewed(app, 1)

        def fail(_file: int) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            answer = await app.post(messageId="m2", anonymousId="x2")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert app.gateway.spool is not None
        assert os.strerror(code) in app.gateway.spool.trouble
        await app.gateway.spool.look()
        assert app.gateway.spool.trouble == ""
        await viewed(app, 3)
        app.store.down = False
        await app.replay.once()
        assert logged(app) == ["m1", "m3"]
        assert app.counted("events_received") == sum(app.outcomes().values()) == 3


async def test_a_disk_that_cannot_keep_up_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_QUEUED_BYTES", 10)
    spool = Spool(tmp_path, Limits(10**9, 0), Telemetry(), lambda: NOW)
    with pytest.raises(SpoolFull, match="keep up"):
        await spool.put([b"x" * 11])
    await spool.put([b"x" * 10])
    await spool.close()


async def test_a_segment_ends_by_size_and_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    now = NOW
    spool = Spool(tmp_path, Limits(10**9, 0), Telemetry(), lambda: now)
    for _ in range(2):
        await spool.put([b"x" * 100])
    assert len(listed(tmp_path)) == 2
    now += 1000 * module.SEGMENT_S + 1
    await spool.put([b"y"])
    assert [made_at(path) for path in listed(tmp_path)] == [NOW, NOW, now]
    await spool.close()


async def test_a_visitor_who_is_too_hot_is_held_to_the_bucket_in_the_spool_and_not_again_in_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.app, "clock", lambda: NOW)
    monkeypatch.setattr("gateway.spool.buckets.BUCKET_EVENTS", 3)
    async with running(spool=tmp_path) as app:
        app.store.down = True
        batch = [{"type": "page", "messageId": f"m{n}", "anonymousId": "x"} for n in range(5)]
        answer = await app.post("/v1/batch", batch=batch)
        assert (answer.json()["accepted"], answer.json()["dropped"]) == (3, 2)
        answer = await app.post("/v1/batch", writeKey="a secret key", batch=[{**e, "userId": "u"} for e in batch])
        assert answer.json()["accepted"] == 5
        app.store.down = False
        await app.replay.once()
        assert len(logged(app)) == 8


def test_a_bucket_fills_with_time_and_the_longest_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.spool.buckets.BUCKET_EVENTS", 1)
    monkeypatch.setattr("gateway.spool.buckets.MOST", 2)
    buckets, keys = Buckets(), [VisitorKey("demo", "a", str(n)) for n in range(3)]
    assert [buckets.take(keys[0], NOW) for _ in range(2)] == [True, False]
    assert buckets.take(keys[0], NOW + 20)  # 50 a second
    assert all(buckets.take(key, NOW + 20) for key in keys[1:])
    assert buckets.take(keys[0], NOW + 20)
