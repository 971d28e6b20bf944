"""What a visitor allows: purposes, their precedence, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.envelope import Envelope, Hit
from gateway.errors import BadRequest
from gateway.identity.banners import COLLECTING, NOTHING, Said, said_in_context, said_in_cookies, together
from personalize.model import PURPOSES
from personalize.profiles import Profile

_NO_ADS = PURPOSES - {"ads"}


def signal_of(body: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the purposes that a request's or event's `consent` list allows, None without one; raises BadRequest.

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


def put_signals(hit: Hit) -> None:
    """Note what the request itself says: our SDK's list, its context, a banner's cookie, Sec-GPC and DNT.

    Raises BadRequest for a list that cannot be read.
    """
    headers, site = hit.headers, hit.site
    hit.signal = signal_of(hit.body)
    if headers.get(b"sec-gpc") == b"1" or headers.get(b"dnt") == b"1":
        hit.limit = _NO_ADS
    cookies = headers.get(b"cookie")
    if cookies and site.consent_cookies:
        _narrow(hit, said_in_cookies(cookies, site.consent_cookies, site.consent_categories))
    _narrow(hit, _said_in(hit.body.get("context"), hit))


def put_event_signals(hit: Hit, envelope: Envelope) -> None:
    """Note what one event of a request says, together with the request itself.

    Raises BadRequest for a list of its own that cannot be read.
    """
    envelope.signal, envelope.limit = hit.signal, hit.limit
    if envelope.raw is not hit.body:
        if envelope.raw.get("consent") is not None:
            _narrow(envelope, Said(signal_of(envelope.raw), PURPOSES))
        _narrow(envelope, _said_in(envelope.raw.get("context"), hit))


def _said_in(context: Any, hit: Hit) -> Said:
    if not isinstance(context, dict) or ("consent" not in context and "consentManagement" not in context):
        return NOTHING
    return said_in_context(context, hit.site.consent_categories)


def _narrow(carrier: Hit | Envelope, said: Said) -> None:
    """Hold what carries signals to one more source."""
    if said is not NOTHING:
        carrier.signal, carrier.limit = together(Said(carrier.signal, carrier.limit), said)


def last_choice(hit: Hit, envelopes: Sequence[Envelope]) -> tuple[frozenset[str] | None, int]:
    """Return the choice that a request makes and when (ms): that of its latest event with one; of equal times, both."""
    chosen, at = hit.signal, 0
    for envelope in envelopes:
        signal, time = envelope.signal, envelope.event.time
        if signal is not None and time >= at:
            chosen = signal & chosen if chosen is not None and time == at else signal
            at = time
    return chosen, at or hit.received


def in_force(
    signal: frozenset[str] | None,
    profile: Profile | None,
    default: frozenset[str],
    collected: int,
    limit: frozenset[str] = PURPOSES,
) -> frozenset[str]:
    """Return the purposes in force for something collected at that time (ms).

    This request's signal, else the stored choice, else the site's default; of that what is within the limit, which is
    no choice: what Sec-GPC and DNT leave, or a banner that nobody has answered yet. A signal that is older than the
    stored choice (a retry, a replay) never raises what that allows.
    """
    stored = profile.consent if profile is not None else []
    if signal is None:
        found = frozenset(stored[1]) if stored else default
    else:
        found = signal & frozenset(stored[1]) if stored and stored[0] > collected else signal
    return found if limit is PURPOSES else found & limit


def allows_profile(purposes: frozenset[str]) -> bool:
    """Tell whether cookie, profile and log are allowed: by analytics or by personalization."""
    return not purposes.isdisjoint(COLLECTING)


def clicks_allowed(purposes: frozenset[str]) -> bool:
    """Tell whether click ids may be kept and logged: by ads alone."""
    return "ads" in purposes


def allows_reading(purposes: frozenset[str]) -> bool:
    """Tell whether a decision may read the profile: by personalization alone."""
    return "personalization" in purposes
