"""Where the visitor comes from: place and company, by the address, which is then forgotten.

Under the write key that is the client's address; what a page says about it (`context.ip`) could be made up. A server
that calls with the secret key speaks for its visitor: its own address tells nothing, `context.ip` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.envelope import Hit
from personalize.model import Facts

_LONGEST = 45
"""The longest text of an address: IPv6 with an IPv4 tail. Others shall not fill the cache."""


def put_place(facts: Facts, hit: Hit, context: Mapping[str, Any], _properties: Mapping[str, Any]) -> None:
    """Fill country (ISO 3166-1 alpha-2), region and city."""
    facts.country, facts.region, facts.city = hit.site.lookups.of(visitor_address(hit, context)).place


def put_company(facts: Facts, hit: Hit, context: Mapping[str, Any], _properties: Mapping[str, Any]) -> None:
    """Fill company; an access provider or a host has no name there, only its type."""
    facts.company = hit.site.lookups.of(visitor_address(hit, context)).company


def visitor_address(hit: Hit, context: Mapping[str, Any]) -> str:
    """Return the address that tells something about the visitor, "" when there is none."""
    if not hit.secret:
        return hit.address
    address = context.get("ip")
    return address if isinstance(address, str) and len(address) <= _LONGEST else ""
