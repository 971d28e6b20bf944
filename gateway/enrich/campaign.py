"""The campaign that brought the visitor: Segment's `context.campaign`, else the page address' utm parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.envelope import Hit
from personalize.model import Facts

_MAX_LENGTH = 200
_MAX_FIELDS = 50


def put_campaign(facts: Facts, hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> None:  # noqa: ARG001 - one signature for all enrichers
    """Fill campaign, source and medium."""
    campaign = context.get("campaign")
    found = campaign if isinstance(campaign, dict) and campaign else _from_address(context, properties)
    facts.campaign = _text(found.get("name"))
    facts.source = _text(found.get("source"))
    facts.medium = _text(found.get("medium"))


def _from_address(context: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    page = context.get("page")
    url = properties.get("url") or (page.get("url") if isinstance(page, dict) else "")
    if not isinstance(url, str) or "utm_" not in url:
        return {}
    try:
        query = parse_qs(urlsplit(url).query, max_num_fields=_MAX_FIELDS)
    except ValueError:  # too many fields, or no address at all
        return {}
    return {"name": query.get("utm_campaign", [""])[0], "source": query.get("utm_source", [""])[0],
            "medium": query.get("utm_medium", [""])[0]}  # fmt: skip


def _text(value: Any) -> str:
    return value[:_MAX_LENGTH] if isinstance(value, str) else ""
