"""Registered names of autonomous systems, tidied for people: "EQUINOR-AS Equinor ASA" is "Equinor ASA".

The shapes are those of the real list: a handle before the name ("IRRA-AS-IN - Irra …", "AS274914 - …", "mongodb MongoDB
Limited"), the name twice ("Comsys Limited - Comsys Limited"), a handle only ("TE-AS"), everything in capitals.
"""

from __future__ import annotations

import re

_LEADING_HANDLE = re.compile(r"(?:AS-?\d+|\S+-ASN?\d*(?:-[A-Z]{2,3})?)\s+(?:-\s+)?(?=\S)|\S*-\S*\s+-\s+(?=\S)")
_HANDLE = re.compile(r"\S+-ASN?\d*(?:-[A-Z]{2,3})?|AS-?\d+|[A-Z0-9]+(?:-[A-Z0-9]+)*-?AS|-?Reserved AS-?|\W*")
_LETTER = re.compile(r"[^\W\d_]")
_LITTLE = frozenset({
    "AND", "DA", "DAS", "DE", "DEL", "DER", "DES", "DI", "DO", "DOS", "DU", "E", "EM", "ET", "FOR",
    "FUER", "I", "LA", "OF", "THE", "UND", "VAN", "VE", "VON", "Y",
})  # fmt: skip
_LONGEST_ABBREVIATION = 4


def tidy(name: str) -> str:
    """Return the name as one would write it, "" when only a handle is registered."""
    rest = name
    while found := _LEADING_HANDLE.match(rest):
        rest = rest[found.end() :]
    first, _, second = rest.partition(" - ")
    if first == second:
        rest = first
    words = rest.split()
    if len(words) > 1 and words[0].casefold() == words[1].casefold():
        rest = " ".join(words[1:])
    rest = rest.strip(" -,;*")
    if _HANDLE.fullmatch(rest) or not _LETTER.search(rest):
        return ""
    return _calm(rest)


def _calm(name: str) -> str:
    """Return a name of several words in capitals as one writes it; short words and abbreviations stay."""
    words = name.split()
    if len(words) < 2 or any(letter.islower() for letter in name):
        return name
    return " ".join(
        [words[0] if len(words[0]) <= _LONGEST_ABBREVIATION else _first_up(words[0]), *map(_word, words[1:])]
    )


def _word(word: str) -> str:
    if word in _LITTLE:
        return word.lower()
    return word if len(word) <= _LONGEST_ABBREVIATION or "." in word.rstrip(".,") else _first_up(word)


def _first_up(word: str) -> str:
    """Return the word with its first letter, and those after a hyphen, in upper case."""
    return re.sub(r"[^\W\d_]+", lambda found: found[0].capitalize(), word)
