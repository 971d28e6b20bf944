"""The notes of merges that were begun, away from the hot path: see `gateway/linking.py` for the merge's steps."""

from __future__ import annotations

from redis.asyncio import Redis

from gateway.ports import Merge
from gateway.store import keys


class RedisMerges:
    """The notes of one store: MergeNotes. The client must not decode replies."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def merging(self) -> list[Merge]:
        """Return the notes of the merges that were begun."""
        async with self._client.pipeline(transaction=False) as pipe:
            for partition in range(keys.PARTITIONS):
                pipe.smembers(keys.merging_key(partition))
            replies: list[set[bytes]] = await pipe.execute()
        return [keys.read_merge_note(note.decode()) for notes in replies for note in sorted(notes)]

    async def settle(self, merge: Merge) -> None:
        """Take a note away, as a write with `merged` does in its own step."""
        partition = keys.partition_of(keys.visitor_name(merge.visitor).encode())
        await self._client.srem(keys.merging_key(partition), keys.merge_note(*merge))
