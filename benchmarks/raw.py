"""The yardstick: a bare ASGI app that reads the body and answers 204, the least that any gateway on uvicorn can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

_HEAD = {"type": "http.response.start", "status": 204, "headers": []}
_BODY = {"type": "http.response.body", "body": b""}


async def app(
    scope: dict[str, Any],  # noqa: ARG001 - the ASGI signature
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read one request to its end and answer it."""
    while (await receive()).get("more_body"):
        pass
    await send(_HEAD)
    await send(_BODY)
