"""The sockets that the parent listens on."""

from __future__ import annotations

import socket

from gateway.errors import StartupError

BACKLOG = 2048


def listener_on(host: str, port: int, setting: str) -> socket.socket:
    """Return a listening socket; raises StartupError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    except (OSError, OverflowError) as err:
        listener.close()
        raise StartupError(
            f"cannot listen on {host}:{port}: {err}; choose another {setting}, or end what has it"
        ) from err
    return listener


def address_of(listener: socket.socket) -> str:
    """Return host and port as they stand in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
