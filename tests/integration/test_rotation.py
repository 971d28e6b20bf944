"""Keys are rotated under a running gateway with two workers: no visitor is lost, no request refused."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from gateway.__main__ import main
from gateway.secrets import SecretsFile, changing_secrets
from tests.gateway.making import RULES
from tests.integration.process import PATIENT, Gateway, eventually

LIVE_WITHIN_S = 15
VISITORS = 10
ANEW = httpx.Client(timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
"""A client whose every request has a new connection."""


def signing(gateway: Gateway) -> str:
    """Return the id of the key that signs, as the gateway itself says."""
    (found,) = [name[1] for name in gateway.metrics() if name[0] == "tuttu_cookie_key_info" and name[2] == "signs"]
    return found


class Crowd(threading.Thread):
    """Visitors that keep their cookies and come again and again, each time over a new connection.

    At each visit they say that they saw what they were shown the time before. An old visitor's cookie stays as it was
    first signed; beside each comes a new one, who comes back at once: its cookie is just signed, by any worker.
    """

    def __init__(self, gateway: Gateway, kept: dict[int, tuple[str, str]]) -> None:
        super().__init__()
        self.kept = kept
        """Cookie and last decision token of each old visitor."""
        self.failed: list[str] = []
        self.visits = 0
        self._gateway = gateway
        self._enough = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self._enough.wait(0.002):
            number = turn % VISITORS
            try:
                self.kept[number] = self.visit(*self.kept.get(number, ("", "")))
                self.visit(*self.visit("", ""))
            except (httpx.HTTPError, LookupError, ValueError) as error:
                self.failed.append(f"{type(error).__name__}: {error}")
            turn += 1

    def visit(self, cookie: str, token: str) -> tuple[str, str]:
        shown = {"type": "track", "event": "Content Shown", "properties": {"decision": token}}
        body = {
            "writeKey": "demo",
            "batch": [{"type": "page", "properties": {"path": "/"}}, *([shown] if token else [])],
            "placements": ["home hero"],
        }
        ANEW.cookies.clear()
        headers = {"cookie": cookie} if cookie else {}
        answer = ANEW.post(f"{self._gateway.public}/v1/decide", json=body, headers=headers)
        self.visits += 1
        found = answer.json()
        if answer.status_code != 200 or found["accepted"] != len(body["batch"]):
            self.failed.append(answer.text)
        given = answer.headers.get("set-cookie", "").partition(";")[0]
        if cookie and given and _visitor(given) != _visitor(cookie):
            self.failed.append(f"{cookie} became {given}")
        if not cookie and not given:
            self.failed.append(f"a new visitor got no cookie: {answer.text}")
        return given or cookie, found["placements"]["home hero"]["decision"]

    def stop(self) -> None:
        self._enough.set()
        self.join(30)


def test_three_rotations_under_traffic_lose_nobody(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "site.yaml").write_text(RULES, "utf-8")
    data = tmp_path / "data"
    with Gateway(data, "--rules", str(rules), "--workers", "2", env=PATIENT) as gateway:
        kept: dict[int, tuple[str, str]] = {}
        crowds: list[Crowd] = []
        used = [signing(gateway)]
        first: dict[int, tuple[str, str]] = {}
        for turn in range(4):
            crowd = Crowd(gateway, kept)
            crowds.append(crowd)
            crowd.start()
            try:
                eventually(lambda: crowd.visits > VISITORS * 3, LIVE_WITHIN_S)  # noqa: B023 - asked in this very turn
                first = first or dict(kept)
                if turn < 3:
                    assert main(["keys", "rotate", "--data", str(data)]) == 0
                    used.append(SecretsFile(data).cookie_ring()[0].id)
                    if turn == 1:
                        crowd.stop()  # what a worker had in hand when it was killed has no answer
                        os.kill(gateway.worker_pids()[0], signal.SIGKILL)
                    eventually(lambda: signing(gateway) == used[-1], LIVE_WITHIN_S)
                    eventually(lambda: gateway.metrics()[("tuttu_workers",)] == 2, LIVE_WITHIN_S)
            finally:
                crowd.stop()
        assert [error for crowd in crowds for error in crowd.failed] == []
        assert len(set(used)) == 4
        assert len(first) == VISITORS
        assert {_signed_by(cookie) for cookie, _ in first.values()} == {used[0]}
        assert {number: _visitor(cookie) for number, (cookie, _) in kept.items()} == {
            number: _visitor(cookie) for number, (cookie, _) in first.items()
        }, "the same visitors, whose cookies were renewed meanwhile"
        assert used[0] not in {_signed_by(cookie) for cookie, _ in kept.values()}
        cookie, token = Crowd(gateway, {}).visit(*first[0])
        assert (_visitor(cookie), bool(token)) == (_visitor(first[0][0]), True), "the first token counts still"
        assert _signed_by(Crowd(gateway, {}).visit("", "")[0]) == used[3]
        metrics = gateway.metrics()
        assert metrics.get(("tuttu_bad_cookies_total",), 0) == 0
        assert metrics.get(("tuttu_bad_tokens_total",), 0) == 0
        assert metrics[("tuttu_worker_restarts_total",)] == 1
        assert metrics[("tuttu_key_reloads_total", "good")] == 3

        with changing_secrets(data) as file:  # as if the first rotation had been long ago
            ring = file.cookie_ring()
            file.put_cookie_ring((*ring[:-1], replace(ring[-1], until=datetime(2020, 1, 1, tzinfo=UTC))))
        assert main(["keys", "drop", "--older-than", "400d", "--data", str(data)]) == 0
        eventually(lambda: ("tuttu_cookie_key_info", used[0], "verifies") not in gateway.metrics(), LIVE_WITHIN_S)
        stranger = Crowd(gateway, {})
        stranger.visit(*first[0])
        assert "became" in stranger.failed[0]
        assert gateway.metrics()[("tuttu_bad_cookies_total",)] == 1


def _visitor(cookie: str) -> str:
    return cookie.partition(".")[0]


def _signed_by(cookie: str) -> str:
    return cookie.split(".")[1]
