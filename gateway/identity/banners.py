"""What consent banners say, in their own categories, read as purposes: events' contexts and the banners' cookies.

A site's table says which purposes a category stands for (`consent_categories`); one that stands for none is ignored. A
purpose that several named categories stand for needs all of them. What tells nothing about analytics and
personalization is never a choice, or a site that maps too little would erase its visitors; it can only take away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from gateway.identity.visitor import cookies_in
from personalize.model import PURPOSES
from personalize.percent import percent_decoded

Categories = Mapping[str, frozenset[str]]
"""Purposes by category id in lower case; none of a category that is always allowed."""

COLLECTING = frozenset({"analytics", "personalization"})
"""The purposes of which either allows cookie, profile and log."""

_LONGEST_COOKIE = 4096
"""Browsers keep no longer ones (RFC 6265bis, section 5.5)."""


class Said(NamedTuple):
    """What one source says: a choice, or None; and the most that may be in force, which is not a choice."""

    signal: frozenset[str] | None
    limit: frozenset[str]


NOTHING = Said(None, PURPOSES)


def together(one: Said, other: Said) -> Said:
    """Return what both sources allow."""
    if one is NOTHING:
        return other
    if one.signal is None or other.signal is None:
        signal = other.signal if one.signal is None else one.signal
    else:
        signal = one.signal & other.signal
    return Said(signal, one.limit & other.limit)


def said_in_context(context: Mapping[str, Any], categories: Categories) -> Said:
    """Return what Segment's and RudderStack's parts of an event's context say; what is misshapen says nothing."""
    said = NOTHING
    consent, management = context.get("consent"), context.get("consentManagement")
    if isinstance(consent, dict):
        said = _segment(consent.get("categoryPreferences"), categories)
    if isinstance(management, dict):
        said = together(said, _rudder(management, categories))
    return said


def said_in_cookies(header: bytes, banners: Iterable[str], categories: Categories) -> Said:
    """Return what the cookies of these banners (names in BANNERS) say; one that cannot be read says nothing."""
    said = NOTHING
    for banner in banners:
        cookie, read = BANNERS[banner]
        if header.find(cookie) >= 0 and (values := cookies_in(header, cookie)) and len(values[0]) <= _LONGEST_COOKIE:
            said = together(said, read(values[0], header, categories))
    return said


def _segment(preferences: Any, categories: Categories) -> Said:
    """`{"Analytics": true, "Advertising": false}`."""
    if not isinstance(preferences, dict):
        return NOTHING
    return _answered([(name, value) for name, value in preferences.items() if isinstance(value, bool)], categories)


def _rudder(management: Mapping[str, Any], categories: Categories) -> Said:
    """`{"allowedConsentIds": ["C0001"], "deniedConsentIds": ["C0002"], "resolutionStrategy": "and"}`."""
    allowed, denied = (_ids(management.get(name)) for name in ("allowedConsentIds", "deniedConsentIds"))
    if not denied:
        return _listed(allowed or [], categories)
    answers = [*((each, True) for each in allowed or ()), *((each, False) for each in denied)]
    said = _answered(answers, categories, any_of=management.get("resolutionStrategy") == "or")
    if allowed is None and not _sorted_out(answers, categories)[1] >= COLLECTING:
        return _limit(answers, categories)  # what is not denied may be allowed, or was never asked
    return said


def _answered(answers: Iterable[tuple[str, bool]], categories: Categories, *, any_of: bool = False) -> Said:
    """Return what yes and no to named categories come to."""
    allowed, denied = _sorted_out(answers, categories)
    if any_of:
        denied -= allowed
    else:
        allowed -= denied
    if (allowed | denied).isdisjoint(COLLECTING):
        return Said(None, PURPOSES - denied)
    return Said(allowed, PURPOSES)


def _listed(allowed: list[str], categories: Categories) -> Said:
    """Return what a list of the allowed categories comes to, where those that are not in it were refused.

    An unknown category may be the site's own word for a purpose: then a list without a known one tells nothing.
    """
    known = [categories.get(each.lower()) for each in allowed]
    purposes = frozenset().union(*(each for each in known if each))
    if not known or (None in known and purposes.isdisjoint(COLLECTING)):
        return NOTHING
    return Said(purposes, PURPOSES)


def _limit(answers: Iterable[tuple[str, bool]], categories: Categories) -> Said:
    """Return what answers come to that are no choice: what they deny is taken away."""
    _, denied = _sorted_out(answers, categories)
    return Said(None, PURPOSES - denied)


def _sorted_out(answers: Iterable[tuple[str, bool]], categories: Categories) -> tuple[frozenset[str], frozenset[str]]:
    """Return the purposes of the allowed categories and those of the denied ones; both may hold the same."""
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    for category, allows in answers:
        purposes = categories.get(category.lower())
        if purposes and allows:
            allowed |= purposes
        elif purposes:
            denied |= purposes
    return allowed, denied


def _ids(value: Any) -> list[str] | None:
    """Return category ids: a list of them, or an object by them (RudderStack's older form); None for anything else."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | dict) else None


# -- cookies ---------------------------------------------------------------------------------------------------------


def _onetrust(value: str, header: bytes, categories: Categories) -> Said:
    """`OptanonConsent=…&groups=C0001%3A1%2CC0002%3A0&…`.

    It is there before anybody has chosen, with what is presumed until then; the second cookie comes with the answer.
    """
    _, _, rest = f"&{value}".partition("&groups=")
    answers = _groups(rest.partition("&")[0])
    if not cookies_in(header, b"OptanonAlertBoxClosed") or "AwaitingReconsent=true" in value:
        return _limit(answers, categories)
    return _answered(answers, categories)


@lru_cache(256)
def _groups(text: str) -> tuple[tuple[str, bool], ...]:
    """Return the answers in `C0001%3A1%2CC0002%3A0`; visitors of a site share a few such texts, so they are kept."""
    pairs = [each.partition(":") for each in percent_decoded(text).split(",")]
    return tuple((name, answer == "1") for name, _, answer in pairs if answer in ("0", "1"))


def _cookiebot(value: str, _header: bytes, categories: Categories) -> Said:
    """`CookieConsent={stamp:'…',necessary:true,statistics:false,method:'explicit',…}`, encoded.

    Instead of that -1 where no law asks for consent, 0 where it was not given; an implied consent is no choice.
    """
    value = percent_decoded(value)
    if value == "0":
        return Said(None, frozenset())
    if not value.startswith("{"):
        return NOTHING
    pairs = [each.partition(":") for each in value[1:].rstrip("}").split(",")]
    answers = [(name, answer == "true") for name, _, answer in pairs if answer in ("true", "false")]
    if "method:'implied'" in value:
        return _limit(answers, categories)
    return _answered(answers, categories)


def _cookieconsent(value: str, _header: bytes, categories: Categories) -> Said:
    """`cc_cookie={"categories":["necessary","analytics"],…}`, encoded: what was allowed."""
    try:
        allowed = orjson.loads(percent_decoded(value))["categories"]
    except (ValueError, LookupError, TypeError):
        return NOTHING
    return _listed(_ids(allowed) or [], categories) if isinstance(allowed, list) else NOTHING


BANNERS: Mapping[str, tuple[bytes, Callable[[str, bytes, Categories], Said]]] = {
    "onetrust": (b"OptanonConsent", _onetrust),
    "cookiebot": (b"CookieConsent", _cookiebot),
    "cookieconsent": (b"cc_cookie", _cookieconsent),
}
"""Each banner's cookie and how it is read, by the name that the setting `consent_cookies` has for the banner."""
