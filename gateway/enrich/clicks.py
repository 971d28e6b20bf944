"""Click ids: read from addresses where `ads` is allowed, and taken out of what is kept where it is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.enrich.campaign import parameters
from gateway.enrich.page import address_of
from personalize.clicks import KINDS

LINK = "tuttu"
"""The parameter of our own e-mail links. It recognizes a contact, so it is never logged."""

_ID = re.compile(r"[A-Za-z0-9_.~-]{1,300}")
"""Unreserved characters (RFC 3986, section 2.3); the networks' ids have at most some 200 of them."""

_CLICK_HINT = re.compile(rb"id(?:=|%)")
_KEY_HINT = b'id":'
_LINK_HINT = re.compile(rb"tuttu(?:=|%)")
"""One of these is in every such parameter: looking for them costs far less than looking for the pattern."""


def clicks_of(context: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the click ids in the address of an event's page, by kind; of one kind the first."""
    found: dict[str, str] = {}
    for name, _, value in parameters(address_of(context, properties)):
        if name in KINDS and name not in found and _ID.fullmatch(value):
            found[name] = value
    return found


def without_clicks(entry: bytes, *, ads: bool) -> bytes:
    """Return a log entry (JSON) whose addresses lack our link parameter and, unless `ads` are allowed, click ids.

    Wherever the address stands: as page or referrer, in a field of the site's own, inside of another address. A field
    that has the name of a click id is emptied.
    """
    if not ads and entry.find(_KEY_HINT) >= 0:
        entry = _FIELD.sub(rb'\1""', entry)
    if entry.find(b"=") < 0 and entry.find(b"%") < 0:
        return entry
    if not ads and _CLICK_HINT.search(entry):
        return _ANY.sub(_closed, entry)
    return _OURS.sub(_closed, entry) if _LINK_HINT.search(entry) else entry


def traits_without_clicks(traits: Mapping[str, Any], *, ads: bool) -> Mapping[str, Any]:
    """Return an event's traits as a profile may keep them."""
    written = orjson.dumps(traits)
    cleaned = without_clicks(written, ads=ads)
    return traits if cleaned is written else orjson.loads(cleaned)


def _pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """Return the pattern of such parameters in a row; inside of another address the signs are %-encoded, even twice."""
    sign = r'[^&;#"\\\s%]'
    value = rf"{sign}*(?:%(?!(?:25)*(?:26|23|3[Bb])){sign}*)*"
    parameter = rf"(?:{'|'.join(names)})(?:=|%(?:25)*3[Dd]){value}"
    # It begins with a set of signs, which `re` looks for much faster than for alternatives.
    before = r'[?&;#"%](?:(?<=%)(?:25)*(?:3[Ff]|26|23|3[Bb]))?'
    between = "(?:[&;]|%(?:25)*(?:26|3[Bb]))"
    return re.compile(f"({before}){parameter}(?:{between}{parameter})*({between})?".encode())


def _closed(found: re.Match[bytes]) -> bytes:
    """Return what stays of the signs around the parameters: the first one if something follows, or a quote."""
    before: bytes = found[1]
    return before if found[2] or before == b'"' else b""


_OURS = _pattern((LINK,))
_ANY = _pattern((*KINDS, LINK))
_FIELD = re.compile(rf'("(?:{"|".join(KINDS)})":)(?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)'.encode())
