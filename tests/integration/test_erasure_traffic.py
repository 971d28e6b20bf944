"""Erasure under traffic: two workers with stale caches, delayed retries, a restored backup. Nothing comes back.

Each browser's hits carry a marker that nothing else has, `old-<n>-` until its visitor's erasure is asked for.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import redis

from gateway.__main__ import main
from gateway.identity.verified import user_hash
from gateway.identity.visitor import hashed
from tests.integration.process import Gateway, eventually

RULES = Path(__file__).parents[1] / "vectors" / "rules-example"
NOBODYS = ("cookie", "server", "admin", "withdrawal")
"""The ways in which browsers that are nobody's are erased."""
PEOPLE = ("userHash", "server", "admin", "withdrawal", "older id", "one browser", "stays", "stays renamed")
"""What becomes of each person, who has two browsers."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "data", "--rules", str(RULES), "--workers", "2") as running:
        yield running


@dataclass
class Browser:
    number: int
    cookie: str = ""
    erased: bool = False
    traits: bool = True
    """Whether its hits leave the marker in the profile too."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """The requests with the old marker, as a client would keep them for a retry."""
    views: int = 0
    """Page views that were taken before its erasure was asked for."""
    meanwhile: int = 0
    """Page views that were under way while it was asked for: they may have come before it or after."""
    gone: bool = False
    busy: bool = False

    @property
    def id(self) -> str:
        return self.cookie.partition(".")[0]

    @property
    def headers(self) -> dict[str, str]:
        return {"cookie": f"__Host-tuttu_id={self.cookie}"} if self.cookie else {}

    @property
    def marker(self) -> str:
        return f"{'new' if self.erased else 'old'}-{self.number}-"

    def body(self, *events: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Return a request that says when things happened but not when it was sent: a retry stays as old as it is."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1_000_000 % 1000:03}Z"
        batch = [{**event, "messageId": f"{time.time_ns()}-{n}", "timestamp": at} for n, event in enumerate(events)]
        body = {"writeKey": "demo", "batch": batch, **more}
        if not self.erased:
            self.sent.append(body)
        return body

    def hit(self, **more: Any) -> dict[str, Any]:
        page = {"type": "page", "properties": {"path": "/hinnoittelu", "note": self.marker}}
        traits = {"type": "identify", "traits": {f"note {self.number}": self.marker}}
        return self.body(page, *([traits] if self.traits else []), **more)


@dataclass
class Person:
    fate: str
    browsers: list[Browser]
    user: str = ""

    @property
    def leaves(self) -> bool:
        return not self.fate.startswith(("stays", "one"))


@dataclass
class World:
    """The gateway, who visits it, and a client for all of them."""

    gateway: Gateway
    client: httpx.AsyncClient
    nobodys: list[Browser]
    people: list[Person]
    go: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    @property
    def browsers(self) -> list[Browser]:
        return [*self.nobodys, *(browser for person in self.people for browser in person.browsers)]

    @property
    def gone(self) -> list[Browser]:
        """The browsers of whom nothing may come back."""
        return [browser for browser in self.browsers if browser.erased]

    async def post(self, path: str, body: dict[str, Any], headers: Any = None) -> Any:
        answer = await self.client.post(f"{self.gateway.public}{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer

    async def browses(self, browser: Browser) -> None:
        while not self.over:
            await self.go.wait()
            browser.busy, erased, gone = True, browser.erased, browser.gone
            answer = await self.post("/v1/batch", browser.hit(), browser.headers)
            if not browser.cookie:
                browser.cookie = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
            browser.views += not browser.erased
            browser.meanwhile += browser.erased and not (erased and gone)
            browser.busy = False
            await asyncio.sleep(0.15)

    async def pause(self) -> None:
        """Let nobody send anything more, and wait until all has been answered."""
        self.go.clear()
        await until(lambda: not any(browser.busy for browser in self.browsers))

    async def logs_in(self, person: Person) -> None:
        """Log in on both browsers, in the midst of their hits; some are renamed by the site's server then."""
        for browser in person.browsers:
            who = {"userId": person.user, "userHash": user_hash(self.gateway.secret_key(), person.user)}
            login = {"type": "identify", **({"traits": {"said": browser.marker}} if browser.traits else {})}
            await self.post("/v1/batch", browser.body(login, **who), browser.headers)
        if person.fate in ("older id", "stays renamed"):
            older, person.user = person.user, f"{person.user} by now"
            body = {"writeKey": self.gateway.secret_key(), "previousId": older, "userId": person.user}
            await self.post("/v1/alias", body)

    async def admin_deletes(self, **whom: str) -> Any:
        token = tomllib.loads((self.gateway.data / "secrets.toml").read_text("utf-8"))["admin_token"]
        url, headers = f"{self.gateway.internal}/api/privacy/delete", {"authorization": f"Bearer {token}"}
        return await self.client.post(url, json={"site": "demo", **whom}, headers=headers)

    async def is_erased(self, way: str, browser: Browser, user: str = "") -> str:
        """Ask for an erasure, and return the report's name, "" for a withdrawal."""
        secret = self.gateway.secret_key()
        if way == "withdrawal":
            answer = await self.post("/v1/batch", browser.hit(consent=[]), browser.headers)
        elif way == "admin":
            answer = await self.admin_deletes(**({"userId": user} if user else {"visitor": browser.cookie}))
        else:
            whom: dict[str, str] = {"writeKey": "demo"}
            if way == "server":
                whom = {"writeKey": secret} | ({"userId": user} if user else {"visitor": browser.cookie})
            elif way in ("userHash", "older id"):
                user = user.removesuffix(" by now")
                whom |= {"userId": user, "userHash": user_hash(secret, user)}
            answer = await self.post("/v1/privacy/delete", whom, browser.headers if way != "server" else {})
        assert answer.status_code == 200, answer.text
        return str(answer.json().get("report", ""))

    async def leaves(self, person: Person) -> str:
        away = person.browsers if person.leaves else person.browsers[:1]
        for browser in away:
            browser.erased = True
        way = "cookie" if person.fate == "one browser" else person.fate
        report = await self.is_erased(way, person.browsers[0], person.user)
        for browser in away:
            browser.gone = True
        return report

    async def all_done(self, reports: list[str]) -> None:
        for _ in range(300):
            answers = [await self.client.get(f"{self.gateway.public}/v1/privacy/reports/{name}") for name in reports]
            reports = [name for name, answer in zip(reports, answers, strict=True) if not answer.json()["done"]]
            if not reports:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("log entries are still pending")

    async def retries(self) -> None:
        """Send again what the erased had sent, their logins too: nothing of it is taken."""

        async def of(browser: Browser) -> None:
            for body in browser.sent[:3] + browser.sent[-2:]:
                answer = await self.post("/v1/batch", body, browser.headers)
                assert answer.json()["accepted"] == 0, answer.text

        await asyncio.gather(*map(of, self.gone))

    def come_back(self) -> list[str]:
        """Return the markers of the erased that the store holds."""
        with self.gateway.store() as store:
            text = everything(store)
        return [f"old-{b.number}-" for b in self.gone if f"old-{b.number}-".encode() in text]

    async def nothing_is_back(self) -> None:
        assert await asyncio.to_thread(self.come_back) == []

    async def counts_are_whole(self) -> None:
        """Hold what is counted of the people who stay to what was answered."""
        await self.pause()
        for person in self.people:
            if not person.leaves:
                profile = self.gateway.profile(f"k:{hashed('demo', 'u', person.user)}")
                counted = max(row[0] for row in profile.matchers.values())
                least = sum(browser.views for browser in person.browsers)
                assert least <= counted <= least + sum(browser.meanwhile for browser in person.browsers), person.fate
        self.go.set()


async def until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.02)


def everything(store: redis.Redis) -> bytes:
    """Return all keys and all that they hold."""
    names = list(store.scan_iter(count=1000))
    read = {b"string": redis.Redis.get, b"stream": redis.Redis.xrange, b"set": redis.Redis.smembers}
    with store.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.type(name)
        kinds = pipe.execute()
        for name, kind in zip(names, kinds, strict=True):
            if kind != b"none":  # it went since
                read[kind](pipe, name)
        return b"\n".join(names) + repr(pipe.execute()).encode()


async def tuttu(gateway: Gateway, *words: str) -> None:
    """Run a command; in this process, for its start would take longer than its work."""
    assert await asyncio.to_thread(main, [*words, "--data", str(gateway.data)]) == 0


@pytest.mark.timeout(300)  # two gateways' starts and four commands, also on a busy machine
async def test_nothing_that_was_erased_comes_back_and_who_stays_loses_nothing(gateway: Gateway, tmp_path: Path) -> None:
    backup = str(tmp_path / "store.backup")
    numbers = iter(range(100, 200))
    nobodys = [Browser(next(numbers)) for _ in (*NOBODYS, "stays")]
    people = [
        Person(fate, [Browser(next(numbers), traits=fate != "one browser") for _ in range(2)], f"{n}@example.com")
        for n, fate in enumerate(PEOPLE)
    ]
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=60)) as client:
        world = World(gateway, client, nobodys, people)
        world.go.set()
        traffic = [asyncio.create_task(world.browses(browser)) for browser in world.browsers]
        await until(lambda: all(browser.views > 1 for browser in world.browsers))
        await asyncio.gather(*map(world.logs_in, people))
        await asyncio.sleep(0.5)
        await tuttu(gateway, "backup", backup)

        for browser in nobodys[: len(NOBODYS)]:
            browser.erased = True
        assert len(await asyncio.to_thread(world.come_back)) == len(NOBODYS), "they are there to be erased"
        asked = [world.is_erased(way, browser) for way, browser in zip(NOBODYS, nobodys, strict=False)]
        asked += [world.leaves(person) for person in people if not person.fate.startswith("stays")]
        reports = [name for name in await asyncio.gather(*asked) if name]
        assert len(reports) == len(NOBODYS) - 1 + 5
        await world.retries()
        await world.all_done(reports)
        await asyncio.to_thread(eventually, lambda: world.come_back() == [], 20)  # withdrawals have no report
        await world.counts_are_whole()

        # Into the running gateway, whose workers hold what they held, under traffic.
        await tuttu(gateway, "restore", backup, "--merge")
        await world.nothing_is_back()
        await world.counts_are_whole()
        await tuttu(gateway, "restore", backup, "--replace")
        await world.nothing_is_back()
        await world.retries()
        world.over = True
        await asyncio.gather(*traffic)
        await world.nothing_is_back()
        for person in people:
            if not person.leaves:
                assert gateway.profile(f"k:{hashed('demo', 'u', person.user)}").matchers, "who stays, stays"
        assert gateway.profile(f"a:{nobodys[-1].id}").traits

        # On a new machine: only the ledger is left of the erasures.
        gateway.stop()
        shutil.rmtree(gateway.data / "store")
        await tuttu(gateway, "restore", backup)
        gateway.start()
        await world.nothing_is_back()
        await world.retries()
        await world.nothing_is_back()
        for person in people:
            if not person.leaves:
                assert gateway.profile(f"k:{hashed('demo', 'u', person.user)}").matchers, "who stays, stays"
        assert gateway.profile(f"a:{nobodys[-1].id}").traits


def test_the_commands_say_what_they_did_and_refuse_what_they_should(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    data = str(tmp_path / "data")

    def run(*words: str, data: str = data) -> tuple[int, bytes, str]:
        code = main([*words, "--data", data])
        out, errors = capsysbinary.readouterr()
        return code, out, errors.decode()

    with Gateway(tmp_path / "data", "--rules", str(RULES)) as gateway:
        answer = httpx.post(f"{gateway.public}/v1/track", json={"writeKey": "demo", "event": "seen", "messageId": "1"})
        cookie = answer.headers["set-cookie"].partition(";")[0]
        whom = ("--site", "demo", "--visitor", cookie)
        _, out, _ = run("privacy", "export", *whom)
        assert [line["sent"]["event"] for line in orjson.loads(out)["log"]] == ["seen"]
        code, out, errors = run("privacy", "delete", *whom)
        assert (code, out, "nothing was deleted" in errors) == (1, b"", True)
        assert run("privacy", "export", "--site", "dem", "--user", "x")[0] == 2
    # Nothing runs any more: the commands start the store themselves and end it again.
    code, out, _ = run("privacy", "delete", *whom, "--yes")
    report = orjson.loads(out)
    assert (code, report["done"], report["erased"]["profiles"]) == (0, True, 1)
    ledger = tmp_path / "data" / "erasures.jsonl"
    assert ledger.stat().st_mode & 0o777 == 0o600
    assert cookie.partition("=")[2].partition(".")[0] in ledger.read_text("utf-8")
    backup = tmp_path / "b"
    assert run("backup", str(backup))[0] == 0
    code, _, errors = run("restore", str(backup))
    assert (code, "--merge" in errors) == (1, True)
    backup.write_bytes(backup.read_bytes()[:-9])
    code, _, errors = run("restore", str(backup), data=str(tmp_path / "new"))
    assert (code, "cut off" in errors) == (1, True)
    code, _, errors = run("backup", str(backup), data=str(tmp_path / "nowhere"))
    assert (code, "There is no store" in errors) == (1, True)
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "new").exists()
