"""What kind of organization an autonomous system belongs to, told by its number, its size and the words of its name.

In this order: known large companies (`large.py`), institutions' words, operators' words, the size, and at last whether
there is any sign of a company at all. Words alone leave two of three systems looking like companies; so whoever
announces more than 2^16 IPv4 addresses without being known as something else counts as an ISP.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.networks import words
from gateway.networks.asn_table import AsnTable, Network
from gateway.networks.kinds import SHOWN, Confidence, Kind
from gateway.networks.large import LARGE_COMPANIES
from gateway.networks.names import tidy

MOST_ADDRESSES = 1 << 16
"""A company rarely announces more IPv4 addresses than this without being known for it."""

_WORD = re.compile(r"[a-z0-9]+")
_JOINED = re.compile(r"(?<=\b[a-z])[./](?=[a-z]\b)")
"""The points and slashes of "s.p.a." and "a/s", so that they make one word."""


class _Level(NamedTuple):
    kind: Kind
    words: frozenset[str]
    confidence: Confidence


class _Told(NamedTuple):
    kind: Kind
    confidence: Confidence
    why: str


STRONG = (
    *(_Level(kind, known, "medium") for kind, known in words.INSTITUTIONS.items()),
    *(_Level(kind, known, "medium") for kind, known in words.OPERATORS.items()),
)
WEAK = (
    *(_Level(kind, known, "low") for kind, known in words.WEAK_INSTITUTIONS.items()),
    _Level("business", words.TRADES, "medium"),
    _Level("business", words.LEGAL_FORMS, "low"),
)


@dataclass(slots=True, frozen=True)
class Verdict:
    """What a network was taken for: `kind` is None when nothing tells, `why` is for the operator's eyes."""

    kind: Kind | None
    name: str
    domain: str
    confidence: Confidence
    why: str


class Classifier:
    """Classifies the systems of one table. What is known of large ones holds for all systems of the same name."""

    def __init__(self, table: AsnTable) -> None:
        self._companies: dict[str, tuple[str, str]] = {}
        self._operators: set[str] = set()
        for network in table.larger_than(MOST_ADDRESSES):
            core = _core(network.name)
            if network.number in LARGE_COMPANIES:
                self._companies[core] = LARGE_COMPANIES[network.number]
            elif core and _told(network).kind not in SHOWN:
                self._operators.add(core)

    def classify(self, network: Network) -> Verdict:
        """Return what a system is; name and domain are "" unless they may be shown."""
        known = LARGE_COMPANIES.get(network.number)
        if known:
            return Verdict("business", *known, "medium", "a large company that is known by its number")
        core = _core(network.name)
        known = self._companies.get(core)
        if known:
            return Verdict("business", *known, "medium", "it has the name of a large company")
        verdict = _told(network)
        if verdict.kind in SHOWN and core in self._operators:
            return Verdict("isp", "", "", "medium", "it has the name of a large operator")
        return verdict


def _told(network: Network) -> Verdict:
    """Return what name and size of a single system tell."""
    name = tidy(network.name)
    ordered = words_of(name)
    found = frozenset(ordered)
    verdict = _by_phrase(f" {' '.join(ordered)} ") or _by_word(found, STRONG) or _by_part(found)
    if verdict is None and network.addresses > MOST_ADDRESSES:
        verdict = _Told("isp", "low", f"{network.addresses} addresses, and not known as a company")
    verdict = verdict or _by_word(found, WEAK)
    if verdict is None:
        return Verdict(None, "", "", "low", "nothing tells what it is" if name else "only a handle is registered")
    shown = name if verdict.kind in SHOWN else ""
    return Verdict(verdict.kind, shown, "", verdict.confidence, verdict.why)


def _by_phrase(text: str) -> _Told | None:
    return next(
        (_Told(kind, "medium", phrase.strip()) for phrase, kind in words.PHRASES.items() if phrase in text), None
    )


def _by_word(found: frozenset[str], levels: Sequence[_Level]) -> _Told | None:
    for kind, known, confidence in levels:
        if hits := found & known:
            return _Told(kind, confidence, min(hits))
    return None


def _by_part(found: frozenset[str]) -> _Told | None:
    """Look for an operator's sign inside words; the endings need some letters before them."""
    for word in sorted(found - words.NOT_OPERATORS):
        for kind, parts in words.PARTS.items():
            if any(part in word for part in parts):
                return _Told(kind, "medium", word)
        for kind in words.ENDINGS if len(word) > 4 or word[0].isdigit() else ():
            if word.startswith(words.BEGINNINGS[kind]) or word.endswith(words.ENDINGS[kind]):
                return _Told(kind, "medium", word)
    return None


def _core(name: str) -> str:
    """Return what is left of a name without its legal forms: the same for "DNA Oyj" and "Dna Oy"."""
    return " ".join(word for word in words_of(tidy(name)) if word not in words.LEGAL_FORMS)


def words_of(name: str) -> list[str]:
    """Return a name's words in lower case, without accents, letters with points joined: "Å. Öy S.A." is a, oy, sa."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return _WORD.findall(_JOINED.sub("", plain))
