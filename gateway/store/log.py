"""The log buffer away from the hot path: reading it, and erasing a visitor's entries from it.

A log entry is one JSON document with at least `"s"` the site, `"v"` the visitor as `<kind>:<id>`, `"t"` the event
time in ms, `"w"` the browser where it came to a person through one, and `"p"` the contact as whom an e-mail's link
recognized the browser. This file goes through redis-py: it needs no speed, but a cursor over many entries.
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

_NAMING = """
-- KEYS 1 log  ARGV 1 after which id  2 how many  3 a text. Returns the last id looked at, and the entries with it.
local found, last = {}, false
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  last = entry[1]
  if string.find(entry[2][2], ARGV[3], 1, true) then found[#found + 1] = {last, entry[2][2]} end
end
return {last, found}
"""
_REPLACE = """
-- KEYS 1 log  2 its copy  ARGV id, new entry, … No entry can be changed where it is, so the log is written anew, with
-- the same ids, and the last id too, so that none is given again.
local new = {}
for i = 1, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end
local log, last = redis.call('XRANGE', KEYS[1], '-', '+'), redis.call('XINFO', 'STREAM', KEYS[1])
redis.call('DEL', KEYS[2])
for _, entry in ipairs(log) do redis.call('XADD', KEYS[2], entry[1], 'e', new[entry[1]] or entry[2][2]) end
for i = 1, #last, 2 do
  if last[i] == 'last-generated-id' and #log > 0 then redis.call('XSETID', KEYS[2], last[i + 1]) end
end
if #log > 0 then redis.call('RENAME', KEYS[2], KEYS[1]) end
return 1
"""


class RedisLog:
    """The log of one store: a LogEraser, a LogReader and Recognitions. The client must not decode replies."""

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

    async def forget(self, contacts: Sequence[Erasure]) -> list[tuple[VisitorKey, Erasure]]:
        """Take erased contacts (kind `k`) out of the entries of browsers; return each browser found, and for whom."""
        browsers: dict[tuple[VisitorKey, Erasure], None] = {}
        for log in map(keys.log_key, range(keys.PARTITIONS) if contacts else ()):
            replaced: list[bytes] = []
            after: bytes | None = b"-"
            while after:
                last, found = await self._client.eval(_NAMING, 1, log, after, CHUNK, '"p":"k:')
                for entry_id, entry in found:
                    forgotten = without_contact(entry, contacts)
                    if forgotten is not None:
                        replaced += (entry_id, forgotten[0])
                        browsers[forgotten[1:]] = None
                after = b"(" + last if last else None
            if replaced:
                await self._client.eval(_REPLACE, 2, log, f"{log}:without", *replaced)
        return list(browsers)

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


def without_contact(entry: bytes, contacts: Sequence[Erasure]) -> tuple[bytes, VisitorKey, Erasure] | None:
    """Return an entry without the erased contact as whom its browser was recognized, the browser, and the erasure."""
    fields = orjson.loads(entry)
    for erasure in contacts:
        visitor = erasure.visitor
        if fields.get("p") == f"k:{visitor.id}" and fields["s"] == visitor.site and fields["t"] <= erasure.before:
            del fields["p"]
            return orjson.dumps(fields), keys.named_visitor(f"{fields['s']}:{fields['v']}"), erasure
    return None


def _partition(visitor: VisitorKey) -> int:
    return keys.partition_of(keys.visitor_name(visitor).encode())
