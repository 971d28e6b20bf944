"""What the tests of other makers' browser libraries share: bundles, pages at two origins, faults, what was stored.

A context with routes answers its own preflights (Playwright does that), so pages of the other origin come from a real
server and their contexts have no routes.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.async_api import BrowserContext, Page, Request, Response, Route

from tests.browser.pages import cookie_of, put_page
from tests.gateway.making import RULES
from tests.integration.process import Gateway, eventually
from tests.integration.proxies import DOCS_SITE, Proxy, block, free_port

SOURCES = Path(__file__).parent / "clients"
MODULES = Path(__file__).parents[1] / "clients" / "node_modules"
PAGE = '<!doctype html><title>Hinnasto</title><link rel="icon" href="data:,"><script src="/client.js"></script>'
STORY = [
    ("page", "Pricing", "/hinnoittelu"),
    ("identify", "", ""),
    ("page", "Pricing", "/hinnoittelu/yritys"),
    ("page", "Reporting", "/tuotteet/raportointi"),
    ("track", "Signed Up", ""),
    ("group", "", ""),
]
"""(type, name, path) of the events of clients/story.js."""

Json = dict[str, Any]


def gateway_in(folder: Path) -> Gateway:
    """Return a gateway, not started yet, that shows "book a demo" after two views of the prices."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "site.yaml").write_text(RULES, "utf-8")
    # Without a spool a store that is away is 503, which these clients are to send again.
    env = {"TUTTU_STORE_DEADLINE_MS": "200", "TUTTU_SPOOL": "off"}
    return Gateway(folder / "data", "--rules", str(rules), env=env)


@contextmanager
def below_a_path(folder: Path, client: str) -> Iterator[tuple[str, Gateway]]:
    """Run an https site as docs/deploy.md has it, by Caddy; yield its address and the gateway, which is below /t/."""
    url = f"https://localhost:{free_port()}"
    config = folder / "tuttu.toml"
    settings = block("toml").replace(DOCS_SITE, url).replace('"www"', '"demo"')
    config.write_text(settings + 'consent = ["analytics", "personalization"]\n', "utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "site.yaml").write_text(RULES, "utf-8")
    with Gateway(folder / "data", "--config", str(config)) as gateway:
        proxy = Proxy("caddy", url, gateway.public, folder / "caddy")
        (folder / "caddy" / "www" / "index.html").write_text(PAGE, "utf-8")
        (folder / "caddy" / "www" / "client.js").write_text(bundled(client), "utf-8")
        with proxy:
            yield url, gateway


@cache
def bundled(client: str) -> str:
    """Return a file of tests/browser/clients with the library that it imports as one script, made by esbuild."""
    assert MODULES.exists(), "the clients are not installed: npm ci --prefix tests/clients"
    options = ["--bundle", "--format=iife", "--target=es2022", "--log-level=error"]
    done = subprocess.run(
        [str(MODULES / ".bin" / "esbuild"), str(SOURCES / f"{client}.js"), *options],
        env={**os.environ, "NODE_PATH": str(MODULES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class OtherSite:
    """A web server in a thread whose pages, at `http://localhost:PORT`, are cross-site for a gateway on 127.0.0.1."""

    def __init__(self, client: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = self.path == "/client.js"
                body = (bundled(client) if script else PAGE).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the test's output to the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class Stored:
    """The log entries that came since this was made, and how to wait for them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._before = len(gateway.log())
        self._old = {entry["m"] for entry in gateway.log()}

    def entries(self) -> list[Json]:
        """Return the new entries, each as often as it is there, by event time."""
        return sorted((e for e in self._gateway.log() if e["m"] not in self._old), key=lambda e: e["t"])

    async def reach(self, count: int, within: float = 15) -> list[Json]:
        """Wait until there are so many, then return them; the loop goes on meanwhile, for the routes' sake."""
        await until(lambda: self._gateway.log_length() - self._before >= count, within)
        return self.entries()


async def until(condition: Callable[[], bool], within: float = 15) -> None:
    """Wait for a condition without holding up the loop in which the browser's routes are answered."""
    await asyncio.to_thread(eventually, condition, within)


async def own_page(context: BrowserContext, gateway: Gateway, client: str) -> Page:
    """Open a page with the library at the gateway's own origin."""

    async def script(route: Route) -> None:
        await route.fulfill(body=bundled(client), content_type="text/javascript")

    await context.route(f"{gateway.public}/client.js", script)
    await put_page(context, f"{gateway.public}/page*", PAGE)
    page = await context.new_page()
    await page.goto(f"{gateway.public}/page?utm_campaign=kevat")
    return page


def from_the_docs(beginning: str) -> str:
    """Return the JavaScript of docs/consent.md that begins so, as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "consent.md").read_text("utf-8")
    (found,) = [each for each in re.findall(r"```js\n(.*?)```", text, re.DOTALL) if each.startswith(beginning)]
    return str(found)


async def refuse_allow_refuse(page: Page, gateway: Gateway, choose: str) -> None:
    """Let a visitor refuse, allow and withdraw, with an event after each; `choose` is a function of two lists."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if answer.request.method == "POST" else None)
    stored = Stored(gateway)

    async def chosen(number: int, allowed: list[str], denied: list[str]) -> None:
        await page.evaluate(f"lists => ({choose})(...lists)", [allowed, denied])
        await page.evaluate(f"void analytics.track('Choice {number}')")
        await until(lambda: len(answers) >= number)
        assert answers[number - 1].status == 200

    await chosen(1, [], ["analytics", "personalization", "ads"])
    assert (stored.entries(), await cookie_of(page)) == ([], "")
    await chosen(2, ["analytics"], ["personalization", "ads"])
    (entry,) = stored.entries()
    assert (entry["e"]["event"], entry["c"]) == ("Choice 2", ["analytics"])
    assert entry["v"] == "a:" + (await cookie_of(page)).partition(".")[0]
    assert gateway.profile(entry["v"]).consent[1] == ["analytics"]
    await chosen(3, [], ["analytics", "personalization", "ads"])
    assert await cookie_of(page) == ""
    tombstone = gateway.profile(entry["v"])
    assert (bool(tombstone.erased), tombstone.consent[1], tombstone.visits) == (True, [], [])
    await until(lambda: stored.entries() == [])


async def answer_once(page: Page, address: str, status: int, headers: dict[str, str]) -> list[datetime]:
    """Answer the first request to an address in the gateway's place; return `sentAt` of each, a growing list."""
    sent: list[datetime] = []

    def note(request: Request) -> None:
        if request.url == address:
            sent.append(datetime.fromisoformat(request.post_data_json["sentAt"]))

    async def refuse(route: Route) -> None:
        await route.fulfill(status=status, headers=headers, content_type="application/json", body='{"code":"x"}')

    page.on("request", note)
    await page.route(address, refuse, times=1)
    return sent


def hosts_of(page: Page) -> set[str]:
    """Return the hosts that the page asks for anything, a growing set."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    return hosts


def told(entries: list[Json]) -> list[tuple[str, str, str]]:
    """Return (type, name, path) of log entries, as STORY has them."""
    return [
        (e["k"], e["e"].get("event") or e["e"].get("name") or "", path_of(e) if e["k"] == "page" else "")
        for e in entries
    ]


def path_of(entry: Json) -> str:
    """Return the path among a log entry's properties."""
    path: str = entry["e"]["properties"]["path"]
    return path
