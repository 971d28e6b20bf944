"""Store addresses that one connection can serve: `unix://PATH`, `redis://` and `rediss://`.

    unix://[user:pass@]/path/to/socket[?db=N]
    redis[s]://[user:pass@]host[:port][/db]

Paths and passwords are percent-encoded, as redis-py reads them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.errors import StartupError


@dataclass(frozen=True, slots=True)
class Address:
    """Where one store server listens and how to log in; `path` is set for a unix socket, `host` otherwise."""

    path: str = ""
    host: str = ""
    port: int = 6379
    tls: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0

    def __str__(self) -> str:
        """Return the address for messages, without the password."""
        return self.path or f"{self.host}:{self.port}"


def parse_address(url: str) -> Address:
    """Return the address that `url` names; raise StartupError when it is none."""
    try:
        parts = urlsplit(url)
        database = parse_qs(parts.query).get("db", ["0"])[0]
        path = unquote(parts.path)
        if parts.scheme in ("redis", "rediss"):
            database, path = path.strip("/") or database, ""
        address = Address(
            path=path,
            host=parts.hostname or "",
            port=parts.port or 6379,
            tls=parts.scheme == "rediss",
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=int(database),
        )
        good = bool(address.path) if parts.scheme == "unix" else parts.scheme in ("redis", "rediss") and address.host
    except ValueError:
        good = False
    if not good:
        # The address itself is not repeated: it may hold a password.
        raise StartupError(
            "The store's address cannot be read.",
            hint="Write unix:///path/to/socket, redis://[user:password@]host[:port][/db] or rediss://…",
        )
    return address
