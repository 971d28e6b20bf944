"""Take the README's picture of the demo site: `python -m tests.browser.screenshots`, from the repository's root.

With a folder as argument it takes every page in both languages instead, at three sizes, for somebody to look at.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, async_playwright

from gateway.demo import site
from tests.browser.conftest import FLAGS, ROOT
from tests.browser.demo_site import PHONE, allow_all, expect_hero, expect_panel, read
from tests.integration.process import Gateway

PICTURE = ROOT / "docs" / "images" / "demo.png"
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 900},
    "wide": {"width": 1600, "height": 1000},
    "phone": PHONE,
}


async def picture(browser: Browser, gateway: Gateway) -> None:
    """Walk until the demo is offered, and take the front page with the panel."""
    page = await browser.new_page(locale="en-GB", viewport={"width": 1440, "height": 1000})
    await read(page, gateway, "en")
    await allow_all(page)
    for path in ("en/prices", "en/prices", "en/products/reporting"):
        await read(page, gateway, path)
    await expect_hero(page, gateway, "book a demo en", "en")
    await expect_panel(page, won_home_hero="book a demo en")
    await page.wait_for_timeout(3000)  # the highlights of what has changed have faded
    await page.screenshot(path=PICTURE)


async def every_page(browser: Browser, gateway: Gateway, folder: Path) -> None:
    """Take every page whole, with the banner's question answered, and the two front pages before that."""
    pages = [path for path, file in site.files().items() if file.media_type.startswith("text/html")]
    for name, size in SIZES.items():
        context = await browser.new_context(viewport=size)
        page = await context.new_page()
        for path in ("", "en"):
            await read(page, gateway, path)
            await page.screenshot(path=folder / f"{name}-banner-{path or 'fi'}.png")
        await allow_all(page)
        for path in pages:
            await read(page, gateway, path)
            await page.wait_for_timeout(500)
            await page.screenshot(path=folder / f"{name}-{path.replace('/', '-') or 'fi'}.png", full_page=True)
        await page.click(".panel-tab" if size == PHONE else ".panel-close")
        await page.wait_for_timeout(300)
        await page.screenshot(path=folder / f"{name}-toggled.png")
        await context.close()


async def main() -> None:
    """Start a gateway and a browser, and take what was asked for."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    patient = {"TUTTU_DECIDE_DEADLINE_MS": "5000"}
    with (
        tempfile.TemporaryDirectory() as data,
        Gateway(Path(data) / "data", "--rules", str(ROOT / "rules"), env=patient) as gateway,
    ):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
            if sys.argv[1:]:
                await every_page(browser, gateway, Path(sys.argv[1]))
            else:
                await picture(browser, gateway)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
