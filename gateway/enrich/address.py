"""The client's address: X-Forwarded-For is believed only as far as configured proxies wrote it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_MEMO_ENTRIES = 1024


class TrustedProxies:
    """The networks whose word about the client's address counts."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in networks]
        self._memo: dict[str, bool] = {}

    def client(self, peer: str, forwarded_for: bytes | None) -> str:
        """Return the address of the client: walk from the peer leftwards while the hop is a trusted proxy.

        An entry that is no address ends the walk; the last good hop is then the answer. "" when the peer is unknown.
        """
        if not forwarded_for or not self._networks or not self.trusts(peer):
            return peer
        client = peer
        for hop in reversed(forwarded_for.decode("latin-1").split(",")):
            address = _address(hop.strip())
            if not address:
                break
            client = address
            if not self.trusts(address):
                break
        return client

    def trusts(self, text: str) -> bool:
        """Tell whether an address is one of the proxies."""
        known = self._memo.get(text)
        if known is None:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                known = False
            else:
                known = any(address in network for network in self._networks)
            self._memo[text] = known
        return known


def _address(hop: str) -> str:
    """Return the address in one X-Forwarded-For entry, which may carry a port; "" when there is none."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ipaddress.ip_address(hop)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
