"""Network data under a running gateway: it comes, it changes, it breaks, and hits go on all the while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.networks_data import make_data
from tests.integration.process import Gateway, eventually

TAKEN_WITHIN_S = 15
EQUINOR = "143.97.0.1"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    env = {"TUTTU_TRUSTED_PROXIES": "127.0.0.1"}
    with Gateway(tmp_path / "data", "--workers", "2", env=env) as running:
        yield running


class Visitors(threading.Thread):
    """Sends a page view after the other from one address until it is told to stop; keeps every answer's status."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.statuses: list[int] = []
        self._gateway = gateway
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            self.statuses.append(send(self._gateway).status_code)

    def stop(self) -> None:
        self._enough.set()
        self.join(30)


def send(gateway: Gateway, address: str = EQUINOR, **body: Any) -> httpx.Response:
    """Send a page view of a new visitor behind a proxy; a connection of its own, so that any worker may take it."""
    sent = {"writeKey": "demo", "properties": {"path": "/"}, **body}
    return httpx.post(f"{gateway.public}/v1/page", json=sent, headers={"x-forwarded-for": address}, timeout=10)


def taken(gateway: Gateway, result: str = "taken") -> float:
    return gateway.metrics().get(("tuttu_network_data_loads_total", result), 0)


def test_a_running_gateway_takes_new_data_and_refuses_broken_data(gateway: Gateway) -> None:
    visitors = Visitors(gateway)
    visitors.start()
    try:
        folder = gateway.data / "networks"
        eventually(lambda: gateway.log_length() > 0, 10)
        assert all("country" not in entry["f"] for entry in gateway.log())

        make_data(folder)
        eventually(lambda: taken(gateway) == 4, TAKEN_WITHIN_S)  # two workers, two sets
        before = gateway.log_length()
        eventually(lambda: gateway.log_length() > before + 20, 10)
        facts = max(gateway.log(), key=lambda entry: entry["r"])["f"]
        assert (facts["country"], facts["city"]) == ("NO", "Stavanger")
        assert facts["company"] == {
            "name": "Equinor", "domain": "equinor.com", "type": "business", "source": "asn",
        }  # fmt: skip

        make_data(folder, version="2")
        (folder / "asn-2.table").write_bytes(b"half")
        (folder / "ipv4-2.mmdb").write_bytes(b"")
        eventually(lambda: taken(gateway, "refused") >= 2, TAKEN_WITHIN_S)
        before = gateway.log_length()
        eventually(lambda: gateway.log_length() > before + 20, 10)
        assert max(gateway.log(), key=lambda entry: entry["r"])["f"]["country"] == "NO"
        assert gateway.metrics()["tuttu_network_data",] == 4
        assert gateway.errors().count("asn-2.table: the file is damaged") == 2, "once for each worker"
    finally:
        visitors.stop()
    assert set(visitors.statuses) == {200}
    assert EQUINOR not in gateway.errors()
    assert all(EQUINOR not in str(entry) for entry in gateway.log())


def test_a_server_names_its_visitors_address_and_a_browser_cannot(gateway: Gateway) -> None:
    make_data(gateway.data / "networks")
    eventually(lambda: taken(gateway) == 4, TAKEN_WITHIN_S)
    spoofed = {"ip": EQUINOR, "page": {"path": "/spoofed"}}
    assert send(gateway, "8.8.8.8", context=spoofed).status_code == 200
    from_server = {"writeKey": gateway.secret_key(), "userId": "u1", "context": {"ip": EQUINOR}}
    assert send(gateway, "8.8.8.8", **from_server).status_code == 200
    assert send(gateway, EQUINOR, writeKey=gateway.secret_key(), userId="u2").status_code == 200
    countries = sorted(entry["f"].get("country", "") for entry in gateway.log())
    assert countries == ["", "NO", "US"]


def test_an_own_list_is_used_and_a_bad_one_stops_the_start(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("cidr,company,crm_id,employees\n10.0.0.0/8,Head office,007,240\n", "utf-8")
    config = tmp_path / "tuttu.toml"
    consent = 'consent = ["analytics", "personalization"]'
    config.write_text(f'[[site]]\nkey = "demo"\n{consent}\ncompanies = "own.csv"\n', "utf-8")
    options = ("--config", str(config))
    env = {"TUTTU_TRUSTED_PROXIES": "127.0.0.1"}
    with Gateway(tmp_path / "data", *options, env=env) as gateway:
        assert send(gateway, "10.1.2.3").status_code == 200
        (entry,) = gateway.log()
        assert entry["f"]["company"] == {"name": "Head office", "type": "business", "source": "own list"}
    own.write_text("cidr,company\nten,A\n11.0.0.0/8,\n", "utf-8")
    broken = Gateway(tmp_path / "data", *options)
    with pytest.raises(AssertionError, match="not ready"), broken:
        pass
    assert broken._process is not None
    assert broken._process.returncode == 1
    assert f"{own}:2:1: " in broken.errors()
    assert f"{own}:3:1: " in broken.errors()
    assert "Traceback" not in broken.errors()
