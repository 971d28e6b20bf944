"""The fault suite's own tools do what they say: a line is bad in that very way, the audit notices what is wrong."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import redis

from gateway.store import keys
from personalize import documents
from personalize.profiles import Profile
from tests.faults.ledger import Book, audit, read_book
from tests.faults.proxy import StoreProxy
from tests.faults.stores import Store
from tests.integration.process import eventually

PING = b"*1\r\n$4\r\nPING\r\n"
SOON_S = 0.3


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("store")) as started:
        yield started


@pytest.fixture
def proxy(store: Store) -> Iterator[StoreProxy]:
    with StoreProxy(store.address) as opened:
        yield opened


def ask(line: socket.socket, request: bytes = PING) -> bytes:
    """Return the answer, or b"" when none comes soon."""
    line.settimeout(SOON_S)
    line.sendall(request)
    try:
        return line.recv(1000)
    except TimeoutError:
        return b""


def test_a_black_hole_holds_back_and_delivers_late(store: Store, proxy: StoreProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as line, store.client() as direct:
        assert ask(line) == b"+PONG\r\n"
        proxy.become(to_store=False)
        assert ask(line, b"*3\r\n$3\r\nSET\r\n$4\r\nlate\r\n$1\r\n1\r\n") == b""
        line.close()
        assert direct.get("late") is None
        proxy.heal()
        eventually(lambda: direct.get("late") == b"1", 2)


def test_a_one_way_black_hole_lets_the_call_through_but_not_its_answer(store: Store, proxy: StoreProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as line, store.client() as direct:
        assert ask(line) == b"+PONG\r\n"
        proxy.become(to_gateway=False)
        assert ask(line, b"*2\r\n$4\r\nINCR\r\n$3\r\none\r\n") == b""
        assert direct.get("one") == b"1"
        proxy.heal()
        assert line.recv(100) == b":1\r\n"


def test_a_delay_is_of_the_line_and_does_not_add_up(proxy: StoreProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as line:
        proxy.become(delay_s=0.5)
        begun = time.monotonic()
        for _ in range(10):
            line.sendall(PING)
            time.sleep(0.02)
        line.settimeout(5)
        got = b""
        while len(got) < 10 * len(b"+PONG\r\n"):
            got += line.recv(1000)
        assert 1 <= time.monotonic() - begun < 4, "half a second there and half a second back, not ten times"


def test_garbage_breaks_the_protocol_and_nothing_comes_after_it(proxy: StoreProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as line:
        proxy.become(garbage="middle")
        assert ask(line).startswith(b"+PO\x00\xff")
        proxy.heal()
        assert ask(line) == b""


def test_who_connects_is_refused_and_then_served_on_the_same_port(proxy: StoreProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as line:
        assert ask(line) == b"+PONG\r\n"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            ask(line)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port))
        proxy.listen()
    with socket.create_connection(("127.0.0.1", proxy.port)) as line:
        assert ask(line) == b"+PONG\r\n"


def test_a_store_without_power_has_lost_what_was_not_fsynced_for_sure(tmp_path: Path) -> None:
    with Store(tmp_path) as failing:
        with failing.client() as client:
            client.set("just now", "1")
        assert failing.lose_power() > 0
        failing.start()
        with failing.client() as client:
            assert client.get("just now") is None


def test_a_long_script_keeps_the_store_busy(store: Store) -> None:
    store.keep_busy(0.05)
    assert store.answers()


def test_the_audit_notices_what_is_lost_doubled_or_counted_wrongly(store: Store) -> None:
    with store.client() as client:
        _put(client, "a", ["kept", "twice", "twice", "unasked"], total=5)
        _put(client, "b", ["uncounted"], total=0)
        found = audit(client, Book(accepted={"kept": 1.0, "gone": 2.0, "twice": 3.0, "uncounted": 4.0}))
    assert (found.lost, found.doubled) == (["gone"], ["twice"])
    assert (found.effects_lost, found.effects_doubled, found.unasked) == (1, 1, 1)
    assert not found.holds


def test_the_book_takes_what_an_answer_accepts_and_measures_the_silence(tmp_path: Path) -> None:
    book = tmp_path / "book"
    shared = {"kind": "track", "stood": 0.0, "again": False, "degraded": False}
    lines = [
        {**shared, "status": 200, "begun": 0.0, "ended": 1.0, "ids": ["a"], "accepted": ["a"]},
        {**shared, "status": 503, "begun": 1.0, "ended": 2.0, "ids": ["b"], "accepted": []},
        {**shared, "status": 200, "begun": 3.0, "ended": 4.5, "ids": ["c"], "accepted": ["c"]},
        {**shared, "status": 200, "begun": 9.0, "ended": 9.1, "ids": ["b"], "accepted": ["b"], "again": True},
    ]
    book.write_bytes("\n".join(map(json.dumps, lines)).encode() + b'\n{"half')
    found = read_book(book)
    assert found.accepted == {"a": 1.0, "c": 4.5, "b": 9.1}
    assert found.longest_gap_s == 3.5


def _put(client: redis.Redis, visitor: str, messages: list[str], total: int) -> None:
    """Write a visitor's log and profile past the gateway."""
    name = f"demo:a:{visitor}"
    partition = keys.partition_of(name.encode())
    for message in messages:
        entry = {"s": "demo", "v": f"a:{visitor}", "m": message, "e": {"event": "Hit"}}
        client.xadd(keys.log_key(partition), {"e": orjson.dumps(entry)})
    profile = Profile(matchers={"abcdef": [total, 1, 1]})
    client.set(keys.profile_prefix(partition) + name, documents.encode(profile, "r"))
