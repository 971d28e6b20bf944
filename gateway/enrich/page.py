"""The page that the visitor is on, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from gateway.envelope import Hit
from personalize.model import Facts
from personalize.pages import page_path

_MAX_LENGTH = 1024
_MAX_ADDRESS = 8_000
_MEMO_ENTRIES = 1024


def put_page(facts: Facts, hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    """Fill page with the path, referrer with the referring address, came_from if that lies outside of the site."""
    facts.page = page_path(properties, context)[:_MAX_LENGTH]
    page = context.get("page")
    referrer = properties.get("referrer") or (page.get("referrer") if isinstance(page, dict) else "")
    if isinstance(referrer, str) and referrer:
        facts.referrer = referrer = referrer[:_MAX_LENGTH]
        host, path = _host_and_path(referrer)
        if host and _bare(host) not in (_own_hosts(hit.site.origins) | {_bare(_host_of_page(context, properties))}):
            facts.came_from = host + path


def address_of(context: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Return the address of the page that an event is about, "" if it names none."""
    page = context.get("page")
    url = properties.get("url") or (page.get("url") if isinstance(page, dict) else "")
    return url[:_MAX_ADDRESS] if isinstance(url, str) else ""


def _host_of_page(context: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    return address_of(context, properties).partition("://")[2].partition("/")[0].partition(":")[0].lower()


@lru_cache(_MEMO_ENTRIES)
def _host_and_path(address: str) -> tuple[str, str]:
    """Return host, in lower case, and path of an address; empty ones when it has no host."""
    try:
        split = urlsplit(address)
    except ValueError:  # such as an unclosed IPv6 bracket
        return "", ""
    return split.hostname or "", split.path


@lru_cache(_MEMO_ENTRIES)
def _own_hosts(origins: tuple[str, ...]) -> frozenset[str]:
    """Return the hosts of a site's origins, which may end in `:*`."""
    return frozenset(_bare(_host_and_path(origin.removesuffix(":*"))[0]) for origin in origins)


def _bare(host: str) -> str:
    """Return a host without the `www.` that one half of a site's pages may have."""
    return host.removeprefix("www.")
