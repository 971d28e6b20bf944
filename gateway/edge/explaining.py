"""What `?explain=1` adds to a decision: everything that is known of the visitor, and what the rules make of it."""

from __future__ import annotations

from typing import Any

from personalize.explain import as_data, explain_in
from personalize.plan import Plan
from personalize.view import View

_FACTS = ("country", "region", "city", "language", "device", "browser", "os", "campaign", "source", "medium", "bot")


def explanation(view: View, plan: Plan) -> dict[str, Any]:
    """Return scores with their points, segments, steps, the request's facts and the profile (None: not read)."""
    found = as_data(explain_in(view, plan, ()))
    del found["decisions"]  # they stand beside, with their receipts
    facts = view.facts
    found["facts"] = {name: getattr(facts, name) for name in _FACTS} | {"company": dict(view.company)}
    profile = view.profile
    found["profile"] = (
        None
        if view.context.unread
        else {
            "first_visit": profile.first_visit,
            "traits": profile.trait_values(),
            "owns": profile.owned(),
            "consent": profile.consent[1] if profile.consent else [],
            "company": profile.company[2] if profile.company else {},
        }
    )
    return found
