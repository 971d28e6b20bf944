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
    filled = _value(content, scores, "", encode=escape if html else None)
    if isinstance(filled, Expression):
        return value_of(filled)
    finished: dict[str, Any] = filled
    return finished


def _value(content: Any, scores: Mapping[str, Score], key: str, encode: _Encode) -> Any:
    """Return an Expression where something below has names to fill, else the finished value."""
    if isinstance(content, Mapping):
        parts = {name: _value(value, scores, name, encode) for name, value in content.items()}
        filled = {name: part for name, part in parts.items() if isinstance(part, Expression)}
        if not filled:
            return parts
        # The finished values first, to copy them at once; all names are among them, so the order stays.
        named = (each for item in filled.items() for each in item)
        return expression(f"{{**{{}}, {'{}: {}, ' * len(filled)}}}", parts | dict.fromkeys(filled), *named)
    if isinstance(content, (list, tuple)):
        items = [_value(value, scores, key, encode) for value in content]
        return (
            expression(f"[{'{}, ' * len(items)}]", *items) if any(isinstance(i, Expression) for i in items) else items
        )
    return _leaf(content, scores, key, encode) if isinstance(content, str) else content


def _leaf(text: str, scores: Mapping[str, Score], key: str, encode: _Encode) -> str | Expression:
    if not is_link(key):
        return _text(text, scores, encode) if "{{" in text else text
    if "{{" not in text:
        return text if allowed_link(text) else ""
    return expression("text if {}(text := {}) else {}", allowed_link, _text(text, scores, _in_link), "")


def _text(text: str, scores: Mapping[str, Score], encode: _Encode) -> Expression:
    start, *rest = text.split("{{")
    pieces = [expression("{}", start)]
    for piece in rest:
        name, _, after = piece.partition("}}")
        name, _, fallback = name.partition("|")
        found = Expression("text") if encode is None else expression("{}(text)", encode)
        filled = expression("{} if (text := {}) else {}", found, _read(name.strip(), scores), fallback.strip())
        pieces += (filled, expression("{}", after))
    # Joined and not added up: however many names a text holds, the source is not nested the deeper.
    return expression(f"{{}}(({'{}, ' * len(pieces)}))", "".join, *pieces)


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
