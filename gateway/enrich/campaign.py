"""The campaign that brought the visitor: Segment's `context.campaign`, else the page address' utm parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.enrich.page import address_of
from gateway.envelope import Hit
from personalize.model import Facts
from personalize.percent import percent_decoded

_MAX_LENGTH = 200
_MAX_QUERY = 2_000
_UTM = {
    "utm_campaign": "name",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_term": "term",
    "utm_content": "content",
}
_FACTS = {"name": "campaign", "source": "source", "medium": "medium", "term": "term", "content": "content"}


def put_campaign(facts: Facts, hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> None:  # noqa: ARG001 - one signature for all enrichers
    """Fill campaign, source, medium, term and content."""
    campaign = context.get("campaign")
    found = campaign if isinstance(campaign, dict) and campaign else _from_address(context, properties)
    for name, value in found.items():
        if name in _FACTS and isinstance(value, str):
            setattr(facts, _FACTS[name], value[:_MAX_LENGTH])


def parameters(address: str) -> list[tuple[str, str, str]]:
    """Return the names, signs and values of an address' query as they are written, the values not yet decoded."""
    pairs = address.partition("#")[0].partition("?")[2][:_MAX_QUERY].split("&")
    return [pair.partition("=") for pair in pairs]


def _from_address(context: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    url = address_of(context, properties)
    if "utm_" not in url:
        return {}
    found: dict[str, str] = {}
    for name, _, value in parameters(url):
        wanted = _UTM.get(name)
        if wanted is not None and wanted not in found:
            found[wanted] = percent_decoded(value.replace("+", " "))
    return found
