"""Erasure and what waits in the spool: it is never applied, and gone from the disk; what came after it stays."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import orjson
import pytest

from gateway.app import clock
from gateway.ports import Erasure, VisitorKey
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import ASIDE, Record, Writer, listed, segment_name, waiting
from tests.gateway.app import running
from tests.gateway.people import from_server, stored
from tests.gateway.spool_erasing import begun, deleted, logged, messages, on_disk, spooled, sweep_of


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


async def test_a_deletion_takes_waiting_records_from_the_disk_and_none_of_them_is_applied(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna, other = await begun(app), await begun(app)
        await spooled(app, (anna, "anna-1"), (other, "other-1"))
        id_ = anna.id
        await deleted(app, anna)
        await sweep_of(app.store, spool).once()
        assert messages(spool) == ["other-1"]
        assert id_.encode() not in on_disk(spool)
        await app.replay.once()
        assert logged(app.store) == ["first", "other-1"]


async def test_the_replay_alone_applies_nothing_of_the_erased(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        await spooled(app, (anna, "anna-1"))
        key = anna.key
        await deleted(app, anna)
        await app.replay.once()
        await sweep_of(app.store, spool).once()
        assert logged(app.store) == []
        assert stored(app.store, key).erased


async def test_a_segment_that_was_locked_is_looked_at_again_with_what_the_ledger_holds(spool: Path) -> None:
    """The store is away again right after the deletion, so that no replay comes to it for days."""
    async with running(spool=spool) as app:
        anna, other = await begun(app), await begun(app)
        app.store.down = True
        await anna.view(app, messageId="anna-1")
        await other.view(app, messageId="other-1")
        app.store.down = False
        await asyncio.sleep(0.002)
        await deleted(app, anna)
        await sweep_of(app.store, spool).once()
        app.store.down = True
        assert messages(spool) == ["anna-1", "other-1"], "the worker writes that segment"
        await app.replay.erase()
        assert messages(spool) == ["other-1"]
        app.store.down = False
        await app.replay.once()
        assert logged(app.store) == ["first", "other-1"]


async def test_a_worker_looks_at_once_when_it_starts_at_what_its_predecessor_left(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna, other = await begun(app), await begun(app)
        await spooled(app, (anna, "anna-1"), (other, "other-1"))
        await deleted(app, anna)
        store = app.store
    store.down = True
    async with running(store, spool=spool) as app:
        running_replay = asyncio.create_task(app.replay.run())
        for _ in range(500):
            if messages(spool) == ["other-1"]:
                break
            await asyncio.sleep(0.01)
        running_replay.cancel()
        assert messages(spool) == ["other-1"]


async def test_what_was_set_aside_is_reached_and_what_cannot_be_read_stops_nothing(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna, other = await begun(app), await begun(app)
        await spooled(app, (anna, "anna-1"), (other, "other-1"))
        records = [one.payload for path in listed(spool) for one in waiting(path) if isinstance(one, Record)]
        aside = Writer(spool, segment_name(clock(), ASIDE))
        aside.append([orjson.dumps({"why": "…", "at": 1, "record": b64encode(each).decode()}) for each in records])
        aside.append([b'{"why":', b'{"why":"?","record":"?"}', b"[]", b'{"e":[{}],"s":1}', b'{"x":', b'["x"]'])
        aside.close()
        broken = Writer(spool, segment_name(clock()))
        broken.append([b'{"e":[{}],"s":"demo","v":"a:x","p":""}', b'{"x":1}', b'{"x":1,"p":"","v":5}'])
        broken.close()
        (spool / segment_name(clock())).write_bytes(b"of another version")
        await deleted(app, anna)
        await sweep_of(app.store, spool).once()
        assert b64encode(b"anna-1")[:6] not in on_disk(spool)
        assert messages(spool)[:1] == ["other-1"]
        left = [one.payload for path in listed(spool, ASIDE) for one in waiting(path) if isinstance(one, Record)]
        assert len(left) == 1 + 6
        assert app.store._contents.erasing == set(), "the log's entries went as well"


async def test_a_person_goes_with_what_waits_of_their_browsers_and_of_claims_and_nobody_else(spool: Path) -> None:
    async with running(spool=spool) as app:
        phone, laptop, other = await begun(app), await begun(app), await begun(app)
        for browser in (phone, laptop):
            await browser.log_in(app, "ann", messageId="login")
        await spooled(app, (phone, "phone-1"), (laptop, "laptop-1"), (other, "other-1"))
        app.store.down = True
        await from_server(app, "/v1/track", userId="ann", event="Paid", messageId="server-1")
        await from_server(app, "/v1/track", userId="bob", event="Paid", messageId="server-2")
        await app.post("/v1/page", {"sec-fetch-site": "cross-site"}, userId="ann", messageId="claim-1")
        app.store.down = False
        await asyncio.sleep(0.002)
        answer = await from_server(app, "/v1/privacy/delete", userId="ann")
        assert answer.status_code == 200
        assert app.gateway.spool is not None
        await app.gateway.spool.seal()
        await sweep_of(app.store, spool).once()
        assert messages(spool) == ["other-1", "server-2"]
        await app.replay.once()
        await sweep_of(app.store, spool).once()
        assert sorted(logged(app.store)) == ["first", "other-1", "server-2"]


async def test_one_browser_goes_and_the_person_keeps_what_came_through_others(spool: Path) -> None:
    async with running(spool=spool) as app:
        phone, laptop = await begun(app), await begun(app)
        for browser in (phone, laptop):
            await browser.log_in(app, "ann")
        await spooled(app, (phone, "phone-1"), (laptop, "laptop-1"))
        await deleted(app, phone)
        await sweep_of(app.store, spool).once()
        assert messages(spool) == ["laptop-1"]
        await app.replay.once()
        assert "phone-1" not in logged(app.store)
        assert "laptop-1" in logged(app.store)


async def test_what_the_browser_does_after_its_deletion_stays(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        cookie = anna.cookie
        await spooled(app, (anna, "before"))
        await deleted(app, anna)
        anna.cookie = cookie
        await asyncio.sleep(0.002)
        await spooled(app, (anna, "after"))
        await sweep_of(app.store, spool).once()
        assert messages(spool) == ["after"]
        await app.replay.once()
        assert logged(app.store) == ["after"]


async def test_what_happened_before_by_the_clients_own_clock_goes_as_well(spool: Path) -> None:
    event = {"k": "page", "m": "m", "t": 2_000, "y": 900}
    record = {"s": "demo", "v": "a:x", "p": "", "q": False, "r": 2_000, "a": 2_000}
    later = {**event, "m": "later", "y": 1_500}
    writer = Writer(spool, segment_name(2_000))
    writer.append([orjson.dumps({**record, "e": [event, later, {**event, "m": "none", "y": 0}]})])
    writer.close()
    assert erase_what_waits(spool, [Erasure(VisitorKey("demo", "a", "x"), 1_000)]) == 1
    assert messages(spool) == ["later", "none"]
    assert erase_what_waits(spool, [Erasure(VisitorKey("demo", "a", "x"), 1_000)]) == 0
    assert erase_what_waits(spool, [Erasure(VisitorKey("shop", "a", "x"), 9_000)]) == 0


async def test_an_erased_contact_is_named_by_no_waiting_record_and_the_browser_keeps_its_event(spool: Path) -> None:
    event = {"k": "page", "m": "m", "t": 900, "o": ["contact-id", "autumn", "/", "link", 1, 9_000]}
    record = {"s": "demo", "v": "a:x", "p": "", "q": False, "r": 900, "a": 900, "e": [event]}
    writer = Writer(spool, segment_name(900))
    writer.append([orjson.dumps(record)])
    writer.close()
    assert erase_what_waits(spool, [Erasure(VisitorKey("demo", "k", "contact-id"), 1_000)]) == 1
    assert messages(spool) == ["m"]
    assert b"contact-id" not in on_disk(spool)


async def test_an_export_tells_what_waits_of_the_visitor_and_of_nobody_else(spool: Path) -> None:
    async with running(spool=spool) as app:
        phone, other = await begun(app), await begun(app)
        await phone.log_in(app, "ann")
        await spooled(app, (phone, "phone-1"), (other, "other-1"))
        out = (await other.send(app, "/v1/privacy/export")).json()
        assert [(entry["message_id"], entry["type"]) for entry in out["waiting"]] == [("other-1", "page")]
        assert out["waiting"][0]["sent"]["properties"] == {"path": "/hinnoittelu"}
        out = (await from_server(app, "/v1/privacy/export", userId="ann")).json()
        assert [entry["message_id"] for entry in out["waiting"]] == ["phone-1"]
        await app.replay.once()
        out = (await from_server(app, "/v1/privacy/export", userId="ann")).json()
        assert out["waiting"] == []
        assert "phone-1" in [entry["message_id"] for entry in out["log"]]
