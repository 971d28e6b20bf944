"""What `?explain=1` adds to a decision: everything that is known of the visitor, and what the rules make of it."""

from __future__ import annotations

from typing import Any

from personalize.explain import as_data, explain_in
from personalize.language import Language
from personalize.model import time_of
from personalize.plan import Plan
from personalize.view import View

_FACTS = ("country", "region", "city", "language", "device", "browser", "os", "campaign", "source", "medium", "bot")


def explanation(view: View, plan: Plan, language: Language) -> dict[str, Any]:
    """Return scores with their points, segments, steps, the request's facts and the profile (None: not read)."""
    found = as_data(explain_in(view, plan, ()), language)
    del found["decisions"]  # they stand beside, with their receipts
    return found | known_of(view)


def known_of(view: View) -> dict[str, Any]:
    """Return the facts of the request and what of the profile a reader wants to see."""
    found: dict[str, Any] = {}
    facts = view.facts
    found["facts"] = {name: getattr(facts, name) for name in _FACTS} | {"company": dict(view.company)}
    profile = view.profile
    found["profile"] = (
        None
        if view.context.unread
        else {
            "first_visit": profile.first_visit,
            "clicks": {kind: {"id": text, "time": time_of(stamp)} for kind, (stamp, text) in profile.clicks.items()},
            "traits": profile.trait_values(),
            "owns": profile.owned(),
            "consent": profile.consent[1] if profile.consent else [],
            "company": profile.company[2] if profile.company else {},
        }
    )
    return found
