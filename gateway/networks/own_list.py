"""A site's own list of companies: the highest layer, `companies = "file"` in its settings.

The longest prefix that an address falls into wins. The rows are read by `own_rows.py`; here they are checked, all
problems together, and made ready for look-ups.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.networks.errors import OwnListInvalid
from gateway.networks.kinds import KINDS, SHOWN
from gateway.networks.own_rows import Row, read_rows
from personalize.errors import Problem
from personalize.suggest import quoted, unknown
from personalize.yaml_nodes import Text

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_TEXTS = frozenset({"company", "domain", "type", "crm_id"})
"""Columns that stay text whatever they look like: a CRM's id is no number to reckon with."""


class OwnList:
    """Companies by network; `find` answers with the one of the longest prefix. Empty unless rows are given."""

    def __init__(
        self, companies: Mapping[ipaddress.IPv4Network | ipaddress.IPv6Network, Mapping[str, Any]] = {}
    ) -> None:
        self._by_length: dict[tuple[int, int], dict[int, Mapping[str, Any]]] = {}
        for network in sorted(companies, key=lambda network: -network.prefixlen):
            size = network.max_prefixlen // 8
            table = self._by_length.setdefault((size, network.max_prefixlen - network.prefixlen), {})
            table[int(network.network_address) >> (network.max_prefixlen - network.prefixlen)] = companies[network]

    def find(self, address: bytes) -> Mapping[str, Any] | None:
        """Return the company of 4 or 16 bytes, None when the list does not name it."""
        number, length = int.from_bytes(address, "big"), len(address)
        for (size, host_bits), table in self._by_length.items():
            if size == length and (found := table.get(number >> host_bits)) is not None:
                return found
        return None


def read_own_list(path: Path) -> OwnList:
    """Return the list in a CSV or YAML file; raises OwnListInvalid with every problem that it has."""
    rows, problems = read_rows(path)
    companies: dict[ipaddress.IPv4Network | ipaddress.IPv6Network, Mapping[str, Any]] = {}
    places: dict[object, Text] = {}
    for row in rows:
        network = _network(row, problems)
        company = _company(row, problems)
        if network is None:
            continue
        if network in places:
            first = places[network]
            problems.append(Problem.at(row["cidr"].where, f"{network} stands in line {first.line} already; keep one"))
            continue
        places[network] = row["cidr"]
        companies[network] = company
    if problems:
        raise OwnListInvalid(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return OwnList(companies)


def _network(row: Row, problems: list[Problem]) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    cidr = row["cidr"]
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        problems.append(
            Problem.at(
                cidr.where, f"{quoted(cidr)} is no network; write it as 192.0.2.0/24, 2001:db8::/32 or one address"
            )
        )
        return None
    written = cidr.partition("/")[0]
    if "/" in cidr and ipaddress.ip_address(written) != network.network_address:
        problems.append(
            Problem.at(cidr.where, f"{quoted(cidr)} begins inside a network; write {network}, or {written}")
        )
    elif network.prefixlen == 0:
        problems.append(
            Problem.at(cidr.where, f"{quoted(cidr)} is the whole internet; name the company's own networks")
        )
    elif network.version == 6 and network.network_address.ipv4_mapped is not None:
        problems.append(Problem.at(cidr.where, f"{quoted(cidr)} is IPv4 in IPv6's clothes; write it as IPv4"))
    else:
        return network
    return None


def _company(row: Row, problems: list[Problem]) -> Mapping[str, Any]:
    """Return a row as the attributes that rules and contents read."""
    kind = row.get("type") or "business"
    known = kind.casefold()
    if known not in KINDS:
        where = row["type"].where if "type" in row else row["cidr"].where
        problems.append(Problem.at(where, unknown(kind, KINDS, f"{quoted(kind)} is no type of a company")))
    shown = known in SHOWN
    if shown and not row.get("company"):
        problems.append(Problem.at(row["cidr"].where, f"{quoted(row['cidr'])} has no company; write its name"))
    found: dict[str, Any] = {"type": known, "confidence": "high", "source": "own list"}
    for name, value in row.items():
        if name not in ("cidr", "type") and value and (shown or name not in ("company", "domain")):
            found["name" if name == "company" else name] = _value(name, value)
    return found


def _value(name: str, text: Text) -> str | int:
    return int(text) if name not in _TEXTS and not text.quoted and _WHOLE.fullmatch(text) else str(text)
