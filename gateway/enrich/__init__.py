"""What a request tells about its visitor. ENRICHERS is the one list; a later one may use what an earlier one put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.enrich.agent import put_agent
from gateway.enrich.campaign import put_campaign
from gateway.enrich.language import put_language
from gateway.enrich.origin import put_company, put_place
from gateway.enrich.page import put_page
from gateway.envelope import Hit
from personalize.model import Facts

Enricher = Callable[[Facts, Hit, Mapping[str, Any], Mapping[str, Any]], None]

ENRICHERS: tuple[Enricher, ...] = (put_agent, put_language, put_page, put_campaign, put_place, put_company)
"""Each takes (facts to fill, the hit, an event's context, its properties)."""


def enriched(hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> Facts:
    """Return the facts of one event, or of a decision, of this hit."""
    facts = Facts()
    for put in ENRICHERS:
        put(facts, hit, context, properties)
    return facts
