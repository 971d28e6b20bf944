"""The campaign that brought the visitor: Segment's `context.campaign`, else the page address' utm parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from gateway.enrich.page import address_of
from gateway.envelope import Hit
from personalize.model import Facts

_MAX_LENGTH = 200
_MAX_QUERY = 2_000
_UTM = {
    "utm_campaign": "name",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_term": "term",
    "utm_content": "content",
}


def put_campaign(facts: Facts, hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> None:  # noqa: ARG001 - one signature for all enrichers
    """Fill campaign, source, medium, term and content."""
    campaign = context.get("campaign")
    found = campaign if isinstance(campaign, dict) and campaign else _from_address(context, properties)
    if found:
        facts.campaign = _text(found.get("name"))
        facts.source = _text(found.get("source"))
        facts.medium = _text(found.get("medium"))
        facts.term = _text(found.get("term"))
        facts.content = _text(found.get("content"))


def parameters(address: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of an address' query as they are written, the values not yet decoded."""
    for pair in address.partition("#")[0].partition("?")[2][:_MAX_QUERY].split("&"):
        name, _, value = pair.partition("=")
        yield name, value


def _from_address(context: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    url = address_of(context, properties)
    if "utm_" not in url:
        return {}
    found: dict[str, str] = {}
    for name, value in parameters(url):
        wanted = _UTM.get(name)
        if wanted is not None and wanted not in found:
            found[wanted] = unquote_plus(value)
    return found


def _text(value: Any) -> str:
    return value[:_MAX_LENGTH] if isinstance(value, str) else ""
