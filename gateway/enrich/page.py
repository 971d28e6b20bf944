"""The page that the visitor is on, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.envelope import Hit
from personalize.model import Facts
from personalize.pages import page_path

_MAX_LENGTH = 1024


def put_page(facts: Facts, hit: Hit, context: Mapping[str, Any], properties: Mapping[str, Any]) -> None:  # noqa: ARG001 - one signature for all enrichers
    """Fill page with the path, and referrer with the referring address."""
    facts.page = page_path(properties, context)[:_MAX_LENGTH]
    page = context.get("page")
    referrer = properties.get("referrer") or (page.get("referrer") if isinstance(page, dict) else "")
    if isinstance(referrer, str):
        facts.referrer = referrer[:_MAX_LENGTH]
