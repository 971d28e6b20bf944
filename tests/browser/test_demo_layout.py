"""The demo site's pages in a real browser: nothing moves or overflows, and the keyboard reaches everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from gateway.demo import site
from personalize.loader import load
from tests.browser.demo_site import HERO, PHONE, allow_all, read
from tests.browser.pages import PATIENT, Watched
from tests.integration.process import Gateway

ROOT = Path(__file__).parents[2]
MOST_SHIFT = 0.02
PAGES = sorted(path for path, file in site.files().items() if file.media_type.startswith("text/html"))
DESKTOPS: tuple[ViewportSize, ...] = ({"width": 1280, "height": 900}, {"width": 1600, "height": 1000})
SIZES: tuple[ViewportSize, ...] = ({"width": 360, "height": 640}, {"width": 900, "height": 800}, *DESKTOPS)
TWO_LANGUAGES = [("fi", "", "artikkelit/yksi-luku"), ("en", "en", "en/articles/one-figure")]
WATCH = """() => {
  window.shift = 0;
  window.addShifts = (entries) => entries.forEach((entry) => (window.shift += entry.value));
  window.shifts = new PerformanceObserver((list) => addShifts(list.getEntries()));
  window.shifts.observe({ type: "layout-shift", buffered: true });
}"""
SHIFT = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  addShifts(window.shifts.takeRecords());
  done(window.shift);
  window.shift = 0;
})))"""
DECIDE = "async () => (await import('/tuttu.js')).tuttu.decide()"


def blocks(placement: str, language: str) -> dict[str, Mapping[str, Any]]:
    """Return the contents of a placement's blocks in a language, with long names where the rules leave room for one."""
    rules, problems = load({p.name: p.read_text("utf-8") for p in (ROOT / "rules").glob("*.yaml")})
    assert rules is not None, problems
    wanted = next(p for p in rules.placements if p.name == placement)
    found = {block.name: block.content for block in wanted.blocks if block.name.endswith(" en") == (language == "en")}
    return {name: {key: _filled(value) for key, value in content.items()} for name, content in found.items()}


def _filled(value: Any) -> Any:
    if not isinstance(value, str) or "{{" not in value:
        return value
    before, _, rest = value.partition("{{")
    name, _, after = rest.partition("}}")
    return before + ("Maximiliana" if "first_name" in name else "Pohjois-Hämeen Konepaja Oy") + after


def _decision(placement: str, block: str, content: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"decision": None, "block": block, "content": content, "variant": None, "reason": "rule"}
    counts = {"success": True, "accepted": 0, "dropped": 0, "rejected": []}
    return {**counts, "placements": {placement: shown}, "degraded": False, "retry": []}


async def _fill(page: Page, answer: dict[str, Any], placement: str, name: str, content: Mapping[str, Any]) -> None:
    answer.update(_decision(placement, name, content))
    await page.evaluate(DECIDE)
    await expect(page.locator(f'[data-tuttu="{placement}"]')).to_have_attribute("data-tuttu-block", name)


@pytest.mark.parametrize(("language", "front", "article"), TWO_LANGUAGES, ids=["fi", "en"])
async def test_no_block_of_the_rules_moves_the_page(
    chromium: Browser, gateway: Gateway, language: str, front: str, article: str
) -> None:
    context = await chromium.new_context(viewport=PHONE)
    await context.add_init_script(PATIENT)
    answer: dict[str, Any] = {}

    async def decide(route: Route) -> None:
        await route.fulfill(json=answer)

    await context.route("**/v1/decide", decide)
    page = await context.new_page()
    for placement, path in (("home hero", front), ("article footer", article)):
        contents = blocks(placement, language)
        slot = page.locator(f'[data-tuttu="{placement}"]')
        for size in SIZES:
            await page.set_viewport_size(size)
            default, default_content = list(contents.items())[-1 if placement == "home hero" else 0]
            answer.update(_decision(placement, default, default_content))
            await page.goto(f"{gateway.public}/demo/{path}")
            await expect(slot).to_have_attribute("data-tuttu-block", default)
            await page.evaluate(WATCH)
            await slot.scroll_into_view_if_needed()
            assert await page.evaluate(SHIFT) < MOST_SHIFT, size
            height = (await slot.bounding_box() or {})["height"]
            for name, content in contents.items():
                await _fill(page, answer, placement, default, default_content)
                await page.evaluate(SHIFT)
                await _fill(page, answer, placement, name, content)
                assert await page.evaluate(SHIFT) < MOST_SHIFT, (name, size)
                assert (await slot.bounding_box() or {})["height"] == height, (name, size)
    await context.close()


async def test_no_page_is_wider_than_its_window(chromium: Browser, gateway: Gateway) -> None:
    context = await chromium.new_context()

    async def nothing(route: Route) -> None:
        await route.fulfill(body="", content_type="text/javascript")

    await context.route(re.compile(r"/(tuttu|main)\.js$"), nothing)  # this is about the style sheets alone
    page = await context.new_page()
    for path in PAGES:
        answer = await page.goto(f"{gateway.public}/demo/{path}")
        assert answer, path
        assert answer.ok, path
        for width in (360, 1199, 1200, 1600):
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)
        assert await page.evaluate("[...document.images].every((image) => image.width > 0)"), path
    await context.close()


async def test_the_banner_covers_neither_the_heros_button_nor_the_panel(
    context: BrowserContext, gateway: Gateway, watched: Watched
) -> None:
    page = await context.new_page()
    for size in DESKTOPS:
        await page.set_viewport_size(size)
        await page.goto(f"{gateway.public}/demo/")
        await expect(page.locator(".banner")).to_be_visible()
        button, banner, panel = [await _box(page, name) for name in (f"{HERO} .button", ".banner", ".panel")]
        assert button["y"] + button["height"] <= banner["y"]
        assert banner["x"] + banner["width"] <= panel["x"]


async def _box(page: Page, selector: str) -> dict[str, float]:
    box = await page.locator(selector).bounding_box()
    assert box, selector
    return dict(box)


async def test_everything_is_within_the_keyboards_reach(
    context: BrowserContext, gateway: Gateway, watched: Watched
) -> None:
    page = await context.new_page()
    await read(page, gateway, "")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await expect(page.locator(".skip")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await allow_all(page)
    reached = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert {"button large", "panel-close", "panel-body", "as-link"} <= reached
    await page.locator(".panel-close").focus()
    await page.keyboard.press("Escape")
    await expect(page.locator(".panel")).to_be_hidden()
    await expect(page.locator(".panel-tab")).to_be_focused()
    await page.reload()
    await expect(page.locator(".panel")).to_be_hidden()
    await page.keyboard.press("Tab")
    await page.locator(".panel-tab").press("Enter")
    await expect(page.locator(".panel")).to_be_focused()


async def test_without_javascript_the_site_can_be_read(chromium: Browser, gateway: Gateway) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{gateway.public}/demo/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    for selector in (".panel", ".banner", ".panel-tab"):
        await expect(page.locator(selector)).to_be_hidden()
    await context.close()
