"""Whatever strangers send, what a worker remembers of it has a bound: `benchmarks/strangers.py` measures a million."""

from __future__ import annotations

import functools
import gc
import sys
from collections import deque
from types import FunctionType, ModuleType
from typing import Any

import pytest

from personalize import matchers
from tests.gateway.app import App, running
from tests.gateway.making import RULES, plan, site

CONTAINERS = (dict, set, list, deque)
MANY = 150


async def strangers(app: App, first: int) -> None:
    """Send requests in which everything that a stranger may choose is new."""
    for n in range(first, first + MANY):
        known = {
            "origin": "https://www.example.com",
            "user-agent": f"Agent {n}",
            "accept-language": f"x{n}",
            "x-forwarded-for": f"8.8.{n // 256}.{n % 256}",
            "cookie": f"__Host-tuttu_id=v{n}.AAAA.bad; tuttu_id=v{n}.AAAA.bad",
        }
        page = {
            "path": f"/p{n}",
            "url": f"https://h{n}.example/?utm_source=s{n}&gclid=g{n}",
            "referrer": f"https://r{n}/",
        }
        body = {"userId": f"u{n}", "messageId": f"m{n}", "properties": page, "context": {"locale": f"l{n}"}}
        assert (await app.post("/v1/page", known, **body)).status_code == 200
        track = {"event": f"e{n}", "anonymousId": f"a{n}", "properties": {"decision": f"t{n}"}}
        assert (await app.post("/v1/track", known, **track)).status_code == 200
        asked = await app.post("/v1/decide", known, userId=f"u{n}", placements=[f"p{n}"])
        assert asked.json()["placements"][f"p{n}"]["reason"] == "unknown"
        assert (await app.post("/v1/page", known | {"origin": f"https://o{n}.example"}, **body)).status_code == 403
        assert (await app.post("/v1/page", writeKey=f"key{n}")).status_code == 401


def sizes(root: object, without: object) -> dict[int, tuple[int, str]]:
    """Return the size of every container that can be reached from an object, by its id; not those inside of memos."""
    found: dict[int, tuple[int, str]] = {}
    seen, ahead = {id(root), id(without), id(sys.modules)}, [root]
    while ahead:
        one = ahead.pop()
        if isinstance(one, CONTAINERS):
            found[id(one)] = len(one), f"{type(one).__name__} with {str(next(iter(one), ''))[:60]}"
        for other in () if isinstance(one, functools._lru_cache_wrapper) else gc.get_referents(one):
            if id(other) not in seen and not isinstance(other, ModuleType | type | FunctionType):
                seen.add(id(other))
                ahead.append(other)
    return found


async def test_no_container_of_a_gateway_grows_with_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matchers, "_MEMO_ENTRIES", 20)
    monkeypatch.setattr("gateway.edge.cors._MEMO_ENTRIES", 20)
    rules = RULES.replace("/hinnoittelu*", '"/hinnoittelu*x*"')
    async with running(sites=[site(plan=plan(rules))], cached_visitors=30, trusted_proxies=["127.0.0.1"]) as app:
        await strangers(app, 0)
        before = sizes(app.gateway, app.store)
        await strangers(app, MANY)
        after = sizes(app.gateway, app.store)
        assert len(app.gateway.visitors) == 30
        assert app.counted("bad_cookies") == 6 * MANY
    # The tail holds the hits of five seconds, and no more of them than its bound.
    grown = [
        what
        for at, (size, what) in after.items()
        if size >= before.get(at, (0, ""))[0] + MANY and not (what.startswith("deque") and "Kept" in what)
    ]
    assert grown == []


def test_every_memo_of_the_gateway_has_a_bound() -> None:
    memos: dict[str, Any] = {
        f"{memo.__module__}.{memo.__qualname__}": memo
        for memo in gc.get_objects()
        if isinstance(memo, functools._lru_cache_wrapper) and memo.__module__.startswith(("gateway.", "personalize."))
    }
    assert {"gateway.enrich.agent.agent_of", "gateway.enrich.page._host_and_path"} <= memos.keys()
    without = {name for name, memo in memos.items() if memo.cache_parameters()["maxsize"] is None}
    # What these take comes from our own tables and pages, never from a request.
    assert {name.rpartition(".")[2] for name in without} <= {"files", "required", "words"}
