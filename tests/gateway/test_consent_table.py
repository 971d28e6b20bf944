"""Every row of the decision table in docs/consent.md, played in one worker's gateway over a real store.

For rows where nothing may be kept, all keys with values and lifetimes and all files of the data folder are compared.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from gateway.app import Gateway
from gateway.envelope import Site
from gateway.identity.visitor import Cookies, new_visitor_id
from gateway.settings import Settings
from gateway.store.connection import StoreConnection
from gateway.store.embedded import EmbeddedStore
from gateway.store.profiles import RedisProfiles
from personalize import documents
from tests.gateway import consent_rows
from tests.gateway.consent_rows import Row, purposes, said
from tests.gateway.making import plan, site

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = consent_rows.rows()
KEY = "k" * 32
COOKIE = "__Host-tuttu_id"
PURPOSES = ("ads", "analytics", "personalization")
ANY = "{block: first, when: [{not: {country: XX}}], content: {title: x}}, {block: other, content: {title: x}}"
RULES = f"placements:\n  - {{placement: any, blocks: [{ANY}]}}\n" + "".join(
    f"  - placement: {purpose}\n    blocks:\n"
    f"      - {{block: with {purpose}, when: [{{consent: {purpose}}}], content: {{title: x}}}}\n"
    f"      - {{block: without {purpose}, content: {{title: x}}}}\n"
    for purpose in PURPOSES
)

READ = {b"string": "GET {}", b"set": "SMEMBERS {}", b"stream": "XRANGE {} - +"}

Keys = dict[str, tuple[str, int]]


@dataclass
class Bench:
    """A gateway over a store of its own; one site for each default of the table."""

    data: Path
    server: EmbeddedStore
    connection: StoreConnection
    http: httpx.AsyncClient
    sites: dict[str, Site]

    async def all_keys(self) -> Keys:
        """Return value and moment of expiry of every key."""
        async with Redis.from_url(self.server.url) as client:
            found = {}
            async for key in client.scan_iter("*"):
                command = READ[await client.type(key)].format(key.decode())
                value = await client.execute_command(*command.split())
                in_order = sorted(value) if isinstance(value, set) else value
                found[key.decode()] = repr(in_order), await client.pexpiretime(key)
            return found

    async def kept(self, row: Row) -> tuple[Keys, dict[str, str]]:
        """Return all that is kept; without the store's own files where it is ended and started again."""
        files = {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.data.rglob("*")
            if path.is_file() and path.name != "server.log" and (row.store == "up" or "store" not in path.parts)
        }
        return await self.all_keys(), files

    async def entries(self, message_id: str) -> list[dict[str, Any]]:
        """Return the log entries of a message."""
        async with Redis.from_url(self.server.url) as client:
            logs = [await client.xrange(key) async for key in client.scan_iter("*:log")]
        found = [orjson.loads(fields[b"e"]) for log in logs for _, fields in log]
        return [entry for entry in found if entry["m"] == message_id]

    async def take_down(self) -> None:
        await self.server.stop()
        await self._until(connected=False)

    async def bring_up(self) -> None:
        await self.server.start()
        await self._until(connected=True)

    async def _until(self, *, connected: bool) -> None:
        while self.connection.connected is not connected:  # noqa: ASYNC110 - the connection has no event for it
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    data = tmp_path_factory.mktemp("consent")
    server = EmbeddedStore(data / "store", on_event=print)
    await server.start()
    connection = StoreConnection(server.url)
    await connection.start()
    rules = plan(RULES)
    sites = {
        row.site: site(key=row.site, secret_key=f"secret {row.site}", consent=purposes(row.default), plan=rules)
        for row in ROWS
    }
    settings = Settings.model_validate({"site": [{"key": key} for key in sites], "data": str(data)})
    store = RedisProfiles(connection, log_cap=10_000)
    gateway = Gateway(settings, list(sites.values()), [KEY], "an admin token", store)
    transport = httpx.ASGITransport(app=gateway.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
        yield Bench(data, server, connection, http, sites)
    await connection.close()
    await server.stop()


class Sender:
    """Who a row is about, and how they send."""

    def __init__(self, bench: Bench, row: Row) -> None:
        self._bench, self._row = bench, row
        self._site = bench.sites[row.site]
        self.id = new_visitor_id()
        value = Cookies([KEY]).value(self._site, self.id)
        self._value = value[:-1] + ("A" if value[-1] != "A" else "B") if row.who == "forged" else value

    @property
    def profile_key(self) -> str:
        return f"v:{self._site.key}:a:{self.id}"

    async def prepare(self) -> None:
        """Let the row's stored choice be made, and a visit begin where the default allows it."""
        if self._row.who not in ("cookie", "server", "person"):
            return
        stored = self._row.stored
        if stored == consent_rows.DASH:
            answer = await self.send("/v1/page", {}, "before")
        else:
            choice = {"consent": ["analytics"] if stored == "withdrawn" else sorted(purposes(stored))}
            answer = await self.send("/v1/page", choice, "before")
            assert answer.json()["accepted"] == 1
            if stored == "withdrawn":
                answer = await self.send("/v1/page", {"consent": []}, "away")
                assert "Max-Age=0" in answer.headers["set-cookie"]
        assert answer.status_code == 200
        await asyncio.sleep(0.002)  # what comes now happens later

    async def send(self, path: str, body: dict[str, Any], message: str, **more: Any) -> httpx.Response:
        """Send a bare page view."""
        return await self._post(path, {"type": "page", "messageId": f"{self._row.id}-{message}", **body}, {}, [], more)

    async def page(self) -> httpx.Response:
        """Send the row's page view."""
        found = said(self._row)
        event = {"messageId": f"{self._row.id}-page", "context": found.context, **found.body}
        return await self._post("/v1/page", event, found.headers, found.cookies, {})

    async def decide(self) -> httpx.Response:
        """Ask for decisions, with a page view, as the row says."""
        found = said(self._row)
        timing = {name: found.body[name] for name in ("timestamp",) if name in found.body}
        event = {"type": "page", "messageId": f"{self._row.id}-decide", "context": found.context, **timing}
        rest = {name: value for name, value in found.body.items() if name != "timestamp"}
        body = {"batch": [event | self._names()], "placements": ["any", *PURPOSES], **rest}
        return await self._post("/v1/decide", body, found.headers, found.cookies, {})

    def _names(self) -> dict[str, str]:
        return {"userId": f"user-{self._row.id}"} if self._row.who in ("person", "claim") else {}

    async def _post(
        self, path: str, body: dict[str, Any], headers: dict[str, str], cookies: list[str], more: dict[str, Any]
    ) -> httpx.Response:
        who = self._row.who
        server = who in ("person", "server")
        headers = {"sec-fetch-site": "cross-site" if who == "claim" else "same-origin", **headers}
        cookies = [*cookies, f"{COOKIE}={self._value}"] if who in ("cookie", "forged") else cookies
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        body = {**self._names(), **body, "writeKey": self._site.secret_key if server else self._site.key, **more}
        if who == "server":
            body["visitor"] = self._value
        return await self._bench.http.post(path, json=body, headers=headers)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_a_row_of_the_decision_table(bench: Bench, row: Row) -> None:
    sender = Sender(bench, row)
    await sender.prepare()
    before = await bench.kept(row)
    if row.store == "down":
        await bench.take_down()
    try:
        page = await sender.page()
        decided = await sender.decide()
    finally:
        if row.store == "down":
            await bench.bring_up()
    _assert_answered(row, page)
    _assert_decided(row, decided)
    if row.kept == "no":
        assert await bench.kept(row) == before
    elif row.kept == "yes":
        for message in ("page", "decide"):
            (entry,) = await bench.entries(f"{row.id}-{message}")
            assert frozenset(entry["c"]) == purposes(row.in_force), "what was in force travels with the event"
    else:
        await _assert_erased(bench, row, sender)


def _assert_answered(row: Row, page: httpx.Response) -> None:
    if row.answer == "503":
        assert page.status_code == 503
        assert "set-cookie" not in page.headers
        return
    assert page.status_code == 200
    counts = page.json()
    accepted = row.answer == "accepted"
    assert (counts["accepted"], counts["dropped"], counts["rejected"]) == (int(accepted), int(not accepted), [])
    cookie = page.headers.get("set-cookie", "")
    expected = {"set": "Max-Age=34560000", "taken": "Max-Age=0"}
    assert expected[row.cookie] in cookie if row.cookie in expected else cookie == ""


def _assert_decided(row: Row, decided: httpx.Response) -> None:
    if row.reason == "503":
        assert decided.status_code == 503
        return
    placements = decided.json()["placements"]
    assert placements["any"]["reason"] == row.reason
    allowed = {purpose for purpose in PURPOSES if placements[purpose]["block"] == f"with {purpose}"}
    assert allowed == purposes(row.in_force)
    if row.answer == "no_consent":
        cookie = decided.headers.get("set-cookie", "")
        assert "Max-Age=0" in cookie if row.cookie == "taken" else cookie == ""
        assert "visitor" not in decided.json()


async def _assert_erased(bench: Bench, row: Row, sender: Sender) -> None:
    """Assert that only the tombstone is left, and the note that the log entries still have to go."""
    theirs = {
        key: value
        for key, value in (await bench.all_keys()).items()
        if sender.id in key and not key.endswith((":log", ":erasing"))
    }
    assert [key.partition("}:")[2] for key in theirs] == [sender.profile_key], "no marks"
    async with Redis.from_url(bench.server.url) as client:
        tombstone = documents.decode(await client.get(next(iter(theirs))))
        notes = [note async for key in client.scan_iter("*:erasing") async for note in client.sscan_iter(key)]
    assert tombstone.erased
    assert tombstone.consent[1] == []
    assert not tombstone.visits
    assert any(sender.id.encode() in note for note in notes)
    assert await bench.entries(f"{row.id}-page") == []


async def test_the_table_names_each_case_once() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) > 60
    assert len({(row.who, row.signals, row.stored, row.default, row.ads, row.store) for row in ROWS}) == len(ROWS)
