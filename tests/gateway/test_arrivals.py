"""What brought a visitor, from the request to the profile and the log: campaign, referrer, landing page, click ids."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.enrich import enriched
from gateway.enrich.clicks import clicks_of, traits_without_clicks, without_clicks
from gateway.identity.visitor import Cookies
from gateway.ports import VisitorKey
from personalize import documents
from personalize.clicks import KINDS
from personalize.profiles import Profile
from personalize.touches import touch_in
from tests.gateway.app import App, running
from tests.gateway.making import hit, site

ALL = ["analytics", "personalization", "ads"]
NO_ADS = ["analytics", "personalization"]
VISITOR = VisitorKey("demo", "a", "v")
COOKIE = {"cookie": f"__Host-tuttu_id={Cookies(['k' * 32]).value(site(), 'v')}"}
URL = "https://www.example.com/hinta?utm_source=news&utm_campaign=syksy&utm_term=x&utm_content=b"
CLICK = "Cj0KCQiA-secret_click.id~1"


def facts(referrer: Any = "", url: str = "https://www.example.com/a", origins: Any = None) -> Any:
    of = hit(site=site(origins=origins or ("https://shop.example.org", "http://localhost:*")))
    return enriched(of, {"page": {"url": url, "referrer": referrer}}, {})


@pytest.mark.parametrize(
    ("referrer", "came_from"),
    [
        ("https://www.google.com/search?q=secret#x", "www.google.com/search"),
        ("https://User:pw@News.Example.NET:8443/a/b?c", "news.example.net/a/b"),
        ("android-app://com.google.android.gm/", "com.google.android.gm/"),
        ("https://t.co", "t.co"),
        ("https://www.example.com/earlier", ""),
        ("https://example.com/earlier", ""),
        ("http://localhost:3000/x", ""),
        ("https://shop.example.org/x", ""),
        ("https://shop.example.org.evil.example/x", "shop.example.org.evil.example/x"),
        ("/relative", ""),
        ("about:blank", ""),
        ("http://[::1", ""),
        ("", ""),
        (7, ""),
    ],
)
def test_only_a_page_outside_of_the_site_is_where_somebody_came_from(referrer: Any, came_from: str) -> None:
    assert facts(referrer).came_from == came_from


def test_an_address_as_origin_is_the_sites_own_host() -> None:
    assert facts("http://[::1]:3000/a", origins=("http://[::1]:3000",)).came_from == ""


def clicks(query: str) -> dict[str, str]:
    return clicks_of({"page": {"url": f"https://www.example.com/?{query}"}}, {})


def test_click_ids_are_read_from_the_address() -> None:
    assert clicks("&".join(f"{kind}=x{kind}" for kind in KINDS)) == {kind: f"x{kind}" for kind in KINDS}
    assert clicks_of({}, {"url": "/a?gclid=1&gclid=2"}) == {"gclid": "1"}


@pytest.mark.parametrize(
    "query",
    [
        "gclid=",
        "gclid=a%20b",
        "gclid=<script>",
        f"gclid={'x' * 301}",
        "xgclid=1",
        "GCLID=1",
        "a=gclid",
        "a=1#gclid=2",
        "=&&",
    ],
)
def test_what_no_network_writes_is_no_click_id(query: str) -> None:
    assert clicks(query) == {}


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("https://x.example/?gclid=a", "https://x.example/"),
        ("https://x.example/?a=1&gclid=a", "https://x.example/?a=1"),
        ("https://x.example/?gclid=a&b=1", "https://x.example/?b=1"),
        ("https://x.example/?fbclid=1&gclid=2&c=3&ttclid=4&tuttu=x#f", "https://x.example/?c=3#f"),
        ("https://x.example/?gclid=a#f", "https://x.example/#f"),
        ("?gclid=a", ""),
        ("gclid=a&b=2", "b=2"),
        ("https://y.example/?to=https%3A%2F%2Fx%2F%3Fgclid%3Dabc%26b%3D1&q=2", "https://y.example/?to=https%3A%2F%2Fx%2F%3Fb%3D1&q=2"),
        ("/a?gclid=%C3%A4;b=1", "/a?b=1"),
        ("https://y.example/?to=%3fgclid%3dabc", "https://y.example/?to="),
        ("/?a=%252Fx%253Fgclid%253Dabc%2526b%253D1&c=2", "/?a=%252Fx%253Fb%253D1&c=2"),
        ("/?a=%25253Fb%25253D1%252526gclid%25253Dabc", "/?a=%25253Fb%25253D1"),
        ("what is gclid=1?", "what is gclid=1?"),
        ("/?xgclid=1&tuttux=3&grid=4", "/?xgclid=1&tuttux=3&grid=4"),
    ],
)  # fmt: skip
def test_click_ids_are_taken_out_of_addresses(address: str, left: str) -> None:
    entry = orjson.dumps({"e": {"url": address, "n": [1]}})
    assert orjson.loads(without_clicks(entry, ads=False)) == {"e": {"url": left, "n": [1]}}


def test_fields_with_the_name_of_a_click_id_are_emptied() -> None:
    before = {"gclid": 'a"\\', "traits": {"fbclid": "x", "n": [{"ttclid": 12.5}]}, "grid": "b", "aid": "gclid"}
    after = {"gclid": "", "traits": {"fbclid": "", "n": [{"ttclid": ""}]}, "grid": "b", "aid": "gclid"}
    assert orjson.loads(without_clicks(orjson.dumps(before), ads=False)) == after
    assert orjson.loads(without_clicks(orjson.dumps(before), ads=True)) == before


def test_traits_are_kept_without_click_ids_and_our_links() -> None:
    traits = {"first page": "https://x.example/?gclid=a&tuttu=token.x&b=1", "plan": "pro"}
    without = {"first page": "https://x.example/?b=1", "plan": "pro"}
    assert traits_without_clicks(traits, ads=False) == without
    assert traits_without_clicks(traits, ads=True) == without | {"first page": "https://x.example/?gclid=a&b=1"}
    assert traits_without_clicks({"plan": "pro"}, ads=False) == {"plan": "pro"}


def test_our_own_links_are_never_logged_and_click_ids_where_ads_are_allowed() -> None:
    entry = orjson.dumps({"url": "/?gclid=a&tuttu=token.x&b=1"})
    assert orjson.loads(without_clicks(entry, ads=True)) == {"url": "/?gclid=a&b=1"}


PIECES = st.sampled_from(
    ["?", "&", "#", ";", '"', "\\", "%", "25", "%26", "%3D", "=", "gclid", '":"', "ttclid=", "tuttu=", "é", "\n"]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_an_entry_stays_json_whatever_addresses_it_holds(address: str) -> None:
    before = {"a": address, address: [address, 5]}
    after = orjson.loads(without_clicks(orjson.dumps(before), ads=False))
    assert list(after.values())[-1][-1] == 5
    again = orjson.dumps(after)
    assert orjson.loads(without_clicks(again, ads=True)) is not None


async def visit(app: App, url: str, message: str, consent: Any = None, **properties: Any) -> None:
    page = {"url": url, "search": f"?{url.partition('?')[2]}", "path": "/hinta", "referrer": url, **properties}
    said = {"consent": consent} if consent is not None else {}
    body = {"messageId": message, "properties": page, "context": {"page": page}, **said}
    assert (await app.post("/v1/page", COOKIE, **body)).json()["accepted"] == 1


def profile(app: App) -> Profile:
    return documents.decode(app.store.documents[VISITOR])


async def test_a_visit_by_a_campaign_is_the_first_and_the_last_touch() -> None:
    async with running() as app:
        await visit(app, URL, "1", referrer="https://www.google.com/search?q=x")
        await visit(app, "https://www.example.com/other", "2")
        first, last = touch_in(profile(app).first), touch_in(profile(app).last)
        assert first[1:] == ("/hinta", "www.google.com/search", "syksy", "news", "", "x", "b")
        assert last == first, "a step from page to page leaves it as it is"
        await visit(app, "https://www.example.com/?utm_medium=email", "3")
        assert touch_in(profile(app).last).medium == "email"
        assert touch_in(profile(app).first) == first


async def test_click_ids_are_kept_and_logged_only_while_ads_are_allowed() -> None:
    async with running() as app:
        await visit(app, f"{URL}&gclid={CLICK}", "1")
        await visit(app, f"{URL}&fbclid={CLICK}", "2", NO_ADS, deep={"list": [f"https://x/?gclid={CLICK}"]})
        assert profile(app).clicks == {}
        assert CLICK not in str([*app.store.documents.values(), *app.store.log(VISITOR)])
        assert "utm_campaign=syksy" in str(app.store.log(VISITOR)), "the rest of the address stays"
        await visit(app, f"{URL}&gclid={CLICK}", "3", ALL)
        assert {kind: text for kind, (_, text) in profile(app).clicks.items()} == {"gclid": CLICK}
        assert CLICK in str(app.store.log(VISITOR)[-1])


async def test_refusing_ads_takes_the_click_ids_away_and_nothing_else() -> None:
    async with running() as app:
        await visit(app, f"{URL}&gclid={CLICK}", "1", ALL)
        await visit(app, URL, "2", NO_ADS)
        assert CLICK not in str(app.store.documents[VISITOR])
        assert (touch_in(profile(app).first).campaign, profile(app).visits != []) == ("syksy", True)
        await visit(app, f"{URL}&gclid={CLICK}", "3")
        assert profile(app).clicks == {}, "the stored choice holds"


async def test_a_stored_choice_with_ads_lets_later_clicks_be_kept() -> None:
    async with running() as app:
        await visit(app, URL, "1", ALL)
        await visit(app, f"{URL}&ttclid={CLICK}", "2")
        assert list(profile(app).clicks) == ["ttclid"]


async def test_a_bot_and_a_server_leave_no_click_ids() -> None:
    async with running() as app:
        bot = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", **COOKIE}
        body = {"properties": {"url": f"{URL}&gclid={CLICK}"}, "consent": ALL}
        await app.post("/v1/page", bot, **body)
        assert (profile(app).clicks, profile(app).first, profile(app).last) == ({}, [], [])
        await app.post("/v1/page", COOKIE, channel="server", **body)
        assert (profile(app).clicks, profile(app).first) == ({}, [])
