from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import BrowserContext, Route

from tests.browser.pages import Watched
from tests.browser.sdk_pages import HERO, Site, call, each_answer, logged, names, settled, shared_gateway, until
from tests.integration.process import Gateway

BLOCKED = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, {get() { throw new DOMException("no", "SecurityError") }})"""


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


@pytest.fixture
def site(context: BrowserContext, gateway: Gateway, watched: Watched) -> Site:
    watched.expect("Failed to load resource")  # Chromium says so of every request that fails
    return Site(context, gateway)


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (503, {}, 0.45),
        (503, {"retry-after": "2"}, 1.9),
        (429, {"retry-after": "2"}, 1.9),
        (408, {}, 0.45),
        (0, {}, 0.45),
    ],
)
async def test_a_failed_request_goes_again_with_the_same_ids(
    site: Site, context: BrowserContext, status: int, header: dict[str, str], wait: float
) -> None:
    times: list[float] = []

    async def fail_first(number: int, route: Route) -> None:
        times.append(asyncio.get_running_loop().time())
        if number:
            await route.fallback()
        elif status:
            await route.fulfill(status=status, headers=header, json={"code": "later"})
        else:
            await route.abort("connectionreset")

    await each_answer(context, fail_first)
    page = await site.open("/again", HERO)
    await call(page, "tuttu.track('Later')")
    found = await logged(page, site.gateway, 2)
    assert sorted(names(found)) == ["Later", "page"]
    first, second, *_ = site.bodies()
    assert [e["messageId"] for e in first["batch"]] == [e["messageId"] for e in second["batch"]][: len(first["batch"])]
    assert times[1] - times[0] >= wait
    await until(lambda: page.evaluate("!localStorage.tuttu_queue"))


async def test_what_was_stored_before_a_lost_answer_is_stored_once(site: Site, context: BrowserContext) -> None:
    page = await site.open("/lost")
    await settled(page)

    async def lose_answer(number: int, route: Route) -> None:
        if number:
            await route.fallback()
        else:
            await route.fetch()
            await route.abort("connectionreset")

    await each_answer(context, lose_answer)
    await call(page, "tuttu.track('Twice Sent')")
    await until(lambda: len(site.bodies()) == 3)
    assert names(await logged(page, site.gateway, 2)) == ["page", "Twice Sent"]


async def test_what_the_gateway_could_not_store_is_sent_again(site: Site, context: BrowserContext) -> None:
    async def reject_first(number: int, route: Route) -> None:
        if number:
            await route.fallback()
            return
        rejected = [
            {"index": 0, "code": "too_late", "message": "later"},
            {"index": 1, "code": "bad_event", "message": "never"},
        ]
        await route.fulfill(json={"success": True, "accepted": 1, "rejected": rejected, "retry": ["x"]})

    await each_answer(context, reject_first)
    warnings: list[str] = []
    context.on("console", lambda m: warnings.append(m.text) if m.type == "warning" else None)
    page = await site.open(
        "/rejected", '<script type=module>import {tuttu} from "/tuttu.js"; tuttu.track("B")</script>'
    )
    await logged(page, site.gateway, 1)
    first, second = site.bodies()
    assert [e["messageId"] for e in second["batch"]] == [first["batch"][0]["messageId"]]
    assert warnings == ["tuttu: never"]


async def test_a_final_answer_is_not_tried_again_and_is_explained(site: Site, context: BrowserContext) -> None:
    warnings: list[str] = []
    context.on("console", lambda m: warnings.append(m.text) if m.type == "warning" else None)
    script = f'<script type="module" src="{site.origin}/tuttu.js" data-write-key="nobody"></script>'
    page = await site.open("/final", HERO, script=script)
    assert (await settled(page))["placements"] == {}
    await call(page, "tuttu.track('Dropped Too')")
    await until(lambda: len(site.bodies()) == 2)
    await page.wait_for_timeout(1200)
    assert len(site.bodies()) == 2
    assert len(warnings) == 1
    assert "the write key is not known here" in warnings[0]
    assert "tuttu.toml" in warnings[0]
    assert await page.evaluate("localStorage.tuttu_queue") is None


async def test_events_of_an_offline_page_go_when_the_network_is_back(site: Site, context: BrowserContext) -> None:
    page = await site.open("/offline")
    await settled(page)
    await context.set_offline(offline=True)
    await call(page, "tuttu.track('While Offline')")
    await until(lambda: page.evaluate("localStorage.tuttu_queue?.includes('While Offline')"))
    await context.set_offline(offline=False)
    assert names(await logged(page, site.gateway, 2)) == ["page", "While Offline"]


async def test_events_of_an_offline_page_go_from_the_next_page(site: Site, context: BrowserContext) -> None:
    page = await site.open("/offline-1")
    await settled(page)
    await site.put("/offline-2", HERO)

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await context.route("**/v1/*", refuse)
    for number in range(3):
        await call(page, f"tuttu.track('Kept {number}')")
    await until(lambda: page.evaluate("JSON.parse(localStorage.tuttu_queue).length == 3"))
    await page.goto(f"{site.origin}/offline-2")
    await until(lambda: page.evaluate("JSON.parse(localStorage.tuttu_queue).length == 4"))
    await context.unroute("**/v1/*", refuse)
    await page.goto(f"{site.origin}/offline-1")
    found = await logged(page, site.gateway, 6)
    assert names(found) == ["page", "Kept 0", "Kept 1", "Kept 2", "page", "page"]
    await until(lambda: page.evaluate("!localStorage.tuttu_queue"))


async def test_two_tabs_lose_nothing_and_store_nothing_twice(site: Site, context: BrowserContext) -> None:
    one = await site.open("/tab-1")
    await settled(one)

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await context.route("**/v1/*", refuse)
    await call(one, "tuttu.track('Of One')")
    two = await site.open("/tab-2")
    await call(two, "tuttu.track('Of Two')")
    await until(lambda: two.evaluate("JSON.parse(localStorage.tuttu_queue).length == 3"))
    await context.unroute("**/v1/*", refuse)
    for page in (two, one):
        await page.evaluate("dispatchEvent(new Event('online'))")
    found = await logged(one, site.gateway, 4)
    assert sorted(names(found)) == ["Of One", "Of Two", "page", "page"]
    three = await site.open("/tab-3")  # sends what two tabs that wrote at the same time have left over
    await logged(three, site.gateway, 5)
    await until(lambda: three.evaluate("!localStorage.tuttu_queue"))


async def test_blocked_storage_changes_nothing_else(site: Site, context: BrowserContext) -> None:
    await context.add_init_script(BLOCKED)
    await site.put("/blocked-2")
    page = await site.open("/blocked", HERO)
    await settled(page)
    assert await page.inner_text("h1") == "See it at work"
    await page.evaluate("tuttu.track('Last Words'); location.href = '/blocked-2'")
    found = await logged(page, site.gateway, 3)
    assert sorted(names(found)) == ["Last Words", "page", "page"]


async def test_full_storage_changes_nothing_else(site: Site, context: BrowserContext) -> None:
    await context.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full') }")
    page = await site.open("/full")
    await call(page, "tuttu.track('Anyway')")
    assert sorted(names(await logged(page, site.gateway, 2))) == ["Anyway", "page"]


@pytest.mark.parametrize("how", ["navigate", "close", "hide"])
async def test_what_is_unsent_goes_when_the_page_goes(site: Site, how: str) -> None:
    page = await site.open("/leave")
    keeper = await site.context.new_page()
    await settled(page)
    calls = "for (let n = 0; n < 60; n++) tuttu.track('Leaving', {n, text: 'x'.repeat(300)})"
    if how == "hide":
        hidden = "Object.defineProperty(document, 'hidden', {value: true})"
        await page.evaluate(
            f"{calls}; {hidden}; document.dispatchEvent(new Event('visibilitychange', {{bubbles: true}}))"
        )
    elif how == "navigate":
        await page.evaluate(f"{calls}; location.href = 'about:blank'")
    else:
        await page.evaluate(calls)
        await page.close(run_before_unload=True)
    found = await logged(keeper, site.gateway, 61)
    numbers = [e["e"]["properties"]["n"] for e in found if e["k"] == "track"]
    assert sorted(numbers) == list(range(60))


async def test_a_slow_server_gets_one_request_at_a_time(site: Site, context: BrowserContext) -> None:
    under_way = most = 0
    both_called = asyncio.Event()

    async def slow(_: int, route: Route) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await both_called.wait()
        await asyncio.sleep(0.1)
        under_way -= 1
        await route.fallback()

    await each_answer(context, slow)
    page = await site.open("/slow", HERO)
    await call(page, "tuttu.track('A')")
    await page.wait_for_timeout(300)
    await call(page, "tuttu.track('B')")
    await page.wait_for_timeout(300)
    both_called.set()
    assert sorted(names(await logged(page, site.gateway, 3))) == ["A", "B", "page"]
    assert most == 1
    assert [len(body["batch"]) for body in site.bodies()] in ([1, 2], [2, 1], [3])


async def test_a_request_without_an_answer_is_given_up_and_tried_again(site: Site, context: BrowserContext) -> None:
    await context.add_init_script("""AbortSignal.timeout = (ms) => { window.patience = ms
        const abort = new AbortController(); setTimeout(() => abort.abort(), 350); return abort.signal }""")

    async def never(number: int, route: Route) -> None:
        if number:
            await route.fallback()
        else:
            await asyncio.sleep(1)
            await route.abort()

    await each_answer(context, never)
    page = await site.open("/never")
    await logged(page, site.gateway, 1)
    assert await page.evaluate("patience") == 10_000


async def test_large_queues_go_in_requests_that_may_outlive_the_page(site: Site) -> None:
    page = await site.open("/large")
    await settled(page)
    await call(page, "Promise.all([...Array(90).keys()].map(n => tuttu.track('L', {n, text: 'я'.repeat(1000)})))")
    found = await logged(page, site.gateway, 91)
    assert {e["e"]["properties"]["n"] for e in found[1:]} == set(range(90))
    sizes = [len(request.post_data_buffer or b"") for _, _, request in site.sent]
    assert max(sizes) < 64_000
    assert len(sizes) >= 5
