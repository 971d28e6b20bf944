"""A client that sends exactly the bytes that a test names, and reads what comes back."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The `code` of an error."""
        return str(orjson.loads(self.body)["code"])


class Raw:
    """One connection to a gateway."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=TIMEOUT_S)
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def answer(self) -> Answer | None:
        """Return the next answer; None when the gateway closes the connection instead."""
        while b"\r\n\r\n" not in self._read:
            if not self._more():
                return None
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._read) < length:
            assert self._more(), "the answer was cut off"
        body, self._read = self._read[:length], self._read[length:]
        return Answer(int(first.split()[1]), headers, body)

    def answers(self) -> list[Answer]:
        """Return all answers until the gateway closes the connection."""
        found = []
        while (one := self.answer()) is not None:
            found.append(one)
        return found

    def closed(self) -> bool:
        """Wait until the gateway closes the connection without another word."""
        return not self._read and not self._more()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._read += data
        return bool(data)


def post(body: Any, *headers: str, path: str = "/v1/page") -> bytes:
    """Return a POST request as bytes."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(lines).encode() + data
