from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, Route

from tests.browser.pages import Watched, cookie_of
from tests.browser.sdk_pages import HERO, Site, call, logged, names, settled, shared_gateway, shown, until
from tests.integration.process import Gateway

pytestmark = pytest.mark.usefixtures("watched")

WAIT = 'data-consent="wait"'


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


@pytest.fixture
def site(context: BrowserContext, gateway: Gateway) -> Site:
    return Site(context, gateway)


async def stored(page: Page) -> list[str]:
    """Return the names of everything that the page's site keeps in this browser."""
    keys: list[str] = await page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return sorted(keys + ([] if not await cookie_of(page) else ["cookie"]))


async def test_nothing_is_kept_or_told_before_the_choice(site: Site) -> None:
    page = await site.open("/wait", HERO, options=WAIT)
    await call(page, "tuttu.track('Never Told')")
    assert await shown(page) == "book a demo"
    [(path, body, request)] = site.sent
    assert path == "decide"
    assert (body["batch"], body["consent"]) == ([], [])
    assert "cookie" not in request.headers
    assert (await settled(page))["placements"]["home hero"]["reason"] == "no_consent"
    await page.click("[data-tuttu] [data-tuttu-dismiss]")
    assert await stored(page) == []
    assert not any(e["e"].get("event") == "Never Told" for e in site.gateway.log())


async def test_no_cookie_goes_out_while_the_choice_is_awaited(site: Site, context: BrowserContext) -> None:
    page = await site.open("/before", HERO)
    await logged(page, site.gateway, 1)
    cookie = await cookie_of(page)
    page = await site.open("/waiting", HERO, options=WAIT)
    await settled(page)
    headers = await site.sent[-1][2].all_headers()
    assert "cookie" not in headers
    assert await cookie_of(page) == cookie


async def test_what_was_held_back_goes_when_the_visitor_allows_it(site: Site) -> None:
    page = await site.open("/allow", HERO, options=WAIT)
    await call(page, "tuttu.track('Held Back')")
    await settled(page)
    answer = await page.evaluate("tuttu.consent(['analytics', 'personalization'])")
    assert answer["placements"]["home hero"]["reason"] == "rule"
    found = await logged(page, site.gateway, 2)
    assert names(found) == ["page", "Held Back"]
    assert {tuple(e["c"]) for e in found} == {("analytics", "personalization")}
    await call(page, "tuttu.consent(['analytics', 'personalization'])")  # as banners do on every page
    assert len(site.sent) == 2
    page = await site.open("/next", HERO, options=WAIT)
    assert names(await logged(page, site.gateway, 3)) == ["page", "Held Back", "page"]
    assert site.bodies()[-1]["consent"] == ["analytics", "personalization"]
    assert "tuttu_consent" in await stored(page)


async def test_a_choice_of_the_snippet_holds_from_the_first_request(site: Site) -> None:
    script = f"""<script>tuttu = {{queue: [["consent", [["analytics"]], () => 0]]}}</script>
        <script type="module" src="/tuttu.js" data-write-key="demo" {WAIT}></script>"""
    page = await site.open("/early", HERO, script=script)
    found = await logged(page, site.gateway, 1)
    assert [tuple(e["c"]) for e in found] == [("analytics",)]
    assert len(site.sent) == 1


async def test_what_was_held_back_is_thrown_away_when_the_visitor_refuses(site: Site) -> None:
    page = await site.open("/refuse", HERO, options=WAIT)
    await call(page, "tuttu.track('Thrown Away')")
    await call(page, "tuttu.consent([])")
    await until(lambda: len(site.bodies("batch")) == 1)
    await call(page, "tuttu.track('After Refusal')")
    page = await site.open("/refused", HERO, options=WAIT)
    assert await shown(page) == "book a demo"
    assert [body["batch"] for body in site.bodies()] == [[], [], []]
    assert site.bodies()[-1]["consent"] == []
    await until(lambda: stored_is(page, ["tuttu_consent"]))
    assert not any(e["e"].get("event") in {"Thrown Away", "After Refusal"} for e in site.gateway.log())


async def test_ads_alone_are_a_refusal(site: Site) -> None:
    page = await site.open("/ads", options=WAIT)
    await call(page, "tuttu.consent(['ads'])")
    await until(lambda: site.sent)
    assert site.bodies() == [site.bodies()[0] | {"batch": [], "consent": ["ads"]}]


async def test_a_withdrawal_erases_the_visitor_and_leaves_only_the_choice(site: Site) -> None:
    page = await site.open("/withdraw", HERO)
    [view] = await logged(page, site.gateway, 1)
    await click_without_leaving(page)
    await logged(page, site.gateway, 2)
    await call(page, "tuttu.consent([])")
    await until(lambda: stored_is(page, ["tuttu_consent"]))
    assert site.gateway.profile(view["v"]).erased
    sent = len(site.sent)
    await call(page, "Promise.all([tuttu.track('No'), tuttu.converted('home hero'), tuttu.page()])")
    await until(lambda: len(site.sent) > sent)
    assert [(body["batch"], body["consent"]) for body in site.bodies()[sent:]] == [([], [])]
    assert await stored(page) == ["tuttu_consent"]


async def test_a_withdrawal_that_did_not_arrive_is_sent_from_the_next_page(
    site: Site, context: BrowserContext, watched: Watched
) -> None:
    watched.expect("Failed to load resource")
    page = await site.open("/unheard")
    [view] = await logged(page, site.gateway, 1)

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await context.route("**/v1/*", refuse)
    await call(page, "tuttu.consent([])")
    await until(lambda: len(site.sent) == 2)
    await context.unroute("**/v1/*", refuse)
    await page.reload()
    await until(lambda: site.gateway.profile(view["v"]).erased)
    await until(lambda: stored_is(page, ["tuttu_consent"]))


async def test_reset_starts_anew_after_what_was_before(site: Site) -> None:
    page = await site.open("/reset", HERO)
    await settled(page)
    await click_without_leaving(page)
    await call(
        page,
        "Promise.all([tuttu.identify('u-9'), tuttu.track('Before'), tuttu.reset(), tuttu.track('After')])",
    )
    await until(lambda: any(body.get("reset") for body in site.bodies()))
    before, after = site.bodies("batch")[-2:]
    assert [e.get("event", e["type"]) for e in before["batch"]][-2:] == ["identify", "Before"]
    assert ([e["event"] for e in after["batch"]], after["reset"]) == (["After"], True)
    assert not after["batch"][0].get("userId")
    assert "reset" not in before
    assert await page.evaluate("sessionStorage.length") == 0
    await call(page, "tuttu.track('Much Later')")
    await until(lambda: any(e["event"] == "Much Later" for e in site.bodies("batch")[-1]["batch"]))
    assert "reset" not in site.bodies("batch")[-1]


async def click_without_leaving(page: Page) -> None:
    await page.evaluate("addEventListener('click', (event) => event.preventDefault())")
    await page.click("[data-tuttu] a")


async def stored_is(page: Page, names_: list[str]) -> bool:
    return await stored(page) == names_
