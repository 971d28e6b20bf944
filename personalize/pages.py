"""Which page an event is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def page_path(properties: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the path of the page that an event is about, "" if it names none.

    The event's properties go before its context, a path before an address (Segment's page spec).
    """
    page = context.get("page")
    for source in (properties, page if isinstance(page, dict) else {}):
        path = source.get("path")
        if isinstance(path, str) and path:
            return path
        url = source.get("url")
        if isinstance(url, str) and url:
            try:
                return urlsplit(url).path or "/"
            except ValueError:  # such as an unclosed IPv6 bracket
                continue
    return ""
