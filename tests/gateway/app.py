"""A worker's whole gateway in this process, over the in-memory store: for what a real store cannot be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from gateway.app import Gateway, clock
from gateway.envelope import Site
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Rights, Stores
from gateway.settings import Settings
from gateway.spool.erasing import waiting_of
from gateway.spool.replay import Replay
from tests.fakes.store import FakeStore
from tests.gateway.making import site


@dataclass
class App:
    gateway: Gateway
    store: FakeStore
    replay: Replay
    http: httpx.AsyncClient

    async def post(self, path: str = "/v1/page", /, headers: Any = None, **body: Any) -> httpx.Response:
        return await self.http.post(path, json={"writeKey": "demo", **body}, headers=headers or {})

    def counted(self, name: str) -> int:
        """Return a counter's sum over its labels."""
        return sum(n for key, n in self.gateway.telemetry.counters.items() if key[0] == name)

    def outcomes(self) -> dict[str, int]:
        """Return how many events ended in each kind of outcome."""
        found: dict[str, int] = {}
        for key, n in self.gateway.telemetry.counters.items():
            if key[0] == "events":
                found[key[1]] = found.get(key[1], 0) + n
        return found


def rights_in(store: FakeStore, spool: Path | None = None) -> Rights:
    stores = Stores(store, store, store, store, store)
    return Rights(stores, clock, Ledger(spool.parent), partial(waiting_of, spool)) if spool else Rights(stores, clock)


@asynccontextmanager
async def running(
    store: FakeStore | None = None,
    sites: list[Site] | None = None,
    cookie_keys: Sequence[str] = ("k" * 32,),
    spool: Path | None = None,
    **gateway: Any,
) -> AsyncIterator[App]:
    """Run a gateway for the given sites; keyword arguments are settings of `[gateway]`.

    With a folder for the spool nothing is replayed until a test says so: `await app.replay.once()`.
    """
    store = store or FakeStore()
    data = {"data": str(spool.parent)} if spool else {}
    settings = Settings.model_validate({"gateway": gateway, "site": [{"key": "demo"}], **data})
    app = Gateway(
        settings,
        sites or [site()],
        cookie_keys,
        "an admin token",
        store,
        rights_in(store, spool),
        spool,
    )
    replay = app.replay(spool or Path("/nonexistent"))
    transport = httpx.ASGITransport(app=app.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
        yield App(app, store, replay, http)
    if app.spool is not None:
        await app.spool.close()
