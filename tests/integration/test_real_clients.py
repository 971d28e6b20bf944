"""The server SDKs that sites already have, unchanged, against the real gateway: each event once, come what may."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.fakes.recorder import Exchange, Recorder, send
from tests.integration.process import Gateway

CLIENTS = Path(__file__).parents[1] / "clients"
PROGRAMS = {
    "segment-node": ("node", CLIENTS / "segment.mjs"),
    "rudder-node": ("node", CLIENTS / "rudder.mjs"),
    "segment-python": (sys.executable, CLIENTS / "segment_python.py"),
    "segment-python-gzip": (sys.executable, CLIENTS / "segment_python.py", "gzip"),
    "rudder-python": (sys.executable, CLIENTS / "rudder_python.py"),
}
STORY = Counter(
    [
        ("identify", ""),
        ("page", "Home"),
        ("page", "Pricing"),
        ("page", "Docs"),
        ("track", "Signed Up"),
        ("track", "Order Completed"),
        ("group", ""),
        ("alias", ""),
    ]
)
TRAITS = {"email": "zoë@example.com", "plan": "pro", "age": 34}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all tests of this file, to save its start twenty times; each test is another visitor."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "data") as running:
        yield running


@pytest.fixture
def recorder(gateway: Gateway) -> Iterator[Recorder]:
    with Recorder(gateway.public) as forwarding:
        yield forwarding


@pytest.fixture(params=["write key", "secret key"])
def key(request: pytest.FixtureRequest, gateway: Gateway) -> str:
    return "demo" if request.param == "write key" else gateway.secret_key()


@pytest.mark.parametrize("client", PROGRAMS)
def test_delivers_a_visitors_story_once(client: str, key: str, gateway: Gateway, recorder: Recorder) -> None:
    deliver(client, recorder, key, "story")
    sent = sent_events(recorder)
    assert Counter((e["type"], e.get("event") or e.get("name") or "") for e in sent) == STORY

    log = logged(gateway, sent)
    assert Counter((e["m"], e["k"]) for e in log) == Counter((e["messageId"], e["type"]) for e in sent)
    assert len({e["v"] for e in log}) == 1, "one user id is one visitor"
    assert log[0]["v"].startswith("c:" if key == "demo" else "k:")
    assert {e["s"] for e in log} == {"demo"}
    assert gateway.profile(log[0]["v"]).trait_values() == TRAITS

    send_all_again(recorder, sizes=(1, 3, len(sent)))
    assert logged(gateway, sent) == log
    assert_every_event_has_one_outcome(gateway)


@pytest.mark.parametrize("count", [100, 2000])
@pytest.mark.parametrize("client", PROGRAMS)
def test_delivers_one_visitors_burst_once(client: str, count: int, gateway: Gateway, recorder: Recorder) -> None:
    deliver(client, recorder, "demo", str(count))
    sent = sent_events(recorder)
    assert len(sent) == count

    log = logged(gateway, sent)
    assert Counter(e["m"] for e in log) == Counter(e["messageId"] for e in sent)
    assert len({e["v"] for e in log}) == 1

    send_all_again(recorder, sizes=(count // 7, count))
    assert logged(gateway, sent) == log
    assert_every_event_has_one_outcome(gateway)


def deliver(client: str, recorder: Recorder, key: str, plan: str) -> None:
    program, script, *options = PROGRAMS[client]
    user = f"u-{uuid4()}"
    command = [str(program), str(script), recorder.url, key, user, plan, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for exchange in recorder.exchanges:
        assert exchange.status == 200, exchange.answer
        answer = orjson.loads(exchange.answer)
        assert answer == {"success": True, "accepted": len(batch_of(exchange)), "dropped": 0, "rejected": []}


def batch_of(exchange: Exchange) -> list[Json]:
    body = gzip.decompress(exchange.body) if exchange.header("content-encoding") == "gzip" else exchange.body
    batch: list[Json] = orjson.loads(body)["batch"]
    return batch


def sent_events(recorder: Recorder) -> list[Json]:
    return [event for exchange in recorder.exchanges for event in batch_of(exchange)]


def logged(gateway: Gateway, sent: list[Json]) -> list[Json]:
    """Return the log entries of these events; that there are no others is what the metrics are compared with."""
    ids = {event["messageId"] for event in sent}
    return [entry for entry in gateway.log() if entry["m"] in ids]


def send_all_again(recorder: Recorder, sizes: tuple[int, ...]) -> None:
    """Send every recorded request byte for byte, then their events in batches of other sizes, the last ones first."""
    for exchange in recorder.exchanges:
        status, answer = recorder.replay(exchange)
        assert (status, orjson.loads(answer)["accepted"]) == (200, len(batch_of(exchange)))
    headers = [
        (name, value) for name, value in recorder.exchanges[0].headers if name.lower() in ("host", "authorization")
    ]
    events = sent_events(recorder)[::-1]
    for size in sizes:
        for start in range(0, len(events), size):
            batch = events[start : start + size]
            body = orjson.dumps({"batch": batch})
            sized = [*headers, ("Content-Length", str(len(body)))]
            status, _, answer = send(recorder.upstream, "POST", "/v1/batch", sized, body)
            assert (status, orjson.loads(answer)["accepted"]) == (200, len(batch)), answer


def assert_every_event_has_one_outcome(gateway: Gateway) -> None:
    metrics = gateway.metrics()
    outcomes = {name: value for name, value in metrics.items() if name[0] == "tuttu_events_total"}
    assert metrics[("tuttu_events_received_total",)] == sum(outcomes.values())
    assert metrics[("tuttu_events_total", "stored", "")] == len(gateway.log())
