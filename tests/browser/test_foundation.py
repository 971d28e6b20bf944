from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext

from tests.browser.pages import STRICT, Watched, cookie_of, put_page
from tests.integration.process import Gateway


async def test_a_page_of_the_own_origin_becomes_a_visitor(
    context: BrowserContext, gateway: Gateway, watched: Watched
) -> None:
    await put_page(context, f"{gateway.public}/page", "<h1>Hei</h1>", headers={"Content-Security-Policy": STRICT})
    page = await context.new_page()
    await page.goto(f"{gateway.public}/page")
    send = """fetch('/v1/page', {method: 'POST', body: '{"writeKey": "demo", "properties": {"path": "/x"}}'})"""
    assert await page.evaluate(f"{send}.then(answer => answer.json())") == {
        "success": True,
        "accepted": 1,
        "dropped": 0,
        "rejected": [],
    }
    assert await cookie_of(page)


async def test_the_watch_sees_what_a_page_throws(context: BrowserContext, gateway: Gateway) -> None:
    watched = Watched(context)
    await put_page(context, f"{gateway.public}/page", "<script>console.error('one'); throw Error('two')</script>")
    page = await context.new_page()
    await page.goto(f"{gateway.public}/page")
    await page.wait_for_timeout(100)
    assert any("one" in e for e in watched.errors)
    assert any("two" in e for e in watched.errors)
    with pytest.raises(AssertionError):
        watched.check()
