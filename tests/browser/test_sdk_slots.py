from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Route

from tests.browser.sdk_pages import HERO, Site, call, logged, names, settled, shared_gateway, shown, until
from tests.integration.process import Gateway

pytestmark = pytest.mark.usefixtures("watched")


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


@pytest.fixture
def site(context: BrowserContext, gateway: Gateway) -> Site:
    return Site(context, gateway)


@pytest.fixture
def timed(context: BrowserContext, gateway: Gateway) -> Site:
    """Return a site where the SDK's second, until a slot is seen, is 800 ms."""
    return Site(context, gateway, seen=800)


async def answer_with(context: BrowserContext, *answers: dict[str, Any], after: float = 0) -> None:
    """Let the gateway's decisions say something else for the hero, one after the other."""
    left = list(answers)

    async def change(route: Route) -> None:
        response = await route.fetch()
        body = await response.json()
        for name, decision in body["placements"].items():
            body["placements"][name] = decision | (left.pop(0) if len(left) > 1 else left[0])
        await asyncio.sleep(after)
        await route.fulfill(response=response, json=body)

    await context.route("**/v1/decide", change)


async def visibility(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.querySelector('[data-tuttu]')).visibility"))


async def test_fields_are_filled_as_text_links_and_images(site: Site) -> None:
    # Before there is a page: the picture may be asked for at once.
    await site.context.route("**/demo.png", lambda route: route.fulfill(body=b"", content_type="image/png"))
    page = await site.open(
        "/fields",
        """<section data-tuttu="home hero"><h1 data-tuttu-text="title">D</h1><p data-tuttu-text="text">D</p>
        <i data-tuttu-text="points">D</i><a data-tuttu-href="link" data-tuttu-text="cta">D</a>
        <b data-tuttu-html="text">D</b><u data-tuttu-text="absent">stays <s>as it is</s></u>
        <img data-tuttu-src="picture" alt=""></section><h2 data-tuttu="side box" data-tuttu-text="title">D</h2>""",
        script='<script>addEventListener("tuttu:shown", (e) => (window.told ||= []).push([e.target.tagName, e.detail]))'
        "</script>"
        '<script type="module" src="/tuttu.js" data-write-key="demo"></script>',
    )
    assert await shown(page) == "book a demo"
    assert await page.inner_text("p") == "In <b>20</b> minutes"
    assert await page.inner_text("b") == "In <b>20</b> minutes"  # html only where the rules trust it
    assert await page.inner_text("i") == "fast, small, 3"
    assert await page.get_attribute("a", "href") == "/demo"
    assert await page.get_attribute("img", "src") == "/demo.png"
    assert await page.inner_html("u") == "stays <s>as it is</s>"
    assert await page.inner_text("h2") == "Our newsletter"
    told = await page.evaluate("told")
    assert [(tag, detail["placement"], detail["block"]) for tag, detail in told] == [
        ("SECTION", "home hero", "book a demo"),
        ("H2", "side box", "newsletter"),
    ]
    assert told[0][1]["content"]["cta"] == "Book"


LINKS = {
    "javascript:alert(1)": False,
    " JaVa\tScript:alert(1)": False,
    "\u0001javascript:alert(1)": False,
    "data:text/html,<script>alert(1)</script>": False,
    "vbscript:x": False,
    "http://": False,
    "//other.example.com/x": True,
    "?q=1": True,
    "tel:+358401234567": True,
    "mailto:a@example.com": True,
    "https://example.com/": True,
}


async def test_only_harmless_links_are_taken(site: Site, context: BrowserContext) -> None:
    text = "<img src=x onerror=alert(1)>"
    await answer_with(context, *({"content": {"title": text, "cta": "x", "link": link}} for link in LINKS))
    page = await site.open("/links", HERO)
    await settled(page)
    for number, (link, taken) in enumerate(LINKS.items()):
        if number:
            await page.evaluate("tuttu.decide()")
        assert await page.get_attribute("a", "href") == (link if taken else "/default"), link
        assert await page.inner_text("h1") == text


async def test_trusted_html_is_markup(site: Site, context: BrowserContext) -> None:
    await answer_with(context, {"html": True, "content": {"text": "<b>bold</b>"}})
    body = '<div data-tuttu="home hero"><p data-tuttu-html="text"></p><i data-tuttu-text="text"></i></div>'
    page = await site.open("/html", body)
    await shown(page)
    assert await page.inner_html("p") == "<b>bold</b>"
    assert await page.inner_text("i") == "<b>bold</b>"


async def test_the_next_block_leaves_nothing_of_the_one_before(site: Site) -> None:
    page = await site.open("/dismiss", HERO)
    assert await shown(page) == "book a demo"
    await page.click("[data-tuttu-dismiss]")
    await page.wait_for_selector('[data-tuttu-block="read the guide"]')
    assert await page.inner_text("h1") == "Read the guide"
    assert await page.inner_html("p") == "Default <i>text</i>"
    assert [item["event"] for item in site.bodies()[1]["batch"]] == ["Content Dismissed"]
    assert site.bodies()[1]["placements"] == ["home hero"]
    await page.click("[data-tuttu-dismiss]")
    await page.wait_for_selector('[data-tuttu-block="welcome"]')
    assert await page.get_attribute("a", "href") == "/default"
    await page.click("[data-tuttu-dismiss]")  # the rules have no other block: what was dismissed does not come back
    await page.wait_for_selector('[data-tuttu-block=""]')
    assert await page.inner_text("h1") == "Default title"
    found = await logged(page, site.gateway, 4)
    assert names(found) == ["page"] + 3 * ["Content Dismissed"]
    assert [e["e"]["properties"]["block"] for e in found[1:]] == ["book a demo", "read the guide", "welcome"]


async def test_an_unknown_placement_keeps_its_content(site: Site) -> None:
    page = await site.open("/unknown", '<p data-tuttu="no such" data-tuttu-text="title">As it was</p>')
    assert await shown(page) == ""
    assert await visibility(page) == "visible"
    assert await page.inner_text("p") == "As it was"


async def test_slots_hide_for_300_ms_at_most(context: BrowserContext, gateway: Gateway) -> None:
    site = Site(context, gateway, patience=300)
    await answer_with(context, {}, after=2)
    watch = """<script>{ const seen = window.seen = []; let last
      const look = () => { const now = getComputedStyle(document.querySelector("[data-tuttu]")).visibility
        if (now != last) seen.push([last = now, performance.now()]); requestAnimationFrame(look) }
      addEventListener("DOMContentLoaded", look) }</script>"""
    page = await site.open("/hide", HERO, head=watch)
    answer = await settled(page)
    assert answer["placements"]["home hero"]["block"] == "book a demo"
    assert await page.inner_text("h1") == "Default title"  # what was seen is not replaced
    assert await shown(page) == ""
    seen = await page.evaluate("seen")
    states = [state for state, _ in seen]
    assert states[-2:] == ["hidden", "visible"]
    assert seen[-1][1] - seen[-2][1] < 450  # 300 ms and some frames of a busy machine
    await call(page, "tuttu.track('Counts All The Same')")
    assert names(await logged(page, gateway, 2)) == ["page", "Counts All The Same"]


async def test_a_fast_answer_shows_the_slot_at_once(site: Site) -> None:
    page = await site.open("/fast", HERO)
    await page.wait_for_selector("[data-tuttu-block]")  # long before the patience of these tests ends
    assert await visibility(page) == "visible"
    assert await page.inner_text("h1") == "See it at work"


@pytest.mark.parametrize("what", ["error", "dead"])
async def test_without_an_answer_the_default_content_stays(
    site: Site, context: BrowserContext, watched: Any, what: str
) -> None:
    watched.expect("Failed to load resource")

    async def fail(route: Route) -> None:
        await (route.fulfill(status=500, body="oops") if what == "error" else route.abort("connectionrefused"))

    await context.route("**/v1/*", fail)
    page = await site.open("/failing", HERO)
    assert (await settled(page))["placements"] == {}
    assert await shown(page) == ""
    assert await visibility(page) == "visible"


async def test_slots_that_come_later_are_filled_by_a_view_or_by_decide(site: Site) -> None:
    page = await site.open("/later")
    await settled(page)
    answer = await page.evaluate("(html) => { document.body.innerHTML = html; return tuttu.decide() }", HERO)
    assert answer["placements"]["home hero"]["content"]["cta"] == "Book"
    assert await page.inner_text("h1") == "See it at work"
    data = await page.evaluate("tuttu.decide(['side box', 'nothing'])")
    assert data["placements"]["side box"]["block"] == "newsletter"
    assert data["placements"]["nothing"]["block"] is None
    await page.evaluate("(html) => { document.body.innerHTML = html; history.pushState(0, '', '/later/2') }", HERO)
    assert await shown(page) == "book a demo"


async def test_half_a_slot_must_be_seen_without_a_break(timed: Site) -> None:
    space, hero = "<div style=height:3000px></div>", HERO.replace(">", " style=height:400px>", 1)
    page = await timed.open("/seen", space + hero + space)
    await settled(page)
    top = await page.evaluate("document.querySelector('[data-tuttu]').getBoundingClientRect().top - innerHeight")
    await page.evaluate("(y) => scrollTo(0, y)", top + 180)  # of 400 pixels
    await page.wait_for_timeout(1000)
    briefly = "async (y) => { scrollTo(0, y); await new Promise(r => setTimeout(r, 301)); scrollTo(0, 0) }"
    await page.evaluate(briefly, top + 390)
    await page.wait_for_timeout(1000)
    assert names(await logged(page, timed.gateway, 1)) == ["page"]
    await page.evaluate("(y) => scrollTo(0, y)", top + 220)
    found = await logged(page, timed.gateway, 2)
    assert names(found) == ["page", "Content Shown"]
    assert found[1]["receipt"]["block"] == "book a demo"
    assert found[1]["receipt"]["same"] is True
    await page.evaluate(briefly, 0)
    await page.evaluate("(y) => scrollTo(0, y)", top + 390)
    await page.wait_for_timeout(1000)
    assert names(await logged(page, timed.gateway, 2)) == ["page", "Content Shown"]  # once for each decision


async def test_of_a_tall_slot_half_the_window_counts(timed: Site) -> None:
    page = await timed.open("/tall", HERO.replace(">", " style=height:9000px>", 1))
    await settled(page)
    assert names(await logged(page, timed.gateway, 2)) == ["page", "Content Shown"]


async def test_a_hidden_page_is_not_seen(timed: Site) -> None:
    hide = """<script>window.hide = (hidden) => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true})
        document.dispatchEvent(new Event("visibilitychange", {bubbles: true})) }; hide(true)</script>"""
    page = await timed.open("/tab", HERO, head=hide)
    await settled(page)
    await page.wait_for_timeout(600)
    assert names(await logged(page, timed.gateway, 1)) == ["page"]
    await page.evaluate("hide(false)")
    assert names(await logged(page, timed.gateway, 2)) == ["page", "Content Shown"]


async def test_clicks_on_links_and_buttons_count_and_survive_the_page(site: Site) -> None:
    await site.put("/demo", "<h1>Demo</h1>")
    page = await site.open("/click", HERO)
    await shown(page)
    await page.click("h1")
    await page.click("[data-tuttu] a")
    await page.wait_for_url("**/demo")
    found = await logged(page, site.gateway, 3)
    assert sorted(names(found)) == ["Content Clicked", "page", "page"]
    [clicked] = [e["e"]["properties"] for e in found if e["k"] == "track"]
    assert (clicked["placement"], clicked["block"]) == ("home hero", "book a demo")
    assert clicked["decision"]


async def test_a_conversion_on_a_later_page_counts_for_what_was_seen(site: Site) -> None:
    await site.put(
        "/demo",
        """<form data-tuttu-convert="home hero" action="/thanks" method="post"><button>Send</button></form>
        <button id=call data-tuttu-convert="home hero">Call</button><form id=other onsubmit="return false"></form>""",
    )
    await site.put("/thanks", "<h1>Thanks</h1>")
    page = await site.open("/convert", HERO)
    await shown(page)
    await page.click("[data-tuttu] a")
    await page.wait_for_url("**/demo")
    await settled(page)
    await page.click("#call")
    await call(page, "tuttu.converted('home hero')")
    await page.evaluate("document.querySelector('#other').requestSubmit()")
    await page.click("form button")
    await page.wait_for_url("**/thanks*")
    found = await logged(page, site.gateway, 7)
    assert sorted(names(found)) == ["Content Clicked"] + 3 * ["Content Converted"] + 3 * ["page"]
    tokens = {e["e"]["properties"]["decision"] for e in found if e["k"] == "track"}
    assert len(tokens) == 1
    profile = await until(lambda: site.gateway.profile(found[0]["v"]))
    assert profile.blocks["book a demo"]


async def test_clicks_that_scripts_dispatch_elsewhere_do_no_harm(site: Site) -> None:
    page = await site.open("/scripts", HERO)
    await shown(page)
    await page.evaluate("[document, window].forEach(t => t.dispatchEvent(new Event('click', {bubbles: true})))")
    await page.evaluate("document.dispatchEvent(new Event('submit', {bubbles: true}))")
