"""An alias: what stands at the key of a browser, or of an older person, that was merged into a person.

It is found where a profile would be, and starts with its revision as a profile does. `snapshot` is the frozen profile
until the merge is finished; the message marks stay at the alias' key as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from personalize import documents
from personalize.profiles import Profile


@dataclass(slots=True)
class Alias:
    """The way to the person at `to` (`k:<id>`), linked at `at` (ms); events up to `erased` (ms) stay out."""

    revision: str
    to: str
    at: int
    erased: int = 0
    snapshot: dict[str, Any] = field(default_factory=dict)


def decode(document: bytes) -> Profile | Alias:
    """Return what a document holds; raises orjson.JSONDecodeError or KeyError for what no release has written."""
    table = orjson.loads(document)
    if "to" not in table:
        return documents.decode(document)
    return Alias(table["r"], table["to"], table["at"], table.get("x", 0), table.get("of", {}))


def encode(alias: Alias, revision: str) -> bytes:
    """Return the document of an alias under a new revision."""
    table: dict[str, Any] = {"r": revision, "f": documents.FORMAT, "to": alias.to, "at": alias.at}
    if alias.erased:
        table["x"] = alias.erased
    if alias.snapshot:
        table["of"] = alias.snapshot
    return orjson.dumps(table)
