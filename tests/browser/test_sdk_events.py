from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext

from tests.browser.pages import STRICT, Watched, cookie_of
from tests.browser.sdk_pages import BUNDLE, HERO, ROOT, Site, call, logged, names, settled, shared_gateway, shown, until
from tests.integration.process import Gateway

pytestmark = pytest.mark.usefixtures("watched")


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


@pytest.fixture
def site(context: BrowserContext, gateway: Gateway) -> Site:
    return Site(context, gateway)


def snippet() -> str:
    """Return the snippet as a site would paste it."""
    return (ROOT / "sdk-js" / "snippet.html").read_text("utf-8")


async def test_a_page_view_and_the_decisions_for_all_slots_go_in_one_request(site: Site) -> None:
    page = await site.open("/one?a=1", HERO + '<aside data-tuttu="side box"></aside>')
    answer = await settled(page)
    assert answer["placements"]["home hero"]["block"] == "book a demo"
    assert answer["visitor"]["returning"] is False
    [view] = await logged(page, site.gateway, 1)
    [(path, body, request)] = site.sent
    assert path == "decide"
    assert body["placements"] == ["home hero", "side box"]
    assert request.headers["content-type"] == "text/plain;charset=UTF-8"
    assert body["writeKey"] == "demo"
    assert "consent" not in body or body["consent"] is None
    assert view["k"] == "page"
    assert view["e"]["context"]["page"] == {
        "path": "/one",
        "url": f"{site.origin}/one?a=1",
        "search": "?a=1",
        "referrer": "",
        "title": "T /one?a=1",
    }
    assert view["f"]["language"] == "fi"


async def test_a_page_without_slots_sends_a_batch(site: Site) -> None:
    page = await site.open("/plain")
    await logged(page, site.gateway, 1)
    assert [path for path, _, _ in site.sent] == ["batch"]
    assert (await settled(page))["placements"] == {}


async def test_every_call_arrives_once_with_its_fields(site: Site) -> None:
    page = await site.open("/calls", HERO)
    await call(
        page,
        """Promise.all([
            tuttu.track("Signed Up", {plan: "pro"}), tuttu.identify("u-1", {name: "Åsa"}, {userHash: "abc"}),
            tuttu.group("g-1", {size: 3}), tuttu.page("Named", {section: 2}), tuttu.track("After")])""",
    )
    view, signed, identified, grouped, named, after = await logged(page, site.gateway, 6)
    assert view["k"] == "page"
    assert signed["e"]["event"] == "Signed Up"
    assert signed["e"]["properties"] == {"plan": "pro"}
    assert "userId" not in signed["e"]
    assert (identified["k"], identified["e"]["userId"], identified["e"]["traits"]) == (
        "identify",
        "u-1",
        {"name": "Åsa"},
    )
    assert (grouped["e"]["groupId"], grouped["e"]["traits"]) == ("g-1", {"size": 3})
    assert (named["e"]["name"], named["e"]["properties"]) == ("Named", {"section": 2})
    assert after["e"]["userId"] == "u-1"
    assert len({e["m"] for e in (view, signed, identified, grouped, named, after)}) == 6
    hashed = [e for body in site.bodies() for e in body["batch"] if "userHash" in e]
    assert [e["userHash"] for e in hashed] == ["abc"]


async def test_nothing_is_sent_before_the_first_answer(site: Site) -> None:
    calls = "import {tuttu} from '/tuttu.js'; for (const n of [1, 2, 3]) tuttu.track('E' + n)"
    page = await site.open("/gate", f"{HERO}<script type=module>{calls}</script>")
    found = await logged(page, site.gateway, 4)
    assert sorted(names(found)) == ["E1", "E2", "E3", "page"]
    assert len({e["v"] for e in site.gateway.log() if e["m"] in {f["m"] for f in found}}) == 1
    first, *rest = (request.timing for _, _, request in site.sent)
    for timing in rest:
        assert timing["startTime"] + 1 >= first["startTime"] + first["responseEnd"]


async def test_calls_of_the_snippet_wait_and_run_in_order(site: Site) -> None:
    early = """<script>
        tuttu.identify("u-2"); tuttu.track("Early 1"); tuttu.track("Early 2").then(() => { window.early = true })
    </script>"""
    page = await site.open("/snippet", HERO, script=snippet() + early)
    await page.wait_for_function("window.early")
    found = await logged(page, site.gateway, 4)
    assert [names([e])[0] for body in site.bodies() for e in ({"k": i["type"], "e": i} for i in body["batch"])] == [
        "identify",
        "Early 1",
        "Early 2",
        "page",
    ]
    assert {e["e"].get("userId") for e in found} == {"u-2"}
    assert await shown(page) == "book a demo"


async def test_a_page_call_of_the_snippet_is_the_page_view(site: Site) -> None:
    page = await site.open("/own-view", HERO, script=snippet() + "<script>tuttu.page('Mine')</script>")
    await settled(page)
    [view] = await logged(page, site.gateway, 1)
    assert view["e"]["name"] == "Mine"
    assert len(site.sent) == 1


async def test_single_page_navigation_is_one_view_for_each_address(site: Site) -> None:
    page = await site.open("/spa", HERO)
    await settled(page)
    await page.evaluate("""() => {
        history.pushState(null, "", "/spa/two"); document.title = "Two"
    }""")
    await logged(page, site.gateway, 2)
    await page.evaluate("""async () => {
        history.replaceState(null, "", "/spa/two?sort=1"); history.replaceState({}, "", "/spa/two?sort=2#x")
        history.pushState(null, "", "/spa/two?sort=2#y")
        location.hash = "z"
        await new Promise(r => setTimeout(r, 310))
        history.replaceState(null, "", "/spa/three")
    }""")
    await logged(page, site.gateway, 4)
    await page.evaluate("history.back()")
    found = await logged(page, site.gateway, 5)
    seen = [e["e"]["context"]["page"]["url"].removeprefix(site.origin) for e in found]
    assert seen == ["/spa", "/spa/two", "/spa/two?sort=2#z", "/spa/three", "/spa/two?sort=2#y"]
    assert found[1]["e"]["context"]["page"]["title"] == "Two"


async def test_automatic_views_can_be_switched_off(site: Site) -> None:
    page = await site.open("/off", HERO, options='data-auto="off"')
    await call(page, "history.pushState(null, '', '/off/2')")
    await call(page, "tuttu.page()")
    [view] = await logged(page, site.gateway, 1)
    assert view["e"]["context"]["page"]["path"] == "/off/2"
    await settled(page)
    assert await page.get_attribute("[data-tuttu]", "data-tuttu-block") == "book a demo"


async def test_wrong_calls_warn_and_never_throw(site: Site) -> None:
    page = await site.open("/wrong")
    warnings: list[str] = []
    page.on("console", lambda m: warnings.append(m.text) if m.type == "warning" else None)
    await call(
        page,
        """() => { const ring = {}; ring.ring = ring
            return Promise.all([
                tuttu.track("Ring", {ring}), tuttu.consent(), tuttu.converted("nothing"), tuttu.track()]) }""",
    )
    await call(page, "tuttu.track('Fine')")
    found = await logged(page, site.gateway, 2)
    assert names(found) == ["page", "Fine"]
    assert len(warnings) == 1
    assert warnings[0].startswith("tuttu: ")


async def test_it_works_as_an_import_below_a_path_and_on_another_host(
    site: Site, context: BrowserContext, gateway: Gateway, watched: Watched
) -> None:
    watched.expect("503")
    asked: list[str] = []
    await context.route("**/t/v1/*", lambda route: (asked.append(route.request.url), route.fulfill(status=503))[1])
    # As a web server would pass it on that has the gateway below /t/.
    await context.route(
        "**/t/tuttu.js", lambda route: route.fulfill(path=BUNDLE, content_type="text/javascript; charset=utf-8")
    )
    script = """<script type="module">import { createTuttu, tuttu } from "/t/tuttu.js"
        window.given = tuttu; window.mine = createTuttu({writeKey: "demo"}); window.again = createTuttu({writeKey: "x"})
    </script>"""
    page = await site.open("/import", script=script)
    await until(lambda: asked)
    assert asked == [f"{gateway.public}/t/v1/batch"]
    assert await page.evaluate("[given === undefined, mine === window.tuttu, mine === again]") == [True, True, True]


async def test_it_needs_no_more_than_a_strict_policy(site: Site, watched: Watched) -> None:
    page = await site.open("/strict", HERO, headers={"Content-Security-Policy": STRICT})
    await logged(page, site.gateway, 1)
    assert await page.inner_text("h1") == "See it at work"
    assert watched.errors == []


async def test_no_third_party_is_asked_and_no_cookie_is_made_by_script(site: Site) -> None:
    page = await site.open("/hosts", HERO)
    await logged(page, site.gateway, 1)
    assert site.hosts == {site.origin.split("//")[1]}
    assert await page.evaluate("document.cookie") == ""
    assert await page.evaluate("Object.keys(localStorage).length") == 0


async def test_a_page_of_another_origin_of_the_same_site_is_one_visitor(
    context: BrowserContext, gateway: Gateway
) -> None:
    port = gateway.public.rpartition(":")[2]
    assert "127.0.0.1" in gateway.public
    await context.grant_permissions(["local-network-access"])  # a page that a test made up is not of this machine
    site = Site(context, gateway, "http://127.0.0.1:9")
    page = await site.open("/other", HERO)
    await call(page, "tuttu.track('From Elsewhere')")
    found = await logged(page, gateway, 2)
    assert names(found) == ["page", "From Elsewhere"]
    assert await page.inner_text("h1") == "See it at work"
    assert site.hosts == {f"127.0.0.1:{port}", "127.0.0.1:9"}


async def test_a_page_of_another_site_still_gets_content(context: BrowserContext, gateway: Gateway) -> None:
    await context.grant_permissions(["local-network-access"])
    site = Site(context, gateway, "http://localhost:9")
    page = await site.open("/foreign", HERO)
    answer = await settled(page)
    assert answer["placements"]["home hero"]["block"] == "book a demo"
    assert await cookie_of(page) == ""  # a browser keeps no cookie of another site
