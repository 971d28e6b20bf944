"""The campaign that brought the visitor: Segment's `context.campaign`, else the page address' utm parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from gateway.envelope import Hit
from personalize.model import Facts

_MAX_LENGTH = 200
_MAX_QUERY = 2_000
_UTM = {"utm_campaign": "name", "utm_source": "source", "utm_medium": "medium"}


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
    found: dict[str, str] = {}
    for pair in url.partition("#")[0].partition("?")[2][:_MAX_QUERY].split("&"):
        name, _, value = pair.partition("=")
        wanted = _UTM.get(name)
        if wanted is not None and wanted not in found:
            found[wanted] = unquote_plus(value)
    return found


def _text(value: Any) -> str:
    return value[:_MAX_LENGTH] if isinstance(value, str) else ""
