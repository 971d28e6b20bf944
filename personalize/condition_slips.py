"""Conditions that say what the language says in another way, and that way: `not` in the wrong place, lists of days.

Each function returns the whole message, or what to write; nothing here knows which words a condition has.
"""

from __future__ import annotations

from personalize.suggest import LONGEST, quoted
from personalize.time_values import WEEKDAYS
from personalize.yaml_nodes import Items, Map, Text

_OF_BLOCKS = {
    "shown": "show at most",
    "clicked": "rest after click",
    "dismissed": "rest after dismiss",
    "converted": "rest after convert",
}
"""What tests say of blocks and conditions do not, and the word of a block that looks at it."""


def of_block(key: str) -> str:
    """Say where it is written what visitors did to a block, or "" if the key asks for nothing of that kind."""
    word = _OF_BLOCKS.get(key.casefold(), "")
    message = f"{quoted(key)} is no condition: the block itself says how often and how soon it comes back, with"
    return f"{message} {quoted(word)}" if word else ""


def turned(key: str, node: Map) -> str:
    """Say how to write the condition with `not:` around it, or "" if the key has no "not" at its start or end."""
    folded = key.casefold()
    plain = folded.removeprefix("not ").removesuffix(" not").strip()
    if plain == folded or not plain or " not" in plain:
        return ""
    written = {plain if word is key else str(word): value for word, value in node.items()}
    short = ", ".join(f"{word}: {_shown(value)}" for word, value in written.items())
    if len(short) > LONGEST:
        short = f"{next(iter(written))}: …"
    return f"{quoted(key)} is not a word of a condition; to turn it round, write not: {{{short}}}"


def instead_of_list(head: str, items: Items) -> str:
    """Return what says the same as a list of weekdays, dates or times: a range of weekdays in a row, else any of."""
    texts = [str(item).casefold() for item in items if isinstance(item, Text)]
    if head == "weekday" and texts and set(texts) <= set(WEEKDAYS):
        days = [WEEKDAYS.index(text) for text in texts]
        if len(days) > 1 and all((day - days[0]) % 7 == at for at, day in enumerate(days)):
            return f"{texts[0]} to {texts[-1]}"
    if len(texts) == 1:
        return texts[0]
    conditions = ", ".join(f"{{{head}: {text}}}" for text in texts[:3])
    return f"any of: [{conditions}{', …' * (len(texts) > 3)}]"


def _shown(value: object) -> str:
    """Return a value as it was written, if it is one text."""
    if not isinstance(value, Text):
        return "…"
    return f'"{value}"' if value.quoted else str(value)
