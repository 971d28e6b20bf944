"""Hits that go to the spool of a gateway in this process, and what stands there and in its log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from gateway.spool.segments import Record, listed, waiting
from tests.gateway.app import App


def payloads_in(folder: Path, suffix: str = ".spool") -> list[bytes]:
    paths = listed(folder, suffix)
    return [one.payload for path in paths for one in waiting(path) if isinstance(one, Record)]


def logged(app: App) -> list[str]:
    return sorted(orjson.loads(entry)["m"] for entry in app.store.logged())


async def viewed(app: App, *numbers: int, **body: Any) -> None:
    """Let as many visitors view a page, each with a message of its own."""
    for n in numbers:
        answer = await app.post(messageId=f"m{n}", anonymousId=f"x{n}", **body)
        assert answer.json()["accepted"] == 1, answer.text
