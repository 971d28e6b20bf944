"""How a problem is worded: texts in quotes and cut short, and the nearest word that the writer may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

LONGEST = 60
"""Longer texts are cut in messages, and no suggestion is looked for: comparing them would cost more than it helps."""

MANY = 200
"""More options than this are narrowed down before they are compared."""


def quoted(text: str) -> str:
    """Return the text in double quotes, on one line and cut to a readable length."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"}"'


def nearest(word: str, options: Iterable[str], closeness: float = 0.6) -> str:
    """Return the option that the word was probably meant to be, or "" when none is near."""
    if len(word) > LONGEST:
        return ""
    # One wrong letter of two or three makes a bigger difference than one of ten.
    cutoff = 0.5 if len(word) <= 3 else closeness
    folded = word.casefold()
    options = list(options)
    if len(options) > MANY:
        # Among very many names only some that end alike are compared: prefixes are often common to all.
        options = list(islice((option for option in options if option.endswith(word[-2:])), MANY))
    plain = {option.casefold(): option for option in options}
    found = difflib.get_close_matches(folded, plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else ""


def did_you_mean(guess: str) -> str:
    """Return the end of a sentence that offers the guess, or "" without one."""
    return f'; did you mean "{guess}"?' if guess else ""


def listed(words: Iterable[str]) -> str:
    """Return the words as "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def way(names: Iterable[str]) -> str:
    """Return the names of a circle as "a → b → a", the middle of a long one left out."""
    route = list(names)
    return " → ".join(route if len(route) <= 10 else [*route[:6], "…", *route[-3:]])


def unknown(word: str, options: Iterable[str], sentence: str) -> str:
    """Return the sentence with the nearest option, or with all of them when none is near and they are few."""
    options = list(options)
    guess = nearest(word, options)
    if guess or not options or len(options) > 20:
        return sentence + did_you_mean(guess)
    return f"{sentence}; possible here: {listed(sorted(options))}"
