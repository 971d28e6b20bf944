"""A gateway with a spool, of which tests look at what waits: hits that come while the store is down, and erasures."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from gateway.app import clock
from gateway.erasure import Sweep
from gateway.rights.ledger import Ledger
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import Record, listed, waiting
from tests.fakes.store import FakeStore
from tests.gateway.app import App, rights_in
from tests.gateway.people import Browser


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
