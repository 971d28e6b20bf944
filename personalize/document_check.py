"""A stored profile for tools: checked whole, so that a damaged one is refused with the place of the damage.

The gateway itself does not check what it has written; a tool reads what others may have written into the store.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from personalize import counters, documents
from personalize.profiles import Profile

_DAY_MS = 86_400_000
_LATEST_MS = 220_000_000_000_000
"""In the year 8941: later times cannot be written as dates any more once a rest is added to them."""


class Unreadable(ValueError):
    """A document that is no profile for this release; the message is a clause: what is wrong, and where."""


def checked(document: bytes) -> Profile:
    """Return the profile in a document; raises Unreadable."""
    try:
        found = _Stored.model_validate_json(document)
        profile = documents.decode(document)
    except ValidationError as error:
        first = error.errors()[0]
        # Names inside come from visitors, so only the key and the numbers below it are told.
        place = ".".join(str(part) for at, part in enumerate(first["loc"]) if at == 0 or isinstance(part, int))
        what = first["msg"].removeprefix("Value error, ")
        raise Unreadable(f"it is damaged{f' at {place}' if place else ''}: {what[0].lower()}{what[1:]}") from error
    except orjson.JSONDecodeError as error:  # Infinity, say, which pydantic lets pass
        raise Unreadable(f"it is damaged: {error}") from error
    if found.format > documents.FORMAT:
        message = f"it has the format {found.format}, and this release reads formats up to {documents.FORMAT}"
        raise Unreadable(f"{message}; use the release that wrote it")
    return profile


def _a_row(row: list[int]) -> list[int]:
    if len(row) % 2 == 0 or not all(0 <= day <= _LATEST_MS // _DAY_MS for day, _ in counters.days(row)):
        raise ValueError("this is no row of day counts")
    return row


def _visits(visits: list[int]) -> list[int]:
    if len(visits) % 2:
        raise ValueError("visits have a beginning and an end")
    return visits


_Ms: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS)]
_Second: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS // 1000)]
_Day: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS // _DAY_MS)]
_Row: TypeAlias = Annotated[list[int], AfterValidator(_a_row)]


class _Stored(BaseModel):
    """Keys and shapes as in `documents` and `profiles`; what this release does not know is not looked at."""

    model_config = ConfigDict(strict=True)

    revision: str = Field(alias="r")
    format: int = Field(alias="f", ge=1)
    erased: _Ms = Field(0, alias="x")
    first_visit: _Ms = Field(0, alias="s")
    floor: _Day = Field(0, alias="l")
    visits: Annotated[list[_Second], AfterValidator(_visits)] = Field([], alias="v")
    matchers: dict[str, _Row] = Field({}, alias="m")
    unnamed: dict[str, _Day] = Field({}, alias="n")
    traits: list[tuple[int, dict[str, Any]]] = Field([], alias="t")
    owns: dict[str, _Ms] = Field({}, alias="o")
    consent: tuple[_Ms, list[str]] | None = Field(None, alias="c")
    company: tuple[int, str, dict[str, Any]] | None = Field(None, alias="g")
    member: tuple[int, str] | None = Field(None, alias="e")
    user: tuple[int, str] | None = Field(None, alias="u")
    seen: tuple[int, str, str, str, str, str, str, str] | None = Field(None, alias="w")
    blocks: dict[str, tuple[_Row, _Ms, _Ms, _Ms]] = Field({}, alias="b")
    furthest: tuple[str, _Ms] | None = Field(None, alias="h")
