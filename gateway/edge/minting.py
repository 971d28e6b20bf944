"""Minting e-mail links, for the command and for the server-side call alike: everything is checked here, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.identity.links import MAX_MESSAGE, Link, Links, new_link_id
from gateway.identity.visitor import hashed
from gateway.wire.segment import bad_id
from personalize.link_targets import BadTarget, is_listed, normal_target


class BadLink(ValueError):
    """A link that is not minted; the message is a sentence that says why, `part` which part is wrong."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(slots=True, frozen=True)
class Minted:
    """A link for a mail, the pixel beside it, and what both say."""

    url: str
    pixel: str
    link: Link


class Mint:
    """Makes the links of one site. `listed` are its targets, `base` is where browsers find the gateway."""

    def __init__(self, links: Links, site: str, listed: Sequence[str], base: str) -> None:
        self._links = links
        self._site = site
        self._listed = listed
        self._base = _base(base)

    def make(self, user_id: Any, target: Any, message: Any, now: int, lifetime: int) -> Minted:
        """Return one contact's link that is made now and lives so long (ms); raises BadLink."""
        outcome = bad_id("userId", user_id)
        if outcome is not None:
            raise BadLink("userId", outcome.message)
        contact = hashed(self._site, "u", str(user_id))
        link = Link(self._site, contact, _message(message), self.target(target), now, now + lifetime, new_link_id())
        url = f"{self._base}/v1/go/{self._links.link(link)}"
        return Minted(url, f"{self._base}/v1/open/{self._links.pixel(link)}.gif", link)

    def target(self, target: Any) -> str:
        """Return a target in its normal form; raises BadLink for one that no link of the site may lead to."""
        if not isinstance(target, str) or not target:
            raise BadLink("target", '"target" is not an address such as https://www.example.com/offer')
        try:
            normal = normal_target(target)
        except BadTarget as err:
            raise BadLink("target", f'"target" cannot be used: {err}') from err
        if not is_listed(normal, self._listed):
            listed = ", ".join(self._listed) or "none"
            raise BadLink(
                "target",
                f'"target" is not below one of the site\'s targets ({listed}); '
                'add its origin to "link_targets" of the [[site]] in tuttu.toml',
            )
        return normal


def _message(message: Any) -> str:
    if not isinstance(message, str) or not message.strip() or len(message) > MAX_MESSAGE or not message.isprintable():
        raise BadLink(
            "message", f'"message" is not the name of a mailing, in at most {MAX_MESSAGE} printable characters'
        )
    return message.strip()


def _base(base: str) -> str:
    try:
        normal = normal_target(base)
    except BadTarget as err:
        raise BadLink("base", f'"base" is not where browsers find the gateway: {err}') from err
    if "?" in normal or "#" in normal:
        raise BadLink("base", '"base" has a query or a fragment; write it as https://www.example.com/t')
    return normal.rstrip("/")
