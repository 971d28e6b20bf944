"""Which blocks of a long placement are worth a look, so that a thousand blocks cost a visitor little more than ten.

Each block is filed under one thing that it needs: a text of an attribute, trait or company, something counted, a
segment, a stage. Only blocks filed under what the visitor has are candidates, besides those that fit in no file. That
leaves out nothing that could be shown: what a block is filed under is one of its own conditions, and all of them must
hold. Blocks outside of their schedule are filed nowhere; the files are made anew when a schedule begins or ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from personalize import behaviour, conditions, syntax
from personalize.blocks import FOREVER, Block
from personalize.condition import ViewTest
from personalize.matchers import matcher_id
from personalize.scope import Scope
from personalize.view import View

_File = tuple[str, ...]
_Texts = dict[str, list[int]]


class Shortlist:
    """The files of one placement's blocks. `candidates` gives those worth a look, in the order of the rules."""

    def __init__(self, blocks: Sequence[Block], written: Sequence[syntax.Block], scope: Scope) -> None:
        self._blocks = tuple(blocks)
        self._filings = [_filing(block.when) for block in written]
        self._named_tests = {
            key: conditions.compiled(condition, scope).test
            for block in written
            for condition in block.when
            if isinstance(condition, syntax.Named) and (key := (condition.head, *condition.names))
        }
        self._turns = sorted({0, FOREVER} | {turn for block in blocks for turn in (block.starts, block.ends)})
        self._file(0)

    def candidates(self, view: View) -> Sequence[Block]:
        """Return the blocks that the visitor could be shown, as far as the files tell."""
        if not self._low <= view.now < self._high:
            self._file(view.now)
        found: list[int] = []
        for read, texts in self._texts:
            value = read(view)
            if type(value) is str:
                found += texts.get(value.lower(), ())
            elif value is not None:
                # A list or a number may fit in several ways: every block of this file is looked at.
                found += [at for filed in texts.values() for at in filed]
        for matcher in self._counted.keys() & view.rows.keys():
            found += self._counted[matcher]
        for test, filed in self._named:
            if test(view):
                found += filed
        if not found:
            return self._unfiled_blocks
        return [self._blocks[at] for at in sorted({*found, *self._unfiled})]

    def _file(self, now: int) -> None:
        """File the blocks whose schedule holds now, until the next turn of any schedule."""
        self._low = max(turn for turn in self._turns if turn <= now)
        self._high = min(turn for turn in self._turns if turn > now)
        texts: dict[_File, _Texts] = {}
        named: dict[_File, list[int]] = {}
        self._counted: dict[str, list[int]] = {}
        self._unfiled: list[int] = []
        for at, (block, (file, keys)) in enumerate(zip(self._blocks, self._filings, strict=True)):
            if not block.starts <= now < block.ends:
                continue
            if file == _COUNTED:
                self._counted.setdefault(keys[0], []).append(at)
            elif file == _NAMED:
                named.setdefault(keys, []).append(at)
            elif file == _UNFILED:
                self._unfiled.append(at)
            else:
                for key in keys:
                    texts.setdefault(file, {}).setdefault(key, []).append(at)
        self._texts = [(_reader(file), filed) for file, filed in texts.items()]
        self._named: list[tuple[ViewTest, list[int]]] = [(self._named_tests[k], filed) for k, filed in named.items()]
        self._unfiled_blocks = tuple(self._blocks[at] for at in self._unfiled)


_COUNTED: _File = ("counted",)
_NAMED: _File = ("named",)
_UNFILED: _File = ()


def _filing(when: Sequence[syntax.Condition]) -> tuple[_File, tuple[str, ...]]:
    """Return the file and the keys in it for a block, by the condition that tells most visitors apart at least cost."""
    filings = [filing for condition in when if (filing := _filing_by(condition)) is not None]
    return min(filings, key=lambda filing: _COST.get(filing[0], 0), default=(_UNFILED, ()))


_COST: Mapping[_File, int] = {_COUNTED: 1, _NAMED: 2}


def _filing_by(condition: syntax.Condition) -> tuple[_File, tuple[str, ...]] | None:
    match condition:
        case syntax.Attribute(head=head, texts=texts) if head != "page" and _are_exact(texts):
            return ("facts", head), _keys(texts)
        case syntax.Trait(name=name, test=tuple(texts)) if _are_exact(texts):
            return ("trait", name), _keys(texts)
        case syntax.Company(attributes=attributes):
            for name, wanted in attributes.items():
                # A name of several words has several spellings; it is left to the condition itself.
                if isinstance(wanted, tuple) and _are_exact(wanted) and " " not in name:
                    return ("company", name), _keys(wanted)
        case syntax.Behaviour() if behaviour.least(condition):
            return _COUNTED, (matcher_id(condition),)
        case syntax.Named():
            return _NAMED, (condition.head, *condition.names)
    return None


def _reader(file: _File) -> Callable[[View], Any]:
    kind, name = file
    if kind == "facts":
        read: Callable[[Any], str] = attrgetter(name)
        return lambda view: read(view.facts)
    if kind == "trait":
        return lambda view: view.traits.get(name)
    return lambda view: view.company.get(name)


def _are_exact(texts: Sequence[str]) -> bool:
    return not any("*" in text for text in texts)


def _keys(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.lower() for text in texts))
