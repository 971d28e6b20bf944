"""Making a backup while the gateway runs.

A visitor's profile and marks are read in one step of the store, so they fit each other. Nothing holds the store as a
whole: what changes meanwhile is in the backup as it was when its turn came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.backup.format import Writer, text_of
from gateway.store import keys

PATTERN = "{p*}:*"
"""All keys of ours."""

_AT_ONCE = 500
_READ = (
    "return {redis.call('GET',KEYS[1]),redis.call('PTTL',KEYS[1]),redis.call('GET',KEYS[2]),redis.call('PTTL',KEYS[2])}"
)


@dataclass(slots=True)
class Contents:
    """How much of each kind there is; `left_out` are keys of a type that a backup does not hold."""

    visitors: int = 0
    entries: int = 0
    notes: int = 0
    others: int = 0
    left_out: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        """Return it in words."""
        out = f"{self.visitors:,} visitors, {self.entries:,} log entries, {self.notes:,} erasures under way"
        out += f", {self.others:,} other keys" if self.others else ""
        return out + (f"; left out: {self.left_out:,} keys of unknown types" if self.left_out else "")


async def back_up(client: Redis, path: Path, now: Callable[[], int], advance: Callable[[int], None]) -> Contents:
    """Write a backup; `advance` hears how many keys are done. Raises BackupFailed, RedisError or OSError."""
    contents = Contents()
    done = 0
    with Writer(path, now()) as writer:
        batch: list[bytes] = []
        async for key in client.scan_iter(PATTERN, count=1000):
            batch.append(key)
            if len(batch) >= _AT_ONCE:
                await _add_keys(client, writer, batch, contents, now)
                done += len(batch)
                advance(done)
                batch = []
        await _add_keys(client, writer, batch, contents, now)
        for partition in range(keys.PARTITIONS):
            await _add_log(client, writer, partition, contents)
        advance(done + len(batch))
    contents.bytes = writer.bytes
    return contents


async def _add_keys(
    client: Redis, writer: Writer, batch: list[bytes], contents: Contents, now: Callable[[], int]
) -> None:
    visitors = [key.partition(b"}:v:")[2] for key in batch if b"}:v:" in key]
    async with client.pipeline(transaction=False) as pipe:
        for name in visitors:
            partition = keys.partition_of(name)
            at = [keys.profile_prefix(partition).encode() + name, keys.marks_prefix(partition).encode() + name]
            pipe.eval(_READ, 2, *at)
        found = await pipe.execute()
    for name, (document, left, marks, marks_left) in zip(visitors, found, strict=True):
        if document is None:
            continue  # it went since the scan
        record = {"v": name.decode(), "d": text_of(document), "x": _expires(left, now())}
        if marks:
            record |= {"m": text_of(marks), "mx": _expires(marks_left, now())}
        writer.add(record)
        contents.visitors += 1
    others = [key for key in batch if not any(part in key for part in (b"}:v:", b"}:m:")) and not _has_its_turn(key)]
    for key in others:
        kind = await client.type(key)
        if kind != b"string":
            contents.left_out += kind != b"none"
            continue
        value: Any = await client.get(key)
        left = await client.pttl(key)
        if value is not None:
            writer.add({"k": key.decode(), "d": text_of(value), "x": _expires(left, now())})
            contents.others += 1


async def _add_log(client: Redis, writer: Writer, partition: int, contents: Contents) -> None:
    log, start = keys.log_key(partition), b"-"
    while True:
        found: Any = await client.execute_command("XRANGE", log, start, "+", "COUNT", _AT_ONCE)  # type: ignore[no-untyped-call]  # redis-py left it so
        if found:
            writer.add({"l": partition, "e": [[id_.decode(), text_of(fields[b"e"])] for id_, fields in found]})
            contents.entries += len(found)
            start = b"(" + found[-1][0]
        if len(found) < _AT_ONCE:
            break
    notes: Any = await client.smembers(keys.erasing_key(partition))
    if notes:
        writer.add({"n": partition, "notes": sorted(note.decode() for note in notes)})
        contents.notes += len(notes)


def _has_its_turn(key: bytes) -> bool:
    """Tell whether a key is written with its partition, or (merges) follows from the documents."""
    return key.endswith((b"}:log", b"}:erasing", b"}:merging"))


def _expires(left: int, now: int) -> int:
    """Return when a key goes (ms), 0 for never, from how long it is left (-1: for ever)."""
    return now + left if left >= 0 else 0
