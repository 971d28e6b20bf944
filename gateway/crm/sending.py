"""Batches to a running gateway: a few connections that stay open, gzip, and patience with whatever comes between.

A batch is sent until the gateway has answered it; message ids make sending again harmless. Threads, because the
standard library's HTTP client is all that is needed and zipping lets others run.
"""

from __future__ import annotations

import gzip
import http.client
import queue
import random
import ssl
import threading
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from gateway.crm.errors import ImportRefused, shown

IN_FLIGHT = 2
"""Enough that the gateway never waits for the next batch, and few enough that visitors never wait for these."""
TIMEOUT_S = 30.0
PATIENCE_S = 120.0
"""How long a gateway may be away before the import stops, to be resumed."""

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 10.0
_LONGEST_WISH_S = 60.0
_FAREWELL_S = 0.5
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Stopped(ImportRefused):
    """The gateway was away for too long; what was answered is kept, and the import can go on later."""


@dataclass(slots=True, frozen=True)
class Batch:
    """Rows as one request's body; `lines` has the line of each event's row, `last` the number of the last row."""

    number: int
    body: bytes
    lines: list[int]
    rows: int
    last: int
    last_line: int


@dataclass(slots=True, frozen=True)
class Answer:
    """What the gateway said to a batch."""

    batch: Batch
    said: dict[str, Any]


class Gateway:
    """Where to send and with which key; raises ImportRefused for an address that is none."""

    def __init__(self, url: str, secret_key: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.username:
            raise ImportRefused(f"{shown(url)} is no address such as http://127.0.0.1:8080")
        self.in_clear = parts.scheme == "http" and parts.hostname not in _LOCAL
        self.url = url
        self._parts = parts
        self._port = port
        self._path = f"{parts.path.rstrip('/')}/v1/import"
        self._headers = {
            "Authorization": f"Basic {b64encode(f'{secret_key}:'.encode()).decode()}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "User-Agent": "tuttu-import",
        }
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that opens itself with the first request."""
        host = self._parts.hostname or ""
        if self._tls is not None:
            return http.client.HTTPSConnection(host, self._port, timeout=TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(host, self._port, timeout=TIMEOUT_S)

    def post(self, connection: http.client.HTTPConnection, zipped: bytes) -> tuple[int, float, bytes]:
        """Return status, the pause in seconds that is asked for (0: none), body; raises OSError or HTTPException."""
        connection.request("POST", self._path, zipped, self._headers)
        response = connection.getresponse()
        wish = response.getheader("Retry-After", "")
        return response.status, float(wish) if wish.isdecimal() else 0.0, response.read(10_000_000)


class Sender:
    """Sends batches by some threads; a context manager.

    `put` is tried until there is room, `answers` are taken as they come. `trouble` says why the gateway is being asked
    again at the moment, "" while it answers.
    """

    def __init__(self, gateway: Gateway, *, patience_s: float = PATIENCE_S, threads: int = IN_FLIGHT) -> None:
        self._gateway = gateway
        self._patience_s = patience_s
        self._todo: queue.Queue[Batch] = queue.Queue(threads)
        self._done: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._end = threading.Event()
        self._open = 0
        self.trouble = ""
        # Daemons: Ctrl-C need not wait for an answer, since what was not answered is sent again.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        until = time.monotonic() + _FAREWELL_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def put(self, batch: Batch, within_s: float = 0.1) -> bool:
        """Hand over a batch; return whether there was room for it in time."""
        try:
            self._todo.put(batch, timeout=within_s)
        except queue.Full:
            return False
        self._open += 1
        return True

    def answers(self, within_s: float = 0.0) -> list[Answer]:
        """Return the answers that are there, waiting so long for the first; raises ImportRefused."""
        found: list[Answer] = []
        while True:
            try:
                item = self._done.get(timeout=within_s) if within_s else self._done.get_nowait()
            except queue.Empty:
                return found
            if isinstance(item, BaseException):
                raise item
            self._open -= 1
            found.append(item)
            within_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether any batch waits for its answer."""
        return self._open > 0

    def _work(self) -> None:
        connection = self._gateway.connection()
        try:
            while not self._end.is_set():
                with suppress(queue.Empty):
                    batch = self._todo.get(timeout=0.1)
                    said = self._delivered(connection, gzip.compress(batch.body, 1))
                    self._done.put(Answer(replace(batch, body=b""), said))
        except BaseException as err:  # noqa: BLE001 - whatever it is, the import must hear of it, not hang
            self._done.put(err)
        finally:
            connection.close()

    def _delivered(self, connection: http.client.HTTPConnection, zipped: bytes) -> dict[str, Any]:
        """Return the gateway's answer, however often that takes; raises ImportRefused."""
        pause, since = 0.25, time.monotonic()
        while True:
            wish = 0.0
            try:
                status, wish, body = self._gateway.post(connection, zipped)
            except (OSError, http.client.HTTPException) as err:
                connection.close()
                if isinstance(err, ssl.SSLCertVerificationError):
                    raise ImportRefused(f"{self._gateway.url}: its certificate is not good: {err.reason}") from err
                self.trouble = f"{type(err).__name__}: {err}"
            else:
                if status not in _AGAIN:
                    self.trouble = ""
                    return _said(self._gateway.url, status, body)
                self.trouble = f"it answers {status}"
            if time.monotonic() - since > self._patience_s or self._end.is_set():
                raise Stopped(
                    f"{self._gateway.url} did not take anything for {self._patience_s:.0f} s ({self.trouble}); "
                    "go on later with --resume"
                )
            # A part of chance keeps the connections from coming back all at once.
            self._end.wait(max(min(wish, _LONGEST_WISH_S), pause * (0.5 + random.random() / 2)))  # noqa: S311 - no secret
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _said(url: str, status: int, body: bytes) -> dict[str, Any]:
    """Return the answer of a batch that was taken; raises ImportRefused with what the gateway says against it."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and status == http.HTTPStatus.OK and {"accepted", "dropped", "rejected"} <= said.keys():
        return said
    if isinstance(said, dict) and "code" in said:
        hint = said.get("hint", "")
        if said["code"] == "bad_write_key":
            hint = "take the site's secret_key from secrets.toml in the gateway's data folder"
        raise ImportRefused(f"{url} refuses the import: {said.get('message', said['code'])}; {hint}")
    raise ImportRefused(f"{url} answers {status}, and not as a gateway does; is the address right?")
