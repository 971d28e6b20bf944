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
from personalize.expression import Expression, expression, value_of
from personalize.links import allowed_link, is_link
from personalize.scoring import Score
from personalize.view import View

Filler = Callable[[View], Any]
_Encode = Callable[[str], str] | None


def compiled(content: Mapping[str, Any], scores: Mapping[str, Score], *, html: bool) -> Filler | dict[str, Any]:
    """Return the function that fills a content for a view, or the finished content when it holds no names."""
    finished: Filler | dict[str, Any] = _value(content, scores, "", encode=escape if html else None)
    return finished


def _value(content: Any, scores: Mapping[str, Score], key: str, encode: _Encode) -> Any:
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


def _leaf(text: str, scores: Mapping[str, Score], key: str, encode: _Encode) -> str | Filler:
    if not is_link(key):
        return _text(text, scores, encode) if "{{" in text else text
    if "{{" not in text:
        return text if allowed_link(text) else ""
    fill = _text(text, scores, _in_link)
    return lambda view: link if allowed_link(link := fill(view)) else ""


def _text(text: str, scores: Mapping[str, Score], encode: _Encode) -> Filler:
    start, *rest = text.split("{{")
    pieces = [expression("{}", start)]
    for piece in rest:
        name, _, after = piece.partition("}}")
        name, _, fallback = name.partition("|")
        found = "text" if encode is None else "{}(text)"
        filled = f"{found} if (text := {{}}) else {{}}"
        values = (_read(name.strip(), scores), fallback.strip())
        pieces += (
            expression(filled, *values) if encode is None else expression(filled, encode, *values),
            expression("{}", after),
        )
    # Joined and not added up: however many names a text holds, the source is not nested the deeper.
    return value_of(expression(f"{{}}(({'{}, ' * len(pieces)}))", "".join, *pieces))


def _read(name: str, scores: Mapping[str, Score]) -> Expression:
    """Return the expression that reads a name's value as a text, "" when it is missing.

    What belongs to a profile that was not read is missing.
    """
    group, _, what = name.partition(".")
    if name in _OF_REQUEST:
        return _OF_REQUEST[name]
    if name == "first_name":
        value = expression("view.traits.get({}) or view.traits.get({})", "firstName", "first_name")
    elif group in _NAMED:
        value = expression(_NAMED[group], what)
    elif group == "score" and what.lower() in scores:
        score = scores[what.lower()]
        value = expression("None if view.context.unread else {}({}.value(view), 1)", round, score)
    else:
        return expression("{}", "")
    plain = "value if {}(value := {}) is {} else {} if value is None else {}(value)"
    return expression(plain, type, value, str, "", text_of)


_OF_REQUEST = {"city": Expression("view.facts.city"), "country": Expression("view.facts.country")}
_NAMED = {"company": "view.company.get({})", "trait": "view.traits.get({})"}


def _in_link(value: str) -> str:
    return quote(value, safe="")
