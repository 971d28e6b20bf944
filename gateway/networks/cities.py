"""Where an address is, from an MMDB file: flat records as DB-IP's city list has them, or MaxMind's nested ones.

A damaged file may break a single look-up; that look-up then finds nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb
from geoip2.models import City

from gateway.networks.address import packed, written
from gateway.networks.errors import DataBroken

_LONGEST = 100
_LATEST = 2**32
"""A build time (s since 1970) beyond this is damage; it is cut, because the calendar ends too."""

_DAMAGE = (maxminddb.InvalidDatabaseError, ValueError, TypeError, AttributeError, KeyError, OverflowError)
"""What a look-up in a damaged file raises: the reader's own error, or the model's about a record of another shape."""

_PROBES = {
    4: ("8.8.8.8", "1.1.1.1", "193.0.6.139", "200.160.0.8"),
    6: ("2001:4860:4860::8888", "2001:67c:2e8:22::c100:68b"),
}
"""Addresses that every city list can be asked about: whether it knows them is not the point, but that it answers."""


class Place(NamedTuple):
    """Country as ISO 3166-1 alpha-2 ("FI"), region and city by their English names; "" where unknown."""

    country: str = ""
    region: str = ""
    city: str = ""


NOWHERE = Place()


class Cities:
    """An open city list for one family of addresses. Raises DataBroken when the file is none, or answers nonsense."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(path)
            self._about = self._reader.metadata()
            self._nested = "City" in self._about.database_type or "Enterprise" in self._about.database_type
            self._both = self._about.ip_version == 6
            self.built = min(int(self._about.build_epoch), _LATEST)
            self.nodes = int(self._about.node_count)
            for probe in _PROBES[self._about.ip_version]:
                self._place(packed(probe) or b"")
        except (OSError, *_DAMAGE) as err:
            raise DataBroken(f"{path}: this is no city list that can be read: {err}") from err
        self.damaged = 0
        """How many look-ups found damage."""

    def of(self, address: bytes) -> Place:
        """Return the place of 4 or 16 bytes, NOWHERE when it is not listed."""
        try:
            return self._place(address)
        except _DAMAGE:
            self.damaged += 1
            return NOWHERE

    def _place(self, address: bytes) -> Place:
        if len(address) == 16 and not self._both:
            return NOWHERE
        record = self._reader.get(written(address))
        if record is None:
            return NOWHERE
        if not isinstance(record, dict):
            raise TypeError("a record is no map")
        return _nested(record) if self._nested else _flat(record)


def _flat(record: Mapping[str, Any]) -> Place:
    return Place(_country(record.get("country_code")), _text(record.get("state1")), _text(record.get("city")))


def _nested(record: Mapping[str, Any]) -> Place:
    found = City(["en"], **record)
    region = found.subdivisions[0].name if found.subdivisions else ""
    return Place(_country(found.country.iso_code), _text(region), _text(found.city.name))


def _country(code: Any) -> str:
    known = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.upper() != "ZZ"
    return code.upper() if known else ""


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
