"""Without `ads` no click id is anywhere; Sec-GPC and DNT take `ads` away, always, and change nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.identity.visitor import Cookies
from personalize import documents
from personalize.clicks import KINDS
from tests.gateway.app import App, running
from tests.gateway.mails import CHROME, contact_key, entries, landed, mail_site, mailed, person, recognition_of
from tests.gateway.making import NOW, site
from tests.gateway.people import Browser

ALL = ["ads", "analytics", "personalization"]
COOKIE = f"__Host-tuttu_id={Cookies(['k' * 32]).value(site(), 'a-visitor')}"
SAYING_NO = [{"sec-gpc": "1"}, {"dnt": "1"}, {"sec-gpc": "1", "dnt": "1"}]
SIGNALS: list[dict[str, Any]] = [
    {},
    {"consent": ALL},
    {"consent": ["analytics", "ads"]},
    {"consent": ["personalization"]},
    {"context": {"consent": {"categoryPreferences": {"Analytics": True, "Functional": True, "Advertising": True}}}},
]


def clicked(kind: str, **body: Any) -> dict[str, Any]:
    """Return an event with click ids wherever one may stand."""
    ids = "&".join(f"{name}=click-{name}" for name in KINDS)
    address = f"https://www.example.com/a?{ids}&b=1"
    inside = f"https://l.example/?to={address.replace('&', '%26').replace('=', '%3D').replace('?', '%3F')}"
    twice = inside.replace("%", "%25")
    context = {
        "page": {"url": address, "search": f"?{ids}", "referrer": inside, "initial_referrer": twice},
        "campaign": {"name": "spring"},
        "sessionId": 5,
    }
    return {
        "type": kind,
        "event": "Lead",
        "userId": "u",
        "groupId": "g",
        "properties": {"url": address, "deep": [{"links": [inside, twice]}], "gclid": "click-gclid"},
        "traits": {"landing": address, "fbclid": "click-fbclid", "list": [inside]},
        "messageId": kind,
        **body,
        "context": {**context, **body.get("context", {})},
    }


def kept(app: App) -> bytes:
    return b"\n".join(
        [*app.store.documents.values(), *(entry for write in app.store.writes for entry in write.entries)]
    )


@pytest.mark.parametrize("kind", ["page", "track", "identify", "group"])
async def test_without_ads_no_click_id_is_anywhere(kind: str) -> None:
    for consent, headers in ([["analytics", "personalization"], {}], [ALL, {"sec-gpc": "1"}]):
        async with running() as app:
            headers |= {"cookie": COOKIE, "user-agent": CHROME}
            answer = await app.post(f"/v1/{kind}", headers=headers, **clicked(kind, consent=consent))
            assert answer.json()["accepted"] == 1
            assert b"click-" not in kept(app)
            await app.post(
                "/v1/decide", headers=headers, placements=["home hero"], batch=[clicked(kind)], consent=consent
            )
            assert b"click-" not in kept(app)
            assert "click-" not in str(app.gateway.telemetry.snapshot())


async def test_with_ads_they_are_kept() -> None:
    async with running() as app:
        await app.post(headers={"cookie": COOKIE, "user-agent": CHROME}, **clicked("page", consent=ALL))
        (document,) = app.store.documents.values()
        assert set(documents.decode(document).clicks) == set(KINDS)
        assert kept(app).count(b"click-gclid") > 5


@pytest.mark.parametrize("saying_no", SAYING_NO, ids=" ".join)
@pytest.mark.parametrize("signal", SIGNALS, ids=str)
async def test_saying_no_to_ads_changes_nothing_else(
    saying_no: dict[str, str], signal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.clock", lambda: NOW)
    told = []
    for more in ({}, saying_no):
        async with running(sites=[site(consent=frozenset(ALL))]) as app:
            headers = {"cookie": COOKIE, "user-agent": CHROME, **more}
            event = {"type": "page", "properties": {"path": "/hinnoittelu"}, "messageId": "m", **signal}
            page = await app.post("/v1/page", headers=headers, **event)
            asked = {
                "placements": ["home hero"],
                "consent": signal.get("consent"),
                "context": signal.get("context", {}),
            }
            decided = (await app.post("/v1/decide", headers=headers, **asked)).json()
            decided["placements"]["home hero"].pop("decision")
            (document,) = app.store.documents.values()
            profile = documents.decode(document)
            profile.revision = ""
            log = [orjson.loads(entry) for write in app.store.writes for entry in write.entries]
            in_force = [entry.pop("c") for entry in log]
            told.append((page.json(), page.headers.get("set-cookie"), decided, profile, log, app.outcomes()))
            wanted = {"ads"} if more else set()
            assert not wanted & {purpose for purposes in in_force for purpose in purposes}
            told[-1] += ([[p for p in purposes if p != "ads"] for purposes in in_force],)
    assert told[0] == told[1]


async def test_a_click_in_a_mail_by_a_browser_that_says_no_to_ads_is_without_them() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", consent=ALL)
        token = recognition_of(await landed(app, (await mailed(app))["link"]))
        browser = Browser(COOKIE)
        context = {"page": {"url": f"https://www.example.com/offer?tuttu={token}"}, "credentials": True}
        headers = {"cookie": browser.cookie, "user-agent": CHROME, "sec-gpc": "1"}
        assert (await app.post(headers=headers, context=context, consent=ALL)).json()["accepted"] == 1
        clicks = [e for e in entries(app, contact_key("ann")) if e["e"].get("event") == "Email Link Clicked"]
        assert [e["c"] for e in clicks] == [["analytics", "personalization"]]
