"""Matchers: every distinct thing that the rules count, and the index that finds those that an event fits.

A matcher is an event kind (viewed, did), its globs and its `where`. Its id is a hash of its canonical form, so the same
thing asked for in two places, or in two spellings, is counted once, and a count outlives edits of everything else.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from personalize import compare, globs
from personalize.errors import Problem, RulesInvalid
from personalize.model import Event
from personalize.syntax import Behaviour
from personalize.values import NumberRange

_MEMO_ENTRIES = 4096
_MEMO_TEXT = 512
_NORMAL: Mapping[str, Callable[[str], str]] = {"viewed": globs.normal_path, "did": str.lower}
_Checks = tuple[tuple[str, compare.ValueTest], ...]
_Found = tuple[tuple[str, ...], tuple[tuple[str, _Checks], ...]]


def canonical(behaviour: Behaviour) -> str:
    """Return what a behaviour counts as one text: the same for every spelling that counts the same events."""
    properties = [[name, _canonical_test(test)] for name, test in sorted(behaviour.properties.items())]
    return json.dumps([behaviour.head, _names(behaviour), properties], ensure_ascii=False, separators=(",", ":"))


def matcher_id(behaviour: Behaviour) -> str:
    """Return the stable id of what a behaviour counts: six characters, 36 bits."""
    return id_of(canonical(behaviour))


def id_of(form: str) -> str:
    """Return the id of a canonical form."""
    return urlsafe_b64encode(blake2b(form.encode(), digest_size=16).digest())[:6].decode()


class Matchers:
    """The matchers of a rule set, indexed by the text that an event brings.

    Raises RulesInvalid when two different matchers share an id, which one rule set in ten million does by chance.
    """

    def __init__(self, behaviours: Iterable[Behaviour]) -> None:
        forms: dict[str, str] = {}
        named: dict[str, Behaviour] = {}
        indexes = {head: _Index(normal) for head, normal in _NORMAL.items()}
        for behaviour in behaviours:
            form = canonical(behaviour)
            matcher = id_of(form)
            if matcher in forms:
                if forms[matcher] != form:
                    what = f"by chance {form} would be counted under the id of {forms[matcher]}; reword one of the two"
                    raise RulesInvalid([Problem.at(behaviour.where, what)])
                continue
            forms[matcher], named[matcher] = form, behaviour
            checks = tuple((name, compare.compiled(test)) for name, test in sorted(behaviour.properties.items()))
            indexes[behaviour.head].add(matcher, _names(behaviour), checks)
        self.forms: Mapping[str, str] = forms
        self.behaviours: Mapping[str, Behaviour] = named  # what each was first named by
        self.ids = frozenset(forms)
        self._viewed = indexes["viewed"]
        self._did = indexes["did"]

    def matching(self, event: Event) -> tuple[str, ...]:
        """Return the ids of the matchers that the event fits, each once."""
        kind = event.type
        if kind == "track":
            plain, checked = self._did.find(event.name)
        elif kind == "page":
            plain, checked = self._viewed.find(event.path)
        elif kind == "screen":
            plain, checked = self._viewed.find(event.name)
        else:
            return ()
        if not checked:
            return plain
        properties = event.properties
        found = [*plain]
        for matcher, checks in checked:
            for name, fits in checks:
                if not fits(properties.get(name)):
                    break
            else:
                found.append(matcher)
        return tuple(found)


@dataclass(slots=True, frozen=True)
class _Entry:
    matcher: str
    checks: _Checks


class _Index:
    """Exact texts in a dictionary, globs in a list, and what was found for the texts of late."""

    def __init__(self, normal: Callable[[str], str]) -> None:
        self._normal = normal
        self._exact: dict[str, list[_Entry]] = {}
        self._globs: list[tuple[globs.TextTest, _Entry]] = []
        self._memo: dict[str, _Found] = {}

    def add(self, matcher: str, names: list[str], checks: _Checks) -> None:
        entry = _Entry(matcher, checks)
        for name in names:
            if "*" not in name:
                self._exact.setdefault(name, []).append(entry)
        patterns = tuple(name for name in names if "*" in name)
        if patterns:
            self._globs.append((globs.any_of(patterns), entry))

    def find(self, text: str) -> _Found:
        """Return the matchers that the text decides alone, and those whose properties must be looked at."""
        found = self._memo.get(text)
        if found is None:
            found = self._look_up(self._normal(text))
            # What visitors send is the key here: both the number and the length of the keys are bounded.
            if len(text) <= _MEMO_TEXT:
                if len(self._memo) >= _MEMO_ENTRIES:
                    self._memo.clear()
                self._memo[text] = found
        return found

    def _look_up(self, text: str) -> _Found:
        entries = {e.matcher: e for e in self._exact.get(text, ())}
        entries.update({e.matcher: e for fits, e in self._globs if e.matcher not in entries and fits(text)})
        plain = tuple(e.matcher for e in entries.values() if not e.checks)
        return plain, tuple((e.matcher, e.checks) for e in entries.values() if e.checks)


def _names(behaviour: Behaviour) -> list[str]:
    return sorted(set(map(_NORMAL[behaviour.head], behaviour.names)))


def _canonical_test(test: compare.Test) -> list[str]:
    if isinstance(test, NumberRange):
        return ["number", repr(float(test.low)), repr(float(test.high)), f"{test.open_low:d}{test.open_high:d}"]
    return ["text", *sorted({text.lower() for text in test})]
