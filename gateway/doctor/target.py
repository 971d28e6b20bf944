"""What is looked at: the address of a gateway, and the page that calls it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from personalize.suggest import quoted


@dataclass(slots=True, frozen=True)
class Target:
    """A gateway at `url` (no slash at its end) and the origin of the pages that call it; `write_key` may be ""."""

    url: str
    page: str
    write_key: str = ""

    @property
    def parts(self) -> SplitResult:
        """The gateway's address in parts."""
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        """The gateway's host name."""
        return self.parts.hostname or ""

    @property
    def page_host(self) -> str:
        """The host name of the pages."""
        return urlsplit(self.page).hostname or ""

    @property
    def same_origin(self) -> bool:
        """Whether the pages' calls need no CORS."""
        return self.page == _origin(self.parts)


def target_of(url: str, page: str = "", write_key: str = "") -> Target:
    """Return the target that is meant; raises ValueError with a sentence."""
    gateway = _checked(url)
    if write_key and not re.fullmatch("[A-Za-z0-9_-]{1,64}", write_key):
        raise ValueError(f"{quoted(write_key)} is no write key; one has letters, digits, - and _")
    origin = _origin(_checked(page) if page else gateway)
    return Target(f"{_origin(gateway)}{gateway.path.rstrip('/')}", origin, write_key)


def on_this_machine(host: str) -> bool:
    """Tell whether a host name stands for this machine, as browsers see it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Tell whether a host is named by its address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{quoted(url)} is no address; write it as https://www.example.com/t")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{quoted(url)} has more than host and path; write it as https://www.example.com/t")
    if not url.isascii() or any(sign.isspace() for sign in url):
        raise ValueError(f"{quoted(url)} has a sign that no address has; write the host as xn--… and the rest as %…")
    return parts


def _origin(parts: SplitResult) -> str:
    """Return the origin as browsers write it: without the scheme's own port (RFC 6454, section 6.2)."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    own = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, own) else "")
