"""A forwarder on 127.0.0.1 that keeps every request that passes, byte for byte, so that a test can send it again.

It knows nothing about what it forwards: headers and body go on as they came, the answer goes back as it came.
"""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

# What belongs to one connection and not to the message (RFC 9110, section 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server", "content-length"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it came and the answer that it got."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int
    answer: bytes

    def header(self, name: str) -> str:
        """Return the request's first header of that name, "" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def send(
    base: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send one request with exactly these headers and this body; return status, headers and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


class Recorder:
    """A context manager: while open, `url` forwards to `upstream` and `exchanges` grows."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.exchanges: list[Exchange] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                request = self.command, self.path, self.headers.items(), body
                status, headers, answer = send(recorder.upstream, *request)
                recorder.exchanges.append(Exchange(*request, status, answer))
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_OPTIONS = handle_any  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Keep the test's output to the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False  # a client may keep its connection open for as long as it lives
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def replay(self, exchange: Exchange) -> tuple[int, bytes]:
        """Send a recorded request once more, byte for byte, straight to the gateway; return status and body."""
        status, _, answer = send(self.upstream, exchange.method, exchange.path, exchange.headers, exchange.body)
        return status, answer
