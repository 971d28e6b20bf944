"""Restoring a backup: the whole file is checked before anything is written, and what was erased stays erased.

Three places remember erasures: the backup itself, the store that it goes into, and the ledgers of the data folders.
Documents that are written keep their revision or get one of this restore, so a running gateway's cache, which holds
another one, cannot overwrite them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.backup.erasures import Erasures
from gateway.backup.format import bytes_of, records
from gateway.backup.writing import PATTERN
from gateway.ports import Erasure
from gateway.rights.ledger import Line
from gateway.store import keys

_AT_ONCE = 200

_Value = tuple[bytes, int]
"""A value and how long it is left (ms), 0 for ever."""

_NO_MARKS: _Value = (b"", 0)

_SET = """
if ARGV[5] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) else redis.call('DEL', KEYS[2]) end
return 1
"""
_UNITE = """
-- KEYS 1 the log, 2 what is restored, 3 the result; both in the order of their ids, which are unique
local function parts(id) local a, b = string.match(id, '(%d+)-(%d+)') return tonumber(a), tonumber(b) end
local ours, theirs = redis.call('XRANGE', KEYS[1], '-', '+'), redis.call('XRANGE', KEYS[2], '-', '+')
local i, j = 1, 1
while ours[i] or theirs[j] do
  local take
  if not theirs[j] then take = ours[i]; i = i + 1
  elseif not ours[i] then take = theirs[j]; j = j + 1
  else
    local a, b = parts(ours[i][1])
    local c, d = parts(theirs[j][1])
    if a == c and b == d then take = ours[i]; i = i + 1; j = j + 1
    elseif a < c or (a == c and b < d) then take = ours[i]; i = i + 1
    else take = theirs[j]; j = j + 1 end
  end
  redis.call('XADD', KEYS[3], take[1], unpack(take[2]))
end
redis.call('DEL', KEYS[2])
redis.call('RENAME', KEYS[3], KEYS[1])
return 1
"""


@dataclass(slots=True)
class Restored:
    """What came back, and what did not: erased, expired since, or (merging) there already."""

    visitors: int = 0
    entries: int = 0
    erased: int = 0
    expired: int = 0
    kept: int = 0

    def __str__(self) -> str:
        """Return it in words."""
        out = f"{self.visitors:,} visitors and {self.entries:,} log entries restored"
        for number, what in ((self.erased, "erased and not brought back"), (self.expired, "expired since")):
            out += f"; {number:,} {what}" if number else ""
        return out + (f"; {self.kept:,} were there and stay as they are" if self.kept else "")


async def is_empty(client: Redis) -> bool:
    """Tell whether a store holds nothing of ours."""
    async for _ in client.scan_iter(PATTERN, count=1000):
        return False
    return True


class Restore:
    """One restore, `merge` keeps what is there; `now` returns ms since 1970.

    Raises BackupFailed before anything is written, RedisError later; then the restore can be run again.
    """

    def __init__(self, path: Path, now: Callable[[], int], *, merge: bool) -> None:
        self._path = path
        self._now = now
        self._merge = merge
        self._erasures = Erasures()
        self._boot = secrets.token_urlsafe(6)
        self._attempts = 0
        self.done = Restored()

    @property
    def erasures(self) -> list[Erasure]:
        """Every erasure that the backup, the ledgers and the store remember, once it has run."""
        return list(self._erasures)

    def check(self) -> int:
        """Read the file to its end, remember the erasures in it, and return how many records it has."""
        number = 0
        for number, record in enumerate(records(self._path), 1):  # noqa: B007 - the last number is the count
            if "v" in record:
                self._erasures.add_document(record["v"], bytes_of(record["d"]))
        return number

    async def run(self, client: Redis, ledger: Iterable[Line], advance: Callable[[int], None]) -> Restored:
        """Restore; the ledger's lines are erasures too. `advance` hears how many records are done."""
        self._client = client
        for line in ledger:
            self._erasures.add(line.erasure)
        await self._clear()
        batch: list[dict[str, Any]] = []
        number = 0
        for number, record in enumerate(records(self._path), 1):
            batch.append(record)
            if len(batch) >= _AT_ONCE:
                await self._take(batch)
                batch = []
                advance(number)
        await self._take(batch)
        await self._settle_logs()
        await self._bury()
        advance(number)
        return self.done

    # -- steps ---------------------------------------------------------------------------------------------------

    async def _clear(self) -> None:
        """Learn the store's own erasures; to replace all, leave nothing but tombstones and reports."""
        async for key in self._client.scan_iter(PATTERN, count=1000):
            if b"}:v:" in key:
                name = key.partition(b"}:v:")[2].decode()
                document: Any = await self._client.get(key)
                self._erasures.add_document(name, document or b"")
                if not self._merge and name in self._erasures.whole:
                    async with self._client.pipeline(transaction=False) as pipe:
                        self._put_tombstone(pipe, name, document, always=True)
                        await pipe.execute()
                    continue
            if b"}:restoring" in key or not (self._merge or b"}:report:" in key):
                await self._client.unlink(key)

    async def _take(self, batch: list[dict[str, Any]]) -> None:
        async with self._client.pipeline(transaction=False) as pipe:
            come_back = [self._put_visitor(pipe, record) for record in batch if "v" in record]
            written = [was for was, back in zip(await pipe.execute(), filter(None, come_back), strict=True) if back > 0]
        self.done.visitors += sum(written)
        self.done.kept += len(written) - sum(written)
        async with self._client.pipeline(transaction=False) as pipe:
            for record in batch:
                if "l" in record:
                    self._put_entries(pipe, record)
                elif "v" in record and (merge := self._erasures.begun_merge(record["v"], bytes_of(record["d"]))):
                    # Its note is not in the backup, which holds what the document says already.
                    partition = keys.partition_of(record["v"].encode())
                    pipe.sadd(keys.merging_key(partition), keys.merge_note(*merge))
                elif "n" in record and record["notes"]:
                    pipe.sadd(keys.erasing_key(record["n"]), *record["notes"])
                elif "k" in record and (left := self._left(record["x"])) >= 0:
                    pipe.set(record["k"], bytes_of(record["d"]), px=left or None, nx=self._merge)
            await pipe.execute()

    def _put_visitor(self, pipe: Any, record: dict[str, Any]) -> int:
        """Queue a visitor's documents; return 1, -1 for a tombstone instead, or 0 where nothing is queued."""
        name, document = record["v"], bytes_of(record["d"])
        left = self._left(record["x"])
        if left < 0:
            self.done.expired += 1
            return 0
        kept = self._erasures.left_of(name, document, self._revision())
        if kept is None:
            self.done.erased += 1
            self._put_tombstone(pipe, name, document, always=not self._merge)
            return -1
        marks_left = self._left(record["mx"]) if "m" in record else -1
        marks = (bytes_of(record["m"]), marks_left) if marks_left > 0 else _NO_MARKS
        self._set(pipe, name, (kept, left), marks, only_absent=self._merge)
        return 1

    def _put_entries(self, pipe: Any, record: dict[str, Any]) -> None:
        into = _restoring(record["l"])
        for id_, value in record["e"]:
            entry = self._erasures.left_of_entry(bytes_of(value))
            if entry is None:
                self.done.erased += 1
            else:
                pipe.xadd(into, {"e": entry}, id=id_)
                self.done.entries += 1

    async def _settle_logs(self) -> None:
        """Put each restored log in place in one step; together with what is there when merging."""
        for partition in range(keys.PARTITIONS):
            into, log = _restoring(partition), keys.log_key(partition)
            if await self._client.exists(into):
                await self._client.eval(_UNITE, 3, log, into, f"{into}:united")

    async def _bury(self) -> None:
        """Let a tombstone stand wherever somebody was erased and nothing came back: older events may still come."""
        names = [name for name, before in self._erasures.whole.items() if self._tombstone_left(before) > 1]
        for at in range(0, len(names), _AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names[at : at + _AT_ONCE]:
                    self._put_tombstone(pipe, name, None, always=False)
                await pipe.execute()

    def _put_tombstone(self, pipe: Any, name: str, document: bytes | None, *, always: bool) -> None:
        tombstone, before = self._erasures.tombstone(name, document, self._revision())
        self._set(pipe, name, (tombstone, self._tombstone_left(before)), _NO_MARKS, only_absent=not always)

    def _set(self, pipe: Any, name: str, document: _Value, marks: _Value, *, only_absent: bool) -> None:
        partition = keys.partition_of(name.encode())
        places = keys.profile_prefix(partition) + name, keys.marks_prefix(partition) + name
        pipe.eval(_SET, 2, *places, *document, *marks, int(only_absent))

    def _left(self, expires: int) -> int:
        """Return how long (ms) something is left, 0 for ever, negative when it is over."""
        return expires - self._now() or -1 if expires else 0

    def _tombstone_left(self, before: int) -> int:
        return max(1, before + 1000 * keys.TOMBSTONE_LIFETIME_S - self._now())

    def _revision(self) -> str:
        self._attempts += 1
        return f"{self._boot}b{self._attempts:x}"


def _restoring(partition: int) -> str:
    return f"{{p{partition}}}:restoring"
