"""A real Chromium for the tests of this folder, and pages that a test writes itself.

One browser serves all tests; each test has a context of its own: a new visitor without cookies. A page that throws, or
that writes an error to its console, fails its test unless the test says which errors it expects.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.pages import Watched
from tests.integration.process import Gateway

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

# As root there is no sandbox; without the others Chromium looks for its maker's servers at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all asynchronous tests of this folder share the loop in which the browser lives."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Yield the browser: CHROMIUM from the environment, else the one on PATH."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("there is no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Yield a browser context without cookies, in Finnish; it is watched for errors (see pages.Watched)."""
    # Fixtures that are no coroutines subscribe to events too; another test's runner may have left them without a loop.
    asyncio.set_event_loop(asyncio.get_running_loop())
    context = await chromium.new_context(locale="fi-FI", viewport={"width": 1280, "height": 900})
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def watched(context: BrowserContext) -> AsyncIterator[Watched]:  # asynchronous: it must run in the browser's loop
    """Yield the list of what went wrong in the context's pages; it must be empty, or expected, at the end."""
    found = Watched(context)
    yield found
    found.check()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield the one gateway with the demo's rules and the demo site; each test is another visitor of it."""
    with demo_gateway(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Yield such a gateway for one test, which restarts it or looks at all that it keeps."""
    with demo_gateway(tmp_path) as running:
        yield running


def demo_gateway(folder: Path) -> Gateway:
    """Return a gateway that takes its time: a busy machine often decides too late to use the profile."""
    return Gateway(folder / "data", "--rules", str(ROOT / "rules"), env={"TUTTU_DECIDE_DEADLINE_MS": "5000"})
