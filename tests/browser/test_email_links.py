"""Whoever comes by an e-mail's link is recognized by the SDK's page view, and the page can clean its address."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext

from gateway.app import clock
from gateway.identity.links import DAY_MS, Link, Links
from gateway.identity.visitor import hashed
from gateway.secrets import SecretsFile
from tests.browser.sdk_pages import ROOT, Site, call, logged, names, shared_gateway, until
from tests.integration.process import Gateway

pytestmark = pytest.mark.usefixtures("watched")

(SNIPPET,) = re.findall(r"^```js\n(.*?)\n```$", (ROOT / "docs" / "email.md").read_text("utf-8"), re.MULTILINE)
CONTACT = hashed("demo", "u", "ann")


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return shared_gateway(request.session, tmp_path_factory)


async def test_a_page_view_is_the_click_and_the_snippet_cleans_the_address(
    context: BrowserContext, gateway: Gateway
) -> None:
    keys = [key.text for key in SecretsFile(gateway.data).cookie_ring()]
    link = Link("demo", CONTACT, "autumn", f"{gateway.public}/offer", clock(), clock() + DAY_MS, "an-id")
    site = Site(context, gateway)
    page = await site.open(f"/offer?a=1&tuttu={Links(keys).recognition(link, clock())}&b=2")
    await call(page, SNIPPET)
    await until(lambda: "tuttu" not in page.url)
    assert page.url == f"{gateway.public}/offer?a=1&b=2"
    (entry,) = await logged(page, gateway, 1)
    assert names([entry]) == ["page"], "a cleaned address is no new page"
    assert entry["p"] == f"k:{CONTACT}"
    (click,) = [e for e in gateway.log() if e["v"] == f"k:{CONTACT}"]
    assert click["e"]["event"] == "Email Link Clicked"
    assert click["e"]["properties"] == {"message": "autumn", "path": "/offer", "link": "an-id"}
