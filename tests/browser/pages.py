"""Pages that a test writes itself, and a watch over everything that goes wrong in a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Route, WebError

STRICT = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'"
"""A content security policy as strict as it gets for a page with scripts of its own origin."""

PATIENT = "{ const wait = setTimeout; window.setTimeout = (act, ms) => wait(act, ms == 300 ? 9000 : ms) }"
"""A script for a page whose slots wait 9 s instead of 300 ms for their answer: on a busy machine it may come late."""


class Watched:
    """Collects uncaught errors and console errors of all pages of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.errors: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.on("weberror", self._thrown)
        context.on("console", self._written)

    def expect(self, pattern: str) -> Self:
        """Allow console errors that match, such as those that Chromium writes for a failed request."""
        self._expected.append(re.compile(pattern))
        return self

    def check(self) -> None:
        """Fail with all errors that were not expected."""
        assert [e for e in self.errors if not any(p.search(e) for p in self._expected)] == []

    def _thrown(self, error: WebError) -> None:
        self.errors.append(f"uncaught: {error.error}")

    def _written(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")


async def put_page(
    context: BrowserContext, address: str, html: str, *, headers: Mapping[str, str] | None = None
) -> None:
    """Let an address of the context answer with this page; everything else goes to the real servers."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=html, content_type="text/html; charset=utf-8", headers=dict(headers or {}))

    await context.route(address, answer)


async def cookie_of(page: Page) -> str:
    """Return the visitor cookie's value in the page's context, "" if there is none."""
    for cookie in await page.context.cookies():
        if cookie.get("name", "").endswith("tuttu_id"):
            return cookie.get("value", "")
    return ""
