"""Erasure's second half: the erased visitors' log entries go, soon after their profiles went.

The script that wrote the tombstone left a note in the same step, so an erasure is finished even if the gateway that
began it has died. Several gateways on one store may sweep at once; that is harmless.
"""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

from gateway.ports import LogEraser

log = logging.getLogger("tuttu")

PAUSE_S = 2.0


async def sweep(eraser: LogEraser) -> None:
    """Erase what is pending, again and again until cancelled; a store that is away is tried again later."""
    while True:
        try:
            for visitor, before in await eraser.pending():
                await eraser.erase(visitor, before)
        except (RedisError, OSError) as err:
            log.warning("erased visitors' log entries wait for the store: %s", err)
        except Exception:
            # One entry that cannot be read must not end the sweep for good; the note stays and is tried again.
            log.exception("an erased visitor's log entries could not be erased")
        await asyncio.sleep(PAUSE_S)
