"""Which texts of a content are links, and which links are allowed.

A link is the text under a key that is `link`, `url` or `href` or ends in one of these words (`cta link`, `ctaLink`,
`image_url`), in lists below such a key too. Rather one key too many than one too few: what is taken for a link is
percent-encoded and checked, what is missed could carry `javascript:`.
"""

from __future__ import annotations

SCHEMES = frozenset({"http", "https", "mailto", "tel"})

_KEYS = ("link", "url", "href")


def is_link(key: str) -> bool:
    """Tell whether the text under this content key is a link."""
    return key.lower().endswith(_KEYS)


def allowed_link(link: str) -> bool:
    """Tell whether a link is relative or has an allowed scheme, read as leniently as browsers read it."""
    # Browsers skip control signs and blanks in front of a scheme, and tabs and line ends inside it.
    start = "".join(sign for sign in link if sign > " ").partition("/")[0].partition("?")[0].partition("#")[0]
    scheme, colon, _ = start.partition(":")
    return not colon or scheme.lower() in SCHEMES
