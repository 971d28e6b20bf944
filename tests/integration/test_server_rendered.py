"""The sites of docs/server-rendered.md, as they stand there, in Python and in Node, with a browser's cookies."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from tests.integration.process import PATIENT, Gateway, eventually
from tests.integration.proxies import free_port

DOCS = (Path(__file__).parents[2] / "docs" / "server-rendered.md").read_text("utf-8")
PROGRAMS = {
    "python": ("python", "py", sys.executable),
    "node": ("js", "mjs", "node"),
}
COOKIE = "__Host-tuttu_id"
IN_A_HURRY = {"python": "timeout=0.3)", "node": "AbortSignal.timeout(300)"}
UNHURRIED = {"python": "timeout=9)", "node": "AbortSignal.timeout(9000)"}
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
RULES = """
placements:
  - placement: home hero
    blocks:
      - block: book a demo
        when: [{viewed: /hinnoittelu*, at least: 3 times, within: 30 days}, {device: desktop}, {language: fi}]
        content: {title: "Mitä <raportointi> & muu maksaa?", cta: "Varaa \\"esittely\\"", link: /demo}
      - {block: welcome, content: {title: "Hei maailma", cta: "Katso", link: /tuotteet}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "rules").mkdir()
    (folder / "rules" / "site.yaml").write_text(RULES, "utf-8")
    with Gateway(folder / "data", "--rules", str(folder / "rules"), env=PATIENT) as running:
        yield running


@pytest.fixture(params=PROGRAMS)
def language(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def site(language: str, gateway: Gateway, tmp_path: Path) -> Iterator[Site]:
    with Site(language, gateway.public, gateway.secret_key(), tmp_path) as running:
        yield running


class Site:
    """The docs' site as a process of its own; a context manager. Unless `hurried`, it waits for a busy machine."""

    def __init__(self, language: str, gateway: str, key: str, folder: Path, *, hurried: bool = False) -> None:
        fence, suffix, program = PROGRAMS[language]
        blocks = re.findall(rf"```{fence}\n(.*?)```", DOCS, re.DOTALL)
        assert DOCS.count(IN_A_HURRY[language]) == 1
        wait = IN_A_HURRY if hurried else UNHURRIED
        for name, text in zip(("tuttu", "site"), blocks, strict=True):
            code = text.replace(IN_A_HURRY[language], wait[language])
            (folder / f"{name}.{suffix}").write_text(code, "utf-8")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.key = key
        self._command = [program, str(folder / f"site.{suffix}")]
        self._env = {**os.environ, "TUTTU_URL": gateway, "TUTTU_SECRET_KEY": key, "PORT": str(self._port)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, env=self._env, stderr=subprocess.DEVNULL)
        eventually(self._listens, 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Browser:
    """Somebody who looks at pages and keeps cookies, Secure ones from 127.0.0.1 too, as Chromium does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self._opener = build_opener(HTTPCookieProcessor(self.jar))
        self.headers = HTTPMessage()

    def look(self, path: str) -> str:
        """Return a page; its headers are in `headers` afterwards."""
        request = Request(self._site.url + path, headers={"User-Agent": AGENT})
        with self._opener.open(request, timeout=10) as answer:
            html: str = answer.read().decode()
            self.headers = answer.headers
        assert self._site.key not in html + str(self.headers)
        return html

    def cookie(self) -> str:
        """Return the visitor cookie's value, "" if there is none."""
        return next((c.value or "" for c in self.jar if c.name == COOKIE), "")

    def put(self, name: str, value: str) -> None:
        """Put a cookie of the site into the browser."""
        nothing = dict.fromkeys(("port", "expires", "comment", "comment_url"))
        no = dict.fromkeys(("port_specified", "domain_specified", "domain_initial_dot", "secure", "discard"), False)
        given = {"version": 0, "name": name, "value": value, "domain": "127.0.0.1", "path": "/", "path_specified": True}
        self.jar.set_cookie(Cookie(**given, **nothing, **no, rest={}))


def test_a_visitor_comes_back_to_the_prices_and_is_asked(site: Site, gateway: Gateway) -> None:
    browser = Browser(site)
    assert "<h1>Hei maailma</h1>" in browser.look("/")
    name, *attributes = browser.headers["Set-Cookie"].split("; ")
    assert name == f"{COOKIE}={browser.cookie()}"
    assert attributes == ["Max-Age=34560000", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
    assert "Hei maailma" in browser.look("/hinnoittelu")
    assert "Hei maailma" in browser.look("/hinnoittelu/yritys")
    html = browser.look("/hinnoittelu")
    assert re.search("Mitä &(lt|#60);raportointi&(gt|#62); &(amp|#38); muu maksaa", html), "the block, escaped"
    assert '<a href="/demo">' in html
    assert re.search("Varaa &(quot|#34);esittely", html)

    visitor = "a:" + browser.cookie().partition(".")[0]
    entries = sorted((e for e in gateway.log() if e["v"] == visitor), key=lambda e: e["t"])
    assert [e["e"]["properties"]["path"] for e in entries] == [
        "/",
        "/hinnoittelu",
        "/hinnoittelu/yritys",
        "/hinnoittelu",
    ]
    assert {(e["f"]["browser"], e["f"]["device"], e["f"]["language"]) for e in entries} == {("Chrome", "desktop", "fi")}
    assert "127.0.0.1" not in json.dumps([e["e"]["context"].get("ip") for e in entries]), "no address is kept"


def test_the_first_page_view_opens_the_visit(site: Site, gateway: Gateway) -> None:
    browser = Browser(site)
    browser.look("/")
    visitor = "a:" + browser.cookie().partition(".")[0]
    assert [e["b"] for e in gateway.log() if e["v"] == visitor] == [True]


def test_a_forged_cookie_is_a_new_visitor(site: Site) -> None:
    browser = Browser(site)
    browser.look("/")
    forged = browser.cookie()[:-4] + "AAAA"
    browser.put(COOKIE, forged)
    assert "Hei maailma" in browser.look("/hinnoittelu")
    assert browser.cookie().partition(".")[0] != forged.partition(".")[0]


def test_the_visitors_choice_is_passed_on(site: Site, gateway: Gateway) -> None:
    browser = Browser(site)
    browser.put("consent", "none")
    assert "Hei maailma" in browser.look("/hinnoittelu")
    assert browser.cookie() == ""
    browser.put("consent", "analytics+personalization")
    browser.look("/hinnoittelu")
    visitor = "a:" + browser.cookie().partition(".")[0]
    browser.put("consent", "none")
    browser.look("/hinnoittelu")
    assert browser.cookie() == "", "the withdrawal's Set-Cookie took it away"
    assert gateway.profile(visitor).erased


def test_without_the_gateway_the_page_has_its_default_in_time(language: str, gateway: Gateway, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Site(language, url, gateway.secret_key(), tmp_path, hurried=True) as site:
            start = time.monotonic()
            assert "<h1>Tervetuloa</h1>" in Browser(site).look("/")
            assert time.monotonic() - start < 2, "0.3 s, and what a busy machine adds"
    with Site(language, f"http://127.0.0.1:{free_port()}", gateway.secret_key(), tmp_path) as site:
        assert "<h1>Tervetuloa</h1>" in Browser(site).look("/")
    with Site(language, gateway.public, "a wrong key", tmp_path) as site:
        assert "<h1>Tervetuloa</h1>" in Browser(site).look("/")
