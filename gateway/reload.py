"""Rules from disk: which files belong to a rule folder, and whether what they make is fit to go live.

Nothing here replaces rules that run; whoever calls decides what to do with a folder that is refused.
"""

from __future__ import annotations

import os
import pickle
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

SUFFIXES = frozenset({".yaml", ".yml"})

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
    copies there. Raises RulesError, with a sentence for the operator, when there is nothing to read.
    """
    if not folder.is_dir():
        raise RulesError(f"there is no folder {folder}; name the folder that holds your rule files")
    try:
        files = {name: path.read_bytes() for name, path in _rule_files(folder).items()}
    except OSError as error:
        raise RulesError(f"a rule file in {folder} cannot be read: {error}") from error
    if not files:
        raise RulesError(f"the folder {folder} holds no rule files; their names end in .yaml or .yml")
    return files


def stamp_of(folder: Path) -> Stamp:
    """Return what changes whenever a rule file is written, comes or goes; reads no file.

    Network volumes tell nobody what changes in them, but a stat they answer.
    """
    return tuple((name, _stamp(path)) for name, path in _rule_files(folder).items())


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


def _rule_files(folder: Path) -> dict[str, Path]:
    """Return where the rule files are by their path inside the folder, sorted.

    Links are followed, for mounted volumes are made of them, but no folder is entered twice.
    """
    found: dict[str, Path] = {}
    entered: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        try:
            status = Path(root).stat()
        except OSError:  # gone meanwhile
            continue
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(root, name) for name in names if not name.startswith(".")):
            # A link to nowhere counts as well: it is an error, not a file less.
            if path.suffix in SUFFIXES and (path.is_file() or path.is_symlink()):
                found[path.relative_to(folder).as_posix()] = path
    return {name: found[name] for name in sorted(found)}


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _problem(result: rule_tests.Result) -> Problem:
    found = "; ".join(f"{f.what}: expected {f.expected}, found {f.actual}" for f in result.failures)
    return Problem.at(result.where, f"the test {quoted(result.name)} fails: {found}")
