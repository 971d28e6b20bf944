"""Pages with the browser SDK in them, what they send, and what of it the gateway has in its log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.async_api import BrowserContext, Page, Request, Route

from tests.browser.pages import cookie_of, put_page
from tests.integration.process import Gateway

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "gateway" / "web" / "tuttu.js"
RULES = ROOT / "tests" / "vectors" / "sdk-rules"

HERO = """<section data-tuttu="home hero">
  <h1 data-tuttu-text="title">Default title</h1><p data-tuttu-text="text">Default <i>text</i></p>
  <a data-tuttu-href="link" data-tuttu-text="cta" href="/default">Default</a>
  <button type="button" data-tuttu-dismiss>x</button>
</section>"""

CLOCK = """{ const wait = window.setTimeout, changed = {1000: SEEN}
  window.setTimeout = (act, ms, ...rest) => wait(act, ms > 0 && ms <= 300 ? PATIENCE : changed[ms] || ms, ...rest) }"""
"""Lets slots wait longer for their answer, and be seen later: a busy machine does not change a test's result."""

Entries = list[dict[str, Any]]


_GATEWAY = pytest.StashKey[Gateway]()


def shared_gateway(session: pytest.Session, factory: pytest.TempPathFactory) -> Gateway:
    """Return the one gateway with the rules of these tests; each test has a visitor of its own."""
    if _GATEWAY not in session.stash:
        env = {"TUTTU_DECIDE_DEADLINE_MS": "5000"}  # a busy machine then still answers from the profile
        session.stash[_GATEWAY] = Gateway(factory.mktemp("sdk") / "data", "--rules", str(RULES), env=env)
        session.addfinalizer(session.stash[_GATEWAY].stop)
        session.stash[_GATEWAY].start()
    return session.stash[_GATEWAY]


class Site:
    """A website of a test's own under the gateway's origin (or another), and a record of what its pages ask for."""

    def __init__(
        self, context: BrowserContext, gateway: Gateway, origin: str = "", *, patience: int = 6000, seen: int = 60_000
    ) -> None:
        self._clock = CLOCK.replace("PATIENCE", str(patience)).replace("SEEN", str(seen))
        self.context = context
        self.gateway = gateway
        self.origin = origin or gateway.public
        self.hosts: set[str] = set()
        self.sent: list[tuple[str, dict[str, Any], Request]] = []
        context.on("request", self._note)

    async def put(
        self,
        path: str,
        body: str = "",
        *,
        options: str = "",
        head: str = "",
        script: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Put up a page with the SDK's script element and return its address."""
        if script is None:
            address = f"{self.gateway.public}/tuttu.js"
            script = f'<script type="module" async src="{address}" data-write-key="demo" {options}></script>'
        html = f"<!doctype html><html lang=fi><title>T {path}</title>{head}{script}{body}</html>"
        await put_page(self.context, f"{self.origin}{path}", html, headers=headers)
        return f"{self.origin}{path}"

    async def open(self, path: str, body: str = "", *, options: str = "", **parts: Any) -> Page:
        """Put up a page and open it in a new tab."""
        address = await self.put(path, body, options=options, **parts)
        page = await self.context.new_page()
        await page.add_init_script(self._clock)
        await page.goto(address)
        return page

    def bodies(self, path: str = "") -> list[dict[str, Any]]:
        """Return the bodies of the requests to the gateway, of those to one of its paths."""
        return [body for at, body, _ in self.sent if path in at]

    def _note(self, request: Request) -> None:
        self.hosts.add(request.url.split("/")[2])
        if "/v1/" in request.url and request.method == "POST":
            body = orjson.loads(request.post_data_buffer or b"{}")
            self.sent.append((request.url.partition("/v1/")[2], body, request))


async def until(condition: Callable[[], Any], within: float = 8) -> Any:
    """Wait until the condition holds and return its value."""
    for _ in range(int(within / 0.05)):
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        await asyncio.sleep(0.05)
    msg = f"not within {within} s"
    raise AssertionError(msg)


async def logged(page: Page, gateway: Gateway, count: int) -> Entries:
    """Wait for this many entries of the page's visitor and return them in order; fails on more."""

    async def entries() -> Entries:
        visitor = "a:" + (await cookie_of(page)).partition(".")[0]
        found = sorted((e for e in gateway.log() if e["v"] == visitor), key=lambda e: (e["t"], e["r"]))
        return found if len(found) >= count else []

    found: Entries = await until(entries)
    assert len(found) == count, names(found)
    await page.evaluate("0")  # the gateway may know of a request before its note has come from the browser to `Site`
    return found


def names(entries: Entries) -> list[str]:
    """Return what each log entry is: the event's name, else its type."""
    return [entry["e"].get("event") or entry["k"] for entry in entries]


async def call(page: Page, code: str) -> Any:
    """Run code in the page as soon as the SDK is there."""
    await page.wait_for_function("!!window.tuttu?.ready")
    return await page.evaluate(code)


async def shown(page: Page, slot: str = "[data-tuttu]") -> str:
    """Wait until a slot is settled and return its block, "" for the default content."""
    await page.wait_for_selector(f"{slot}[data-tuttu-block]", state="attached")
    return await page.get_attribute(slot, "data-tuttu-block") or ""


async def settled(page: Page) -> Any:
    """Wait for the first answer and return it."""
    return await call(page, "tuttu.ready")


async def each_answer(context: BrowserContext, answer: Callable[[int, Route], Awaitable[None]]) -> None:
    """Let a function treat each request to the gateway, with its number from 0."""
    seen = 0

    async def treat(route: Route) -> None:
        nonlocal seen
        seen += 1
        await answer(seen - 1, route)

    await context.route("**/v1/*", treat)
