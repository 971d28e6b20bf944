"""A gateway over a store that is away, silent, no store at all, or still loading: it comes up, waits and says so."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.store.engine import installed_engines
from tests.gateway.store_servers import server
from tests.integration.process import Gateway, eventually


class Pretender:
    """Listens on a port of this machine and behaves as `manner` says: silent, garbage, loading, refusing, or `to`."""

    def __init__(self) -> None:
        self.manner = "silent"
        self.to = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def become(self, manner: str, to: int = 0) -> None:
        """Behave otherwise from now on, and break what is open."""
        self.manner, self.to = manner, to
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break everything and listen no more."""
        self._listener.close()
        self.become("closed")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.manner == "relay":
                with socket.create_connection(("127.0.0.1", self.to)) as server:
                    self._open.append(server)
                    threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
                    self._copy(client, server)
            while self.manner != "refusing" and (data := client.recv(1 << 16)):
                if self.manner == "garbage":
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                elif self.manner == "loading":
                    commands = data.count(b"\r\n$4\r\nINFO\r\n") + data.count(b"\r\n$6\r\nSCRIPT\r\n")
                    client.sendall(b"-LOADING Redis is loading the dataset in memory\r\n" * max(1, commands))

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    pretender = Pretender()
    yield pretender
    pretender.close()


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, orjson.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, orjson.loads(error.read())


def test_a_gateway_lives_over_every_kind_of_bad_store_and_takes_the_good_one(
    tmp_path: Path, pretender: Pretender
) -> None:
    env = {"TUTTU_SPOOL": "off"}  # so that being ready is up to the store
    with (
        Gateway(tmp_path / "data", "--redis", pretender.url, env=env) as gateway,
        server(tmp_path / "store", installed_engines()[0]) as store,
    ):

        def reasons() -> str:
            return "; ".join(get(f"{gateway.internal}/ready")[1]["reasons"])

        for manner, reason in (
            ("silent", "did not answer within"),
            ("garbage", "what it sent is no answer"),
            ("loading", "loading its data"),
            ("refusing", "connection to the store broke"),
        ):
            pretender.become(manner)
            eventually(lambda reason=reason: reason in reasons(), 10)
            assert get(f"{gateway.public}/live")[0] == 200
            assert get(f"{gateway.internal}/ready")[0] == 503
        pretender.become("relay", store.port)
        eventually(lambda: reasons() == "", 10)
        lines = gateway.errors().splitlines()
        pretender.become("refusing")
        time.sleep(2.5)  # several tries to connect, and rounds of the sweep
        news = gateway.errors().splitlines()[len(lines) :]
        assert len(news) <= 6, news
        assert "Traceback" not in gateway.errors()
        assert gateway.metrics()["tuttu_worker_restarts_total",] == 0
        assert gateway.metrics()["tuttu_store_losses_total",] >= 1
