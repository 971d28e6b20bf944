"""Erasure and what waits in the spool: it is never applied, and gone from the disk; what came after it stays."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app import clock
from gateway.erasure import Sweep
from gateway.identity.verified import user_hash
from gateway.ports import Erasure, VisitorKey
from gateway.rights.ledger import Ledger
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import ASIDE, Record, Writer, listed, segment_name, waiting
from tests.fakes.store import FakeStore
from tests.gateway.app import App, rights_in, running
from tests.gateway.people import ALL, SECRET, Browser, from_server, person, stored


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


def on_disk(spool: Path) -> bytes:
    return b"".join(path.read_bytes() for path in spool.glob("*"))


def messages(spool: Path) -> list[str]:
    """Return the ids of the events that wait."""
    records = [one.payload for path in listed(spool) for one in waiting(path) if isinstance(one, Record)]
    return [event.get("m", "") for record in records for event in orjson.loads(record).get("e", ())]


def logged(store: FakeStore) -> list[str]:
    return [orjson.loads(entry)["m"] for entry in store.logged()]


def sweep_of(store: FakeStore, spool: Path) -> Sweep:
    rights, waiting_ones = rights_in(store, spool), partial(erase_what_waits, spool)
    return Sweep(store, rights.eraser, Ledger(spool.parent), clock, erase_what_waits=waiting_ones)


async def spooled(app: App, *sent: tuple[Browser, str]) -> None:
    """Let browsers' page views come while the store is down, each in a segment of its own."""
    app.store.down = True
    for browser, message in sent:
        answer = await browser.view(app, messageId=message)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert app.gateway.spool is not None
        await app.gateway.spool.seal()
    app.store.down = False
    await asyncio.sleep(0.002)  # what comes now happens later


async def deleted(app: App, browser: Browser, **body: Any) -> None:
    answer = await browser.send(app, "/v1/privacy/delete", **body)
    assert answer.status_code == 200, answer.text


async def begun(app: App) -> Browser:
    browser = Browser()
    await browser.view(app, messageId="first")
    return browser


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


# -- withdrawals that wait themselves --------------------------------------------------------------------------------


async def withdrawn(app: App, browser: Browser, **body: Any) -> str:
    """Withdraw while the store is down; return the cookie that went."""
    app.store.down = True
    cookie = browser.cookie
    answer = await browser.view(app, consent=[], **body)
    assert (answer.status_code, browser.cookie) == (200, ""), answer.text
    assert answer.json()["dropped"] == 1
    app.store.down = False
    await asyncio.sleep(0.002)
    return cookie


async def test_a_waiting_withdrawal_takes_what_waits_while_the_store_is_away_for_days(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna, other = await begun(app), await begun(app)
        await spooled(app, (anna, "before"), (other, "other-1"))
        key = anna.key
        anna.cookie = await withdrawn(app, anna)
        app.store.down = True
        await anna.view(app, consent=ALL, messageId="anew")
        await app.replay.erase()
        assert messages(spool) == ["other-1", "anew"]
        app.store.down = False
        await app.replay.once()
        await sweep_of(app.store, spool).once()
        assert sorted(logged(app.store)) == ["anew", "first", "other-1"]
        found = stored(app.store, key)
        assert found.erased
        assert found.consent[1] == sorted(ALL)  # type: ignore[union-attr]  # no alias
        assert found.visits  # type: ignore[union-attr]


@pytest.mark.parametrize("anew_is_first", [False, True])
async def test_what_was_allowed_anew_stays_whichever_is_replayed_first(spool: Path, *, anew_is_first: bool) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        key = anna.key
        anna.cookie = await withdrawn(app, anna)
        if anew_is_first:  # it went straight to the store, which was back
            await anna.view(app, consent=ALL, messageId="anew")
            assert "anew" in logged(app.store)
        else:
            app.store.down = True
            await anna.view(app, consent=ALL, messageId="anew")
            app.store.down = False
        await app.replay.once()
        await sweep_of(app.store, spool).once()
        assert logged(app.store) == ["anew"]
        assert stored(app.store, key).consent[1] == sorted(ALL)  # type: ignore[union-attr]
        assert b"first" not in app.store.documents[key]


async def test_a_withdrawal_that_is_replayed_again_takes_nothing_of_what_came_since(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        key = anna.key
        anna.cookie = await withdrawn(app, anna)
        assert app.gateway.spool is not None
        await app.gateway.spool.seal()
        segments = {path: path.read_bytes() for path in listed(spool)}
        await app.replay.once()
        await anna.view(app, consent=ALL, messageId="anew")
        before = app.store.documents[key]
        for path, text in segments.items():
            path.write_bytes(text)
        await app.replay.once()
        assert app.store.documents[key] == before


async def test_a_later_deletion_does_not_hide_what_a_waiting_withdrawal_has_chosen(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = Browser()
        await anna.view(app, consent=ALL)
        key = anna.key
        anna.cookie = cookie = await withdrawn(app, anna)
        await deleted(app, anna)
        assert stored(app.store, key).consent[1] == sorted(ALL)  # type: ignore[union-attr]
        await app.replay.once()
        assert stored(app.store, key).consent[1] == []  # type: ignore[union-attr]
        anna.cookie = cookie
        assert (await anna.view(app)).json()["accepted"] == 0


async def test_who_refuses_on_somebody_elses_browser_takes_nothing_that_waits_of_its_owner(spool: Path) -> None:
    async with running(spool=spool) as app:
        owner = await begun(app)
        await owner.log_in(app, "owner", messageId="login")
        await spooled(app, (owner, "owner-1"))
        await withdrawn(app, owner, userId="stranger", userHash=user_hash(SECRET, "stranger"))
        await app.replay.erase()
        assert messages(spool) == ["owner-1"]
        await app.replay.once()
        assert "owner-1" in logged(app.store)
        assert person(app.store, "owner").erased == 0
        assert person(app.store, "stranger").erased


async def test_a_deletion_while_the_store_is_away_is_refused_and_leaves_nothing(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        app.store.down = True
        for path, body in (("/v1/privacy/delete", {}), ("/v1/privacy/export", {})):
            answer = await anna.send(app, path, **body)
            assert answer.status_code == 503
        assert (await from_server(app, "/v1/privacy/delete", userId="ann")).status_code == 503
        assert listed(spool) == []
        assert Ledger(spool.parent).read() == []


# -- a store that forgets --------------------------------------------------------------------------------------------


async def resent(app: App) -> None:
    """Let the worker hear that the connection broke, and send its tail again."""
    app.gateway.store_lost()
    await asyncio.gather(*app.gateway._resending)


Step = str
ORDERS: Sequence[tuple[Step, Step]] = (("renew", "replay"), ("replay", "renew"))


async def recover(app: App, spool: Path, order: tuple[Step, Step]) -> None:
    sweep = sweep_of(app.store, spool)
    await resent(app)
    for step in order:
        await (sweep.renew() if step == "renew" else app.replay.once())
    await sweep.once()
    await sweep.once()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seen_before", [True, False])
async def test_an_answered_deletion_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step], *, seen_before: bool
) -> None:
    """It was answered a moment ago, so that no sweep has seen its note; the visitor may be as new as that."""
    async with running(spool=spool) as app:
        other = await begun(app)
        anna = await begun(app) if seen_before else Browser()
        older = app.store.snapshot()
        await anna.view(app, messageId="anna-1")
        await other.view(app, messageId="other-1")
        await asyncio.sleep(0.002)
        key = anna.key
        await deleted(app, anna)
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == ["first", "other-1"]
        assert stored(app.store, key).erased
        assert key.id not in "".join(map(str, app.store.logged()))


@pytest.mark.parametrize("order", ORDERS)
async def test_an_answered_deletion_of_a_person_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step]
) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        older = app.store.snapshot()
        await anna.log_in(app, "ann", messageId="login")
        await anna.view(app, messageId="anna-1")
        await asyncio.sleep(0.002)
        await from_server(app, "/v1/privacy/delete", userId="ann")
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == []
        assert person(app.store, "ann").erased
        assert not person(app.store, "ann").visits


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("swept", [True, False])
async def test_an_answered_withdrawal_that_a_failover_lost_is_done_again(
    spool: Path, order: tuple[Step, Step], *, swept: bool
) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        older = app.store.snapshot()
        await anna.view(app, messageId="anna-1")
        await asyncio.sleep(0.002)
        key, cookie = anna.key, anna.cookie
        await anna.view(app, consent=[])
        if swept:
            await sweep_of(app.store, spool).once()
        app.store.roll_back(older)
        await recover(app, spool, order)
        assert logged(app.store) == []
        assert stored(app.store, key).erased
        anna.cookie = cookie
        assert (await anna.view(app)).json()["accepted"] == 0, "the choice came back too"


async def test_what_was_replayed_just_before_a_failover_is_sent_again(spool: Path, monkeypatch: Any) -> None:
    hour_ago = clock() - 3_600_000
    moments = [hour_ago]
    monkeypatch.setattr("gateway.app.clock", lambda: moments[0])
    async with running(spool=spool) as app:
        anna = await begun(app)
        await spooled(app, (anna, "anna-1"))
        moments[0] += 1_800_000
        older = app.store.snapshot()
        await app.replay.once()
        app.store.roll_back(older)
        await resent(app)
        await app.replay.once()
        assert logged(app.store) == ["first", "anna-1"]


# -- export ----------------------------------------------------------------------------------------------------------


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
