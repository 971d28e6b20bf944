"""A stored profile for tools: checked whole, so that a damaged one is refused with the place of the damage.

The gateway itself does not check what it has written; a tool reads what others may have written into the store.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from personalize import aliases, counters, documents
from personalize.aliases import Alias
from personalize.profiles import Profile

_DAY_MS = 86_400_000
_LATEST_MS = 220_000_000_000_000
"""In the year 8941: later times cannot be written as dates any more once a rest is added to them."""


_LATEST_STAMP = 2**63 - 1


class Unreadable(ValueError):
    """A document that is no profile for this release; the message is a clause: what is wrong, and where."""


def checked(document: bytes) -> Profile | Alias:
    """Return the profile, or the alias that stands in its place, in a document; raises Unreadable."""
    try:
        table = orjson.loads(document)
        is_alias = isinstance(table, dict) and "to" in table
        shape = _StoredAlias.model_validate(table) if is_alias else _Stored.model_validate_json(document)
        if is_alias and "of" in table:
            _Stored.model_validate_json(orjson.dumps({"r": "", "f": documents.FORMAT, **table["of"]}))
        found = aliases.decode(document)
    except ValidationError as error:
        first = error.errors()[0]
        # Names inside come from visitors, so only the key and the numbers below it are told.
        place = ".".join(str(part) for at, part in enumerate(first["loc"]) if at == 0 or isinstance(part, int))
        what = first["msg"].removeprefix("Value error, ")
        raise Unreadable(f"it is damaged{f' at {place}' if place else ''}: {what[0].lower()}{what[1:]}") from error
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is damaged: {error}") from error
    if shape.format > documents.FORMAT:
        message = f"it has the format {shape.format}, and this release reads formats up to {documents.FORMAT}"
        raise Unreadable(f"{message}; use the release that wrote it")
    return found


def _a_row(row: list[int]) -> list[int]:
    if len(row) % 2 == 0 or not all(0 <= day <= _LATEST_MS // _DAY_MS for day, _ in counters.days(row)):
        raise ValueError("this is no row of day counts")
    return row


def _visits(visits: list[int]) -> list[int]:
    if len(visits) % 2:
        raise ValueError("visits have a beginning and an end")
    return visits


def _a_touch(row: list[int | str]) -> list[int | str]:
    if not row or not isinstance(row[0], int) or any(isinstance(text, int) for text in row[1:]):
        raise ValueError("this is no touch")
    if not 0 <= row[0] <= _LATEST_STAMP:
        raise ValueError("this is no stamp")
    return row


_Ms: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS)]
_Second: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS // 1000)]
_Day: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_MS // _DAY_MS)]
_Stamp: TypeAlias = Annotated[int, Field(ge=0, le=_LATEST_STAMP)]
_Touch: TypeAlias = Annotated[list[int | str], AfterValidator(_a_touch)]
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
    aliases: dict[str, Annotated[int, Field(ge=-_LATEST_MS, le=_LATEST_MS)]] = Field({}, alias="d")
    contact: tuple[_Ms, str, _Ms] | None = Field(None, alias="k")
    first: _Touch | None = Field(None, alias="p")
    last: _Touch | None = Field(None, alias="q")
    clicks: dict[str, tuple[_Stamp, str]] = Field({}, alias="i")
    ads_refused: _Ms = Field(0, alias="j")


class _StoredAlias(BaseModel):
    """Keys and shapes as in `aliases`."""

    model_config = ConfigDict(strict=True)

    revision: str = Field(alias="r")
    format: int = Field(alias="f", ge=1)
    to: str = Field(pattern="^k:")
    at: _Ms
    erased: _Ms = Field(0, alias="x")
    renewed: _Day = Field(0, alias="n")
    of: dict[str, Any] | None = None
