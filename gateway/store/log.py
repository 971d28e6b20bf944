"""The log buffer away from the hot path: reading it, and erasing a visitor's entries from it.

A log entry is one JSON document with at least `"s"` the site, `"v"` the visitor as `<kind>:<id>`, `"t"` the event
time in ms, and `"w"` the browser where it came to a person through one. This file goes through redis-py: it needs no
speed, but a cursor over many entries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from redis.asyncio import Redis

from gateway.ports import Erasure, VisitorKey
from gateway.store import keys

CHUNK = 500
_NEVER = 1 << 62
"""A time (ms) that no event has."""


class RedisLog:
    """The log of one store: a LogEraser and a LogReader. The client must not decode replies."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def pending(self) -> list[Erasure]:
        """Return the notes of what still has to go."""
        async with self._client.pipeline(transaction=False) as pipe:
            for partition in range(keys.PARTITIONS):
                pipe.smembers(keys.erasing_key(partition))
            replies: list[set[bytes]] = await pipe.execute()
        return [keys.read_erase_note(note.decode()) for notes in replies for note in sorted(notes)]

    async def erase(self, erasure: Erasure) -> int:
        """Delete the entries, settle the note, and return how many went."""
        partition = _partition(erasure.visitor)
        log = keys.log_key(partition)
        erased = 0
        async for chunk in self._chunks(partition):
            doomed = [entry_id for entry_id, entry in chunk if is_covered(entry, erasure)]
            if doomed:
                erased += await self._client.xdel(log, *doomed)
        await self._client.srem(keys.erasing_key(partition), keys.erase_note(*erasure))
        return erased

    async def note(self, erasure: Erasure) -> None:
        """Leave a note, as a write with `erase_before` does in its own step."""
        await self._client.sadd(keys.erasing_key(_partition(erasure.visitor)), keys.erase_note(*erasure))

    async def entries(self, visitor: VisitorKey, via: str, most: int) -> list[bytes]:
        """Return a visitor's entries, oldest first, at most so many; with `via` only those through this browser."""
        whole = Erasure(visitor, _NEVER, via)
        found: list[bytes] = []
        async for chunk in self._chunks(_partition(visitor)):
            found += [entry for _, entry in chunk if is_covered(entry, whole)]
            if len(found) >= most:
                break
        return found[:most]

    async def waiting(self, erasures: Sequence[Erasure]) -> int:
        """Return how many of these notes are not settled yet."""
        async with self._client.pipeline(transaction=False) as pipe:
            for erasure in erasures:
                pipe.sismember(keys.erasing_key(_partition(erasure.visitor)), keys.erase_note(*erasure))
            return sum(map(int, await pipe.execute()))

    async def read_all(self) -> list[bytes]:
        """Return every entry: partition by partition, in order inside each."""
        return [
            entry
            for partition in range(keys.PARTITIONS)
            async for chunk in self._chunks(partition)
            for _, entry in chunk
        ]

    async def _chunks(self, partition: int) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Yield (id, entry) pairs up to the entry that is the last one now, so that new ones cannot keep us busy."""
        log = keys.log_key(partition)
        last = await self._ask("XREVRANGE", log, "+", "-", "COUNT", 1)
        start = b"-"
        while last:
            found = await self._ask("XRANGE", log, start, last[0][0], "COUNT", CHUNK)
            if not found:
                return
            yield [(entry_id, fields[b"e"]) for entry_id, fields in found]
            start = b"(" + found[-1][0]

    async def _ask(self, *command: bytes | str | int) -> Any:
        return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py left it so


def is_covered(entry: bytes, erasure: Erasure) -> bool:
    """Tell whether an erasure takes this entry."""
    visitor, before, via = erasure
    name = f"{visitor.kind}:{visitor.id}"
    # Most entries are another visitor's: looking for the name first spares their decoding.
    if orjson.dumps(name) not in entry:
        return False
    fields = orjson.loads(entry)
    return bool(
        fields["v"] == name
        and fields["s"] == visitor.site
        and fields["t"] <= before
        and (not via or fields.get("w") == via)
    )


def _partition(visitor: VisitorKey) -> int:
    return keys.partition_of(keys.visitor_name(visitor).encode())
