"""Nothing of a visitor without consent is anywhere: store, data folder, what the gateway writes, metrics, its memory.

All that could name somebody carries the word `leak`, or `gone` for who allowed it first and withdrew.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.identity.verified import user_hash
from tests.integration.process import Gateway, eventually

AGENT = "Mozilla/5.0 (X11; Linux x86_64; leak) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
CONFIG = """
[gateway]
trusted_proxies = ["127.0.0.1"]

[[site]]
key = "demo"
origins = ["http://localhost:*"]
"""
PATHS = ("page", "screen", "track", "identify", "group", "alias")
SIGNALS: list[dict[str, Any]] = [
    {},
    {"consent": []},
    {"consent": ["ads"]},
    {"context": {"consent": {"categoryPreferences": {"Analytics": False, "Functional": False}}}},
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("consent")
    (folder / "tuttu.toml").write_text(CONFIG, "utf-8")
    with Gateway(folder / "data", "--config", str(folder / "tuttu.toml"), "--workers", "2") as running:
        yield running


def event(word: str, kind: str) -> dict[str, Any]:
    """Return an event in which every field says who it is about."""
    address = f"https://www.example.com/{word}-path?gclid={word}-click&utm_campaign={word}-campaign"
    return {
        "type": kind,
        "event": f"{word} event",
        "name": f"{word} name",
        "messageId": f"{word}-{kind}-{time.monotonic_ns()}",
        "userId": f"{word}-user",
        "anonymousId": f"{word}-anonymous",
        "groupId": f"{word}-group",
        "previousId": f"{word}-previous",
        "properties": {"path": f"/{word}-path", "url": address, "deep": [{word: word}]},
        "traits": {"email": f"{word}@example.com", word: word},
        "context": {"page": {"url": address, "referrer": f"https://{word}.example/"}, "ip": f"{word}", "locale": word},
    }


def in_store(gateway: Gateway, word: str) -> list[bytes]:
    """Return the keys that name a word or hold it."""
    with gateway.store() as store:
        keys = list(store.scan_iter(count=10_000))
        return [key for key in keys if word.encode() in key or word.encode() in (store.dump(key) or b"")]


def in_files(gateway: Gateway, word: str) -> list[Path]:
    """Return the files of the data folder, and of what the gateway wrote, that hold a word."""
    files = [*gateway.data.rglob("*"), gateway.data.with_suffix(".stderr")]
    return [path for path in files if path.is_file() and word.encode() in path.read_bytes()]


def remembered(gateway: Gateway) -> float:
    """Return how many visitors the workers remember, each counted by each."""
    return gateway.metrics()["tuttu_cached_profiles",]


def post(gateway: Gateway, kind: str, body: dict[str, Any], cookie: str = "") -> httpx.Response:
    """Send an event over a connection of its own, for either worker may take it."""
    headers = {"cookie": cookie} if cookie else {}
    return httpx.post(f"{gateway.public}/v1/{kind}", json={"writeKey": "demo", **body}, headers=headers)


def rewritten(gateway: Gateway) -> None:
    """Let the store write its append-only file anew: what was taken away since is in the old one."""
    with gateway.store() as store:
        store.bgrewriteaof()
        eventually(lambda: not store.info("persistence")["aof_rewrite_in_progress"], 20)


def test_who_never_allowed_anything_is_nowhere(gateway: Gateway) -> None:
    proof = user_hash(gateway.secret_key(), "leak-user")
    cookie = "__Host-tuttu_id=leakleakleakleakleak.abcd.leakleakleakleakleak"
    headers = {"user-agent": AGENT, "x-forwarded-for": "203.0.113.77", "cookie": cookie}
    with httpx.Client(base_url=gateway.public, headers=headers) as client:
        for path, signal, proved in itertools.product(PATHS, SIGNALS, (False, True)):
            body = {**event("leak", path), **({"userHash": proof} if proved else {}), "writeKey": "demo"}
            body["context"] |= signal.get("context", {})
            answer = client.post(f"/v1/{path}", json={**body, **{k: v for k, v in signal.items() if k != "context"}})
            refused = proved and signal
            assert answer.status_code == 200, answer.text
            assert answer.json()["accepted"] == 0
            assert ("Max-Age=0" in answer.headers.get("set-cookie", "")) == bool(refused)
        for signal in SIGNALS[:2]:
            body = {"writeKey": "demo", "batch": [event("leak", kind) for kind in PATHS], **signal}
            assert client.post("/v1/batch", json=body).json()["accepted"] == 0
            asked = client.post("/v1/decide", json={**body, "placements": ["hero"]}).json()
            assert (asked["accepted"], "visitor" in asked) == (0, False)
        for body in ({"writeKey": "leak-key"}, {"writeKey": "demo", "consent": ["leak"]}):
            assert client.post("/v1/page", json=event("leak", "page") | body).status_code in (400, 401)
        assert client.post("/v1/page", content=b'{"leak": ').status_code == 400
        assert client.get("/v1/go/leak.abcd.leakleakleakleakleak").status_code == 404
    assert in_store(gateway, "leak") == []
    assert in_files(gateway, "leak") == []
    assert in_files(gateway, "203.0.113") == []
    assert not any("leak" in str(sample) for sample in gateway.metrics())


def test_who_withdraws_is_gone_from_every_workers_memory_too(gateway: Gateway) -> None:
    consent = ["analytics", "personalization"]
    body = {k: v for k, v in event("gone", "page").items() if not k.endswith("Id")} | {"consent": consent}
    cookie = post(gateway, "page", body).headers["set-cookie"].partition(";")[0]
    known = cookie.partition("=")[2].partition(".")[0]
    assert in_store(gateway, "gone")
    for _ in range(200):
        if remembered(gateway) >= 2:
            break
        post(gateway, "track", {"event": "x"}, cookie)
    assert remembered(gateway) >= 2, "both workers know the visitor"
    answer = post(gateway, "page", {"consent": []}, cookie)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    eventually(lambda: remembered(gateway) == 0, 20)
    eventually(lambda: in_store(gateway, "gone") == [], 20)
    rewritten(gateway)
    assert in_files(gateway, "gone") == []
    named = {path.name for path in in_files(gateway, known)}
    assert "erasures.jsonl" in named
    assert all(name == "erasures.jsonl" or "appendonly" in name for name in named), "the ledger, and the tombstone"


@contextlib.contextmanager
def store_stopped(gateway: Gateway) -> Iterator[None]:
    """Let the gateway's own store stand still, so that hits go to the spool."""
    pid = gateway.store_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def in_spool(gateway: Gateway, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in (gateway.data / "spool").glob("*"))


def test_of_who_allows_nothing_no_byte_is_spooled_and_of_others_no_address_agent_or_click(gateway: Gateway) -> None:
    headers = {"user-agent": AGENT.replace("leak", "an-agent"), "x-forwarded-for": "203.0.113.88"}
    with store_stopped(gateway):
        with httpx.Client(base_url=gateway.public, headers={**headers, "user-agent": AGENT}) as client:
            for path, signal_ in itertools.product(PATHS, SIGNALS):
                body = {**event("leak", path), "writeKey": "demo"}
                body["context"] |= signal_.get("context", {})
                body |= {name: value for name, value in signal_.items() if name != "context"}
                answer = client.post(f"/v1/{path}", json=body)
                assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
        allowed = {k: v for k, v in event("waits", "page").items() if not k.endswith("Id")}
        allowed |= {"writeKey": "demo", "consent": ["analytics"]}
        allowed["context"] |= {"ip": "198.51.100.7", "userAgent": "an-agent"}
        answer = httpx.post(f"{gateway.public}/v1/page", json=allowed, headers=headers)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert in_spool(gateway, "waits-path")
        for text in ("leak", "203.0.113", "198.51.100", "an-agent", "waits-click"):
            assert not in_spool(gateway, text), text
    eventually(lambda: not list((gateway.data / "spool").glob("*.spool")), 20)
    assert in_store(gateway, "waits")
    for text in ("leak", "203.0.113", "198.51.100", "an-agent", "waits-click"):
        assert in_store(gateway, text) == []
        assert in_files(gateway, text) == []
    post(gateway, "page", {"consent": []}, answer.headers["set-cookie"].partition(";")[0])
    eventually(lambda: remembered(gateway) == 0, 20)


def test_who_withdraws_while_the_store_is_away_is_gone_when_it_is_back(gateway: Gateway) -> None:
    consent = ["analytics", "personalization"]
    body = {k: v for k, v in event("parted", "page").items() if not k.endswith("Id")} | {"consent": consent}
    cookie = post(gateway, "page", body).headers["set-cookie"].partition(";")[0]
    assert in_store(gateway, "parted")
    with store_stopped(gateway):
        assert post(gateway, "page", {**body, "event": "parted again"}, cookie).json()["accepted"] == 1
        answer = post(gateway, "page", {"consent": []}, cookie)
        assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (200, True)
    eventually(lambda: in_store(gateway, "parted") == [], 20)
    eventually(lambda: remembered(gateway) == 0, 20)
    eventually(lambda: not list((gateway.data / "spool").glob("*.spool")), 20)
    rewritten(gateway)
    assert in_files(gateway, "parted") == []
