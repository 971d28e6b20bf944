"""`tuttu backup FILE` and `tuttu restore FILE`: the whole store as one file, also while the gateway runs.

Exit codes: 0 good, 1 could not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from redis.exceptions import RedisError

from gateway.app import clock
from gateway.backup.format import BackupFailed
from gateway.backup.restoring import Restore, is_empty
from gateway.backup.writing import back_up
from gateway.commands.opened import GOOD, Opened, add_store_options, opened_store, refused, settings_of
from gateway.errors import GatewayError
from gateway.fetch.progress import Progress
from gateway.rights.erasing import Eraser
from gateway.rights.ledger import Ledger, Line, read_ledger
from gateway.settings import Settings
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import FOLDER as SPOOL
from gateway.spool.segments import measured
from gateway.store.log import RedisLog
from gateway.store.merges import RedisMerges


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands and their flags."""
    parser = commands.add_parser("backup", help="write profiles, marks and log into one file; the gateway may run")
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="where to write it; an older file is replaced at the end"
    )
    add_store_options(parser)
    parser.set_defaults(run=_backup)
    parser = commands.add_parser("restore", help="bring a backup back, but nobody who was erased since")
    parser.add_argument("file", metavar="FILE", type=Path, help="what `tuttu backup` wrote")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--merge", action="store_true", help="into a store in use: add what it lacks, change nothing")
    how.add_argument("--replace", action="store_true", help="delete first what the store holds now")
    parser.add_argument(
        "--erasures", metavar="FILE", type=Path, action="append", default=[],
        help="another gateway's erasures.jsonl, or a copy of one; may be given several times",
    )  # fmt: skip
    add_store_options(parser)
    parser.set_defaults(run=_restore)


def _backup(args: argparse.Namespace) -> int:
    try:
        asyncio.run(_write(settings_of(args), args.file))
    except (GatewayError, RedisError, OSError) as err:
        return refused("tuttu backup", err)
    return GOOD


async def _write(settings: Settings, path: Path) -> None:
    progress = Progress()
    async with opened_store(settings) as store:
        total = await store.client.dbsize()
        with progress.step(f"backing up into {path}", total, "keys") as advance:
            contents = await back_up(store.client, path, clock, advance)
    progress.say(f"{path}: {contents}; {contents.bytes / 1_000_000:.1f} MB")
    waiting = measured(settings.data / SPOOL, clock())["spool_bytes"]
    if waiting:
        progress.say(f"not in it: {waiting:,.0f} bytes that wait in the spool; back up again once they are stored")


def _restore(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
        ledger = [line for path in args.erasures for line in read_ledger(path)] + Ledger(settings.data).read()
        asyncio.run(_read(settings, args, ledger))
    except (GatewayError, RedisError, OSError) as err:
        return refused("tuttu restore", err)
    return GOOD


async def _read(settings: Settings, args: argparse.Namespace, ledger: list[Line]) -> None:
    progress = Progress()
    restore = Restore(args.file, clock, merge=args.merge)
    records = restore.check()
    async with opened_store(settings, make=True) as store:
        if not (args.merge or args.replace or await is_empty(store.client)):
            raise BackupFailed(
                "the store is not empty",
                hint="--merge adds what it lacks and changes nothing, --replace deletes what it holds first",
            )
        with progress.step(f"restoring {args.file}", records, "records") as advance:
            done = await restore.run(store.client, ledger, advance)
        await _erase_again(store, ledger)
    erase_what_waits(settings.data / SPOOL, restore.erasures)
    progress.say(f"{args.file}: {done}")


async def _erase_again(store: Opened, ledger: list[Line]) -> None:
    """Erase what a ledger holds and the store had lost, or never heard of."""
    eraser = Eraser(store.profiles, RedisLog(store.client), RedisMerges(store.client), clock)
    for line in ledger:
        await eraser.renew(line.erasure)
