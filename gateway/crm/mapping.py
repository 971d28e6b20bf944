"""A row of a CRM's table as events: pure, and the same events for the same row, message ids included.

A person's row is an `identify`, with a company a `group`, and an `Order Completed` for each day of purchases; a
company's row is a `group` that names no person. This file does no I/O and does not read the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from gateway.crm.columns import About, Column
from gateway.crm.errors import Problem, shown
from gateway.crm.reading import Row, place
from gateway.crm.values import REMOVED, BadValue, Kind, choices, kind_of, listed, moment, value_of
from gateway.wire.segment import MAX_EVENT_BYTES, bad_id
from personalize.profiles import MAX_OWNED, MAX_PRODUCT_NAME, MAX_VALUE_BYTES, size_of


@dataclass(slots=True)
class _Told:
    """What one row says."""

    user_id: str = ""
    company_id: str = ""
    traits: dict[str, Any] = field(default_factory=dict)
    company: dict[str, Any] = field(default_factory=dict)
    purchased: list[str] = field(default_factory=list)
    purchased_at: list[int] = field(default_factory=list)
    consent: list[str] = field(default_factory=list)
    time: int = 0


class Mapping:
    """Makes events of rows; `sample` tells what the columns hold.

    `name` tells imports apart, `now` is when this one began (ms).
    """

    def __init__(  # noqa: PLR0913 - what an import is
        self, about: About, columns: Sequence[Column], sample: Iterable[Row], *, delimiter: str, name: str, now: int
    ) -> None:
        self.about = about
        self.columns = columns
        self.now = now
        self._delimiter = delimiter
        rows = list(sample)
        self.kinds: dict[int, Kind] = {
            column.index: kind_of([row.cells[column.index] for row in rows])
            for column in columns
            if "." in column.field and column.field != "trait.owns"
        }
        told = [name, about, [(c.index, c.field) for c in columns], sorted(self.kinds.items())]
        self.fingerprint = blake2b(orjson.dumps(told), digest_size=12).hexdigest()

    def events(self, row: Row) -> tuple[list[dict[str, Any]], list[Problem]]:
        """Return the events of a row and everything that is wrong with it: one of the two is empty."""
        told, problems = _Told(time=self.now), []
        for column in self.columns:
            cell = row.cells[column.index]
            if cell:
                try:
                    self._tell(told, column, cell)
                except BadValue as err:
                    problems.append(self._problem(row, column, str(err)))
        wanted = "user id" if self.about == "people" else "company id"
        if not (told.user_id if self.about == "people" else told.company_id) and not problems:
            column = next(column for column in self.columns if column.field == wanted)
            problems.append(self._problem(row, column, f"the {wanted} is empty"))
        problems += self._purchases_problem(row, told)
        if problems:
            return [], problems
        events = list(self._made(told, self._digest(row)))
        if any(len(orjson.dumps(event)) > MAX_EVENT_BYTES for event in events):
            return [], [Problem(row.line, 1, "", f"the row makes an event of over {MAX_EVENT_BYTES:,} bytes")]
        return events, []

    def key(self, row: Row) -> str:
        """Return the id that no other row may have."""
        wanted = "user id" if self.about == "people" else "company id"
        return next(row.cells[column.index] for column in self.columns if column.field == wanted)

    def key_problem(self, row: Row, first: int) -> Problem:
        """Return that a row is about whom an earlier line was about already."""
        wanted = "user id" if self.about == "people" else "company id"
        column = next(column for column in self.columns if column.field == wanted)
        message = f"the {wanted} {shown(row.cells[column.index])} stands in line {first} already; keep one row of them"
        return self._problem(row, column, message)

    def _tell(self, told: _Told, column: Column, cell: str) -> None:
        """Put what a cell says to the rest of its row; raises BadValue."""
        match column.field:
            case "user id":
                told.user_id = _checked_id("userId", cell)
            case "company id":
                told.company_id = _checked_id("groupId", cell)
            case "owns" | "trait.owns":
                told.traits["owns"] = None if cell == REMOVED else _products(cell)
            case "purchased":
                told.purchased = _products(cell)
            case "purchased at":
                told.purchased_at = [moment(text, self.now) for text in listed(cell)]
            case "consent":
                told.consent, told.traits["consent"] = choices(cell)
            case "updated at":
                told.time = moment(cell, self.now)
            case _:
                owner, _, name = column.field.partition(".")
                if size_of(name, cell) > MAX_VALUE_BYTES:
                    raise BadValue(f"the value is over {MAX_VALUE_BYTES:,} bytes; a profile does not keep that")
                values = told.company if owner == "company" else told.traits
                values[name] = value_of(cell, self.kinds[column.index])

    def _purchases_problem(self, row: Row, told: _Told) -> list[Problem]:
        dates = len(told.purchased_at)
        if not dates and not told.purchased:
            return []
        column = next((c for c in self.columns if c.field == "purchased at"), None)
        if column is None or dates == 1 or dates == len(told.purchased):
            return []
        if not dates:  # one that cannot be read has been reported
            missing = self._problem(row, column, "the date of the purchase is missing")
            return [] if row.cells[column.index] else [missing]
        message = f"{dates} dates for {len(told.purchased)} purchases; write one date, or one for each"
        return [self._problem(row, column, message)]

    def _made(self, told: _Told, digest: str) -> Iterator[dict[str, Any]]:
        at = _written(told.time)
        if self.about == "companies":
            yield {
                "type": "group", "groupId": told.company_id, "messageId": f"{digest}-g", "timestamp": at,
                "traits": told.company,
            }  # fmt: skip
            return
        who = {"userId": told.user_id}
        identify = {"type": "identify", **who, "messageId": f"{digest}-i", "timestamp": at, "traits": told.traits}
        if told.consent:
            identify["consent"] = told.consent
        yield identify
        if told.company_id:
            yield {
                "type": "group", **who, "groupId": told.company_id, "messageId": f"{digest}-g", "timestamp": at,
                "traits": told.company,
            }  # fmt: skip
        dates = told.purchased_at or [told.time]
        by_date: dict[int, list[str]] = {}
        for i, product in enumerate(told.purchased):
            by_date.setdefault(dates[i] if len(dates) > 1 else dates[0], []).append(product)
        for number, (date, products) in enumerate(by_date.items()):
            yield {
                "type": "track", "event": "Order Completed", **who, "messageId": f"{digest}-p{number}",
                "timestamp": _written(date), "properties": {"products": [{"name": name} for name in products]},
            }  # fmt: skip

    def _digest(self, row: Row) -> str:
        told = f"{self.fingerprint}\0" + "\0".join(row.cells)
        return f"import-{blake2b(told.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"

    def _problem(self, row: Row, column: Column, message: str) -> Problem:
        return Problem(*place(row, column.index, self._delimiter), column.name, message, row.cells[column.index])


def _checked_id(name: str, cell: str) -> str:
    outcome = bad_id(name, cell)
    if outcome is not None:
        raise BadValue(outcome.message)
    return cell


def _products(cell: str) -> list[str]:
    names = listed(cell)
    if long := [name for name in names if len(name) > MAX_PRODUCT_NAME]:
        raise BadValue(f"the product {shown(long[0])} has over {MAX_PRODUCT_NAME} characters; a profile keeps no such")
    if len(names) > MAX_OWNED:
        raise BadValue(f"{len(names)} products; a profile keeps {MAX_OWNED}")
    return names


def _written(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
