"""What a visitor allows: purposes, their precedence, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.errors import BadRequest
from personalize.model import PURPOSES
from personalize.profiles import Profile

_COLLECTING = frozenset({"analytics", "personalization"})


def signal_of(body: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the purposes that the request's own `consent` list allows, None if it carries none; raises BadRequest.

    Purposes that are not the gateway's are left out. A list of nothing else is refused: read as "nothing allowed", a
    misspelt word would erase a visitor.
    """
    listed = body.get("consent")
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(x, str) for x in listed):
        raise BadRequest('"consent" is not a list of texts', hint='send "consent": ["analytics", "personalization"]')
    signal = frozenset(listed) & PURPOSES
    if listed and not signal:
        raise BadRequest(
            f'"consent" names none of {", ".join(sorted(PURPOSES))}',
            hint='send "consent": [] if the visitor allows nothing; that erases what is stored',
        )
    return signal


def in_force(
    signal: frozenset[str] | None, profile: Profile | None, default: frozenset[str], collected: int
) -> frozenset[str]:
    """Return the purposes in force for something collected at that time (ms).

    This request's signal, else the stored choice, else the site's default. A signal that is older than the stored
    choice (a retry, a replay) never raises what that allows.
    """
    stored = profile.consent if profile is not None else []
    if signal is None:
        return frozenset(stored[1]) if stored else default
    return signal & frozenset(stored[1]) if stored and stored[0] > collected else signal


def allows_profile(purposes: frozenset[str]) -> bool:
    """Tell whether cookie, profile and log are allowed: by analytics or by personalization."""
    return bool(purposes & _COLLECTING)


def clicks_allowed(purposes: frozenset[str]) -> bool:
    """Tell whether click ids may be kept and logged: by ads alone."""
    return "ads" in purposes


def allows_reading(purposes: frozenset[str]) -> bool:
    """Tell whether a decision may read the profile: by personalization alone."""
    return "personalization" in purposes
