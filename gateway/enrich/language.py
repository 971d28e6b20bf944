"""The visitor's language: the page's own locale, else the browser's first choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.envelope import Hit
from personalize.model import Facts

_LONGEST = 8  # RFC 5646: a primary language subtag has at most eight letters


def put_language(facts: Facts, hit: Hit, context: Mapping[str, Any], _properties: Mapping[str, Any]) -> None:
    """Fill language with the primary subtag in lower case, such as "fi"."""
    locale = context.get("locale") or hit.body.get("locale")
    if not isinstance(locale, str):
        locale = hit.headers.get(b"accept-language", b"").decode("latin-1")
    tag = locale.partition(",")[0].partition(";")[0].replace("_", "-").partition("-")[0].strip().lower()
    if tag.isascii() and tag.isalpha() and len(tag) <= _LONGEST:
        facts.language = tag
