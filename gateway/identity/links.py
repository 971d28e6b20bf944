"""E-mail links: signed tokens that name a contact of a site. They recognize, they do not authenticate.

Three kinds, each with a purpose of its own, so that none passes as another: the link in a mail, the pixel that tells
that a mail was opened, and the recognition that a redirect adds to its target. All say for whom and until when; none
holds a user id, only its hash. Whoever forwards a mail forwards its links: what a token gives must bear that.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from gateway.envelope import Contact
from gateway.identity.signing import KeyRing, Keys
from personalize.link_targets import PARAMETER

DAY_MS = 86_400_000
DEFAULT_LIFETIME_MS = 30 * DAY_MS
MAX_LIFETIME_DAYS = 400
ARRIVAL_MS = DAY_MS
"""How long after the redirect a recognition may arrive: an address that was copied from a browser goes stale."""

MAX_MESSAGE = 100
_MAX_PATH = 200
_MAX_QUERY = 8_000
_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,6000})\.([A-Za-z0-9_-]{4})\.([A-Za-z0-9_-]{20})")
_LIFETIME = re.compile(r"([0-9]{1,5}) ?(d|days?|h|hours?)")


@dataclass(slots=True, frozen=True)
class Link:
    """What a token of a mail says. `contact` is the id of a known person's profile; times are ms, to the second.

    `target` is "" in a pixel; the link and the pixel of one message to one contact have the same `id`. What was `made`
    before the contact was erased counts for nothing.
    """

    site: str
    contact: str
    message: str
    target: str
    made: int
    expires: int
    id: str


class Links:
    """Makes and reads the tokens with one key ring."""

    def __init__(self, keys: Keys | Sequence[str]) -> None:
        self._links = KeyRing(keys, b"tuttu link")
        self._pixels = KeyRing(keys, b"tuttu pixel")
        self._recognitions = KeyRing(keys, b"tuttu contact")

    def link(self, link: Link) -> str:
        """Return the token for `/v1/go/<token>`."""
        return _signed(self._links, [*_common(link), link.target])

    def pixel(self, link: Link) -> str:
        """Return the token for `/v1/open/<token>.gif`."""
        return _signed(self._pixels, _common(link))

    def read(self, token: str) -> Link | None:
        """Return what a link's token says, also when it has expired; None for any other text."""
        return _link(_fields(self._links, token, 7))

    def read_pixel(self, token: str) -> Link | None:
        """Return what a pixel's token says, also when it has expired; None for any other text."""
        return _link(_fields(self._pixels, token, 6))

    def recognition(self, link: Link, now: int) -> str:
        """Return the token that the redirect of a link adds to its target."""
        path = urlsplit(link.target).path[:_MAX_PATH]
        return _signed(self._recognitions, [*_common(link), path, now // 1000])

    def recognized(self, site: str, token: str, now: int) -> Contact | None:
        """Return whom a recognition of this site names, None for any other text and when it comes too late."""
        fields = _fields(self._recognitions, token, 8)
        if fields is None:
            return None
        *common, path, redirected = fields
        link = _link([*common, path])
        if link is None or link.site != site or now >= min(link.expires, redirected * 1000 + ARRIVAL_MS):
            return None
        return Contact(link.contact, link.message, link.target, link.id, link.made, link.expires)


def new_link_id() -> str:
    """Return 72 random bits as 12 letters."""
    return secrets.token_urlsafe(9)


def lifetime_ms(text: str) -> int:
    """Return a lifetime such as "30d" or "12 hours" in ms; raises ValueError with a clause that says what is wrong."""
    found = _LIFETIME.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError('it is no lifetime such as "30d" or "12h"')
    ms = int(found[1]) * (DAY_MS if found[2].startswith("d") else DAY_MS // 24)
    if not 0 < ms <= MAX_LIFETIME_DAYS * DAY_MS:
        raise ValueError(f"a link lives from one hour to {MAX_LIFETIME_DAYS} days")
    return ms


def recognition_in(properties: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the recognition token in the address of an event's page, "" without one."""
    page = context.get("page")
    for source in (properties, page if isinstance(page, dict) else {}):
        url = source.get("url")
        if isinstance(url, str) and PARAMETER in url:
            for pair in url.partition("#")[0].partition("?")[2][:_MAX_QUERY].split("&"):
                name, _, value = pair.partition("=")
                if name == PARAMETER:
                    return value
    return ""


def _common(link: Link) -> list[Any]:
    return [link.site, link.contact, link.message, link.made // 1000, link.expires // 1000, link.id]


def _signed(ring: KeyRing, fields: Sequence[Any]) -> str:
    payload = base64.urlsafe_b64encode(orjson.dumps(fields)).decode().rstrip("=")
    return f"{payload}.{ring.sign(payload)}"


def _fields(ring: KeyRing, token: str, number: int) -> list[Any] | None:
    """Return the fields of a token that the ring has signed, None for any other text."""
    parts = _TOKEN.fullmatch(token)
    if parts is None or not ring.verifies(*parts.groups()):
        return None
    try:
        fields: list[Any] = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    return fields if len(fields) == number else None


def _link(fields: list[Any] | None) -> Link | None:
    if fields is None:
        return None
    site, contact, message, made, expires, link_id, *target = fields
    return Link(site, contact, message, target[0] if target else "", made * 1000, expires * 1000, link_id)
