"""Every event ends in exactly one outcome, the one that is answered, whatever comes and whatever the store does."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StoreUnavailable
from gateway.telemetry import Telemetry, add_up, exposition
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running
from tests.gateway.making import site

EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["page", "track", "identify", "group", "alias", "nonsense"])},
    optional={
        "event": st.sampled_from(["demo requested", "Content Shown", 5]),
        "messageId": st.sampled_from(["a", "b", "c", "d"]),
        "userId": st.sampled_from(["u1", "u2", "undefined", None, 7]),
        "anonymousId": st.sampled_from(["x", "y"]),
        "groupId": st.just("g"),
        "previousId": st.just("p"),
        "properties": st.sampled_from([{}, {"path": "/hinnoittelu"}, [1], {"__proto__": 1}]),
        "timestamp": st.sampled_from(["2026-11-20T10:00:00Z", "2001-01-01T00:00:00Z", "soon"]),
    },
)
REQUESTS = st.tuples(
    st.sampled_from(["/v1/batch", "/v1/decide", "/v1/page", "/v1/track"]),
    st.lists(EVENTS, max_size=5),
    st.sampled_from([None, [], ["analytics"], ["analytics", "personalization"]]),
    st.sampled_from([None, "cross-site"]),
    st.booleans(),  # keep the cookie
    st.booleans(),  # the store is down
    st.sampled_from(["demo", "a secret key"]),
)


async def send(app: App, request: Any, cookie: str) -> str:
    path, events, consent, fetch_site, keep, down, key = request
    app.store.down = down
    body: dict[str, Any] = {"writeKey": key, "placements": ["home hero"]}
    body |= {"batch": events} if path in ("/v1/batch", "/v1/decide") else (events or [{}])[0]
    if consent is not None:
        body["consent"] = consent
    headers = {"cookie": cookie} if keep else {}
    if fetch_site:
        headers["sec-fetch-site"] = fetch_site
    received = app.counted("events_received")
    answer = await app.post(path, headers=headers, **body)
    received = app.counted("events_received") - received
    assert answer.status_code in (200, 400, 503), answer.text
    if answer.status_code == 200:
        said = answer.json()
        assert said["accepted"] + said["dropped"] + len(said["rejected"]) == received
    return answer.headers.get("set-cookie", cookie).partition(";")[0]


@settings(max_examples=120, deadline=None)
@given(st.lists(REQUESTS, max_size=8))
def test_received_equals_the_sum_of_outcomes(requests: list[Any]) -> None:
    async def run() -> None:
        async with running() as app:
            cookie = ""
            for request in requests:
                cookie = await send(app, request, cookie)
            assert app.counted("events_received") == sum(app.outcomes().values())
            assert app.outcomes().get("stored", 0) == sum(len(w.entries) for w in app.store.writes)

    asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(st.lists(REQUESTS, min_size=2, max_size=12))
def test_the_sum_holds_for_requests_in_flight_together(requests: list[Any]) -> None:
    async def run() -> None:
        store = FakeStore()
        store.latency_s = 0.001
        # On a busy machine a decision at its deadline would leave a write that no answer has counted.
        async with running(store, decide_deadline_ms=10_000, store_deadline_ms=30_000) as app:
            first = await app.post(messageId="first")
            cookie = first.headers["set-cookie"].partition(";")[0]
            calm = [(*r[:4], True, False, r[6]) for r in requests]
            await asyncio.gather(*(app.post(r[0], headers={"cookie": cookie}, batch=r[1], **_one(r)) for r in calm))
            assert app.counted("events_received") == sum(app.outcomes().values())
            assert app.outcomes()["stored"] == sum(len(w.entries) for w in store.writes)

    asyncio.run(run())


def _one(request: Any) -> dict[str, Any]:
    event = (request[1] or [{}])[0]
    return {"placements": ["home hero"], **({} if "batch" in request[0] or "decide" in request[0] else event)}


async def test_a_store_that_is_away_is_a_503_that_may_be_retried() -> None:
    async with running() as app:
        app.store.down = True
        answer = await app.post("/v1/batch", batch=[{"type": "page", "messageId": "m"}, {"type": "nonsense"}])
        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        assert int(answer.headers["retry-after"]) > 0
        assert "set-cookie" not in answer.headers
        assert app.outcomes() == {"rejected": 2}
        app.store.down = False
        assert (await app.post(messageId="m")).json()["accepted"] == 1


async def test_a_decision_is_answered_at_its_deadline_and_names_what_is_open() -> None:
    async with running(decide_deadline_ms=30) as app:
        first = await app.post(messageId="first")
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        app.store.latency_s = 0.15
        batch = [{"type": "page", "messageId": "late", "properties": {"path": "/hinnoittelu"}}]
        answer = (await app.post("/v1/decide", headers=headers, batch=batch, placements=["home hero"])).json()
        assert answer["degraded"] is True
        assert answer["retry"] == ["late"]
        assert answer["accepted"] == 0
        assert answer["placements"]["home hero"]["reason"] == "degraded"
        await asyncio.sleep(0.4)
        app.store.latency_s = 0
        assert app.counted("events_late") == 1, "the write landed after the answer"
        again = await app.post("/v1/decide", headers=headers, batch=batch, placements=["home hero"])
        assert again.json()["accepted"] == 1
        assert app.outcomes() == {"stored": 1, "rejected": 1, "duplicate": 1}


async def test_a_decision_with_the_store_down_still_answers() -> None:
    async with running() as app:
        app.store.down = True
        answer = await app.post("/v1/decide", batch=[{"type": "page", "messageId": "m"}], placements=["home hero"])
        body = answer.json()
        assert answer.status_code == 200
        assert (body["degraded"], body["retry"]) == (True, ["m"])
        assert body["placements"]["home hero"]["block"] == "welcome"


@pytest.mark.parametrize("away", ["down", "slow"])
async def test_the_retry_of_a_new_visitors_first_decision_is_the_same_visitor(away: str) -> None:
    async with running(decide_deadline_ms=30) as app:
        app.store.down, app.store.latency_s = away == "down", 0.15
        asked = {"batch": [{"type": "page", "messageId": "m"}], "placements": ["home hero"]}
        first = await app.post("/v1/decide", **asked)
        assert first.json()["retry"] == ["m"]
        await asyncio.sleep(0.4)
        app.store.down, app.store.latency_s = False, 0
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        assert (await app.post("/v1/decide", headers=headers, **asked)).json()["accepted"] == 1
        assert app.outcomes()["duplicate" if away == "slow" else "stored"] == 1
        refused = await app.post("/v1/decide", consent=[], **asked)
        assert "set-cookie" not in refused.headers


async def test_hits_of_one_visitor_in_flight_together_share_their_calls() -> None:
    async with running() as app:
        first = await app.post(messageId="first")
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        app.store.latency_s = 0.02
        writes = len(app.store.writes)
        answers = await asyncio.gather(*(app.post(headers=headers, messageId=f"m{n}") for n in range(40)))
        assert all(a.json()["accepted"] == 1 for a in answers)
        assert len(app.store.writes) - writes <= 3, "the first alone, the others together"
        assert sum(len(w.entries) for w in app.store.writes) == 41


async def test_a_visitor_over_the_bucket_is_dropped_but_duplicates_are_free() -> None:
    async with running() as app:
        first = await app.post(messageId="first")
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        for start in (0, 2500, 5000, 7500):
            batch = [{"type": "page", "messageId": f"m{n}"} for n in range(start, start + 2500)]
            answer = (await app.post("/v1/batch", headers=headers, batch=batch)).json()
        assert answer["dropped"] > 0
        assert answer["accepted"] + answer["dropped"] == 2500
        batch = [{"type": "page", "messageId": f"m{n}"} for n in range(4000, 4100)]
        again = (await app.post("/v1/batch", headers=headers, batch=batch)).json()
        assert again["accepted"] == 100
        server = await app.post("/v1/batch", writeKey="a secret key", batch=[{"type": "page", "userId": "u"}] * 10)
        assert server.json()["accepted"] == 10


async def test_without_a_default_nothing_is_kept_until_the_visitor_agrees() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        silent = await app.post(messageId="a")
        assert silent.json()["dropped"] == 1
        assert app.store.reads == 0, "without cookie and signal the store is not even asked"
        assert app.store.documents == {}
        agreed = await app.post(messageId="b", consent=["personalization"])
        assert agreed.json()["accepted"] == 1
        headers = {"cookie": agreed.headers["set-cookie"].partition(";")[0]}
        assert (await app.post(messageId="c", headers=headers)).json()["accepted"] == 1, "the stored choice holds"


async def test_a_late_withdrawal_does_not_undo_a_later_choice() -> None:
    async with running() as app:
        first = await app.post(messageId="a", consent=["analytics"])
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        old = {"timestamp": "2026-11-20T10:00:00Z", "sentAt": "2026-11-21T10:00:00Z"}
        answer = await app.post(messageId="b", headers=headers, consent=[], **old)
        assert answer.json()["dropped"] == 1
        assert not any(w.erase_before for w in app.store.writes)


@pytest.mark.parametrize(
    "odd",
    [
        {"context": {"library": {"name": []}}},
        {"context": {"library": {"name": {}}}},
        {"context": {"page": 5, "campaign": [], "userAgent": {}, "locale": [], "traits": 5}},
        {"properties": {"products": 5, "path": [], "url": {}, "decision": [], "name": 7}},
        {"timestamp": {}, "sentAt": [], "originalTimestamp": float(10**300)},
        {"type": "identify", "traits": {"owns": 5, "firstName": {"a": 1}, "": None}},
        {"type": "track", "event": "Order Completed", "properties": {"products": [5, {"name": 5}, None]}},
        {"type": "track", "event": "Content Shown", "properties": {"decision": "ä.ä.ä"}},
        {"userId": 10**40},
    ],
)
async def test_odd_events_never_spoil_their_batch(odd: dict[str, Any]) -> None:
    async with running() as app:
        first = await app.post(messageId="first")
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        batch = [{"type": "page", "messageId": "good"}, {"type": "page", **odd}]
        answer = await app.post("/v1/decide", headers=headers, batch=batch, placements=["home hero"])
        assert answer.status_code == 200
        said = answer.json()
        assert said["accepted"] + len(said["rejected"]) == 2
        assert said["accepted"] >= 1
        again = await app.post("/v1/decide", headers=headers, placements=["home hero"])
        assert again.status_code == 200


async def test_a_body_of_countless_objects_is_refused() -> None:
    async with running() as app:
        body = b'{"writeKey":"demo","batch":[' + b"{}," * 250_000 + b"{}]}"
        answer = await app.http.post("/v1/batch", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_shape")


async def test_a_full_batch_is_recognized_when_it_is_replayed() -> None:
    async with running() as app:
        batch = [{"type": "page", "userId": "u", "messageId": f"m{n}"} for n in range(4_000)]
        for _ in range(2):
            answer = (await app.post("/v1/batch", writeKey="a secret key", batch=batch)).json()
            assert answer["accepted"] == 4_000
        assert app.outcomes() == {"stored": 4_000, "duplicate": 4_000}
        over = await app.post("/v1/batch", batch=[*batch, batch[0]])
        assert over.status_code == 400


async def test_a_replay_of_what_was_erased_stays_out_also_with_a_new_receipt() -> None:
    async with running() as app:
        old = {"messageId": "a", "timestamp": "2026-11-20T10:00:00Z", "sentAt": "2026-11-20T10:00:01Z"}
        first = await app.post(**old)
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        withdrawn = await app.post(headers=headers, messageId="w", consent=[])
        assert "Max-Age=0" in withdrawn.headers["set-cookie"]
        for consent in ({}, {"consent": ["analytics"]}):
            replayed = await app.post(headers=headers, **old, **consent)
            assert replayed.json()["dropped"] == 1
            assert "set-cookie" not in replayed.headers
        assert len(app.store.writes) == 2


async def test_a_withdrawal_stands_also_before_what_it_withdraws_has_arrived() -> None:
    async with running() as app:
        first = await app.post(messageId="a", consent=["analytics"])
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        app.store.documents.clear()  # as if the first hit were still on its way
        app.store.marks.clear()
        for decided in ("2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z"):
            again = await app.post(headers=headers, consent=[], timestamp=decided)
            assert "Max-Age=0" in again.headers["set-cookie"]
        late = await app.post(headers=headers, messageId="a", consent=["analytics"], timestamp="2026-11-21T11:00:00Z")
        assert late.json()["dropped"] == 1
        assert sum(w.erase_before > 0 for w in app.store.writes) == 2


async def test_a_claim_does_not_even_read_the_consent_that_was_claimed() -> None:
    async with running() as app:
        headers = {"sec-fetch-site": "cross-site"}
        event = {"type": "page", "userId": "victim", "messageId": "v"}
        await app.post("/v1/batch", headers=headers, batch=[event], consent=["analytics"])
        asked = {"batch": [{**event, "messageId": "w"}], "placements": ["home hero"]}
        answer = (await app.post("/v1/decide", headers=headers, **asked)).json()
        assert answer["placements"]["home hero"]["reason"] == "claim"


async def test_a_receipt_reads_the_profile_only_where_a_decision_may() -> None:
    async with running() as app:
        price = {"type": "page", "properties": {"path": "/hinnoittelu"}}
        first = await app.post("/v1/batch", batch=[price, price])
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        shown = (await app.post("/v1/decide", headers=headers, placements=["home hero"])).json()
        react = {"event": "Content Shown", "properties": {"decision": shown["placements"]["home hero"]["decision"]}}
        for consent, block in ((["personalization"], "book a demo"), (["analytics"], "welcome")):
            await app.post("/v1/track", headers=headers, consent=consent, **react)
            receipt = orjson.loads(app.store.writes[-1].entries[0])["receipt"]
            assert (receipt["block"], receipt["now"]["block"]) == ("book a demo", block)


async def test_traits_that_came_in_the_context_are_in_the_log() -> None:
    async with running() as app:
        key = "a secret key"
        raw = {"userId": "u", "context": {"traits": {"plan": "pro"}}}
        await app.post("/v1/identify", writeKey=key, **raw)
        entry = orjson.loads(app.store.writes[0].entries[0])
        assert entry["e"]["traits"] == {"plan": "pro"}


async def test_a_hit_that_waits_too_long_for_its_visitor_is_told_to_come_again() -> None:
    async with running(store_deadline_ms=50) as app:
        first = await app.post(messageId="first")
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        app.store.latency_s = 0.2
        answers = await asyncio.gather(*(app.post(headers=headers, messageId=f"m{n}") for n in range(5)))
        assert sorted(a.status_code for a in answers) == [200, 503, 503, 503, 503]
        app.store.latency_s = 0
        answers = [await app.post(headers=headers, messageId=f"m{n}") for n in range(5)]
        assert all(a.json()["accepted"] == 1 for a in answers)
        assert sum(len(w.entries) for w in app.store.writes) == 6


def test_counters_of_processes_add_up() -> None:
    one, two = Telemetry(), Telemetry()
    one.count(("events", "stored", ""), 2)
    two.count(("events", "stored", ""), 3)
    two.gauges["cached_profiles"] = 4
    text = exposition(add_up([one.snapshot(), two.snapshot()])).decode()
    assert 'tuttu_events_total{outcome="stored",reason=""} 5.0' in text
    assert "tuttu_cached_profiles 4.0" in text
    assert "tuttu_conflicts_total 0.0" in text


async def test_a_duplicate_is_confirmed_like_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unconfirmed() -> None:
        raise StoreUnavailable("no replica confirmed it")

    async with running(durability="disk") as app:
        assert (await app.post(messageId="m", anonymousId="x")).status_code == 200
        monkeypatch.setattr(app.store, "probe", unconfirmed)
        assert (await app.post(messageId="m", anonymousId="x")).status_code == 503, "its mark may be all there is"
        monkeypatch.undo()
        assert (await app.post(messageId="m", anonymousId="x")).status_code == 200
        assert app.outcomes() == {"stored": 1, "rejected": 1, "duplicate": 1}
