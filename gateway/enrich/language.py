"""The visitor's language: the page's own locale, else the browser's first choice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.envelope import Hit
from personalize.model import Facts

_MEMO_ENTRIES = 1024
_MAX_LENGTH = 100
_LONGEST = 8  # RFC 5646: a primary language subtag has at most eight letters


def put_language(facts: Facts, hit: Hit, context: Mapping[str, Any], _properties: Mapping[str, Any]) -> None:
    """Fill language with the primary subtag in lower case, such as "fi"."""
    locale = context.get("locale") or hit.body.get("locale")
    if not isinstance(locale, str):
        locale = hit.headers.get(b"accept-language", b"").decode("latin-1")
    facts.language = language_of(locale[:_MAX_LENGTH])


@lru_cache(_MEMO_ENTRIES)
def language_of(locale: str) -> str:
    """Return the first primary language subtag of a locale or an Accept-Language header, "" if there is none."""
    tag = locale.partition(",")[0].partition(";")[0].replace("_", "-").partition("-")[0].strip().lower()
    return tag if tag.isascii() and tag.isalpha() and len(tag) <= _LONGEST else ""
