"""The README's own page: its settings, rules and pages as they stand there, on other ports, walked by a visitor."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.pages import PATIENT, Watched
from tests.integration.process import Gateway

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SLOW_MS = 15_000


def block(kind: str, number: int = 0) -> str:
    """Return a code block of the README."""
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)[number]


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not write of each request."""

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder on a free port; yield it with its address."""
    folder = tmp_path / "www"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_the_page_of_the_readme_offers_a_call_after_two_looks_at_the_prices(
    tmp_path: Path, pages: tuple[Path, str], context: BrowserContext, watched: Watched
) -> None:
    watched.expect("404")  # Chromium asks for an icon
    folder, address = pages
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "hero.yaml").write_text(block("yaml"), "utf-8")
    settings = next(toml for toml in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "[[site]]" in toml)
    (tmp_path / "tuttu.toml").write_text(settings.replace("http://127.0.0.1:8000", address), "utf-8")
    env = {"TUTTU_DECIDE_DEADLINE_MS": "5000"}
    with Gateway(tmp_path / "data", "--config", str(tmp_path / "tuttu.toml"), env=env) as gateway:
        for number, name in enumerate(("index.html", "prices.html")):
            html = block("html", number).replace("http://127.0.0.1:8080", gateway.public)
            (folder / name).write_text(html, "utf-8")
        page = await context.new_page()
        await open_page(page, f"{address}/index.html")
        await expect(page.locator("h1")).to_have_text("Good to see you", timeout=SLOW_MS)
        for _ in range(2):
            await open_page(page, f"{address}/prices.html")
        await open_page(page, f"{address}/index.html")
        await expect(page.locator("h1")).to_have_text("Shall we go through the prices together?", timeout=SLOW_MS)
        await page.get_by_text("Not now").click()
        await expect(page.locator("h1")).to_have_text("Good to see you", timeout=SLOW_MS)


async def open_page(page: Page, address: str) -> None:
    """Open a page and stay until the gateway has answered; slots wait for a busy machine."""
    await page.add_init_script(PATIENT)
    async with page.expect_response(lambda response: "/v1/" in response.url, timeout=SLOW_MS):
        await page.goto(address)
