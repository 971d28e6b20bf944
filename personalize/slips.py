"""Texts that may stand where they stand, and that hardly anybody means as they are: signs, quotes, hosts, pages.

Each function returns the end of a warning, or "" when the text is what it seems to be. Nothing here is an error, and
for each text there is another way to write it for somebody who does mean it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from personalize.meant import range_meant
from personalize.suggest import quoted
from personalize.yaml_nodes import Items, Map, Node, Text

_OPENING, _CLOSING = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a", "\u201c\u201d\u00ab\u00bb\u2018\u2019"
_NUMBER = r"[-+]?[0-9.]+"
_PHRASE = re.compile(rf"(?:at least|at most|more than|less than) +{_NUMBER}", re.IGNORECASE)
_SPAN = re.compile(rf"{_NUMBER} +to +{_NUMBER}", re.IGNORECASE)
_SIGN = re.compile("[<>≥≤=]")
_HOST = re.compile(
    r"(?:www\.[\w.-]+|[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|eu|fi|se|no|dk|ee|de|fr|nl|uk|io))(?:[/?#].*)?"
)


def typographic(node: Node | None) -> Iterator[tuple[Text, str]]:
    """Yield each text without YAML's quotes that stands in typographic ones, and what to write."""
    waiting = [] if node is None else [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Map):
            waiting += (*one.keys(), *one.values())
        elif isinstance(one, Items):
            waiting += one
        elif not one.quoted and (plain := unquoted(one)):
            yield one, f'these are typographic quotes, which become a part of the text; write "{plain}"'


def unquoted(text: str) -> str:
    """Return what stands between typographic quotes, or ""."""
    inside = len(text) > 2 and text[0] in _OPENING and text[-1] in _CLOSING
    return text[1:-1] if inside else ""


def wrong_test(text: Text, *, in_list: bool) -> str:
    """Say what is wrong with a value that is a text, but looks like a number phrase."""
    if in_list and not text.quoted and (_PHRASE.fullmatch(text) or _SPAN.fullmatch(text)):
        return f"{quoted(text)} is a text in a list; write each number phrase in a condition of its own, under any of"
    if text.quoted and _PHRASE.fullmatch(text):
        return f"{quoted(text)} is a text because of its quotes; write {text} without them"
    meant = range_meant(text)
    if not meant or text.endswith(("time", "times")):
        return ""
    message = f"{quoted(text)} is read as a text and compares nothing; write {meant}"
    if _SIGN.match(text):
        return f"{message}, without quotes"
    return "" if text.quoted else f"{message}, or put it in quotes if a text is meant"


def wrong_page(head: str, text: str) -> str:
    """Say why no page is this text; a screen of an app (`viewed` only) has a name with a capital letter or a space."""
    if text.startswith(("/", "*")):
        return ""
    address = text.lower().startswith(("http://", "https://"))
    if address or (_HOST.fullmatch(text) and ("/" in text or text.startswith("www."))):
        path = urlsplit(text if address else f"//{text}").path or "/"
        return f"pages are compared without their domain; write {quoted(path)}"
    if head == "page":
        return f"a page starts with a slash; write {quoted('/' + text)}"
    if " " in text or not text[:1].islower():
        return ""
    start = f"a page starts with a slash; write {quoted('/' + text)}"
    return f"{start}, or {quoted(text[:1].upper() + text[1:])} if it is a screen of an app"


def wrong_host(text: str) -> str:
    """Say that a link which looks like a host leads to the site itself."""
    if not _HOST.fullmatch(text):
        return ""
    link = f"{quoted(text)} is a page of your own site here"
    return f"{link}; write {quoted('https://' + text)}, or {quoted('/' + text)} if that is meant"
