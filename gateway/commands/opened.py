"""The store for commands that need it without a gateway: the running one, or the embedded one started for a while."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import GatewayError, StartupError
from gateway.settings import Settings, load_settings
from gateway.store.address import parse_address
from gateway.store.durability import connection_to
from gateway.store.embedded import EmbeddedStore
from gateway.store.keys import PARTITIONS
from gateway.store.profiles import RedisProfiles

GOOD, COULD_NOT, USAGE = 0, 1, 2

_TIMEOUT_S = 60


@dataclass(slots=True, frozen=True)
class Opened:
    """A store that answers: as its profiles, and as a client that does not decode replies."""

    profiles: RedisProfiles
    client: Redis


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which store."""
    parser.add_argument("--data", metavar="DIR", help="the gateway's data folder (data)")
    parser.add_argument("--redis", metavar="URL", help="the store, where it is not the embedded one")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings that the options name; raises StartupError."""
    config = args.config or (Path("tuttu.toml") if Path("tuttu.toml").exists() else None)
    return load_settings(config, os.environ, {"data": args.data, "redis": args.redis})


@asynccontextmanager
async def opened_store(settings: Settings, *, make: bool = False) -> AsyncIterator[Opened]:
    """Open the store; with `make` an embedded one may be new. Raises StartupError when there is none."""
    async with AsyncExitStack() as stack:
        url = settings.redis
        if url:
            parse_address(url)
        else:
            folder = settings.data / "store"
            if not make and not folder.is_dir():
                raise StartupError(
                    f"There is no store in {settings.data}.",
                    hint="Name the gateway's folder with --data DIR, or the store with --redis URL.",
                )
            # A gateway that runs owns its store, and this only uses it; else it is started here and ended again.
            fsync = settings.gateway.durability == "disk"
            embedded = EmbeddedStore(folder, on_event=lambda event: say(f"embedded store: {event}"), fsync=fsync)
            await embedded.start()
            stack.push_async_callback(embedded.stop)
            url = embedded.url
        client = Redis.from_url(url, socket_timeout=_TIMEOUT_S)
        stack.push_async_callback(client.aclose)
        try:
            await client.ping()
        except (RedisError, OSError) as err:
            raise StartupError(f"No store answers at {parse_address(url)}: {err}", hint="Is it running?") from err
        connection = connection_to(url, durability=settings.gateway.durability)
        stack.push_async_callback(connection.close)
        await connection.start()
        if connection.unfit is not None:
            raise StartupError(f"gateway.durability: {connection.unfit}", hint=connection.unfit.hint)
        yield Opened(RedisProfiles(connection, log_cap=settings.gateway.log_entries // PARTITIONS), client)


def refused(command: str, error: Exception) -> int:
    """Write why a command could not do its work, and return its exit code."""
    hint = error.hint if isinstance(error, GatewayError) else ""
    text = f"{error} {hint}".rstrip() if str(error).endswith(".") else f"{error}{f'; {hint}' if hint else ''}"
    say(f"{command}: {text}")
    return COULD_NOT


def say(line: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{line}\n")
