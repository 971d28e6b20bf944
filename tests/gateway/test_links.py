"""E-mail links: they recognize whoever comes by them, and give nobody more than that."""

from __future__ import annotations

import asyncio
import base64
import copy
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import clock
from gateway.identity.links import DAY_MS, Link, Links, lifetime_ms, recognition_in
from tests.gateway.app import App, running
from tests.gateway.mails import (
    CHROME,
    LINKS,
    TARGET,
    browser_key,
    contact_key,
    decided,
    entries,
    landed,
    mail_site,
    mailed,
    path_of,
    person,
    profile,
    view,
)
from tests.gateway.making import site

SCANNERS = (
    "",
    "Mozilla/5.0",
    CHROME,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 SafeLinks",
    "python-requests/2.32.0",
)


def stored(app: App) -> Any:
    return copy.deepcopy(app.store.snapshot())


def link(**fields: Any) -> Link:
    given = {
        "site": "demo",
        "contact": contact_key("ann").id,
        "message": "autumn",
        "target": TARGET,
        "expires": clock() + DAY_MS,
        "id": "an-id",
    }
    return Link(**(given | fields))


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


# -- attackers -------------------------------------------------------------------------------------------------------


async def test_a_planted_link_gives_the_attacker_one_click_and_nothing_of_the_victim() -> None:
    async with running(sites=[mail_site()]) as app:
        victim = await view(app, "https://www.example.com/secret-1")
        await app.post("/v1/identify", headers={"cookie": victim}, traits={"email": "victim@example.com"})
        before = profile(app, browser_key(victim))
        await view(app, await landed(app, (await mailed(app, "mallory"))["link"]), victim, properties={"path": "/mine"})
        await view(app, "https://www.example.com/secret-2", victim)
        (click,) = entries(app, contact_key("mallory"))
        text = orjson.dumps(click).decode()
        assert not any(word in text for word in ("secret", "victim", "/mine", "Linux", browser_key(victim).id))
        contact = profile(app, contact_key("mallory"))
        assert (contact.traits, contact.visits, contact.seen, contact.consent) == ([], [], [], [])
        after = profile(app, browser_key(victim))
        assert (after.traits, after.first_visit) == (before.traits, before.first_visit)


async def test_a_forwarded_link_recognizes_the_second_person_and_shows_no_trait_of_the_contact() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", traits={"first_name": "Ann", "email": "ann@example.com"})
        before = profile(app, contact_key("ann"))
        address = await landed(app, (await mailed(app))["link"])
        cookie = await view(app, address)
        headers = {"cookie": cookie, "user-agent": CHROME}
        answer = await app.post("/v1/decide", headers=headers, placements=["hero"], context={"page": {"url": address}})
        assert answer.json()["placements"]["hero"]["block"] == "pro"
        assert "Ann" not in answer.text
        assert "ann@example.com" not in answer.text
        after = profile(app, contact_key("ann"))
        assert (after.traits, after.user, after.visits) == (before.traits, before.user, before.visits)
        assert profile(app, browser_key(cookie)).traits == []


async def test_withdrawal_in_a_recognized_browser_erases_the_browser_alone() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", traits={"first_name": "Ann"})
        cookie = await view(app, await landed(app, (await mailed(app))["link"]))
        await app.post(headers={"cookie": cookie}, consent=[])
        assert profile(app, browser_key(cookie)).erased
        assert not profile(app, contact_key("ann")).erased
        assert len(entries(app, contact_key("ann"))) == 2


def tampered(token: str, **fields: Any) -> str:
    """Return a token with other fields and the signature that it had."""
    payload, _, signature = token.partition(".")
    values = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    at = {"site": 0, "contact": 1, "message": 2, "expires": 3, "target": 5}
    for name, value in fields.items():
        values[at[name]] = value
    return f"{base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip('=')}.{signature}"


GOOD = LINKS.link(link())
PIXEL = LINKS.pixel(link())
FORGED = {
    "target": tampered(GOOD, target="https://evil.example/"),
    "contact": tampered(GOOD, contact=contact_key("bob").id),
    "site": tampered(GOOD, site="other"),
    "expiry": tampered(GOOD, expires=4_000_000_000),
    "made-up key": Links(["z" * 32]).link(link()),
    "a pixel": PIXEL,
    "a recognition": LINKS.recognition(link(), clock()),
    "truncated": GOOD[:-1],
    "without signature": GOOD.partition(".")[0],
    "longer": GOOD + "A",
    "twice": GOOD + GOOD,
    "braces": "{p17}:v:demo",
    "newline": f"{GOOD[:40]}%0A{GOOD[40:]}",
    "header": "x%0D%0ALocation:%20https://evil.example",
    "10 KB": "A" * 10_240 + GOOD[-26:],
    "dots": "..%2e..",
    "bytes": "%FF%FE%00",
    "ä": "%C3%A4" + GOOD,
    "unlisted target": LINKS.link(link(target="https://evil.example/")),
    "a target that lost its place": LINKS.link(link(target="https://old.example.com/")),
    "unknown site": LINKS.link(link(site="gone")),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
async def test_a_forged_link_leads_nowhere(token: str) -> None:
    async with running(sites=[mail_site(), site(key="other", secret_key="another")]) as app:  # noqa: S106 - no secret
        answer = await app.http.get(f"/v1/go/{token}")
        assert answer.status_code == 404
        assert "location" not in answer.headers
        assert answer.json()["hint"]
        await app.http.get(f"/v1/open/{token}.gif")
        assert bool(app.store.documents) is (token == PIXEL)
    async with running(sites=[mail_site()], link_fallback="https://www.example.com/lost") as app:
        answer = await app.http.get(f"/v1/go/{token}")
        assert answer.headers.get("location", "https://www.example.com/lost") == "https://www.example.com/lost"


async def test_an_expired_link_still_leads_there_and_recognizes_nobody() -> None:
    async with running(sites=[mail_site()]) as app:
        old = link(expires=clock() - 1000)
        answer = await app.http.get(f"/v1/go/{LINKS.link(old)}")
        assert answer.headers["location"] == TARGET
        await view(app, f"https://www.example.com/?tuttu={LINKS.recognition(old, clock())}")
        assert all(key.kind == "a" and not profile(app, key).contact for key in app.store.documents)


RECOGNITION = LINKS.recognition(link(), clock())


@pytest.mark.parametrize(
    "token",
    [
        tampered(RECOGNITION, contact=contact_key("bob").id),
        tampered(RECOGNITION, site="other"),
        RECOGNITION[:-1],
        Links(["z" * 32]).recognition(link(), clock()),
        LINKS.recognition(link(site="other"), clock()),
        LINKS.recognition(link(), clock() - DAY_MS - 1000),
        GOOD,
        LINKS.pixel(link()),
        "{p17}",
        "%0A",
        "A" * 10_240,
    ],
)
async def test_a_forged_stale_or_foreign_recognition_is_none(token: str) -> None:
    async with running(sites=[mail_site()]) as app:
        await view(app, f"https://www.example.com/?tuttu={token}")
        assert all(key.kind == "a" and not profile(app, key).contact for key in app.store.documents)


@given(st.text())
def test_any_text_is_a_token_or_nothing(text: str) -> None:
    assert LINKS.read(text) is None
    assert LINKS.read_pixel(text) is None
    assert LINKS.recognized("demo", text, clock()) is None
    assert recognition_in({"url": f"https://a?tuttu={text}"}, {"page": text}) != "x&"


def test_links_of_an_older_key_still_hold() -> None:
    assert Links(["new" * 10, "k" * 32]).read(GOOD) == LINKS.read(GOOD)


# -- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "via"),
    [
        ("Mozilla/5.0", "apple privacy"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "image proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "image proxy"),
        (SCANNERS[3], "bot"),
        ("", "bot"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", "mail program"),
    ],
)
async def test_a_pixel_counts_once_and_says_what_fetched_it(agent: str, via: str) -> None:
    async with running(sites=[mail_site()]) as app:
        pixel = path_of((await mailed(app))["pixel"])
        for _ in range(3):
            answer = await app.http.get(pixel, headers={"user-agent": agent})
            assert answer.content.startswith(b"GIF89a")
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
        (opened,) = entries(app, contact_key("ann"))
        assert opened["e"]["event"] == "Email Opened"
        assert opened["e"]["properties"]["via"] == via
        assert profile(app, contact_key("ann")).visits == []
        assert app.outcomes() == {"stored": 1, "duplicate": 2}


async def test_a_pixel_is_a_picture_whatever_happens() -> None:
    async with running(sites=[mail_site()]) as app:
        pixel = path_of((await mailed(app))["pixel"])
        app.store.down = True
        for path in (pixel, "/v1/open/x.gif", f"/v1/open/{LINKS.pixel(link(expires=1000))}.gif"):
            answer = await app.http.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        app.store.down = False
        assert app.store.documents == {}
        assert app.counted("events_received") == sum(app.outcomes().values()) == 1


async def test_without_consent_of_the_contact_a_pixel_notes_nothing() -> None:
    async with running(sites=[mail_site(consent=frozenset())]) as app:
        await app.http.get(path_of((await mailed(app))["pixel"]))
        assert app.store.documents == {}
        await person(app, "ann", consent=["analytics"])
        await app.http.get(path_of((await mailed(app))["pixel"]))
        assert [e["e"].get("event") for e in entries(app, contact_key("ann"))] == [None, "Email Opened"]


# -- minting ---------------------------------------------------------------------------------------------------------


async def mint(app: App, key: str = "a secret key", headers: Any = None, **body: Any) -> httpx.Response:
    return await app.http.post("/v1/links", json={"writeKey": key, "base": "https://t.test", **body}, headers=headers)


async def test_links_are_minted_in_order_each_good_or_bad_on_its_own() -> None:
    async with running(sites=[mail_site()]) as app:
        good = {"userId": "u", "target": TARGET, "message": "m"}
        wrong = [
            ({"userId": "guest"}, "userId"), ({"userId": ""}, "userId"), ({"userId": None}, "userId"),
            ({"userId": "x" * 513}, "userId"), ({"target": "https://evil.example/"}, "target"),
            ({"target": "//www.example.com/"}, "target"), ({"target": 5}, "target"), ({"message": ""}, "message"),
            ({"message": "a\nb"}, "message"), ({"message": "m" * 101}, "message"), ({"expires": "401d"}, "expires"),
            ({"expires": "soon"}, "expires"), ({"expires": "0d"}, "expires"),
        ]  # fmt: skip
        items = [good, *({**good, **change} for change, _ in wrong), 5, {**good, "expires": "400 days"}]
        found = (await mint(app, links=items)).json()["links"]
        assert [each["error"]["part"] for each in found[1:-2]] == [part for _, part in wrong]
        assert found[-2]["error"]["part"] == "link"
        assert found[0]["link"].startswith("https://t.test/v1/go/")
        assert found[-1]["expires"] > clock() + 399 * DAY_MS
        assert app.store.documents == {}


async def test_only_a_sites_server_mints() -> None:
    async with running(sites=[mail_site()]) as app:
        items = [{"userId": "u", "target": TARGET, "message": "m"}]
        answer = await mint(app, "demo", links=items)
        assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_wanted")
        answer = await mint(app, headers={"origin": "https://www.example.com"}, links=items)
        assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_browser")
        assert (await mint(app, "nobody's", links=items)).status_code == 401
        for links in ([], items * 1001, {}, None):
            assert (await mint(app, links=links)).status_code == 400
        for base in ("//x", "javascript:alert(1)", "https://a@b/", "https://x/?y"):
            assert (await mint(app, links=items, base=base)).status_code == 400


async def test_a_message_that_was_sent_is_noted_once_for_each_contact() -> None:
    async with running(sites=[mail_site()]) as app:
        items = [
            {"userId": user, "target": TARGET, "message": message, "sent": True}
            for user in ("ann", "bob")
            for message in ("autumn", "autumn", "winter")
        ]
        for _ in range(2):
            assert (await mint(app, links=items)).status_code == 200
        for user in ("ann", "bob"):
            found = [e["e"]["properties"]["message"] for e in entries(app, contact_key(user))]
            assert sorted(found) == ["autumn", "winter"]
        app.store.down = True
        assert (await mint(app, links=items)).status_code == 503


@pytest.mark.parametrize(("text", "hours"), [("30d", 720), ("1 day", 24), ("12h", 12), ("400 days", 9600)])
def test_a_lifetime_is_in_days_or_hours(text: str, hours: int) -> None:
    assert lifetime_ms(text) == hours * 3_600_000
