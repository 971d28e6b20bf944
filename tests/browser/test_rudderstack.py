"""RudderStack's own browser library, unchanged, in Chromium: at the gateway's own origin and at another."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.pages import Watched, cookie_of
from tests.browser.web_clients import (
    STORY,
    OtherSite,
    Stored,
    answer_once,
    below_a_path,
    from_the_docs,
    gateway_in,
    hosts_of,
    own_page,
    refuse_allow_refuse,
    told,
    until,
)
from tests.integration.process import Gateway

CLIENT = "rudderstack"
SINGLE: dict[str, object] = {}
BATCH = {"queueOptions": {"batch": {"enabled": True, "maxItems": 5, "flushInterval": 300}}}
BEACON = {"useBeacon": True, "beaconQueueOptions": {"maxItems": 5, "flushQueueInterval": 300}}
LAZY = {"useBeacon": True, "beaconQueueOptions": {"maxItems": 10, "flushQueueInterval": 60_000}}
SOURCE = {
    "source": {
        "id": "www",
        "name": "www",
        "enabled": True,
        "writeKey": "demo",
        "workspaceId": "www",
        "config": {},
        "connections": [],
        "destinations": [],
    }
}

all_deliveries = pytest.mark.parametrize("delivery", [SINGLE, BATCH, BEACON], ids=["single", "batch", "beacon"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all tests of this file, to save its start; each test looks at what came since it began."""
    with gateway_in(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[OtherSite]:
    with OtherSite(CLIENT) as site:
        yield site


async def load(page: Page, gateway: Gateway, delivery: dict[str, object]) -> None:
    """Load the library with the gateway as data plane and the source's settings inline."""
    script = "([url, source, options]) => load(url, {...options, getSourceConfig: () => source})"
    await page.evaluate(script, [gateway.public, SOURCE, delivery])


@all_deliveries
async def test_at_the_own_origin_a_visitor_with_a_cookie_is_decided_for(
    context: BrowserContext, gateway: Gateway, watched: Watched, delivery: dict[str, object]
) -> None:
    stored = Stored(gateway)
    page = await own_page(context, gateway, CLIENT)
    hosts = hosts_of(page)
    await load(page, gateway, delivery)
    await page.evaluate("void story.view()")
    await stored.reach(1)
    value = await cookie_of(page)
    await page.evaluate("void story.rest()")
    entries = await stored.reach(len(STORY))

    assert Counter(told(entries)) == Counter(STORY)
    assert len({e["m"] for e in entries}) == len(STORY)
    assert {e["v"] for e in entries} == {"a:" + value.partition(".")[0]}
    assert all(e["b"] and "bot" not in e["f"] for e in entries), "headless Chromium is no bot here"
    assert {(e["f"]["language"], e["f"]["campaign"]) for e in entries} == {("fi", "kevat")}
    by_type = {e["k"]: e["e"] for e in entries}
    assert by_type["identify"]["userId"] == by_type["track"]["userId"] == by_type["group"]["userId"] == "u-1001"
    assert by_type["identify"]["traits"] == {"email": "zoë@example.com", "plan": "pro"}
    assert by_type["track"]["properties"] == {"plan": "pro"}
    assert (by_type["group"]["groupId"], by_type["group"]["traits"]) == ("g-42", {"name": "Konepaja Oy"})
    assert by_type["page"]["properties"]["title"] == "Hinnasto"
    assert by_type["page"]["properties"]["url"] == f"{gateway.public}/page?utm_campaign=kevat"
    hero = await page.evaluate("decide('')")
    assert (hero["block"], hero["reason"]) == ("book a demo", "rule")
    assert hosts == {gateway.public.removeprefix("http://")}


@all_deliveries
async def test_from_another_origin_events_are_claims_without_a_cookie(
    context: BrowserContext, gateway: Gateway, elsewhere: OtherSite, watched: Watched, delivery: dict[str, object]
) -> None:
    stored = Stored(gateway)
    page = await context.new_page()
    await page.goto(f"{elsewhere.url}/hinnasto")
    await load(page, gateway, delivery)
    await page.evaluate("void story.view()")
    await stored.reach(1)
    await page.evaluate("void story.rest()")
    entries = await stored.reach(len(STORY))

    assert Counter(told(entries)) == Counter(STORY)
    anonymous = [e for e in entries if not e["e"].get("userId")]
    assert told(anonymous) == [STORY[0]]
    assert {e["v"][:2] for e in entries} == {"c:"}
    assert len({e["v"] for e in entries if e not in anonymous}) == 1
    assert await cookie_of(page) == ""
    hero = await page.evaluate("gateway => decide(gateway)", gateway.public)
    assert (hero["block"], hero["reason"], hero["decision"]) == ("welcome", "claim", None)


@pytest.mark.parametrize("origin", ["own", "other"])
async def test_a_beacon_takes_what_waits_along_when_the_page_is_left(
    context: BrowserContext, gateway: Gateway, elsewhere: OtherSite, watched: Watched, origin: str
) -> None:
    stored = Stored(gateway)
    page = await own_page(context, gateway, CLIENT) if origin == "own" else await context.new_page()
    if origin == "other":
        await page.goto(f"{elsewhere.url}/hinnasto")
    await load(page, gateway, LAZY)
    await page.evaluate("story.view(); void story.rest()")
    assert stored.entries() == []
    await page.goto("about:blank")
    entries = await stored.reach(len(STORY))

    assert Counter(told(entries)) == Counter(STORY)
    assert {e["v"][:2] for e in entries} == {"a:" if origin == "own" else "c:"}


@pytest.mark.parametrize(("delivery", "status"), [(SINGLE, 503), (BATCH, 429)], ids=["single", "batch"])
async def test_a_refused_request_is_sent_again_and_stored_once(
    context: BrowserContext, gateway: Gateway, watched: Watched, delivery: dict[str, object], status: int
) -> None:
    watched.expect(f"status of {status}").expect("Failed to deliver event")
    stored = Stored(gateway)
    page = await own_page(context, gateway, CLIENT)
    address = gateway.public + ("/v1/batch" if delivery is BATCH else "/v1/page")
    sent = await answer_once(page, address, status, {"Retry-After": "1"})
    await load(page, gateway, delivery)
    await page.evaluate("void story.view()")
    entries = await stored.reach(1)

    assert told(entries) == [STORY[0]]
    await until(lambda: len(sent) >= 2)
    assert len(sent) == 2


async def test_while_the_store_is_away_another_origin_sees_503_and_sends_again(
    context: BrowserContext, gateway: Gateway, elsewhere: OtherSite, watched: Watched
) -> None:
    watched.expect("status of 503").expect("Failed to deliver event")
    stored = Stored(gateway)
    page = await context.new_page()
    await page.goto(f"{elsewhere.url}/hinnasto")
    await load(page, gateway, SINGLE)
    await page.evaluate("void story.view()")
    await stored.reach(1)
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if answer.url.endswith("/v1/track") else None)
    store = gateway.store_pid()
    os.kill(store, signal.SIGSTOP)
    try:
        await page.evaluate("void analytics.track('Signed Up')")
        await until(lambda: 503 in statuses)
    finally:
        os.kill(store, signal.SIGCONT)
    await until(lambda: 200 in statuses)

    assert Counter(told(stored.entries())) == Counter([STORY[0], ("track", "Signed Up", "")])


async def test_below_a_path_of_an_https_site_the_path_is_all_that_it_needs(chromium: Browser, tmp_path: Path) -> None:
    context = await chromium.new_context(ignore_https_errors=True)
    with below_a_path(tmp_path, CLIENT) as (url, gateway):
        stored = Stored(gateway)
        page = await context.new_page()
        hosts = hosts_of(page)
        await page.goto(url)
        await page.evaluate("([url, source]) => load(`${url}/t`, {getSourceConfig: () => source})", [url, SOURCE])
        await page.evaluate("void story.view()")
        await stored.reach(1)
        await cookie_of(page)
        await page.evaluate("void story.rest()")
        entries = await stored.reach(len(STORY))
        hero = await page.evaluate("decide('/t')")
        (cookie,) = [c for c in await context.cookies() if c["name"] == "__Host-tuttu_id"]
    await context.close()

    assert Counter(told(entries)) == Counter(STORY)
    assert {e["v"] for e in entries} == {"a:" + cookie["value"].partition(".")[0]}
    assert (hero["block"], hero["reason"]) == ("book a demo", "rule")
    assert (cookie["secure"], cookie["httpOnly"], cookie["path"], cookie["sameSite"]) == (True, True, "/", "Lax")
    assert hosts == {url.removeprefix("https://")}


async def test_consent_by_the_lines_of_the_docs(context: BrowserContext, gateway: Gateway, watched: Watched) -> None:
    page = await own_page(context, gateway, CLIENT)
    await page.evaluate(
        """([url, source]) => {
          Object.assign(window, {key: "demo", url, banner: {onChoice: (tell) => { banner.tell = tell }}});
          const library = new RudderAnalytics(), load = library.load.bind(library);
          library.load = (key, url, options) => load(key, url, {...options, getSourceConfig: () => source});
          window.analytics = window.rudderanalytics = library;
        }""",
        [gateway.public, SOURCE],
    )
    await page.evaluate(from_the_docs("rudderanalytics.load"))
    await refuse_allow_refuse(page, gateway, "(allowed, denied) => banner.tell({allowed, denied})")
