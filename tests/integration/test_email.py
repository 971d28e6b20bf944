"""E-mail links over a real gateway with two workers and a real store: from minting to what a rule then shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.__main__ import main
from gateway.identity.visitor import hashed
from tests.gateway.mails import CHROME, RULES
from tests.integration.process import Gateway

SETTINGS = """
[[site]]
key = "demo"
origins = ["https://www.example.com"]
consent = ["analytics", "personalization"]
rules = "rules"
"""
TARGET = "https://www.example.com/offer?a=1#top"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("mail")
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(RULES, "utf-8")
    (folder / "tuttu.toml").write_text(SETTINGS, "utf-8")
    with Gateway(folder / "data", "--config", str(folder / "tuttu.toml"), "--workers", "2") as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.public, timeout=10, headers={"user-agent": CHROME}) as opened:
        yield opened


def dump(gateway: Gateway) -> dict[bytes, Any]:
    """Return every key of the store with its contents."""
    with gateway.store() as store:
        found: dict[bytes, Any] = {}
        for key in store.scan_iter(count=1000):
            found[key] = store.dump(key)
        return found


def minted(gateway: Gateway, client: httpx.Client, user: str) -> dict[str, str]:
    link = {"userId": user, "target": TARGET, "message": "autumn"}
    answer = client.post("/v1/links", auth=(gateway.secret_key(), ""), json={"links": [link]})
    found: dict[str, str] = answer.json()["links"][0]
    assert found["link"].startswith(f"{gateway.public}/v1/go/"), "where the server called is where browsers call"
    return found


def test_scanners_leave_the_store_as_it_was(gateway: Gateway, client: httpx.Client) -> None:
    found = minted(gateway, client, "scanned")
    before = dump(gateway)
    for number in range(50):
        for method in ("GET", "HEAD"):
            answer = client.request(method, found["link"], headers={"user-agent": f"scanner {number}"})
            assert answer.status_code == 302
            assert "set-cookie" not in answer.headers
    for token in ("x" * 10_000, "%7Bp17%7D", "%0D%0Alocation:x", found["link"].rpartition("/")[2][:-1]):
        assert client.get(f"/v1/go/{token}").status_code == 404
    assert dump(gateway) == before


def test_from_the_mail_to_a_page_that_knows_who_came(
    gateway: Gateway, client: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = gateway.secret_key()
    bought = {"userId": "ann", "event": "Order Completed", "properties": {"product": "Pro"}}
    assert client.post("/v1/track", auth=(secret, ""), json=bought).status_code == 200
    found = minted(gateway, client, "ann")
    assert client.get(found["pixel"]).headers["content-type"] == "image/gif"
    landing = client.get(found["link"]).headers["location"]
    page = {"type": "page", "context": {"page": {"url": landing}}}
    body = {"writeKey": "demo", "placements": ["hero"], "context": {"credentials": True}}
    answer = client.post("/v1/decide", json={**body, "batch": [page]})
    cookie = answer.headers["set-cookie"].partition(";")[0]
    for _ in range(8):  # either worker
        shown = client.post("/v1/decide", headers={"cookie": cookie}, json=body).json()["placements"]["hero"]
        assert shown["block"] == "webinar", "known, and not offered what the contact owns"
    contact = f"k:{hashed('demo', 'u', 'ann')}"
    browser = f"a:{cookie.partition('=')[2].partition('.')[0]}"
    log = gateway.log()
    assert [e["e"]["event"] for e in log if e["v"] == contact] == [
        "Order Completed", "Email Opened", "Email Link Clicked",
    ]  # fmt: skip
    assert [e["p"] for e in log if e["v"] == browser] == [contact]
    assert gateway.profile(browser).contact[1] == contact.removeprefix("k:")
    assert gateway.profile(browser).owns == {}
    config = str(gateway.data.with_name("tuttu.toml"))
    assert main(["explain", browser, "--data", str(gateway.data), "--config", config]) == 0
    assert "placement hero: webinar (rule)" in capsys.readouterr().out
    metrics = gateway.metrics()
    received = metrics["tuttu_events_received_total",]
    assert received == sum(n for name, n in metrics.items() if name[0] == "tuttu_events_total")
