"""A gateway over a real store of its own, whose every key and file can be compared before and after, and who sends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from redis.asyncio import Redis

from gateway.app import Gateway, clock
from gateway.envelope import Site
from gateway.identity.links import DAY_MS, Link, Links
from gateway.identity.verified import user_hash
from gateway.identity.visitor import Cookies, hashed, new_visitor_id
from gateway.ports import VisitorKey
from gateway.settings import Settings
from gateway.spool.replay import Replay
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.profiles import RedisProfiles
from tests.gateway.consent_rows import DASH, Row, purposes, said

KEY = "k" * 32
COOKIE = "__Host-tuttu_id"
LINKS = Links([KEY])
TARGET = "https://www.example.com/offer"

READ = {b"string": "GET {}", b"set": "SMEMBERS {}", b"stream": "XRANGE {} - +"}

Keys = dict[str, tuple[str, int]]


@dataclass
class Bench:
    """A worker's gateway with a spool over a store of its own, one without a spool, and their sites by key."""

    data: Path
    server: EmbeddedStore
    connection: StoreConnection
    gateway: Gateway
    replay: Replay
    http: httpx.AsyncClient
    spoolless: httpx.AsyncClient
    sites: dict[str, Site]

    async def all_keys(self) -> Keys:
        """Return value and moment of expiry of every key but the one that asks whether the store takes writes."""
        async with Redis.from_url(self.server.url) as client:
            keys = [key.decode() async for key in client.scan_iter("*", count=10_000) if not key.endswith(b"}:probe")]
            flush = client.pipeline(transaction=False)
            for key in keys:
                flush.type(key)
            kinds = await flush.execute()
            for key, kind in zip(keys, kinds, strict=True):
                flush.execute_command(*READ[kind].format(key).split())
                flush.pexpiretime(key)
            answers = iter(await flush.execute())
            pairs = zip(answers, answers, strict=True)
            values = [(repr(sorted(value) if isinstance(value, set) else value), at) for value, at in pairs]
            return dict(zip(keys, values, strict=True))

    async def kept(self, store: str) -> tuple[Keys, dict[str, str]]:
        """Return all that is kept; without the store's own files where it is ended and started again (not "up")."""
        files = {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.data.rglob("*")
            if path.is_file() and path.name != "server.log" and (store == "up" or "store" not in path.parts)
        }
        return await self.all_keys(), files

    async def entries(self, message_id: str = "") -> list[dict[str, Any]]:
        """Return the log entries of a message, or all."""
        async with Redis.from_url(self.server.url) as client:
            logs = [await client.xrange(key) async for key in client.scan_iter("*:log")]
        found = [orjson.loads(fields[b"e"]) for log in logs for _, fields in log]
        return [entry for entry in found if message_id in ("", entry["m"])]

    async def notes(self) -> bytes:
        """Return the notes of whose log entries still have to go."""
        async with Redis.from_url(self.server.url) as client:
            return b"\n".join([n async for key in client.scan_iter("*:erasing") async for n in client.sscan_iter(key)])

    async def take_down(self) -> None:
        await self.server.stop()
        await self._until(connected=False)

    async def bring_up(self) -> None:
        await self.server.start()
        await self._until(connected=True)

    async def replayed(self) -> None:
        """Let all be replayed that waits."""
        await self.replay.once()
        assert list((self.data / "spool").glob("*")) == []

    def spooled(self) -> bytes:
        """Return what stands in the spool."""
        return b"".join(path.read_bytes() for path in (self.data / "spool").glob("*"))

    async def _until(self, *, connected: bool) -> None:
        while self.connection.connected is not connected:  # noqa: ASYNC110 - the connection has no event for it
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(data: Path, sites: Iterable[Site]) -> AsyncIterator[Bench]:
    """Run a store and a worker's gateway for these sites."""
    by_key = {site.key: site for site in sites}
    server = EmbeddedStore(data / "store", on_event=print)
    await server.start()
    connection = StoreConnection(server.url)
    await connection.start()
    patient = {
        "decide_deadline_ms": 5000
    }  # on a busy machine the spool would have a part in what the store did in time
    settings = Settings.model_validate(
        {"gateway": patient, "site": [{"key": key} for key in by_key], "data": str(data)}
    )
    store = RedisProfiles(connection, log_cap=10_000)
    gateway, spoolless = (
        Gateway(settings, list(by_key.values()), [KEY], "an admin token", store, spool=spool)
        for spool in (data / "spool", None)
    )
    replay = gateway.replay(data / "spool")
    async with _client(gateway) as http, _client(spoolless) as other:
        yield Bench(data, server, connection, gateway, replay, http, other, by_key)
    if gateway.spool is not None:
        await gateway.spool.close()
    await connection.close()
    await server.stop()


def _client(gateway: Gateway) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=gateway.application)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")


def mailed(site: str, user_id: str) -> Link:
    """Return a link in a mail to a person."""
    now = clock()
    return Link(site, hashed(site, "u", user_id), "autumn", TARGET, now, now + DAY_MS, "an-id")


class Sender:
    """Who a row of the decision table is about, and how they send."""

    WITHOUT_COOKIE = ("new", "person", "claim", "proven", "proven elsewhere")
    SERVERS = ("person", "server", "server person")
    PROVEN = ("proven", "proven elsewhere", "proven free", "proven own", "proven other")
    LINKED = ("linked", "proven own", "server person")

    def __init__(self, bench: Bench, row: Row) -> None:
        self._bench, self._row = bench, row
        self._http = bench.spoolless if row.store == "off" else bench.http
        self._site = bench.sites[row.site]
        self.id = new_visitor_id()
        value = Cookies([KEY]).value(self._site, self.id)
        self._value = value[:-1] + ("A" if value[-1] != "A" else "B") if row.who == "forged" else value
        self._user = f"user-{row.id}"

    @property
    def browser_key(self) -> str:
        return f"v:{self._site.key}:a:{self.id}"

    @property
    def person_key(self) -> str:
        return self._key_of(self._user)

    @property
    def bystander_keys(self) -> list[str]:
        """The keys of others, who lose nothing by what this one says."""
        match self._row.who:
            case "recognized":
                return [self.person_key]
            case "proven other":
                return [self.browser_key, self._key_of(f"{self._user}-other")]
            case _:
                return []

    @property
    def erased_keys(self) -> list[str]:
        """The keys at which a withdrawal leaves a tombstone."""
        match self._row.who:
            case "linked" | "proven own" | "server person" | "proven elsewhere" | "proven other":
                return [self.person_key]
            case "proven free":
                return [self.browser_key, self.person_key]
            case "proven":
                return [self.person_key]
            case _:
                return [self.browser_key]

    async def prepare(self) -> None:
        """Let the row's stored choices be made, and a visit begin where the default allows it."""
        row = self._row
        if row.who in ("new", "forged", "claim"):
            return
        for number, step in enumerate(row.stored.partition(", meanwhile ")[0].split(", then ")):
            await self._store(f"before-{number}", step)
        if row.who in self.LINKED:
            await self._as_browser("linked", **self._proof(self._user))
        elif row.who == "proven other":
            await self._as_browser("linked", **self._proof(f"{self._user}-other"))
        elif row.who == "recognized":
            token = LINKS.recognition(mailed(self._site.key, self._user), clock())
            await self._as_browser("came", context={"page": {"url": f"{TARGET}?tuttu={token}"}})
        await asyncio.sleep(0.002)
        if row.store == "down":  # the worker that takes the hit has not seen this visitor
            for key in (self.browser_key, self.person_key):
                self._bench.gateway.forget(VisitorKey(*key.split(":")[1:]))

    async def meanwhile(self) -> None:
        """Let be stored what another worker stores before the replay comes to what the row has spooled."""
        step = self._row.stored.partition(", meanwhile ")[2]
        if step:
            self._http = self._bench.spoolless
            await self._store("meanwhile", step)

    async def _store(self, message: str, step: str) -> None:
        subject, _, choice = step.rpartition(": ")
        subject = subject or ("person" if self._row.who in self.WITHOUT_COOKIE else "browser")
        await self._choose(message, choice, self._as_person if subject == "person" else self._as_browser)
        await asyncio.sleep(0.002)  # what comes now happens later

    async def send(self, message: str, **body: Any) -> httpx.Response:
        """Send a bare page view as the row says."""
        return await self._post("/v1/page", {"type": "page", "messageId": f"{self._row.id}-{message}", **body}, {}, [])

    async def page(self) -> httpx.Response:
        """Send the row's page view."""
        found = said(self._row)
        event = {"messageId": f"{self._row.id}-page", "context": found.context, **found.body}
        return await self._post("/v1/page", event, found.headers, found.cookies)

    async def decide(self) -> httpx.Response:
        """Ask for decisions, with a page view, as the row says."""
        found = said(self._row)
        timing = {name: found.body[name] for name in ("timestamp",) if name in found.body}
        event = {"type": "page", "messageId": f"{self._row.id}-decide", "context": found.context, **timing}
        rest = {name: value for name, value in found.body.items() if name != "timestamp"}
        placements = ["any", "ads", "analytics", "personalization"]
        body = {"batch": [event | self._names()], "placements": placements, **rest}
        return await self._post("/v1/decide", body, found.headers, found.cookies)

    async def _choose(self, message: str, choice: str, send: Any) -> None:
        if choice == DASH:
            assert (await send(message)).status_code == 200
            return
        first = ["analytics"] if choice == "withdrawn" else sorted(purposes(choice))
        answer = await send(message, consent=first)
        assert answer.json()["accepted"] == 1, answer.text
        if choice == "withdrawn":
            answer = await send(f"{message}-away", consent=[])
            assert "Max-Age=0" in answer.headers["set-cookie"]

    async def _as_browser(self, message: str, **body: Any) -> httpx.Response:
        """Send a page view with the cookie alone; it is taken where the row's choices and default allow that."""
        event = {"messageId": f"{self._row.id}-{message}", "writeKey": self._site.key, **body}
        headers = {"sec-fetch-site": "same-origin", "cookie": f"{COOKIE}={self._value}"}
        return await self._http.post("/v1/page", json=event, headers=headers)

    async def _as_person(self, message: str, **body: Any) -> httpx.Response:
        """Send an event of the person; only a proof, which the person's own app brings, can withdraw."""
        proof = self._proof(self._user)
        event = {"messageId": f"{self._row.id}-{message}", "writeKey": self._site.key, **proof, **body}
        return await self._http.post("/v1/page", json=event, headers={"sec-fetch-site": "cross-site"})

    def _names(self) -> dict[str, str]:
        if self._row.who in self.PROVEN:
            return self._proof(self._user)
        return {"userId": self._user} if self._row.who in ("person", "server person", "claim") else {}

    def _proof(self, user_id: str) -> dict[str, str]:
        return {"userId": user_id, "userHash": user_hash(self._site.secret_key, user_id)}

    def _key_of(self, user_id: str) -> str:
        return f"v:{self._site.key}:k:{hashed(self._site.key, 'u', user_id)}"

    async def _post(
        self, path: str, body: dict[str, Any], headers: dict[str, str], cookies: list[str]
    ) -> httpx.Response:
        who = self._row.who
        elsewhere = who in ("claim", "proven elsewhere")
        headers = {"sec-fetch-site": "cross-site" if elsewhere else "same-origin", **headers}
        if who not in self.WITHOUT_COOKIE + self.SERVERS:
            cookies = [*cookies, f"{COOKIE}={self._value}"]
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        server = who in self.SERVERS
        body = {**self._names(), **body, "writeKey": self._site.secret_key if server else self._site.key}
        if who in ("server", "server person"):
            body["visitor"] = self._value
        return await self._http.post(path, json=body, headers=headers)
