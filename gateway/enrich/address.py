"""The client's address: X-Forwarded-For is believed only as far as configured proxies wrote it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from gateway.networks.address import packed, written

_MOST_HOPS = 50
"""Proxies that are walked past at most, however often somebody writes their addresses into the header."""


class TrustedProxies:
    """The networks whose word about the client's address counts."""

    def __init__(self, networks: Sequence[str]) -> None:
        parsed = [ipaddress.ip_network(text, strict=False) for text in networks]
        self._networks = [
            (len(network.network_address.packed), int(network.network_address), int(network.netmask))
            for network in parsed
        ]

    def client(self, peer: str, forwarded_for: bytes | None) -> str:
        """Return the address of the client: walk from the peer leftwards while the hop is a trusted proxy.

        An entry that is no address ends the walk; the last good hop is then the answer. "" when the peer is unknown.
        """
        if not forwarded_for or not self._networks or not self.trusts(peer):
            return peer
        client = peer
        for hop in reversed(forwarded_for.decode("latin-1").rsplit(",", _MOST_HOPS)):
            address = packed(_without_port(hop.strip()))
            if address is None:
                break
            client = written(address)
            if not self._contain(address):
                break
        return client

    def trusts(self, text: str) -> bool:
        """Tell whether an address is one of the proxies."""
        address = packed(text)
        return address is not None and self._contain(address)

    def _contain(self, address: bytes) -> bool:
        number, size = int.from_bytes(address, "big"), len(address)
        return any(size == length and number & mask == start for length, start, mask in self._networks)


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
