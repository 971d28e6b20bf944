"""Verified identity: who has proved to be which person.

A call with the secret key says who its visitor is. A browser says it with `userHash`, the HMAC-SHA256 of the user id
under the site's secret key, which only the site's server can make; a key that is being replaced counts until it is
dropped. Everything else is a claim.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from gateway.envelope import Envelope, Hit, Site
from gateway.identity.visitor import hashed

HASH_LENGTH = 64
"""Hex digits of a SHA-256."""


def user_hash(secret_key: str, user_id: str) -> str:
    """Return what a site's server computes for a person who is logged in: 64 hex digits."""
    return hmac.digest(secret_key.encode(), user_id.encode("utf-8", "surrogatepass"), "sha256").hex()


def proves(site: Site, user_id: str, given: Any) -> bool:
    """Tell whether a `userHash` proves this user id at this site; whatever a client may have sent."""
    if not isinstance(given, str) or len(given) != HASH_LENGTH or not given.isascii():
        return False
    return any(hmac.compare_digest(given.lower(), user_hash(key, user_id)) for key in site.secret_keys)


def settle_person(hit: Hit) -> None:
    """Note who proved to be the visitor of the whole request, by its own `userId` and `userHash`."""
    given = hit.body.get("userHash")
    if given is None and not hit.secret:
        return
    user_id = _id(hit.body.get("userId"))
    if user_id and _is_proved(hit, user_id, given):
        hit.person = hashed(hit.site.key, "u", user_id)


def person_of(hit: Hit, envelope: Envelope) -> str:
    """Return the id (kind `k`) of the person who proved to be an event's visitor, "" when nobody did.

    The event's own proof (`context.userHash`) goes before the request's.
    """
    user_id = envelope.event.user_id
    if user_id:
        context = envelope.raw.get("context")
        given = envelope.raw.get("userHash") or (context.get("userHash") if context else None)
        if _is_proved(hit, user_id, given):
            return hashed(hit.site.key, "u", user_id)
    return hit.person


def put_later_events(hit: Hit, envelopes: Sequence[Envelope]) -> None:
    """Let what follows a proof within one request of a browser be that person's too, as in a request of its own.

    Else it would be the person's to whom the browser belonged before. Without a cookie nothing says that two events
    came from one browser.
    """
    if not (hit.visitor_id or hit.minted):
        return
    person = ""
    for envelope in envelopes:
        if not (hit.secret and envelope.event.type == "alias"):  # the server renames somebody
            person = envelope.person = envelope.person or person


def _is_proved(hit: Hit, user_id: str, given: Any) -> bool:
    if hit.secret:
        return True
    if given is None:
        return False
    proved = proves(hit.site, user_id, given)
    hit.doubtful = hit.doubtful or not proved
    return proved


def _id(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
