"""Workers with stale caches: two gateways on one store, and a store that went back in time. Nothing is lost or doubled.

Every visitor here only views one page again and again, so its matcher's total must equal the number of its messages.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.process import Gateway, eventually, socket_path

RULES = Path(__file__).parents[1] / "vectors" / "rules-example"
IN_FLIGHT = 40

Pair = tuple[Gateway, Gateway]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two gateways that share secrets and the first one's store, for all tests of this file; each has a new visitor."""
    folder = tmp_path_factory.mktemp("races")
    with Gateway(folder / "data", "--rules", str(RULES)) as first:
        other = folder / "other"
        other.mkdir()
        (other / "secrets.toml").write_bytes((folder / "data" / "secrets.toml").read_bytes())
        url = f"unix://{socket_path(folder / 'data' / 'store')}"
        with Gateway(other, "--rules", str(RULES), "--redis", url) as second:
            yield first, second


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=IN_FLIGHT)
    async with httpx.AsyncClient(limits=limits, timeout=30) as opened:
        yield opened


async def view(
    client: httpx.AsyncClient, gateway: Gateway, cookie: str, *message_ids: str, **more: Any
) -> httpx.Response:
    batch = [{"type": "page", "messageId": m, "properties": {"path": "/hinnoittelu"}} for m in message_ids]
    headers = {"cookie": f"__Host-tuttu_id={cookie}"} if cookie else {}
    body = {"writeKey": "demo", "batch": batch, **more}
    return await client.post(f"{gateway.public}/v1/batch", json=body, headers=headers)


async def newcomer(client: httpx.AsyncClient, gateway: Gateway) -> str:
    answer = await view(client, gateway, "", "first")
    assert answer.status_code == 200
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


def seen(gateway: Gateway, cookie: str) -> tuple[int, Counter[str]]:
    """Return how often the visitor's profile counts the page, and the visitor's messages in the log."""
    visitor = f"a:{cookie.partition('.')[0]}"
    totals = {row[0] for row in gateway.profile(visitor).matchers.values()}
    assert len(totals) == 1
    return totals.pop(), Counter(e["m"] for e in gateway.log() if e["v"] == visitor)


async def test_concurrent_hits_of_one_visitor_through_two_gateways(pair: Pair, client: httpx.AsyncClient) -> None:
    cookie = await newcomer(client, pair[0])
    for burst in range(5):
        answers = await asyncio.gather(
            *(view(client, pair[n % 2], cookie, f"b{burst}-{n}", f"b{burst}-{n}+") for n in range(IN_FLIGHT))
        )
        assert {a.status_code for a in answers} == {200}
        assert sum(a.json()["accepted"] for a in answers) == 2 * IN_FLIGHT
    expected = {"first", *(f"b{b}-{n}{s}" for b in range(5) for n in range(IN_FLIGHT) for s in ("", "+"))}
    total, logged = seen(pair[0], cookie)
    assert total == len(expected)
    assert logged == Counter(expected)


async def test_the_same_messages_through_both_gateways_count_once(pair: Pair, client: httpx.AsyncClient) -> None:
    cookie = await newcomer(client, pair[0])
    names = [f"m{n}" for n in range(100)]
    answers = await asyncio.gather(
        *(view(client, pair[n % 2], cookie, *names[(n * 7) % 90 : (n * 7) % 90 + 10]) for n in range(IN_FLIGHT))
    )
    assert all(a.json()["accepted"] == 10 for a in answers), "a duplicate is accepted"
    total, logged = seen(pair[0], cookie)
    assert set(logged.values()) == {1}
    assert total == len(logged)


async def test_what_was_erased_through_one_gateway_does_not_come_back_through_the_other(
    pair: Pair, client: httpx.AsyncClient
) -> None:
    first, second = pair
    cookie = await newcomer(client, first)
    visitor = f"a:{cookie.partition('.')[0]}"
    await asyncio.gather(*(view(client, pair[n % 2], cookie, f"before-{n}") for n in range(IN_FLIGHT)))
    # Both gateways hold the profile in memory now. One erases it while the other goes on.
    traffic = [view(client, second, cookie, f"during-{n}") for n in range(20)]
    withdrawn, *_ = await asyncio.gather(view(client, first, cookie, "last", consent=[]), *traffic)
    assert withdrawn.json()["accepted"] == 0
    assert "Max-Age=0" in withdrawn.headers["set-cookie"]
    for gateway in pair:
        replayed = await view(client, gateway, cookie, "before-1", "late")
        assert replayed.json()["dropped"] == 2, "the withdrawal stands, whatever the site's default is"
        assert "set-cookie" not in replayed.headers
    profile = first.profile(visitor)
    assert profile.erased > 0
    eventually(lambda: not any(e["v"] == visitor and e["t"] <= profile.erased for e in first.log()), 10)
    assert not [e["m"] for e in first.log() if e["v"] == visitor]
    assert not profile.matchers
    agreed = await view(client, second, cookie, "anew", consent=["analytics"])
    assert agreed.json()["accepted"] == 1
    assert seen(first, cookie) == (1, Counter(["anew"]))


async def test_a_store_that_went_back_in_time_is_believed_and_not_overwritten(
    pair: Pair, client: httpx.AsyncClient
) -> None:
    cookie = await newcomer(client, pair[0])
    await view(client, pair[0], cookie, "kept-1", "kept-2")
    with pair[0].store() as store:
        older = {key: store.dump(key) for key in store.scan_iter("*")}
    for n in range(10):
        await view(client, pair[n % 2], cookie, f"lost-{n}")
    with pair[0].store() as store, store.pipeline() as pipe:
        for key, value in older.items():
            pipe.restore(key, 0, value, replace=True)
        pipe.execute()
    answers = [await view(client, pair[n % 2], cookie, f"new-{n}", "kept-1") for n in range(6)]
    assert [a.json()["accepted"] for a in answers] == [2] * 6
    total, logged = seen(pair[0], cookie)
    assert logged == Counter(["first", "kept-1", "kept-2", *(f"new-{n}" for n in range(6))])
    assert total == 9
    # A client's retry of what the rollback lost brings it back, once.
    for gateway in pair:
        await view(client, gateway, cookie, *(f"lost-{n}" for n in range(10)))
    total, logged = seen(pair[0], cookie)
    assert total == 19
    assert set(logged.values()) == {1}


async def test_a_profile_that_vanished_from_the_store_begins_anew(pair: Pair, client: httpx.AsyncClient) -> None:
    cookie = await newcomer(client, pair[0])
    await view(client, pair[1], cookie, "a")
    with pair[0].store() as store:
        store.flushall()
    answer = await view(client, pair[1], cookie, "b", "a")
    assert answer.json()["accepted"] == 2
    assert seen(pair[0], cookie) == (2, Counter(["b", "a"]))
