"""The gateway below a path of the site, behind the real nginx and the real Caddy as docs/deploy.md sets them up."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.__main__ import main
from gateway.enrich.address import TrustedProxies
from tests.fakes.recorder import Exchange, Recorder
from tests.gateway.making import RULES
from tests.integration.process import Gateway
from tests.integration.proxies import DEPLOY, DOCS_SITE, Proxy, block, free_port

PAGE = {"type": "page", "properties": {"path": "/hinnoittelu"}}
YES = ["analytics", "personalization"]
VISITOR = "127.0.0.2"
"""A client's address that is not the proxy's own."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the proxies of this file listen: the site's own origin in the gateway's settings."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[Gateway]:
    """Yield a gateway with the settings of the docs, for this origin; one for all tests, each is another visitor."""
    folder = tmp_path_factory.mktemp("gateway")
    config = folder / "tuttu.toml"
    config.write_text(block("toml").replace(DOCS_SITE, site), "utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "site.yaml").write_text(RULES, "utf-8")
    with Gateway(folder / "data", "--config", str(config)) as running:
        yield running


@pytest.fixture(params=["nginx", "caddy"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def proxy(kind: str, site: str, gateway: Gateway, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(kind, site, gateway.public, tmp_path / kind) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(local_address=VISITOR)
    with httpx.Client(base_url=f"{proxy.url}/t", transport=transport, timeout=20) as opened:
        yield opened


def post(client: httpx.Client, path: str, headers: Any = None, **body: Any) -> httpx.Response:
    return client.post(path, json={"writeKey": "www", "consent": YES, **body}, headers=headers or {})


def cookie_of(answer: httpx.Response) -> str:
    return answer.headers.get("set-cookie", "").partition(";")[0]


def test_a_visitor_is_known_and_decided_for(client: httpx.Client, proxy: Proxy) -> None:
    first = post(client, "/v1/page", **PAGE)
    name, *attributes = first.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-tuttu_id=")
    assert attributes == ["Max-Age=34560000", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
    assert first.headers["cache-control"] == "no-store"
    headers = {"cookie": name}
    asked = post(client, "/v1/decide", headers, batch=[PAGE], placements=["home hero"]).json()
    assert (asked["placements"]["home hero"]["block"], asked["accepted"]) == ("book a demo", 1)
    assert httpx.get(f"{proxy.url}/").text == "the site as it is"
    assert client.get("/metrics").status_code == 404


def test_the_settings_name_the_path(client: httpx.Client, site: str) -> None:
    stranger = {"x-forwarded-prefix": "/evil", "x-forwarded-proto": "https"}
    for headers in ({}, stranger):
        segment = client.get("/v1/projects/www/settings", headers=headers).json()["integrations"]["Segment.io"]
        assert segment["apiHost"] == site.removeprefix("http://") + "/t/v1"
        assert segment["protocol"] == "http"


def test_only_a_trusted_proxy_names_a_path(gateway: Gateway) -> None:
    def host(prefix: str, source: str) -> str:
        transport = httpx.HTTPTransport(local_address=source)
        with httpx.Client(transport=transport) as direct:
            headers = {"x-forwarded-prefix": prefix, "host": "www.example.com"}
            answer = direct.get(f"{gateway.public}/v1/projects/www/settings", headers=headers).json()
        found: str = answer["integrations"]["Segment.io"]["apiHost"]
        return found

    assert host("/t/", "127.0.0.1") == "www.example.com/t/v1"
    assert host("/a/b", "127.0.0.1") == "www.example.com/a/b/v1"
    assert host("/t", VISITOR) == "www.example.com/v1"
    for nonsense in ("t", "//evil.example", "/t?x", "/t/v1/<script>", "/" + "a/" * 9, "/"):
        assert host(nonsense, "127.0.0.1") == "www.example.com/v1"


def test_the_doctor_finds_nothing_wrong(proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", f"{proxy.url}/t", "--write-key", "www", "--visit"])
    assert code == 0, capsys.readouterr().out


def test_a_batch_of_4_mb_goes_through_plain_and_zipped(client: httpx.Client) -> None:
    events = [{**PAGE, "properties": {"path": "/", "filler": "x" * 31_000}} for _ in range(128)]
    body = json.dumps({"writeKey": "www", "consent": YES, "batch": events}).encode()
    assert 3_900_000 < len(body) < 4_000_000
    assert client.post("/v1/batch", content=body).json()["accepted"] == 128
    zipped = client.post("/v1/batch", content=gzip.compress(body), headers={"content-encoding": "gzip"})
    assert zipped.json()["accepted"] == 128
    larger = client.post("/v1/batch", content=body + b" " * 500_000)
    assert (larger.status_code, larger.json()["code"]) == (413, "too_large"), "the gateway says so, not the proxy"


def test_a_beacon_brings_its_key_in_the_query(client: httpx.Client) -> None:
    body = json.dumps({"batch": [PAGE], "consent": YES})
    answer = client.post("/beacon/v1/batch?writeKey=www", content=body, headers={"content-type": "text/plain"})
    assert answer.json()["accepted"] == 1


def test_what_the_browser_says_about_the_page_arrives(client: httpx.Client, site: str) -> None:
    def cookie(**headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cookie_of(post(client, "/v1/page", named, **PAGE, anonymousId="anon-1"))

    assert cookie(sec_fetch_site="same-origin")
    assert not cookie(sec_fetch_site="cross-site")
    assert cookie(origin=site), "without Sec-Fetch-Site the origin is compared with the host and its port"
    refused = post(client, "/v1/page", {"origin": "https://evil.example"}, **PAGE)
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")
    preflight = client.options("/v1/t", headers={"origin": site, "access-control-request-method": "POST"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, site)


def test_a_forged_address_has_no_effect(kind: str, site: str, gateway: Gateway, tmp_path: Path) -> None:
    with Recorder(gateway.public) as recorder, Proxy(kind, site, recorder.url, tmp_path / kind) as proxy:
        transport = httpx.HTTPTransport(local_address=VISITOR)
        with httpx.Client(base_url=f"{proxy.url}/t", transport=transport) as client:
            for forged in ("203.0.113.7", "203.0.113.7, 127.0.0.1", "nonsense", ""):
                assert post(client, "/v1/page", {"x-forwarded-for": forged}, **PAGE).status_code == 200
    assert [address_of(exchange) for exchange in recorder.exchanges] == [VISITOR] * 4
    assert {exchange.header("host") for exchange in recorder.exchanges} == {site.removeprefix("http://")}


def test_behind_a_cdn_that_is_trusted_the_address_is_the_visitors(
    kind: str, site: str, gateway: Gateway, tmp_path: Path
) -> None:
    with Recorder(gateway.public) as recorder:
        proxy = Proxy(kind, site, recorder.url, tmp_path / kind)
        if kind == "caddy":
            proxy.config.write_text(
                proxy.config.read_text("utf-8").replace("header_up", f"trusted_proxies {VISITOR}/32\nheader_up"),
                "utf-8",
            )
        transport = httpx.HTTPTransport(local_address=VISITOR)  # now the CDN's address
        with proxy, httpx.Client(base_url=f"{proxy.url}/t", transport=transport) as client:
            post(client, "/v1/page", {"x-forwarded-for": "192.0.2.1, 203.0.113.7"}, **PAGE)
    (exchange,) = recorder.exchanges
    assert address_of(exchange, VISITOR) == "203.0.113.7"
    assert address_of(exchange) == VISITOR


def address_of(exchange: Exchange, *cdn: str) -> str:
    """Return what the gateway, with the docs' settings and these of a CDN, takes for the client's address."""
    trusted = tomllib.loads(block("toml"))["gateway"]["trusted_proxies"]
    return TrustedProxies([*trusted, *cdn]).client("127.0.0.1", exchange.header("x-forwarded-for").encode())


def test_connections_to_the_gateway_are_used_again(client: httpx.Client, gateway: Gateway) -> None:
    before = connections_to(gateway.public)
    for _ in range(30):
        assert post(client, "/v1/page", **PAGE).status_code == 200
    assert len(connections_to(gateway.public) - before) <= 3


def connections_to(url: str) -> set[str]:
    """Return the local ends of TCP connections to an address, also of just closed ones, see proc_net_tcp(5)."""
    port = f":{int(url.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return {row[1] for row in rows if row[2].endswith(port)}


def test_after_the_gateway_was_away_it_goes_on(client: httpx.Client, gateway: Gateway) -> None:
    event = {**PAGE, "messageId": "away-1"}
    assert post(client, "/v1/page", **PAGE).status_code == 200
    gateway.stop()
    try:
        assert post(client, "/v1/page", **event).status_code in (502, 503), "clients send that again"
    finally:
        gateway.start()
    assert post(client, "/v1/page", **event).json()["accepted"] == 1


def test_the_checks_of_the_docs_answer_as_they_say(proxy: Proxy, site: str) -> None:
    section = DEPLOY.partition("## Check it")[2].partition("\n## ")[0]
    checks = re.findall(r"```sh\n(.*?)```.*?```text\n(.*?)```", section, re.DOTALL)
    assert len(checks) == 4
    for command, expected in checks:
        script = command.replace(DOCS_SITE, site)
        done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=20, check=True)
        for line in expected.replace(DOCS_SITE.removeprefix("https://"), site.removeprefix("http://")).splitlines():
            assert line.replace('"https"', '"http"').lower() in done.stdout.lower()
