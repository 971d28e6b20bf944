"""Content with names in it: `{{ name | fallback }}`, compiled once, filled for each visitor.

Values go into text as they are, because the SDK writes text; under `html: trusted` they are HTML-escaped. In links they
are percent-encoded, and the finished link must have an allowed scheme, else it becomes empty (see `links`).
A fallback is the author's own text and goes in unchanged. Without a value and a fallback: empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from personalize.compare import text_of
from personalize.links import allowed_link, is_link
from personalize.scoring import Score
from personalize.view import View

Filler = Callable[[View], Any]
_Reader = Callable[[View], Any]


def compiled(content: Mapping[str, Any], scores: Mapping[str, Score], *, html: bool) -> Filler | dict[str, Any]:
    """Return the function that fills a content for a view, or the finished content when it holds no names."""
    finished: Filler | dict[str, Any] = _value(content, scores, "", encode=escape if html else _as_it_is)
    return finished


def _value(content: Any, scores: Mapping[str, Score], key: str, encode: Callable[[str], str]) -> Any:
    """Return a Filler where something below has names to fill, else the finished value."""
    if isinstance(content, Mapping):
        parts = {name: _value(value, scores, name, encode) for name, value in content.items()}
        if not any(map(callable, parts.values())):
            return parts
        fixed = {name: None if callable(part) else part for name, part in parts.items()}
        return _map_filler(fixed, tuple((name, part) for name, part in parts.items() if callable(part)))
    if isinstance(content, (list, tuple)):
        items = [_value(value, scores, key, encode) for value in content]
        if not any(map(callable, items)):
            return items
        return lambda view: [item(view) if callable(item) else item for item in items]
    return _leaf(content, scores, key, encode) if isinstance(content, str) else content


def _map_filler(fixed: dict[str, Any], fillers: tuple[tuple[str, Filler], ...]) -> Filler:
    def fill(view: View) -> dict[str, Any]:
        filled = fixed.copy()
        for name, part in fillers:
            filled[name] = part(view)
        return filled

    return fill


def _leaf(text: str, scores: Mapping[str, Score], key: str, encode: Callable[[str], str]) -> str | Filler:
    if not is_link(key):
        return _text(text, scores, encode) if "{{" in text else text
    if "{{" not in text:
        return text if allowed_link(text) else ""
    fill = _text(text, scores, _in_link)
    return lambda view: link if allowed_link(link := fill(view)) else ""


def _text(text: str, scores: Mapping[str, Score], encode: Callable[[str], str]) -> Callable[[View], str]:
    start, *rest = text.split("{{")
    parts: list[tuple[_Reader, str, str]] = []
    for piece in rest:
        name, _, after = piece.partition("}}")
        name, _, fallback = name.partition("|")
        parts.append((_reader(name.strip(), scores), fallback.strip(), after))

    def fill(view: View) -> str:
        filled = start
        for read, fallback, after in parts:
            value = read(view)
            text = value if type(value) is str else "" if value is None else text_of(value)
            filled += (encode(text) if text else fallback) + after
        return filled

    return fill


def _reader(name: str, scores: Mapping[str, Score]) -> _Reader:
    """Return the function that reads a name's value; what belongs to a profile that was not read is missing."""
    group, _, what = name.partition(".")
    if group == "company":
        return lambda view: view.company.get(what)
    if name in {"city", "country"}:
        return lambda view: getattr(view.facts, name)
    if name == "first_name":
        return lambda view: view.traits.get("firstName") or view.traits.get("first_name")
    if group == "trait":
        return lambda view: view.traits.get(what)
    score = scores.get(what.lower()) if group == "score" else None
    if score is None:
        return lambda _: None
    return lambda view: None if view.context.unread else round(score.value(view), 1)


def _as_it_is(value: str) -> str:
    return value


def _in_link(value: str) -> str:
    return quote(value, safe="")
