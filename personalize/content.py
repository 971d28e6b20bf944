"""What a block's content may hold: texts, numbers and lists of them, with `{{ name | fallback }}` inside texts.

This file checks content when rules are loaded; it does not fill it in.
"""

from __future__ import annotations

import re
from typing import Any

from personalize import fields as f
from personalize.links import allowed_link, is_link
from personalize.slips import unquoted, wrong_host
from personalize.suggest import quoted, unknown
from personalize.words import Reading
from personalize.yaml_nodes import Items, Map, Text

TEMPLATE_NAMES = ("company.name", "company.domain", "company.industry", "first_name", "city", "country")
"""The names that content may use, besides `score.<name>` and `trait.<name>`."""

_FIELD = re.compile(r"\{\{([^{}]*)\}\}")
_BRACED = re.compile(rf"(?<!\{{)(\{{|\[) *({'|'.join(map(re.escape, TEMPLATE_NAMES))}|trait\.\w+) *(?:\}}|\])(?!\}})")


def read_content(value: Any, reading: Reading) -> dict[str, object]:
    """Return the content as JSON holds it; texts are as written."""
    if not isinstance(value, Map):
        raise reading.reject(value, 'content is written as names with texts, such as {title: "Welcome"}')
    content: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(item, Map):
            reading.report(item, "content holds texts, numbers and lists of them; a map does not fit here")
            continue
        if isinstance(item, Items) and len(item) == 1 and (name := _braced(f"[{item[0]}]")):
            reading.report(item, f'this is a list that holds "{name}"; write "{{{{ {name} | fallback }}}}"', "warning")
        for text in item if isinstance(item, Items) else [item]:
            if isinstance(text, Text):
                check_text(text, reading, link=is_link(key))
        content[str(key)] = f.plain_value(item, reading)
    return content


def check_text(text: Text, reading: Reading, *, link: bool = False, warn: bool = True) -> None:
    """Report what is wrong with one text of the content."""
    if text.comment:
        reading.report(text, f"the text ends at {quoted(text)}, because # starts a comment; put the text in quotes")
    if "{{" in _FIELD.sub("", text) or "}}" in _FIELD.sub("", text):
        reading.report(text, "a {{ has no }} that fits; a name is written as {{ company.name | fallback }}")
        return
    for found in dict.fromkeys(_FIELD.findall(text)):
        name, bar, fallback = found.partition("|")
        if not _is_name(name.strip(), text, reading):
            return
        if warn and not bar and not name.strip().startswith("score."):
            message = (
                f"{quoted('{{' + found + '}}')} has no fallback, so it is empty for visitors of whom this is not known"
            )
            reading.report(text, message, "warning")
        if plain := _in_quotes(fallback.strip()):
            message = f"visitors would see the quotes of {fallback.strip()}; write {{{{ {name.strip()} | {plain} }}}}"
            reading.report(text, message, "warning")
    if name := _braced(text):
        message = f'{quoted(text)} is shown as it stands here; a name is written as "{{{{ {name} | fallback }}}}"'
        reading.report(text, message, "warning")
    if link and (why := wrong_host(text)):
        reading.report(text, why, "warning")
    # A name's value is checked when it is filled in; here its fallback stands for it.
    if link and not allowed_link(_FIELD.sub(lambda found: found[1].partition("|")[2].strip(), text)):
        reading.report(
            text, f"{quoted(text)} is no link that is allowed: http, https, mailto, tel or a path of the site"
        )


def _braced(text: str) -> str:
    """Return the first name of visitors that stands in single braces or brackets, or ""."""
    found = _BRACED.search(text)
    return found[2] if found else ""


def _in_quotes(text: str) -> str:
    """Return what stands between quotes of any kind, or ""."""
    straight = len(text) > 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if straight else unquoted(text)


def _is_name(name: str, text: Text, reading: Reading) -> bool:
    """Tell whether content can use a name, and report it if it cannot."""
    head, _, rest = name.partition(".")
    if head == "score" and rest:
        reading.refer("score", text, rest)
    elif name not in TEMPLATE_NAMES and not (head == "trait" and rest):
        names = (*TEMPLATE_NAMES, "score.NAME", "trait.NAME")
        reading.report(text, unknown(name, names, f"{quoted(name)} is not a name that content can use"))
        return False
    return True
