"""What is sent: requests as data, those of real clients, and those that failed, as files to be sent again."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

VECTORS = Path(__file__).parents[1] / "vectors"
RECORDED = VECTORS / "client-requests.json"
"""Those of the server libraries as they came over the wire, unzipped; those of browsers as their makers' notes have
them; some of our own for the paths that no foreign client knows."""

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True, frozen=True)
class Sent:
    """One request. `kind` says how it was made."""

    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes
    kind: str = "valid"

    def to_json(self) -> dict[str, Any]:
        """Return it for a file; bytes are written as base64."""
        return {
            "method": self.method,
            "path": self.path,
            "query": _text(self.query),
            "headers": [[_text(name), _text(value)] for name, value in self.headers],
            "body": base64.b64encode(self.body).decode(),
            "kind": self.kind,
        }

    @classmethod
    def of_json(cls, table: dict[str, Any]) -> Sent:
        """Return the request of a file."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in table["headers"]]
        body = base64.b64decode(table["body"])
        return cls(table["method"], table["path"], table["query"].encode("latin-1"), headers, body, table["kind"])


@dataclass(slots=True, frozen=True)
class Sample:
    """A request that a client made, with its body as JSON."""

    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: dict[str, Any]


@cache
def samples() -> tuple[Sample, ...]:
    """Return what clients sent; nobody may change the bodies."""
    found = []
    for each in orjson.loads(RECORDED.read_bytes()):
        path, _, query = each["path"].partition("?")
        headers = tuple((name.encode(), value.encode()) for name, value in each["headers"].items())
        found.append(Sample(path, query.encode(), headers, each["body"]))
    return tuple(found)


def plain(path: str, body: Any, *headers: tuple[bytes, bytes], key: str = "demo") -> Sent:
    """Return a POST of a body (bytes as they are, all else as JSON) under a key."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    where, _, query = path.partition("?")
    return Sent("POST", where, query.encode(), [(b"x-write-key", key.encode()), *headers], raw, "hostile")


def renamed(sent: Sent, kind: str) -> Sent:
    """Return the request with another word for how it was made."""
    return replace(sent, kind=kind)


def _text(value: bytes) -> str:
    return value.decode("latin-1")
