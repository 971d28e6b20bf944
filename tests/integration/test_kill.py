"""kill -9 during traffic, of each process in turn: no answered hit is lost or doubled, and all is well in seconds.

Each test ends only processes that it started itself, by their ids.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.integration.process import Gateway, alive, children, eventually

SENDERS = 8
HITS_EACH = 400
VISITORS = 40
PAUSE_S = 0.005


class Ledger:
    """What was sent, what of it was answered 200, and when the latest 200 came."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.unanswered: list[str] = []
        self.latest = 0.0

    def enter(self, message_id: str, *, accepted: bool) -> None:
        if accepted:
            self.answered.append(message_id)
            self.latest = time.monotonic()
        else:
            self.unanswered.append(message_id)


def hit(connection: http.client.HTTPConnection, message_id: str) -> bool:
    """Send one event and tell whether it was accepted: not under an error status, nor when the connection broke."""
    sender, _, number = message_id.partition("-")
    event = {
        "event": "Hit",
        "messageId": message_id,
        "anonymousId": f"{sender}-{int(number) % VISITORS}",
        "writeKey": "demo",
    }
    try:
        connection.request("POST", "/v1/track", orjson.dumps(event))
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return response.status == 200 and orjson.loads(body)["accepted"] == 1


@contextmanager
def traffic(gateway: Gateway) -> Iterator[Ledger]:
    """Send hits from several threads while the block runs, at least a hundred before and after it."""
    ledger, stop = Ledger(), threading.Event()

    def send(sender: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(gateway.public).netloc, timeout=10)
        for number in range(HITS_EACH):
            if stop.is_set():
                break
            message_id = f"s{sender}-{number}"
            accepted = hit(connection, message_id)
            ledger.enter(message_id, accepted=accepted)
            stop.wait(PAUSE_S if accepted else 0.05)
        connection.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(ledger.answered) >= 100, within=10)
        yield ledger
        before = len(ledger.answered)
        eventually(lambda: len(ledger.answered) >= before + 100, within=10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def assert_nothing_lost_or_doubled(gateway: Gateway, ledger: Ledger) -> None:
    """Every answered hit is in the log once; so is every other one after its client has sent it again."""
    counts = Counter(entry["m"] for entry in gateway.log())
    assert [m for m in ledger.answered if counts[m] != 1] == []
    assert [m for m, n in counts.items() if n != 1] == []
    connection = http.client.HTTPConnection(urlsplit(gateway.public).netloc, timeout=10)
    assert [m for m in ledger.unanswered if not hit(connection, m)] == []
    connection.close()
    assert Counter(entry["m"] for entry in gateway.log()) == Counter(ledger.answered + ledger.unanswered)


@pytest.mark.parametrize("workers", [1, 2])
def test_gateway(workers: int, tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", str(workers)) as gateway:
        with traffic(gateway) as ledger:
            old_store, old_workers = gateway.store_pid(), gateway.worker_pids()
            gateway.kill()
            gateway.start()
            assert gateway.store_pid() == old_store or not alive(old_store), "two stores on one folder"
            eventually(lambda: not any(alive(pid) for pid in old_workers), within=5)
        assert_nothing_lost_or_doubled(gateway, ledger)


@pytest.mark.parametrize("workers", [1, 2])
def test_gateway_for_good(workers: int, tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", str(workers)) as gateway:
        family = children(gateway.pid)
        gateway.kill()
        eventually(lambda: not any(alive(pid) for pid in family), within=5)


def test_worker(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", "2") as gateway:
        with traffic(gateway) as ledger:
            victim, survivor = gateway.worker_pids()
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: len(set(gateway.worker_pids()) - {victim}) == 2, within=5)
            assert survivor in gateway.worker_pids()
        assert gateway.metrics()[("tuttu_worker_restarts_total",)] == 1
        assert_nothing_lost_or_doubled(gateway, ledger)


@pytest.mark.parametrize("workers", [1, 2])
def test_store(workers: int, tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", str(workers)) as gateway:
        with traffic(gateway) as ledger:
            victim = gateway.store_pid()
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: not alive(victim), within=3)
            died = time.monotonic()
            eventually(lambda: ledger.latest > died, within=3)
        assert gateway.store_pid() != victim
        assert gateway.metrics()[("tuttu_store_restarts_total",)] == 1
        assert_nothing_lost_or_doubled(gateway, ledger)
