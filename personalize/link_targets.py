"""Where a link of an e-mail may lead: addresses made normal, and the list that they must lie under.

An address is compared as browsers read it (WHATWG URL standard, section 4.4): a backslash is a slash there, tabs and
line ends vanish, `%2e%2e` is a step up. What would be read in two ways is refused rather than mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, unquote, urlsplit

PARAMETER = "tuttu"
"""The parameter of a landing page's address that carries a recognition token."""

MOST_CHARACTERS = 2_000

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEPT = "/%:@!$&'()*+,;=~?-._"
"""Characters of path and query that stay as they are (RFC 3986, section 3.3); others are percent-encoded."""


class BadTarget(ValueError):
    """An address that no link may lead to; the message is a clause that says why."""


def normal_target(address: str) -> str:
    """Return an absolute http(s) address in its normal form; raises BadTarget."""
    if any(sign <= " " or "\x7f" <= sign <= "\xa0" or "\ud800" <= sign <= "\udfff" for sign in address):
        raise BadTarget("it has a blank or a control character in it; write a blank as %20")
    if "\\" in address:
        raise BadTarget("it has a backslash in it, which browsers read as a slash")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as err:
        raise BadTarget("its host or port cannot be read") from err
    scheme, host = parts.scheme.lower(), parts.netloc.lower().partition(":")[0]
    if scheme not in _DEFAULT_PORTS or not address[len(scheme) :].startswith("://"):
        raise BadTarget("it does not begin with https:// or http://")
    _check(parts, host)
    found = f"{scheme}://{host}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[scheme]) else "")
    found += quote(parts.path, safe=_KEPT) or "/"
    found += f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    found += f"#{quote(parts.fragment, safe=_KEPT)}" if parts.fragment else ""
    if len(found) > MOST_CHARACTERS:
        raise BadTarget(f"it is longer than {MOST_CHARACTERS} characters")
    return found


def _check(parts: SplitResult, host: str) -> None:
    if "@" in parts.netloc:
        raise BadTarget('it has a user name in front of its host ("@")')
    if not _HOST.fullmatch(host):
        raise BadTarget("its host is no name such as www.example.com; write other letters as xn--…")
    # Some servers cut a step at ";" before they look at it.
    if any(step.partition(";")[0] in (".", "..") for step in re.split(r"[/\\]", unquote(parts.path))):
        raise BadTarget('its path has a step "." or ".." in it')
    if any(pair.partition("=")[0] == PARAMETER for pair in parts.query.split("&")):
        raise BadTarget(f'it has the parameter "{PARAMETER}", which is added when the link is opened')


def is_listed(target: str, listed: Iterable[str]) -> bool:
    """Tell whether a normal address lies under one of the listed ones, which are normal too and have no query.

    A listed path stands for itself and all that lies below it: `/shop` for `/shop` and `/shop/new`, not for `/shops`.
    """
    page = target.partition("#")[0].partition("?")[0]
    return any(page == entry or page.startswith(f"{entry.rstrip('/')}/") for entry in listed)


def with_parameter(target: str, token: str) -> str:
    """Return a normal address with the recognition token added; its query and fragment stay."""
    page, sign, fragment = target.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{PARAMETER}={token}{sign}{fragment}"
