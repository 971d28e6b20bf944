"""Rules from disk: which files belong to a rule folder, and the plan that they make.

Nothing here replaces a running plan; whoever calls decides what to do with a folder that makes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from personalize.errors import RulesError, RulesInvalid
from personalize.loader import load
from personalize.plan import Plan, compile_rules

SUFFIXES = frozenset({".yaml", ".yml"})


def read_rules(folder: Path) -> dict[str, bytes]:
    """Return the content of every rule file below a folder by its path inside it, sorted.

    Files and folders whose names start with a dot are left out: editors, version control and mounted volumes keep
    copies there. Raises RulesError, with a sentence for the operator, when there is nothing to read.
    """
    if not folder.is_dir():
        raise RulesError(f"there is no folder {folder}; name the folder that holds your rule files")
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in SUFFIXES}
    try:
        files = {
            name: paths[name].read_bytes()
            for name in sorted(paths)
            if paths[name].is_file() and not any(part.startswith(".") for part in name.split("/"))
        }
    except OSError as error:
        raise RulesError(f"a rule file in {folder} cannot be read: {error}") from error
    if not files:
        raise RulesError(f"the folder {folder} holds no rule files; their names end in .yaml or .yml")
    return files


def load_plan(folder: Path, time_zone: str) -> Plan:
    """Return the plan of a rule folder.

    Raises RulesInvalid with every problem when the files make no plan, RulesError when there are none, and
    zoneinfo.ZoneInfoNotFoundError for a zone that does not exist.
    """
    return plan_of(read_rules(folder), time_zone)


def plan_of(files: Mapping[str, bytes | str], time_zone: str) -> Plan:
    """Return the plan of rule files that were read already; raises as load_plan, but for a missing folder."""
    rules, problems = load(files)
    if rules is None:
        raise RulesInvalid(problems)
    return compile_rules(rules, time_zone)
