"""Pixels, which always are a picture, and the minting of links by a site's own server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.app import clock
from gateway.identity.links import DAY_MS, lifetime_ms
from tests.gateway.app import App, running
from tests.gateway.mails import (
    LINKS,
    SCANNERS,
    TARGET,
    contact_key,
    entries,
    link,
    mail_site,
    mailed,
    path_of,
    person,
    profile,
)

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
