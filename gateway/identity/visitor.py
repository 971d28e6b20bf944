"""Who is it: the signed first-party cookie, verified ids and claims.

A request with a valid cookie is that visitor. Without one, a request that names no client id, or that comes from the
site's own pages, becomes a new visitor and gets a cookie (see `may_be_new`). Anything else only claims who it is, and a
claim is written but never read back.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from gateway.envelope import Envelope, Hit, Outcome, Rejected, Site
from gateway.identity.signing import KeyRing
from gateway.ports import VisitorKey
from personalize.model import Event

COOKIE = "tuttu_id"
COOKIE_AGE_S = 400 * 86_400
"""400 days: the longest that browsers keep a cookie (RFC 6265bis, section 5.5)."""

_REMEMBERED = 20_000

_MISSING = Outcome(
    "rejected", Rejected.MISSING_ID, "the event names nobody: send userId or anonymousId, or the visitor's cookie"
)


class Cookies:
    """Reads and writes the visitor cookie of any site with one key ring."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._ring = KeyRing(tuple(keys), b"tuttu cookie")
        self._verified: dict[tuple[str, str], str] = {}

    def value(self, site: Site, visitor_id: str) -> str:
        """Return the cookie's value, `<id>.<key id>.<mac>`."""
        signature = self._ring.sign(f"{site.key}\0{visitor_id}")
        return f"{visitor_id}.{signature}"

    def visitor_id(self, site: Site, value: str) -> str:
        """Return the id of a valid cookie value, else ""; valid ones are remembered for a while."""
        known = self._verified.get((site.key, value))
        if known is not None:
            return known
        visitor_id, _, rest = value.partition(".")
        key_id, _, mac = rest.partition(".")
        if not self._ring.verifies(f"{site.key}\0{visitor_id}", key_id, mac):
            return ""
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[(site.key, value)] = visitor_id
        return visitor_id

    def header(self, site: Site, visitor_id: str) -> bytes:
        """Return the Set-Cookie value that gives or renews the cookie."""
        return f"{cookie_name(site)}={self.value(site, visitor_id)}; Max-Age={COOKIE_AGE_S}{_attributes(site)}".encode()

    def expired(self, site: Site) -> bytes:
        """Return the Set-Cookie value that takes the cookie away."""
        return f"{cookie_name(site)}=; Max-Age=0{_attributes(site)}".encode()


def cookie_name(site: Site) -> str:
    """Return the cookie's name; `__Host-` binds it to the very host (RFC 6265bis, section 4.1.3)."""
    return COOKIE if site.cookie_domain else f"__Host-{COOKIE}"


def _attributes(site: Site) -> str:
    domain = f"; Domain={site.cookie_domain}" if site.cookie_domain else ""
    return f"; Path=/{domain}; HttpOnly; Secure; SameSite=Lax"


def cookie_in(header: bytes, name: bytes) -> str:
    """Return the value of a cookie in a Cookie header, "" if it is not there."""
    start = 0
    while (at := header.find(name, start)) >= 0:
        end = at + len(name)
        if header[end : end + 1] == b"=" and (at == 0 or header[at - 1 : at] in b"; "):
            stop = header.find(b";", end)
            return header[end + 1 : stop if stop >= 0 else len(header)].strip().decode("latin-1")
        start = end
    return ""


def new_visitor_id() -> str:
    """Return 120 random bits as 20 letters."""
    return base64.urlsafe_b64encode(os.urandom(15)).decode()


def claims_of(hit: Hit, envelopes: Iterable[Envelope]) -> bool:
    """Tell whether the request names a client id of its own."""
    return bool(hit.body.get("userId") or hit.body.get("anonymousId")) or any(
        e.event.user_id or e.anonymous_id for e in envelopes
    )


def about_company(hit: Hit, event: Event, anonymous_id: str) -> bool:
    """Tell whether an event is about a company itself: a group call of the site's server that names no person."""
    return hit.secret and event.type == "group" and not (hit.visitor_id or hit.reset or event.user_id or anonymous_id)


def company_key(site: str, group_id: str) -> VisitorKey:
    """Return where a company's own profile is kept (kind `g`)."""
    return VisitorKey(site, "g", hashed(site, "g", group_id))


def may_be_new(hit: Hit, *, claims: bool) -> bool:
    """Tell whether a request without a valid cookie becomes a new visitor and gets a cookie.

    Under the write key: same-origin, or marked by our SDK as sent with cookies from the same site, or without any
    client id. Under the secret key: only without any client id.
    """
    if not claims:
        return True
    if hit.secret:
        return False
    fetch_site = hit.headers.get(b"sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == b"same-origin" or (fetch_site == b"same-site" and _credentials(hit.body))
    origin = hit.headers.get(b"origin", b"")
    if origin and origin.partition(b"://")[2] == hit.headers.get(b"host", b""):
        return True
    return _credentials(hit.body)


def visitor_of(hit: Hit, user_id: str, anonymous_id: str) -> VisitorKey | Outcome:
    """Return whose profile an event with these client ids goes to; an Outcome when it names nobody."""
    site = hit.site.key
    if hit.visitor_id:
        return VisitorKey(site, "a", hit.visitor_id)
    if user_id:
        return VisitorKey(site, "k" if hit.secret else "c", hashed(site, "u", user_id))
    if anonymous_id:
        return VisitorKey(site, "c", hashed(site, "a", anonymous_id))
    return _MISSING


def hashed(site: str, namespace: str, outside_id: str) -> str:
    """Return a key-safe form of an id that came from outside: 22 letters, different in each site and namespace."""
    digest = blake2b(f"{site}\0{namespace}\0{outside_id}".encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _credentials(body: Mapping[str, Any]) -> bool:
    context = body.get("context")
    return isinstance(context, dict) and context.get("credentials") is True
