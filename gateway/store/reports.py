"""The reports of deletions in the store, away from the hot path."""

from __future__ import annotations

from redis.asyncio import Redis

from gateway.store import keys


class RedisReports:
    """A ReportStore. The client must not decode replies."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def put(self, name: str, report: bytes) -> None:
        """Keep a report under a name that nobody can guess."""
        await self._client.set(keys.report_key(name), report, ex=keys.REPORT_LIFETIME_S)

    async def get(self, name: str) -> bytes | None:
        """Return the report of that name, None when there is none."""
        found = await self._client.get(keys.report_key(name))
        return found if isinstance(found, bytes) else None
