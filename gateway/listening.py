"""The sockets that the parent listens on."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

from gateway.errors import StartupError

BACKLOG = 2048
SETTLE_S = 0.1
"""How long a connection may take from its first packet to be taken, after newcomers are turned away."""

_SO_ATTACH_FILTER = 26
_NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Drop packets whose TCP flags (byte 13) have SYN, keep all others; see linux/filter.h."""


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


def turn_newcomers_away(listener: socket.socket) -> None:
    """Let nobody new begin to connect, while who has begun comes through.

    A listening socket that is closed resets the connections that nobody has taken from it yet, with the requests that
    were sent over them. So the system is told to drop attempts to connect for the moment until the queue is empty and
    the socket closed; the client's system repeats them and is then refused. Only Linux can do that; elsewhere that
    moment stays open.
    """
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _NO_SYN)
    code = ctypes.create_string_buffer(program)
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_NO_SYN), ctypes.addressof(code))
        )


def address_of(listener: socket.socket) -> str:
    """Return host and port as they stand in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
