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
from typing import Any, NamedTuple

from gateway.envelope import Envelope, Hit, Outcome, Rejected, Site
from gateway.identity.signing import KeyRing, Keys
from gateway.ports import VisitorKey
from personalize.model import Event

COOKIE = "tuttu_id"
COOKIE_AGE_S = 400 * 86_400
"""400 days: the longest that browsers keep a cookie (RFC 6265bis, section 5.5)."""

_HOST_ONLY = f"__Host-{COOKIE}"
_BETWEEN = frozenset(b"; ")
_NAME, _HOST_NAME = COOKIE.encode(), _HOST_ONLY.encode()
_LONGEST = 200
"""A value is 45 characters long; what is far longer is not worth a signature."""
_MOST_TRIED = 8
"""Cookies of one name that are tried; a subdomain may plant its own beside the visitor's."""

_REMEMBERED = 20_000

_MISSING = Outcome(
    "rejected", Rejected.MISSING_ID, "the event names nobody: send userId or anonymousId, or the visitor's cookie"
)


class Found(NamedTuple):
    """What a Cookie header says of the visitor.

    `visitor_id` is "" when no cookie has a valid signature, `bad` tells whether there was one without. `stale` asks for
    a new cookie: the valid one was signed by an older key, or has the name of the site's earlier setting. `other` tells
    whether there is one of that other name, to be taken away with the next cookie.
    """

    visitor_id: str = ""
    bad: bool = False
    stale: bool = False
    other: bool = False


_NOTHING = Found()


class Cookies:
    """Reads and writes the visitor cookie of any site with one key ring."""

    def __init__(self, keys: Keys | Iterable[str]) -> None:
        self._ring = KeyRing(keys, b"tuttu cookie")
        self._verified: dict[tuple[str, str], str] = {}
        self._drops = self._ring.keys.drops

    def value(self, site: Site, visitor_id: str) -> str:
        """Return the cookie's value, `<id>.<key id>.<mac>`."""
        signature = self._ring.sign(f"{site.key}\0{visitor_id}")
        return f"{visitor_id}.{signature}"

    def visitor_id(self, site: Site, value: str) -> str:
        """Return the id of a valid cookie value, else ""; valid ones are remembered for a while."""
        if self._drops != self._ring.keys.drops:  # some of these may have been signed by a key that is gone
            self._drops = self._ring.keys.drops
            self._verified.clear()
        known = self._verified.get((site.key, value))
        if known is not None:
            return known
        if len(value) > _LONGEST:
            return ""
        visitor_id, _, rest = value.partition(".")
        key_id, _, mac = rest.partition(".")
        if not self._ring.verifies(f"{site.key}\0{visitor_id}", key_id, mac):
            return ""
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[(site.key, value)] = visitor_id
        return visitor_id

    def is_old(self, value: str) -> bool:
        """Tell whether a valid cookie value was signed by another than the newest key."""
        return not self._ring.is_newest(value.partition(".")[2].partition(".")[0])

    def found(self, site: Site, header: bytes) -> Found:
        """Return what a Cookie header says: the first value with a valid signature, under the site's name or the other.

        Of several cookies with one name browsers send the one with the longest path first, then the oldest (RFC 6265,
        section 5.4); a subdomain can plant such ones, but cannot sign them.
        """
        times = header.count(_NAME)
        if not times:
            return _NOTHING
        name, other_name = (_NAME, _HOST_NAME) if site.cookie_domain else (_HOST_NAME, _NAME)
        values = cookies_in(header, name)
        # Either name holds the shorter one, so each stands for one cookie at most.
        others = cookies_in(header, other_name) if times > len(values) else []
        bad = False
        for value in values:
            if visitor_id := self.visitor_id(site, value):
                return Found(visitor_id, stale=self.is_old(value), other=bool(others))
            bad = True
        for value in others:
            if visitor_id := self.visitor_id(site, value):
                return Found(visitor_id, stale=True, other=True)
            bad = True
        return Found(bad=bad, other=bool(others))

    def header(self, site: Site, visitor_id: str) -> bytes:
        """Return the Set-Cookie value that gives or renews the cookie."""
        lasting = f"Max-Age={COOKIE_AGE_S}{_attributes(site.cookie_domain)}"
        return f"{cookie_name(site)}={self.value(site, visitor_id)}; {lasting}".encode()

    def expired(self, site: Site) -> bytes:
        """Return the Set-Cookie value that takes the cookie away."""
        return _expired(cookie_name(site), site.cookie_domain)

    def others_expired(self, site: Site, host: str) -> list[bytes]:
        """Return the Set-Cookie values that take away a cookie of the site's earlier setting.

        Which domain that had is not known any more, only that it was `host` or above it; browsers ignore the others.
        """
        if site.cookie_domain:
            return [_expired(_HOST_ONLY, "")]
        labels = host.split(".")[-_MOST_TRIED:]
        return [_expired(COOKIE, ".".join(labels[n:])) for n in range(len(labels) - 1)]


def cookie_name(site: Site) -> str:
    """Return the cookie's name; `__Host-` binds it to the very host (RFC 6265bis, section 4.1.3)."""
    return COOKIE if site.cookie_domain else _HOST_ONLY


def _attributes(domain: str) -> str:
    return f"; Path=/{f'; Domain={domain}' if domain else ''}; HttpOnly; Secure; SameSite=Lax"


def _expired(name: str, domain: str) -> bytes:
    return f"{name}=; Max-Age=0{_attributes(domain)}".encode()


def cookies_in(header: bytes, name: bytes) -> list[str]:
    """Return the values of the cookies of this name in a Cookie header, in order, at most 8; none is empty."""
    found: list[str] = []
    sign = name + b"="
    at = header.find(sign)
    while at >= 0 and len(found) < _MOST_TRIED:
        start = at + len(sign)
        if at == 0 or header[at - 1] in _BETWEEN:
            value = header[start:].partition(b";")[0].strip()
            if value:
                found.append(value.decode("latin-1"))
        at = header.find(sign, start)
    return found


def new_visitor_id() -> str:
    """Return about 120 random bits as 20 letters, the first of them no dash: `tuttu explain` would read an option."""
    text = base64.urlsafe_b64encode(os.urandom(15)).decode()
    return f"A{text[1:]}" if text.startswith("-") else text


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


def visitor_of(hit: Hit, user_id: str, anonymous_id: str, person: str) -> VisitorKey | Outcome:
    """Return whose profile an event with these client ids goes to; an Outcome when it names nobody.

    `person` is the id of the person who proved to be the visitor: whose history a cookie's becomes, see `linking`.
    """
    site = hit.site.key
    if hit.visitor_id:
        return VisitorKey(site, "a", hit.visitor_id)
    if person:
        return VisitorKey(site, "k", person)
    if user_id:
        return VisitorKey(site, "c", hashed(site, "u", user_id))
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
