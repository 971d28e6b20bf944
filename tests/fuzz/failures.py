"""Requests that failed, as files: written where a run found them, sent again from there, kept as regressions."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.fuzz.requests import VECTORS, Sent

REGRESSIONS = VECTORS / "fuzzed-requests.json"
"""Requests that once broke something, shortened; each with what it broke."""


def write(folder: Path, name: str, sent: Sent, why: str) -> Path:
    """Write a failing request into the folder and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(orjson.dumps([{"why": why, **sent.to_json()}], option=orjson.OPT_INDENT_2))
    return path


def read(path: Path) -> list[tuple[str, Sent]]:
    """Return the requests of a file, each with what it broke."""
    return [(each["why"], Sent.of_json(each)) for each in orjson.loads(path.read_bytes())]
