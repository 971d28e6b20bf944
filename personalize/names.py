"""Names across files: each is declared once, and each that is used exists."""

from __future__ import annotations

from collections.abc import Iterable

from personalize.suggest import did_you_mean, nearest, quoted, unknown
from personalize.syntax_tests import EXPECT_WORDS
from personalize.words import Names, Problems, Reference

_BLOCK_OF = "block of "


def check(names: Names, problems: Problems) -> None:
    """Report names that are declared twice, that no placement can have, or that nothing declares."""
    for kind, declared in names.declared.items():
        for first, *others in declared.values():
            for other in others:
                message = f"the {kind} {quoted(other.name)} exists already, at {first.where}; names are given once"
                problems.report(other.where, message)
    for name in (first for first, *_ in names.declared.get("placement", {}).values()):
        if name.name.casefold() in EXPECT_WORDS or name.name.casefold().startswith(("score ", "interest ")):
            problems.report(name.where, f"{quoted(name.name)} is a word of tests, so no placement can have this name")
    for reference in names.references:
        # One text may use many names; its first problem is told.
        if not problems.has_error(reference.where) and (message := _missing(reference, names)):
            problems.report(reference.where, message)


def _missing(reference: Reference, names: Names) -> str:
    """Return what is wrong with the use of a name, or ""."""
    kind, name = reference.kind, reference.name
    if kind.startswith(_BLOCK_OF):
        return _missing_block(kind.removeprefix(_BLOCK_OF), name, names)
    if kind == "expectation":
        return _missing_expectation(name, names)
    if names.has(kind, name) or kind in names.lost or names.in_doubt(name):
        return ""
    known = names.of(kind)
    if not known and not names.unread:
        return f"there is no {kind} {quoted(name)}: there are no {kind}s at all"
    return _unknown(name, known, f"there is no {kind} {quoted(name)}", names)


def _unknown(name: str, known: Iterable[str], sentence: str, names: Names) -> str:
    """Return the sentence with a suggestion; while a file is not read to its end, nobody knows all that is possible."""
    return sentence + did_you_mean(nearest(name, known)) if names.unread else unknown(name, known, sentence)


def _missing_block(placement: str, name: str, names: Names) -> str:
    """Return what is wrong with the name of a block in one placement."""
    same = names.declared.get("block", {}).get(name.casefold(), ())
    if any(block.name == name and block.owner == placement for block in same):
        return ""
    if names.lost & {"block", "placement"} or not names.has("placement", placement) or names.in_doubt(name):
        return ""
    declared = [block for blocks in names.declared.get("block", {}).values() for block in blocks]
    blocks = [block.name for block in declared if block.owner == placement]
    return _unknown(name, blocks, f"there is no block {quoted(name)} in the placement {quoted(placement)}", names)


def _missing_expectation(name: str, names: Names) -> str:
    """Return what is wrong with a word of `expect` that should be a placement's name."""
    if names.has("placement", name) or "placement" in names.lost or names.in_doubt(name):
        return ""
    points = [f"{kind} {known}" for kind in ("score", "interest") for known in names.of(kind)]
    sentence = f"{quoted(name)} is neither a placement nor a word of a test's expectations"
    return _unknown(name, (*EXPECT_WORDS, *points, *names.of("placement")), sentence, names)
