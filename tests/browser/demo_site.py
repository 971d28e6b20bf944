"""How a visitor walks on the demo site, and what the site then shows. All waiting is for something that must come."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Locator, Page, Response, ViewportSize, expect

from tests.integration.process import Gateway

HERO = '[data-tuttu="home hero"]'
PHONE: ViewportSize = {"width": 390, "height": 844}
RELOADS = 15
SLOW_MS = 15_000
"""A busy machine answers later than the SDK waits; the page then keeps its default content, which is right."""

expect.set_options(timeout=SLOW_MS)


def answered(response: Response) -> bool:
    """Tell whether this is the gateway's answer to the SDK, not to the panel."""
    return "/v1/" in response.url and "explain=1" not in response.url


async def read(page: Page, gateway: Gateway, path: str) -> None:
    """Open a page of the site and stay until the gateway has the view."""
    async with page.expect_response(answered, timeout=SLOW_MS):
        await page.goto(f"{gateway.public}/demo/{path}")


async def allow_all(page: Page) -> None:
    """Press "allow all", and wait until the gateway has answered."""
    async with page.expect_response(answered, timeout=SLOW_MS):
        await page.click('.banner [data-consent="all"]')


async def shown_hero(page: Page) -> str:
    """Return which block the hero shows, "" for the default content."""
    await page.wait_for_selector(f"{HERO}[data-tuttu-block]", timeout=SLOW_MS)
    return await page.get_attribute(HERO, "data-tuttu-block") or ""


async def expect_hero(page: Page, gateway: Gateway, block: str, path: str = "") -> None:
    """Open the front page until it shows this block; again when the answer came too late, or without the profile."""
    shown = ""
    for _ in range(RELOADS):
        await read(page, gateway, path)
        shown = await shown_hero(page)
        if shown == block:
            break
    assert shown == block


def panel(page: Page, key: str) -> Locator:
    """Return the part of the panel with this key, such as `temperature` or `won home hero`."""
    return page.locator(f'.panel [data-key="{key}"]')


async def expect_panel(page: Page, **parts: str) -> None:
    """Wait until these parts of the panel hold these texts; an underscore stands for a blank."""
    for key, text in parts.items():
        await expect(panel(page, key.replace("_", " "))).to_contain_text(text)


async def title_of(page: Page) -> str:
    """Return the hero's title as it is read."""
    return re.sub(r"\s+", " ", await page.inner_text(f"{HERO} h1"))


def keys_of(gateway: Gateway) -> list[str]:
    """Return every key that the store holds."""
    with gateway.store() as store:
        keys: Any = store.keys("*")
        return sorted(key.decode() for key in keys)
