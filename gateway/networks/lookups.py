"""Where a site's visitors come from, by their address: place and company, from bounded caches.

COMPANY LAYERS, the higher one wins, the longest prefix inside a layer: the site's own list, then the autonomous
systems. An own list may name any address, also a private one; public data is asked about public addresses only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.networks.address import is_public, packed
from gateway.networks.cities import NOWHERE, Place
from gateway.networks.classify import Verdict
from gateway.networks.data import Data, Networks
from gateway.networks.own_list import OwnList

CACHED = 20_000
"""Addresses that a worker remembers for each site."""

Company = Mapping[str, Any]


class Origin(NamedTuple):
    """What an address tells. `company` is shared between look-ups: nobody may change it."""

    place: Place
    company: Company


UNKNOWN = Origin(NOWHERE, {})


class Lookups:
    """One site's view of the data that the worker has open; without any data and list everything is unknown."""

    def __init__(self, networks: Networks | None = None, own: OwnList | None = None) -> None:
        self._networks = networks
        self._own = own or OwnList()
        self._data = Data()
        self._renew(networks.current if networks is not None else self._data)

    def of(self, text: str) -> Origin:
        """Return what the address tells; UNKNOWN for any text that is none."""
        if self._networks is not None and self._networks.current is not self._data:
            self._renew(self._networks.current)
        return self._cached(text)

    def _renew(self, data: Data) -> None:
        """Look things up in this data from now on, with caches that know nothing of what was before."""
        self._data = data
        self._cached = lru_cache(CACHED)(self._find)
        # Neighbours share what they have in common, so that a remembered address costs little more than its text.
        self._place = lru_cache(CACHED)(Place)
        self._announced = lru_cache(CACHED)(self._company)

    def _find(self, text: str) -> Origin:
        address = packed(text)
        if address is None:
            return UNKNOWN
        public = is_public(address)
        place = self._place(*self._data.place(address)) if public else NOWHERE
        own = self._own.find(address)
        if own is not None:
            return Origin(place, own)
        record = self._data.systems.find(address) if public and self._data.systems is not None else 0
        return Origin(place, self._announced(record))

    def _company(self, record: int) -> Company:
        if not record or self._data.systems is None:
            return {}
        network, verdict = self._data.systems.of(record)
        return company_of(network.number, verdict)


def company_of(number: int, verdict: Verdict) -> Company:
    """Return an autonomous system as a company: only its kind, unless its name may be shown."""
    found: dict[str, Any] = {"source": "asn", "asn": number}
    if verdict.kind is not None:
        found |= {"type": verdict.kind, "confidence": verdict.confidence}
    if verdict.name:
        found["name"] = verdict.name
    if verdict.domain:
        found["domain"] = verdict.domain
    return found
