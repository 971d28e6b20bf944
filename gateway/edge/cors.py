"""Which pages may call: lists of origins, preflights, and the headers that let a page read the answer.

An allowed origin is answered by name with credentials, also on errors; never `*`, never an origin that no site lists
(Fetch standard, section 3.2). The header names are those that the real clients ask for in their preflights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.edge.request import Header
from gateway.envelope import Site
from gateway.errors import Refused

_VARY: Header = (b"vary", b"Origin")
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, X-Retry-Count, AnonymousId, SentAt, Rsa-Retry-Attempt, Rsa-Since-Last-Attempt, "
    b"Rsa-Since-First-Attempt, Rsa-Retry-Reason, Rsa-Recovered, SP-Anonymous, X-Write-Key, X-Enable-Debug, X-IP-Policy"
)
_MEMO_ENTRIES = 256
_MAX_LENGTH = 300  # a host name has at most 253 characters


class Origins:
    """One or more lists of origins; `http://localhost:*` allows every port."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._memo: dict[bytes, bool] = {}
        texts = [pattern.encode().lower().rstrip(b"/") for pattern in patterns]
        self._exact = frozenset(text for text in texts if not text.endswith(b":*"))
        self._any_port = tuple(text[:-1] for text in texts if text.endswith(b":*"))

    def lists(self, origin: bytes) -> bool:
        """Tell whether an Origin header's value is on the list."""
        known = self._memo.get(origin)
        if known is None:
            if len(origin) > _MAX_LENGTH:
                return False
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            known = self._memo[origin] = origin in self._exact or any(
                origin == start[:-1] or (origin.startswith(start) and origin[len(start) :].isdigit())
                for start in self._any_port
            )
        return known


class Cors:
    """The gate for origins over all sites."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._any = Origins(origin for site in sites for origin in site.origins)
        self._of_site = {site.key: Origins(site.origins) for site in sites}
        self._headers: dict[bytes, Sequence[Header]] = {}

    def headers(self, origin: bytes | None) -> Sequence[Header]:
        """Return the headers of an actual answer; none for an origin that no site lists."""
        if origin is None or len(origin) > _MAX_LENGTH:
            return (_VARY,)
        known = self._headers.get(origin)
        if known is None:
            known = (_VARY,)
            if self._any.lists(origin):
                known = (
                    _VARY,
                    (b"access-control-allow-origin", origin),
                    (b"access-control-allow-credentials", b"true"),
                    (b"access-control-expose-headers", b"Retry-After"),
                )
            if len(self._headers) >= _MEMO_ENTRIES:
                self._headers.clear()
            self._headers[origin] = known
        return known

    def preflight(self, origin: bytes | None) -> Sequence[Header]:
        """Return the headers of a preflight's 204; without allow headers when no site lists the origin."""
        headers = self.headers(origin)
        if len(headers) == 1:
            return headers
        return (
            *headers,
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        )

    def check_any(self, origin: bytes | None) -> None:
        """Refuse an origin that no site lists, before anything is read."""
        if origin is not None and not self._any.lists(origin):
            raise _refused(origin)

    def check_site(self, site: Site, origin: bytes | None) -> None:
        """Refuse an origin that this site does not list."""
        if origin is not None and not self._of_site[site.key].lists(origin):
            raise _refused(origin)


def _refused(origin: bytes) -> Refused:
    name = origin[:100].decode("latin-1")
    return Refused(
        f"the origin {name} is not on the site's list",
        code="origin_not_allowed",
        hint='add it to "origins" of the [[site]] in tuttu.toml',
    )
