"""Rules from disk: which files belong to a rule folder, and whether what they make is fit to go live.

Nothing here replaces rules that run; whoever calls decides what to do with a folder that is refused.
"""

from __future__ import annotations

import os
import pickle
import stat
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from personalize import rule_tests
from personalize.errors import Problem, RulesError, RulesInvalid
from personalize.loader import load
from personalize.plan import Plan, compile_rules
from personalize.suggest import quoted
from personalize.syntax import RuleSet
from personalize.yaml_nodes import MAX_BYTES, TOO_LARGE

SUFFIXES = (".yaml", ".yml")

Stamp = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(slots=True, frozen=True)
class Checked:
    """Rules that may go live: their files by name, what was read from them, the plan, and what could be better."""

    files: Mapping[str, str]
    rules: RuleSet
    plan: Plan
    warnings: tuple[Problem, ...]


def read_rules(folder: Path) -> dict[str, bytes]:
    """Return the content of every rule file below a folder by its path inside it, sorted.

    Files and folders whose names start with a dot are left out: editors, version control and mounted volumes keep
    copies there. Raises RulesError, with a sentence for the operator, when there is nothing to read or when anything
    cannot be read: what is missing would go live as if it had been deleted. Never waits for a pipe, and reads no more
    than rules may hold.
    """
    if not folder.is_dir():
        raise RulesError(f"there is no folder {folder}; name the folder that holds your rule files")
    files: dict[str, bytes] = {}
    room = MAX_BYTES
    for name, found in _looked_at(folder).items():
        if not name.isprintable():
            raise RulesError(f"the file name {name!r} cannot be printed, or is not UTF-8; rename the file")
        try:
            if isinstance(found, OSError):
                raise found
            content = _content(folder / name, room)
        except OSError as error:
            raise RulesError(f"{name or '.'} in the folder {folder} cannot be read: {_why(error)}") from error
        if len(content) > room:
            raise RulesInvalid([Problem(name, 1, 1, TOO_LARGE)])
        room -= len(content)
        files[name] = content
    if not files:
        raise RulesError(f"the folder {folder} holds no rule files; their names end in .yaml or .yml")
    return files


def stamp_of(folder: Path) -> Stamp:
    """Return what changes whenever a rule file is written, comes or goes, or stops being readable; reads no file.

    Network volumes tell nobody what changes in them, but a stat they answer.
    """
    return tuple((name, _stamp(found)) for name, found in _looked_at(folder).items())


def check(files: Mapping[str, bytes | str], time_zone: str) -> Checked:
    """Return what rule files make, if they have no error and all of their tests pass.

    Raises RulesInvalid with every error, each failed test being one, and zoneinfo.ZoneInfoNotFoundError for a zone
    that does not exist.
    """
    rules, problems = load(files)
    if rules is None:
        raise RulesInvalid([problem for problem in problems if problem.level == "error"])
    plan = compile_rules(rules, time_zone)
    failed = [_problem(result) for result in rule_tests.run(plan, rules.tests) if not result.passed]
    if failed:
        raise RulesInvalid(failed)
    texts = {name: text.decode() if isinstance(text, bytes) else text for name, text in files.items()}
    return Checked(texts, rules, plan, tuple(problems))


def pack(rules: RuleSet) -> str:
    """Return checked rules as text for a worker, which then need not read YAML: that is most of the work.

    Their tests have passed and stay behind. A pickle, for it goes from a process of ours to its child, never to disk.
    """
    return b64encode(pickle.dumps(rules.model_copy(update={"tests": ()}), pickle.HIGHEST_PROTOCOL)).decode()


def unpacked(text: str, time_zone: str) -> Plan:
    """Return the plan of rules that the parent has packed."""
    rules: RuleSet = pickle.loads(b64decode(text))  # noqa: S301 - over the inherited line, from our own parent only
    return compile_rules(rules, time_zone)


def _looked_at(folder: Path) -> dict[str, os.stat_result | OSError]:
    """Return what a stat says of each rule file, by its path inside the folder, sorted; with whatever cannot be read.

    Links are followed, for mounted volumes are made of them, but no folder is entered twice. One stat for each file.
    """
    found: dict[str, os.stat_result | OSError] = {}
    entered: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            status = os.stat(folder / inside)  # noqa: PTH116 - as os.scandir below, for thousands of files
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder / inside) as entries:
                seen = sorted((entry for entry in entries if not entry.name.startswith(".")), key=_name)
        except OSError as error:
            found[inside] = error
            continue
        folders = []
        for entry in seen:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if entry.is_dir():
                    folders.append(name)
                # A link to nowhere may be to a folder of rules, whatever its name: it is an error, not rules less.
                elif entry.name.endswith(SUFFIXES) or entry.is_symlink():
                    status = entry.stat()
                    if entry.name.endswith(SUFFIXES):
                        found[name] = status
            except OSError as error:
                if entry.is_symlink() or not isinstance(error, FileNotFoundError):  # else it is gone meanwhile
                    found[name] = error
        waiting += reversed(folders)
    return {name: found[name] for name in sorted(found)}


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _content(path: Path, room: int) -> bytes:
    """Return a file's content, or one byte more than there is room for; raises OSError."""

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # else a pipe would be waited for until somebody writes into it

    with open(path, "rb", opener=opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file; a rule file is a plain text file")
        return file.read(room + 1)


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is gone, or a link to nothing; mend or delete the link"
    return error.strerror or str(error)


def _stamp(found: os.stat_result | OSError) -> tuple[int, ...]:
    if isinstance(found, OSError):
        return (found.errno or 0,)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _problem(result: rule_tests.Result) -> Problem:
    found = "; ".join(f"{f.what}: expected {f.expected}, found {f.actual}" for f in result.failures)
    return Problem.at(result.where, f"the test {quoted(result.name)} fails: {found}")
