"""Who may export and delete whom, over HTTP: on the public port and, for the admin, on the internal one."""

from __future__ import annotations

import hmac
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.edge import privacy
from gateway.edge.privacy_admin import admin_routes
from gateway.identity.visitor import hashed
from gateway.ports import VisitorKey
from personalize import documents
from personalize.plan import Plan
from tests.fakes.store import FakeStore
from tests.gateway.app import App, rights_in, running
from tests.gateway.making import plan, site

ORIGIN = {"origin": "https://www.example.com"}
USER = "anna"
OTHER = "another secret key"
PATHS = ["/v1/privacy/export", "/v1/privacy/delete"]


def proof(user_id: str = USER, under: str = "a secret key") -> str:
    return hmac.new(under.encode(), user_id.encode(), "sha256").hexdigest()


def two_sites() -> list[Any]:
    return [site(), site(key="shop", secret_key=OTHER)]


async def visited(app: App, **body: Any) -> dict[str, str]:
    """Become a visitor who views a page, and return the headers with the cookie."""
    answer = await app.post("/v1/page", properties={"path": "/hinnoittelu"}, messageId="m1", **body)
    assert answer.status_code == 200
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def known(app: App, user_id: str = USER, key: str = "a secret key") -> None:
    """Let a site's server say something about a person."""
    body = {"writeKey": key, "userId": user_id, "traits": {"plan": f"gold of {key}"}, "messageId": "s1"}
    assert (await app.http.post("/v1/identify", json=body)).json()["accepted"] == 1


async def test_a_cookie_exports_what_its_browser_did() -> None:
    async with running() as app:
        headers = await visited(app)
        await visited(app)
        out = (await app.post("/v1/privacy/export", headers | ORIGIN)).json()
        assert (out["subject"], out["site"], out["time_zone"]) == ("browser", "demo", "Europe/Helsinki")
        assert [p["kind"] for p in out["profiles"]] == ["browser"]
        counts = out["profiles"][0]["counts"]
        assert [(c["what"], c["times"]) for c in counts] == [("viewed /hinnoittelu*", 1)]
        assert len(out["log"]) == 1
        assert out["log"][0]["sent"]["properties"] == {"path": "/hinnoittelu"}
        assert out["notes"] == []


async def test_an_export_says_in_words_how_the_visitor_came_and_whose_company_the_server_named() -> None:
    async with running() as app:
        headers = await visited(app)
        url = "https://shop.example/offer?utm_campaign=autumn&gclid=abc-1"
        body = {"consent": ["analytics", "personalization", "ads"], "properties": {"url": url}}
        await app.post("/v1/page", headers | ORIGIN, **body)
        (browser,) = (await app.post("/v1/privacy/export", headers | ORIGIN)).json()["profiles"]
        assert browser["first_touch"].keys() == {"time", "landing"}
        last = browser["last_touch"]
        assert (last["landing"], last["campaign"]) == ("/offer", "autumn")
        assert browser["click_ids"] == {"gclid": {"set": last["time"], "id": "abc-1"}}
        await app.http.post("/v1/group", json={"writeKey": "a secret key", "userId": USER, "groupId": "acme"})
        out = await app.http.post("/v1/privacy/export", json={"writeKey": "a secret key", "userId": USER})
        assert out.json()["profiles"][0]["company_by_server"]["group_id"] == "acme"
        assert all("other" not in profile for profile in (browser, *out.json()["profiles"]))


async def test_a_cookie_deletes_what_its_browser_did_and_goes_itself() -> None:
    async with running() as app:
        headers = await visited(app)
        answer = await app.post("/v1/privacy/delete", headers | ORIGIN)
        report = answer.json()
        assert report["erased"]["profiles"] == 1
        assert report["pending"]["log_entries"] == 1
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
        name = report["report"]
        assert (await app.http.get(f"/v1/privacy/reports/{name}")).json()["done"] is False
        for note in await app.store.pending():
            await app.store.erase(note)
        state = await app.http.get(f"/v1/privacy/reports/{name}", headers=ORIGIN)
        assert state.json()["done"] is True
        assert state.headers["access-control-allow-origin"] == ORIGIN["origin"]
        assert (await app.http.get("/v1/privacy/reports/another")).status_code == 404
        again = (await app.post("/v1/privacy/export", headers)).json()
        assert [p.keys() for p in again["profiles"]] == [{"key", "kind", "messages_marked", "erased_up_to"}]
        assert again["log"] == []


async def test_a_user_hash_reaches_the_whole_person_of_its_own_site() -> None:
    async with running(sites=two_sites()) as app:
        await known(app)
        await known(app, key="another secret key")
        await app.post("/v1/track", userId=USER, event="claimed by a client")
        out = (await app.post("/v1/privacy/export", userId=USER, userHash=proof())).json()
        assert [p["kind"] for p in out["profiles"]] == ["person", "claimed"]
        assert "gold of a secret key" in str(out)
        assert "another secret key" not in str(out)
        assert {line["site"] for line in out["log"]} == {"demo"}
        deleted = (await app.post("/v1/privacy/delete", userId=USER, userHash=proof())).json()
        assert deleted["erased"]["profiles"] == 2
        other = documents.decode(app.store.documents[VisitorKey("shop", "k", hashed("shop", "u", USER))])
        assert other.trait_values() == {"plan": "gold of another secret key"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "claim",
    [
        {"userId": USER},
        {"userId": "nobody"},
        {"userId": USER, "userHash": proof("bertta")},
        {"userId": USER, "userHash": proof(under="another secret key")},
        {"userId": USER, "userHash": 7},
        {"userId": USER, "userHash": "ä"},
        {"anonymousId": "an id"},
        {"visitor": "an id.x.y"},
        {},
    ],
)
async def test_a_claim_learns_nothing_and_changes_nothing(path: str, claim: dict[str, Any]) -> None:
    async with running(sites=two_sites()) as app:
        await known(app)
        reads, writes = app.store.reads, len(app.store.writes)
        answer = await app.post(path, **claim)
        assert answer.status_code == 403
        assert answer.json()["code"] == "not_verified"
        assert "userHash" in answer.json()["hint"]
        assert USER not in answer.text
        assert (app.store.reads, len(app.store.writes)) == (reads, writes), "it was refused before the store was asked"


@pytest.mark.parametrize("path", PATHS)
async def test_a_claim_beside_a_cookie_is_refused_too(path: str) -> None:
    async with running() as app:
        headers = await visited(app)
        assert (await app.post(path, headers, userId=USER)).status_code == 403
        assert (await app.post(path, headers, anonymousId="x")).status_code == 403


@pytest.mark.parametrize("path", PATHS)
async def test_an_unlisted_origin_and_a_secret_key_in_a_browser_are_refused(path: str) -> None:
    async with running() as app:
        headers = await visited(app)
        writes = len(app.store.writes)
        for origin in ("https://evil.example", "null"):
            assert (await app.post(path, headers | {"origin": origin})).json()["code"] == "origin_not_allowed"
        body = {"writeKey": "a secret key", "userId": USER}
        answer = await app.http.post(path, json=body, headers=ORIGIN)
        assert answer.json()["code"] == "secret_key_in_browser"
        assert (await app.http.post(path, json={"writeKey": "wrong", "userId": USER})).status_code == 401
        assert len(app.store.writes) == writes


async def test_a_server_asks_for_a_person_a_browser_or_a_claim() -> None:
    async with running() as app:
        cookie = (await visited(app))["cookie"].partition("=")[2]
        await known(app)
        await app.post("/v1/track", anonymousId="an id", event="claimed")
        for name, value, subject in (
            ("userId", USER, "person"),
            ("visitor", cookie, "browser"),
            ("anonymousId", "an id", "claimed"),
        ):
            body = {"writeKey": "a secret key", name: value}
            out = (await app.http.post("/v1/privacy/export", json=body)).json()
            assert (out["subject"], len(out["log"])) == (subject, 1)
            answer = await app.http.post("/v1/privacy/delete", json=body)
            assert answer.json()["erased"]["profiles"] == 1
            assert ("set-cookie" in answer.headers) == (name == "visitor")
        for wrong in ({}, {"userId": "a", "visitor": cookie}, {"visitor": f"{cookie}x"}, {"userId": ["a"]}):
            answer = await app.http.post("/v1/privacy/delete", json={"writeKey": "a secret key", **wrong})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_shape")
        forged = {"writeKey": "demo"}
        answer = await app.http.post(PATHS[0], json=forged, headers={"cookie": f"__Host-tuttu_id={cookie}x"})
        assert answer.status_code == 403


async def test_a_store_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as app:
        headers = await visited(app)
        app.store.down = True
        answer = await app.post("/v1/privacy/delete", headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "set-cookie" not in answer.headers
        assert (await app.http.get("/v1/privacy/reports/x")).status_code == 503
        app.store.down = False
        monkeypatch.setattr(privacy, "MOST_WAITING", 0)
        busy = await app.post("/v1/privacy/export", headers)
        assert (busy.status_code, busy.json()["code"]) == (429, "rate_limited")
        assert "retry-after" in busy.headers


async def admin(store: FakeStore, path: str, bearer: str = "the token", **body: Any) -> httpx.Response:
    async def plan_of(_site: str) -> Plan:
        return plan()

    routes = admin_routes(rights_in(store), plan_of, ["demo", "shop"], "the token", print)
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://internal.test") as http:
        headers = {"authorization": f"Bearer {bearer}".encode()}
        return await (http.post(path, json=body, headers=headers) if body else http.get(path, headers=headers))


async def test_the_admin_reaches_anybody_of_a_site() -> None:
    async with running() as app:
        cookie = (await visited(app))["cookie"].partition("=")[2]
        await known(app)
        by_key = {"key": f"k:{hashed('demo', 'u', USER)}"}
        for whom in ({"userId": USER}, by_key, {"visitor": cookie}, {"visitor": cookie.partition(".")[0]}):
            out = (await admin(app.store, "/api/privacy/export", site="demo", **whom)).json()
            assert len(out["log"]) == 1, whom
        report = (await admin(app.store, "/api/privacy/delete", site="demo", userId=USER)).json()
        assert report["erased"]["profiles"] == 1
        found = await admin(app.store, f"/api/privacy/reports/{report['report']}")
        assert found.json() == report
        assert (await admin(app.store, "/api/privacy/reports/other")).status_code == 404
        empty = (await admin(app.store, "/api/privacy/export", site="shop", userId=USER)).json()
        assert (empty["profiles"], empty["log"]) == ([], [])


@pytest.mark.parametrize("path", ["/api/privacy/export", "/api/privacy/delete"])
async def test_the_admin_api_refuses_what_it_should(path: str) -> None:
    store = FakeStore()
    for token in ("", "the tokem", "the token ", "ä"):
        answer = await admin(store, path, token, site="demo", userId=USER)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_admin_token")
    for body, says in (
        ({"userId": USER}, "names no site"),
        ({"site": "dem", "userId": USER}, "did you mean"),
        ({"site": "demo"}, "names nobody"),
        ({"site": "demo", "userId": USER, "visitor": "x"}, "userId and visitor"),
        ({"site": "demo", "key": "x:x"}, "nobody"),
        ({"site": "demo", "userId": 7}, "nobody"),
    ):
        answer = await admin(store, path, **body)
        assert answer.status_code == 400
        assert says in answer.json()["message"]
    assert store.writes == []
