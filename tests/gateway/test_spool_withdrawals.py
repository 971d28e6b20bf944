"""Withdrawals that wait in the spool themselves: what they take, and what came after them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.identity.verified import user_hash
from gateway.rights.ledger import Ledger
from gateway.spool.segments import listed
from tests.gateway.app import App, running
from tests.gateway.people import ALL, SECRET, Browser, from_server, person, stored
from tests.gateway.spool_erasing import begun, deleted, logged, messages, spooled, sweep_of


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


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


async def test_what_was_allowed_anew_stays_though_it_waits_in_an_older_segment(spool: Path) -> None:
    async with running(spool=spool) as one, running(one.store, spool=spool) as two:
        anna, other = await begun(one), await begun(two)
        key = anna.key
        one.store.down = True
        await other.view(two, messageId="other-1")
        anna.cookie = await withdrawn(one, anna)
        one.store.down = True
        await anna.view(two, consent=ALL, messageId="anew")
        one.store.down = False
        assert two.gateway.spool is not None
        await two.gateway.spool.seal()
        await one.replay.once()
        assert "anew" in logged(one.store)
        assert stored(one.store, key).visits  # type: ignore[union-attr]  # no alias


async def test_of_a_refusal_that_came_late_only_the_store_can_say_what_goes_that_was_later(spool: Path) -> None:
    async with running(spool=spool) as app:
        anna = await begun(app)
        await spooled(app, (anna, "before"))
        now = datetime.now(UTC)
        late = {"timestamp": (now - timedelta(hours=1)).isoformat(), "sentAt": now.isoformat()}
        await withdrawn(app, anna, **late)
        await app.replay.erase()
        assert messages(spool) == ["before"], "a choice of less than an hour ago may be stored, and overrule it"
        await app.replay.once()
        await sweep_of(app.store, spool).once()
        assert logged(app.store) == []
