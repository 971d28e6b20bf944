"""Will browsers keep the cookie for long: the gateway's name and address beside the page's.

Safari keeps cookies for 7 days when they come from another address than the page's (the first 16 bits of IPv4, 64 of
IPv6 differ) or through an alias of another site (CNAME). The standard library tells the last name of a chain of aliases
and not the names between; sites are told apart without the public suffix list, by the last two parts of the name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.doctor.finding import Finding
from gateway.doctor.target import Target, is_address, on_this_machine

_PATH = "serve it below a path of the page's own host, see docs/deploy.md"


@dataclass(slots=True, frozen=True)
class Resolved:
    """What a host name stands for: its addresses, and its name after all aliases ("" if that is not told)."""

    addresses: tuple[str, ...]
    canonical: str = ""


Resolver = Callable[[str], Resolved]
"""Returns what a host name stands for; raises OSError."""


def resolve(host: str) -> Resolved:
    """Ask the system for a host's addresses and canonical name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    return Resolved(addresses, next((entry[3] for entry in found if entry[3]), "").rstrip(".").lower())


def naming(target: Target, resolver: Resolver) -> Iterator[Finding]:
    """Yield how the gateway's host and address are to the page's."""
    host, page = target.host, target.page_host
    if host == page:
        yield Finding("host", "good", f"the same host as the page: {host}")
        yield Finding("address", "good", "the same host, so the same address")
        return
    if _site(host) != _site(page):
        seen = f"{host} is another site than the page's {page}: its cookie is a third party's"
        yield Finding("host", "bad", seen, f"browsers block such cookies; {_PATH}")
    else:
        seen = f"{host} is another host of the same site as the page's {page}"
        yield Finding("host", "warning", seen, f"stock clients send no cookies there; {_PATH}")
    if on_this_machine(host) and on_this_machine(page):
        yield Finding("address", "good", "both are this machine")
        return
    try:
        ours, theirs = resolver(host), resolver(page)
    except OSError as error:
        yield Finding("address", "open", f"the names cannot be resolved: {error}", "try it where they can be")
        return
    yield _address(ours, theirs)
    if ours.canonical and ours.canonical != host and _site(ours.canonical) not in (_site(page), _site(host)):
        seen = f"{host} is an alias (CNAME) of {ours.canonical}, which is another site"
        yield Finding(
            "alias", "bad", seen, f"Safari keeps such cookies for 7 days, and blockers know such names; {_PATH}"
        )
    elif not is_address(host):
        yield Finding("alias", "good", f"{host} leads to no other site by CNAME")


def _address(ours: Resolved, theirs: Resolved) -> Finding:
    nets = {_network(address) for address in theirs.addresses}
    far = [address for address in ours.addresses if _network(address) not in nets]
    seen = f"{', '.join(ours.addresses[:4])}; the page's: {', '.join(theirs.addresses[:4])}"
    if far:
        return Finding(
            "address",
            "bad",
            f"{', '.join(far[:4])} is far from the page's {', '.join(theirs.addresses[:4])}",
            f"Safari keeps cookies of far addresses (another /16, or /64 of IPv6) for 7 days; {_PATH}",
        )
    return Finding("address", "good", f"near the page's address: {seen}")


def _network(address: str) -> str:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 16 if found.version == 4 else 64), strict=False))


def _site(host: str) -> str:
    return host if is_address(host) else ".".join(host.split(".")[-2:])
