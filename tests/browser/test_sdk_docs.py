from __future__ import annotations

import base64
import hashlib
import re

import pytest
from playwright.async_api import BrowserContext, Page, Route

from tests.browser.pages import STRICT
from tests.browser.sdk_pages import HERO, ROOT, Site, logged, names, settled, shared_gateway, shown, until
from tests.integration.process import Gateway

pytestmark = pytest.mark.usefixtures("watched")

SNIPPET = (ROOT / "sdk-js" / "snippet.html").read_text("utf-8")
DOCS = (ROOT / "docs" / "sdk.md").read_text("utf-8")
TAG = '<script type="module" async src="/tuttu.js" data-write-key="demo"></script>'
IMPORT_MAP = '<script type="importmap">{"imports": {"tuttu": "/tuttu.js"}}</script>'

FIRST, QUEUED, BUNDLED, SLOTS, SHOWN, DECIDE, CONSENT = re.findall(
    r"^```html\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


@pytest.fixture
def site(context: BrowserContext, gateway: Gateway) -> Site:
    return Site(context, gateway)


async def open_example(site: Site, example: str) -> Page:
    """Open a page with an example of the documentation, as it stands there."""
    await site.context.route("**/*.png", lambda route: route.fulfill(body=b"", content_type="image/png"))
    return await site.open("/example", example, script="")


async def test_the_first_example(site: Site) -> None:
    page = await open_example(site, FIRST)
    assert await shown(page) == "book a demo"
    assert await page.get_attribute("a", "href") == "/demo"
    assert names(await logged(page, site.gateway, 1)) == ["page"]


async def test_the_snippet_stands_in_the_documentation_as_it_is(site: Site) -> None:
    assert QUEUED.startswith(SNIPPET)
    page = await open_example(site, QUEUED)
    assert sorted(names(await logged(page, site.gateway, 2))) == ["Video Started", "page"]


async def test_the_snippet_needs_only_its_hash_under_a_strict_policy(site: Site) -> None:
    script = re.findall(r"<script>(.*?)</script>", SNIPPET, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = STRICT.replace("script-src 'self'", f"script-src 'self' 'sha256-{digest}'")
    page = await site.open("/policy", HERO, script=SNIPPET, headers={"Content-Security-Policy": policy})
    assert await shown(page) == "book a demo"


async def test_without_the_module_the_snippet_shows_the_default_content(
    context: BrowserContext, gateway: Gateway
) -> None:
    site = Site(context, gateway, patience=300)
    page = await site.open("/no-module", HERO, script=SNIPPET.partition("<script type")[0])
    state = "getComputedStyle(document.querySelector('[data-tuttu]')).visibility"
    await until(lambda: page.evaluate(f"{state} == 'visible' && performance.now() > 300"))


async def test_the_import_of_a_bundle(site: Site) -> None:
    async def below_a_path(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("/t/v1/", "/v1/"))

    await site.context.route("**/t/v1/*", below_a_path)
    page = await open_example(site, IMPORT_MAP + BUNDLED)
    found = await logged(page, site.gateway, 2)
    assert sorted(names(found)) == ["Signed Up", "page"]


async def test_the_slots_and_the_form(site: Site) -> None:
    await site.put("/demo", "Demo", script="")
    page = await open_example(site, TAG + SLOTS)
    assert await shown(page) == "book a demo"
    assert await page.inner_text("li") == "fast, small, 3"
    await page.click("[data-tuttu-dismiss]")
    await page.wait_for_selector('[data-tuttu-block="read the guide"]')
    assert await page.get_attribute("img", "src") == "/default.png"
    await page.click("form button")
    await page.wait_for_url("**/demo")
    found = await logged(page, site.gateway, 3)
    assert sorted(names(found)) == ["Content Converted", "Content Dismissed", "page"]


async def test_the_listener(site: Site) -> None:
    lines: list[str] = []
    site.context.on("console", lambda message: lines.append(message.text))
    await open_example(site, SHOWN + TAG + HERO)
    await until(lambda: lines == ["home hero book a demo"])


async def test_the_decision_by_hand(site: Site) -> None:
    page = await open_example(site, DECIDE)
    await logged(page, site.gateway, 1)
    page = await open_example(site, DECIDE)
    await settled(page)
    assert {body["placements"][0] for body in site.bodies("decide")} == {"side box"}


async def test_the_banner(site: Site) -> None:
    page = await open_example(site, CONSENT)
    await page.wait_for_function("!!window.tuttu?.ready")
    await page.click("text=Allow")
    assert [e["c"] for e in await logged(page, site.gateway, 1)] == [["analytics", "personalization"]]
    await page.click("text=Refuse")
    await until(lambda: page.evaluate("localStorage.tuttu_consent == '[]' && !localStorage.tuttu_queue"))
