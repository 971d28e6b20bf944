"""The stores under contract, each with the few questions beside the ports that the tests ask."""

from __future__ import annotations

from redis.asyncio import Redis

from gateway.erasure import SweptLog
from gateway.ports import LogReader, MergeNotes, ProfileStore, ReportStore, VisitorKey
from gateway.rights.requests import Stores
from gateway.store import keys
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.log import RedisLog
from gateway.store.merges import RedisMerges
from gateway.store.profiles import RedisProfiles
from gateway.store.reports import RedisReports
from tests.fakes.store import FakeStore

LOG_CAP = 200


class FakeSubject:
    """The fake behind the questions that the contract's tests ask."""

    def __init__(self) -> None:
        store = FakeStore(log_cap=LOG_CAP)
        self.store = store
        self.profiles: ProfileStore = store
        self.eraser: SweptLog = store
        self.reader: LogReader = store
        self.reports: ReportStore = store
        self.merges: MergeNotes = store

    @property
    def stores(self) -> Stores:
        return Stores(self.profiles, self.reader, self.eraser, self.merges, self.reports)

    async def log(self, visitor: VisitorKey) -> list[bytes]:
        return self.store.log(visitor)

    async def take_down(self) -> None:
        self.store.down = True


class RealSubject:
    """A real server behind the same questions."""

    def __init__(self, server: EmbeddedStore, connection: StoreConnection, client: Redis) -> None:
        self.profiles: ProfileStore = RedisProfiles(connection, log_cap=LOG_CAP)
        log = RedisLog(client)
        self.eraser: SweptLog = log
        self.reader: LogReader = log
        self.reports: ReportStore = RedisReports(client)
        self.merges: MergeNotes = RedisMerges(client)
        self.client = client
        self._server = server

    @property
    def stores(self) -> Stores:
        return Stores(self.profiles, self.reader, self.eraser, self.merges, self.reports)

    async def log(self, visitor: VisitorKey) -> list[bytes]:
        entries = await RedisLog(self.client).read_all()
        key = keys.log_key(keys.partition_of(keys.visitor_name(visitor).encode()))
        assert len(entries) == await self.client.xlen(key), "an entry went to another partition"
        return entries

    async def take_down(self) -> None:
        await self._server.stop()


Subject = FakeSubject | RealSubject
