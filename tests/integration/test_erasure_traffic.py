"""Erasure under traffic: two workers with stale caches, delayed retries, a restored backup. Nothing comes back.

Each visitor's hits carry a marker that nothing else has, `old-<n>-` until the visitor's erasure is asked for.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import redis

from gateway.__main__ import main
from gateway.identity.visitor import hashed
from gateway.store import keys
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile
from tests.integration.process import Gateway, eventually

RULES = Path(__file__).parents[1] / "vectors" / "rules-example"
ERASED, STAYING = range(10), range(10, 12)
PERSON = "old-person-"
USER = "anna@example.com"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "data", "--rules", str(RULES), "--workers", "2") as running:
        yield running


@dataclass
class Visitor:
    number: int
    cookie: str = ""
    word: str = "old"
    sent: list[dict[str, Any]] = field(default_factory=list)
    """The requests with the old marker, as a client would keep them for a retry."""

    @property
    def id(self) -> str:
        return self.cookie.partition(".")[0]

    @property
    def headers(self) -> dict[str, str]:
        return {"cookie": f"__Host-tuttu_id={self.cookie}"} if self.cookie else {}

    def hit(self) -> dict[str, Any]:
        """Return a request that says when things happened but not when it was sent: a retry stays as old as it is."""
        marker = f"{self.word}-{self.number}-"
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1_000_000 % 1000:03}Z"
        page = {"type": "page", "properties": {"path": "/hinnoittelu", "note": marker}}
        traits = {"type": "identify", "traits": {"note": marker}}
        batch = [{**event, "messageId": f"{time.time_ns()}", "timestamp": at} for event in (page, traits)]
        body = {"writeKey": "demo", "batch": batch}
        if self.word == "old":
            self.sent.append(body)
        return body


async def browses(client: httpx.AsyncClient, base: str, visitor: Visitor, until: asyncio.Event) -> None:
    while not until.is_set():
        answer = await client.post(f"{base}/v1/batch", json=visitor.hit(), headers=visitor.headers)
        assert answer.status_code == 200, answer.text
        if not visitor.cookie:
            visitor.cookie = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        await asyncio.sleep(0.1)


async def is_erased(client: httpx.AsyncClient, gateway: Gateway, visitor: Visitor) -> str:
    """Ask for a visitor's erasure in one of four ways, and return the report's name, "" for a withdrawal."""
    visitor.word = "new"
    way = visitor.number % 4
    if way == 0:
        body: dict[str, Any] = {"writeKey": "demo"}
        answer = await client.post(f"{gateway.public}/v1/privacy/delete", json=body, headers=visitor.headers)
    elif way == 1:
        body = {"writeKey": gateway.secret_key(), "visitor": visitor.cookie}
        answer = await client.post(f"{gateway.public}/v1/privacy/delete", json=body)
    elif way == 2:
        answer = await admin_deletes(client, gateway, visitor=visitor.cookie)
    else:
        body = {**visitor.hit(), "consent": []}
        answer = await client.post(f"{gateway.public}/v1/batch", json=body, headers=visitor.headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json().get("report", ""))


async def admin_deletes(client: httpx.AsyncClient, gateway: Gateway, **whom: str) -> httpx.Response:
    token = tomllib.loads((gateway.data / "secrets.toml").read_text("utf-8"))["admin_token"]
    headers = {"authorization": f"Bearer {token}"}
    return await client.post(f"{gateway.internal}/api/privacy/delete", json={"site": "demo", **whom}, headers=headers)


async def retries(client: httpx.AsyncClient, gateway: Gateway, visitors: list[Visitor]) -> None:
    """Send again what the erased visitors had sent: nothing of it is taken."""
    for visitor in visitors:
        for body in visitor.sent[:3] + visitor.sent[-2:]:
            answer = await client.post(f"{gateway.public}/v1/batch", json=body, headers=visitor.headers)
            assert answer.status_code == 200
            assert answer.json()["accepted"] == 0, answer.text


def person_moves_in(gateway: Gateway) -> None:
    """Write a person with two browsers as a merge leaves them."""
    now = time.time_ns() // 1_000_000
    owner = f"k:{hashed('demo', 'u', USER)}"
    linked = {"a:her-phone": now - 5000, "a:her-laptop": now - 4000}
    profile = Profile(first_visit=now - 9000, traits=[[(now - 9000) << 22, {"note": PERSON}]], aliases=linked)
    kept = Profile(traits=[[(now - 9000) << 22, {"note": PERSON}]])
    papers = {owner: documents.encode(profile, "p1")}
    for browser, at in linked.items():
        papers[browser] = aliases.encode(Alias(owner, at, snapshot=kept), "b1")
    with gateway.store() as store:
        for name, document in papers.items():
            partition = keys.partition_of(f"demo:{name}".encode())
            store.set(f"{keys.profile_prefix(partition)}demo:{name}", document, ex=100_000)
            store.set(f"{keys.marks_prefix(partition)}demo:{name}", b"m" * 9, ex=100_000)
            entry = {"s": "demo", "v": name, "t": now - 6000, "e": {"note": PERSON}}
            store.xadd(keys.log_key(partition), {"e": orjson.dumps(entry)})


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


def come_back(gateway: Gateway) -> list[str]:
    """Return the markers of the erased that the store holds."""
    with gateway.store() as store:
        text = everything(store)
    return [marker for marker in (PERSON, *(f"old-{n}-" for n in ERASED)) if marker.encode() in text]


async def tuttu(gateway: Gateway, *words: str) -> None:
    """Run a command; in this process, for its start would take longer than its work."""
    assert await asyncio.to_thread(main, [*words, "--data", str(gateway.data)]) == 0


@pytest.mark.timeout(300)  # two gateways' starts and four commands, also on a busy machine
async def test_nothing_that_was_erased_comes_back(gateway: Gateway, tmp_path: Path) -> None:
    backup = str(tmp_path / "store.backup")
    visitors = [Visitor(number) for number in (*ERASED, *STAYING)]
    over = asyncio.Event()
    person_moves_in(gateway)
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=60)) as client:
        traffic = [asyncio.create_task(browses(client, gateway.public, visitor, over)) for visitor in visitors]
        await asyncio.sleep(1.5)
        await tuttu(gateway, "backup", backup)
        assert await asyncio.to_thread(come_back, gateway) == [PERSON, *(f"old-{n}-" for n in ERASED)]

        erased = visitors[: len(ERASED)]
        reports = await asyncio.gather(*(is_erased(client, gateway, visitor) for visitor in erased))
        reports.append((await admin_deletes(client, gateway, userId=USER)).json()["report"])
        await retries(client, gateway, erased)
        names = [name for name in reports if name]
        assert len(names) == 9

        async def all_done() -> bool:
            states = [await client.get(f"{gateway.public}/v1/privacy/reports/{name}") for name in names]
            return all(state.json()["done"] for state in states)

        for _ in range(200):
            if await all_done():
                break
            await asyncio.sleep(0.1)
        assert await all_done()
        assert await asyncio.to_thread(come_back, gateway) == []

        # Into the running gateway, whose workers hold what they held, under traffic.
        await tuttu(gateway, "restore", backup, "--merge")
        assert await asyncio.to_thread(come_back, gateway) == []
        await tuttu(gateway, "restore", backup, "--replace")
        assert await asyncio.to_thread(come_back, gateway) == []
        await retries(client, gateway, erased)
        await asyncio.sleep(0.5)
        over.set()
        await asyncio.gather(*traffic)
        assert come_back(gateway) == []
        for visitor in visitors[len(ERASED) :]:
            assert gateway.profile(f"a:{visitor.id}").matchers, "who stays, stays"

        # On a new machine: only the ledger is left of the erasures.
        gateway.stop()
        shutil.rmtree(gateway.data / "store")
        await tuttu(gateway, "restore", backup)
        gateway.start()
        assert come_back(gateway) == []
        await retries(client, gateway, erased)
        eventually(lambda: come_back(gateway) == [], 10)
        for visitor in visitors[len(ERASED) :]:
            assert gateway.profile(f"a:{visitor.id}").traits


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
