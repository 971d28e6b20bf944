"""A small proxy on 127.0.0.1 that passes a path on to a gateway, well or with a fault of the test's own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.fakes.recorder import HOP_BY_HOP, send

Headers = list[tuple[str, str]]
Reply = tuple[int, Headers, bytes]
OnRequest = Callable[[str, Headers], Headers]
OnAnswer = Callable[[str, str, Reply], Reply]
"""Gets method, path and answer of the gateway, and returns the answer that the client is to have."""


class Meddler:
    """A context manager: while open, `url` (a path /t) forwards to `upstream`, told who asks by which name."""

    def __init__(
        self,
        upstream: str,
        request: OnRequest = lambda _, headers: headers,
        answer: OnAnswer = lambda _method, _path, reply: reply,
        tls: ssl.SSLContext | None = None,
        limit: int = 5_000_000,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                path = self.path.removeprefix("/t")
                scheme = "https" if tls else "http"
                told = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", scheme), ("X-Forwarded-Prefix", "/t")]
                headers = request(path, [*self.headers.items(), *told])
                refused = 413, [], b"too large"
                reply = refused if len(body) > limit else send(upstream, self.command, path, headers, body)
                status, given, content = answer(self.command, path, reply)
                self.send_response(status)
                for name, value in given:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_OPTIONS = handle_any  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Keep the test's output to the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/t"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def changed(name: str, change: Callable[[str], str | None]) -> OnAnswer:
    """Return what changes a header of every answer, or takes it out where it becomes None."""

    def answer(_method: str, _path: str, reply: Reply) -> Reply:
        status, headers, body = reply
        new = [(key, change(value) if key.lower() == name else value) for key, value in headers]
        return status, [(key, value) for key, value in new if value is not None], body

    return answer


def without(*names: str) -> OnRequest:
    """Return what takes headers out of every request."""
    return lambda _, headers: [(name, value) for name, value in headers if name.lower() not in names]


def more(**headers: str) -> OnAnswer:
    """Return what adds headers to every answer."""
    added = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda _method, _path, reply: (reply[0], [*reply[1], *added], reply[2])
