"""E-mail links: they recognize whoever comes by them, and give nobody more than that."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from gateway.app import clock
from tests.gateway.app import App, running
from tests.gateway.mails import (
    CHROME,
    LINKS,
    SCANNERS,
    browser_key,
    contact_key,
    decided,
    entries,
    landed,
    link,
    mail_site,
    mailed,
    path_of,
    person,
    profile,
    view,
)


def stored(app: App) -> Any:
    return copy.deepcopy(app.store.snapshot())


async def test_a_link_leads_to_its_target_with_query_and_fragment() -> None:
    async with running(sites=[mail_site()]) as app:
        answer = await app.http.get(path_of((await mailed(app))["link"]))
        start, _, rest = answer.headers["location"].partition("&tuttu=")
        assert (start, rest.partition("#")[2]) == ("https://www.example.com/offer?a=1", "top")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
        assert answer.content == b""


async def test_scanners_that_open_every_link_change_nothing() -> None:
    async with running(sites=[mail_site()]) as app:
        found = await mailed(app)
        before = stored(app)
        for number in range(50):
            for method in ("GET", "HEAD"):
                agent = SCANNERS[number % len(SCANNERS)]
                answer = await app.http.request(method, path_of(found["link"]), headers={"user-agent": agent})
                assert answer.status_code == 302
                assert "set-cookie" not in answer.headers
        answer = await app.http.head(path_of(found["pixel"]))
        assert answer.status_code == 200
        assert (app.store.snapshot(), app.store.reads) == (before, 0)
        assert app.counted("events_received") == 0


async def test_a_page_view_is_the_click_and_the_browser_keeps_its_own_profile() -> None:
    async with running(sites=[mail_site()]) as app:
        cookie = await view(app, "https://www.example.com/")
        address = await landed(app, (await mailed(app))["link"])
        await view(app, address, cookie)
        (click,) = entries(app, contact_key("ann"))
        assert click["e"]["event"] == "Email Link Clicked"
        assert click["e"]["properties"]["message"] == "autumn"
        assert click["e"]["properties"]["path"] == "/offer"
        assert (click["b"], click["f"]) == (False, {}), "it opens no visit and tells nothing of the browser"
        browser = profile(app, browser_key(cookie))
        assert browser.contact[1] == contact_key("ann").id
        assert [e.get("p") for e in entries(app, browser_key(cookie))] == [None, f"k:{contact_key('ann').id}"]
        await view(app, "https://www.example.com/next", cookie)
        assert entries(app, browser_key(cookie))[-1]["p"] == f"k:{contact_key('ann').id}"
        assert profile(app, contact_key("ann")).visits == []


async def test_a_click_counts_once_for_each_browser_however_often_it_is_sent() -> None:
    async with running(sites=[mail_site()]) as app:
        address = await landed(app, (await mailed(app))["link"])
        cookie = await view(app, address)
        for _ in range(100):
            await view(app, address, cookie)
        assert len(entries(app, contact_key("ann"))) == 1
        await view(app, address)
        assert len(entries(app, contact_key("ann"))) == 2
        assert app.counted("events_received") == sum(app.outcomes().values())
        assert app.outcomes()["stored"] == sum(len(w.entries) for w in app.store.writes)


async def test_thousands_of_views_in_one_batch_are_one_click() -> None:
    async with running(sites=[mail_site()]) as app:
        address = await landed(app, (await mailed(app))["link"])
        received = app.counted("events_received")
        views = [{"type": "page", "context": {"page": {"url": address}}}] * 3_000
        answer = await app.post("/v1/batch", headers={"user-agent": CHROME}, batch=views)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 3_000)
        assert len(entries(app, contact_key("ann"))) == 1
        assert app.counted("events_received") - received == 3_001


async def test_neither_bots_nor_servers_nor_other_events_click() -> None:
    async with running(sites=[mail_site()]) as app:
        address = await landed(app, (await mailed(app))["link"])
        await view(app, address, agent=SCANNERS[3])
        await view(app, address, channel="server")
        await app.post("/v1/page", writeKey="a secret key", context={"page": {"url": address}})
        await app.post("/v1/track", event="x", context={"page": {"url": address}})
        assert entries(app, contact_key("ann")) == []


async def test_a_claimed_visitor_clicks_and_is_not_recognized() -> None:
    async with running(sites=[mail_site()]) as app:
        address = await landed(app, (await mailed(app))["link"])
        headers = {"sec-fetch-site": "cross-site", "user-agent": CHROME}
        await app.post(headers=headers, anonymousId="x", properties={"url": address})
        assert len(entries(app, contact_key("ann"))) == 1
        assert all(not profile(app, key).contact for key in app.store.documents)


# -- consent ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purposes", [[], ["ads"]])
async def test_without_consent_a_click_leaves_no_trace(purposes: list[str]) -> None:
    async with running(sites=[mail_site()]) as app:
        address = await landed(app, (await mailed(app))["link"])
        before = stored(app)
        await view(app, address, consent=purposes)
        assert app.store.snapshot() == before


async def test_consent_of_the_browser_holds_for_a_contact_who_has_not_chosen_and_no_further() -> None:
    async with running(sites=[mail_site(consent=frozenset())]) as app:
        address = await landed(app, (await mailed(app))["link"])
        await view(app, address)
        assert app.store.documents == {}, "the site's default allows nothing"
        cookie = await view(app, address, consent=["analytics", "personalization"])
        assert len(entries(app, contact_key("ann"))) == 1
        assert profile(app, contact_key("ann")).consent == [], "nobody chooses for the contact"
        assert profile(app, browser_key(cookie)).contact


async def test_who_has_refused_is_noted_neither_for_clicks_nor_for_openings() -> None:
    async with running(sites=[mail_site()]) as app:
        found = await mailed(app)
        await person(app, "ann", consent=["personalization"])
        key = contact_key("ann")
        app.store.documents[key] = b'{"r":"r","f":1,"x":5,"c":[%d,[]]}' % clock()
        async with running(app.store, sites=[mail_site()]) as fresh:
            await view(fresh, await landed(fresh, found["link"]), consent=["analytics", "personalization"])
            await fresh.http.get(path_of(found["pixel"]))
            assert [e["k"] for e in entries(fresh, key)] == ["identify"]


# -- what recognition gives ------------------------------------------------------------------------------------------


async def test_a_recognized_browser_is_known_and_not_offered_what_the_contact_owns_or_dismissed() -> None:
    async with running(sites=[mail_site()]) as app:
        cookie = await view(app, "https://www.example.com/")
        assert (await decided(app, cookie))["block"] == "welcome"
        await person(app, "ann", traits={"first_name": "Ann"})
        address = await landed(app, (await mailed(app))["link"])
        await view(app, address, cookie)
        shown = await decided(app, cookie)
        assert shown["block"] == "pro"
        assert shown["content"] == {"title": "Pro for you"}, "a trait of the contact is never shown"
        await person(app, "ann", "track", event="Order Completed", properties={"product": "Pro"})
        assert (await decided(app, cookie))["block"] == "webinar"
        token = (await _decided_as(app, "ann"))["decision"]
        await person(app, "ann", "track", event="Content Dismissed", properties={"decision": token})
        assert (await decided(app, cookie))["block"] == "demo"
        await person(app, "ann", "track", event="Demo Booked")
        assert (await decided(app, cookie))["block"] == "welcome"
        own = profile(app, browser_key(cookie))
        assert (own.owns, own.blocks, own.traits, own.matchers) == ({}, {}, [], {}), "the union is never stored"


async def _decided_as(app: App, user: str) -> dict[str, Any]:
    body = {"writeKey": "a secret key", "userId": user, "placements": ["hero"]}
    found: dict[str, Any] = (await app.http.post("/v1/decide", json=body)).json()["placements"]["hero"]
    return found


async def test_the_click_itself_is_decided_with_the_contact_at_once() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", "track", event="purchase", properties={"product": "Pro"})
        address = await landed(app, (await mailed(app))["link"])
        page = {"type": "page", "context": {"page": {"url": address}}}
        shown = await decided(app, "", batch=[page], context={"credentials": True})
        assert shown["block"] == "webinar"
        assert len(entries(app, contact_key("ann"))) == 2


async def test_a_decision_waits_for_the_contact_no_longer_than_its_deadline() -> None:
    async with running(sites=[mail_site()], decide_deadline_ms=60) as app:
        cookie = await view(app, await landed(app, (await mailed(app))["link"]))
        app.gateway.visitors._cache.pop(contact_key("ann"))
        read = app.store.read

        async def slow(visitor: Any, revision: str) -> Any:
            if visitor.kind == "k":
                await asyncio.sleep(0.5)
            return await read(visitor, revision)

        app.store.read = slow  # type: ignore[method-assign]
        answer = await app.post("/v1/decide", headers={"cookie": cookie, "user-agent": CHROME}, placements=["hero"])
        assert answer.json()["degraded"] is False
        assert answer.json()["placements"]["hero"]["block"] == "pro", "the browser's own profile says that it is known"


async def test_recognition_ends_with_the_link_and_with_the_contact() -> None:
    async with running(sites=[mail_site()]) as app:
        cookie = await view(app, await landed(app, (await mailed(app))["link"]))
        assert (await decided(app, cookie))["block"] == "pro"
        app.store.documents[contact_key("ann")] = b'{"r":"r","f":1,"x":%d}' % (clock() + 1)
        assert (await decided(app, cookie))["block"] == "welcome", "the contact was erased"
        now = clock()
        short = link(expires=now - now % 1000 + 2000)
        cookie = await view(app, f"https://www.example.com/?tuttu={LINKS.recognition(short, now)}")
        app.gateway._desk.clock = lambda: now + 3000
        assert (await decided(app, cookie))["block"] == "welcome", "the link has expired"


async def test_without_personalization_the_contact_is_not_even_read() -> None:
    async with running(sites=[mail_site()]) as app:
        cookie = await view(app, await landed(app, (await mailed(app))["link"]), consent=["analytics"])
        app.gateway.visitors._cache.clear()
        before = app.store.reads
        assert (await decided(app, cookie))["block"] == "welcome"
        assert app.store.reads == before + 1


async def test_a_link_from_before_an_erasure_counts_for_nothing_and_a_later_one_does() -> None:
    async with running(sites=[mail_site()]) as app:
        key, found = contact_key("ann"), await mailed(app)
        app.store.documents[key] = tombstone = b'{"r":"r","f":1,"x":%d}' % (clock() + 1)
        app.gateway._desk.clock = lambda: clock() + 5000
        cookie = await view(app, await landed(app, found["link"]))
        await app.http.get(path_of(found["pixel"]))
        assert app.store.documents[key] == tombstone
        assert (await decided(app, cookie))["block"] == "welcome"
        cookie = await view(app, await landed(app, (await mailed(app))["link"]))
        assert (await decided(app, cookie))["block"] == "pro"
