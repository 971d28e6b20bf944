"""`tuttu rules check|test|explain|schema [DIR]`: is the folder good, do its tests pass, why does a visitor see what.

Exit codes: 0 good, 1 findings (errors in the rules, failed tests, under --strict warnings too), 2 usage (no such
folder, zone or test, or a folder that is only a part of the rules). `--format github` writes workflow commands, which
GitHub shows beside the lines that they name:
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfoNotFoundError

import orjson

from gateway.commands import schema
from gateway.errors import StartupError
from gateway.reload import read_rules
from gateway.settings import load_settings
from personalize import rule_tests
from personalize.calendar import Calendar
from personalize.errors import Problem, RulesError, RulesInvalid
from personalize.loader import load
from personalize.phrasing import amount
from personalize.plan import Plan, compile_rules
from personalize.suggest import did_you_mean, nearest, quoted
from personalize.syntax import Case, RuleSet
from personalize.yaml_nodes import Map, compose

GOOD, FINDINGS, USAGE = 0, 1, 2
NO_ZONE = "UTC"
SETTINGS = Path("tuttu.toml")


class Subparsers(Protocol):
    """What argparse's `add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's own name
        """Add a command."""


@dataclass(slots=True, frozen=True)
class Loaded:
    """A rule folder as far as it could be read: `rules` and `plan` are there when no problem is an error.

    Problems name their files with the folder, so that terminals and editors can open them.
    """

    folder: Path
    files: int
    problems: list[Problem]
    rules: RuleSet | None
    plan: Plan | None


def add_parser(subparsers: Subparsers) -> Subparsers:
    """Add `rules` and its verbs to the command line, and return what `explain` adds its own verb to."""
    verbs = subparsers.add_parser("rules", help="check, test and explain rules").add_subparsers(
        dest="verb", required=True, metavar="check|test|explain|schema"
    )
    for verb, what in (
        ("check", "say everything that is wrong with the rules"),
        ("test", "run the tests that stand beside the rules"),
    ):
        parser = verbs.add_parser(verb, help=what)
        parser.add_argument(
            "folder", nargs="?", default="rules", metavar="DIR", help="the rule folder (default: rules)"
        )
        if verb == "test":
            parser.add_argument("--test", default="", metavar="NAME", help="only this test (default: all)")
        add_time_zone(parser)
        parser.add_argument("--format", choices=("text", "json", "github"), default="text")
        parser.add_argument("--strict", action="store_true", help="count warnings as findings")
        parser.set_defaults(run=run)
    schema.add_parser(verbs)
    return verbs


def run(args: argparse.Namespace) -> int:
    """Run one verb, write its answer to standard output, and return the exit code."""
    try:
        loaded = load_folder(Path(args.folder), time_zone_of(args))
        return _VERBS[args.verb](args, loaded)
    except UsageError as error:
        sys.stderr.write(f"tuttu rules {args.verb}: {error}\n")
        return USAGE


class UsageError(Exception):
    """The command was asked for something that is not there; the message is a whole sentence."""


def add_time_zone(parser: argparse.ArgumentParser) -> None:
    """Add the flag for the zone by whose clock the rules are read."""
    parser.add_argument(
        "--time-zone", metavar="Z", help=f"the site's time zone (default: as in {SETTINGS}, else {NO_ZONE})"
    )


def time_zone_of(args: argparse.Namespace) -> str:
    """Return the zone that was asked for, else that of the site with this folder; then a reader is told which it is."""
    if args.time_zone is not None:
        return str(args.time_zone)
    zone = _zone_of_site(Path(args.folder))
    if args.format != "json":
        how = f", as {SETTINGS} says" if zone else "; name your site's zone, as in --time-zone Europe/Helsinki"
        sys.stderr.write(f"times are in {zone or NO_ZONE}{how}\n")
    return zone or NO_ZONE


def _zone_of_site(folder: Path) -> str:
    """Return the zone of the site whose rules lie in this folder, by the settings of the working folder, or ""."""
    if not SETTINGS.exists():
        return ""
    try:
        sites = load_settings(SETTINGS, {}, {}).site
    except StartupError:  # what is wrong with the settings is the business of `tuttu serve`
        return ""
    return next((s.time_zone for s in sites if s.rules and Path(s.rules).resolve() == folder.resolve()), "")


def asked_tests(rules: RuleSet, name: str) -> Sequence[Case]:
    """Return the tests that were asked for, without a name all; raises UsageError for one that is not there."""
    found = [case for case in rules.tests if not name or case.name.lower() == name.lower()]
    if name and not found:
        names = [case.name for case in rules.tests]
        raise UsageError(f"there is no test {quoted(name)}{did_you_mean(nearest(name, names))}")
    return found


def load_folder(folder: Path, time_zone: str) -> Loaded:
    """Return a rule folder as far as it can be read; raises UsageError when there is nothing to read.

    A folder of tests without the rules that they are about is nothing to read either.
    """
    try:
        files = read_rules(folder)
    except RulesInvalid as error:
        return Loaded(folder, 0, _located(error.problems, folder), None, None)
    except RulesError as error:
        raise UsageError(str(error)) from error
    try:
        calendar = Calendar(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {quoted(time_zone)}; write it as in Europe/Helsinki") from error
    today = calendar.local(time.time_ns() // 1_000_000).date()
    rules, problems = load(files, today)
    if rules is None and _only_tests(files):
        whole = "" if folder == folder.parent else f", such as {folder.parent}"
        raise UsageError(f"{folder} holds only tests; name the folder that holds the rules as well{whole}")
    plan = None
    try:
        plan = None if rules is None else compile_rules(rules, time_zone)
    except RulesInvalid as error:
        problems, rules = [*problems, *error.problems], None
    return Loaded(folder, len(files), _located(problems, folder), rules, plan)


def _located(problems: Sequence[Problem], folder: Path) -> list[Problem]:
    """Return the problems with their files named from where the command was called."""
    return [replace(problem, file=str(folder / problem.file)) for problem in problems]


def check(args: argparse.Namespace, loaded: Loaded) -> int:
    """Say everything that is wrong with the rules, and return the exit code."""
    errors = sum(problem.level == "error" for problem in loaded.problems)
    warnings = len(loaded.problems) - errors
    inactive = list(loaded.plan.inactive) if loaded.plan else []
    counts = _counts(loaded)
    # `explain` shows these problems too, and knows no --strict.
    good = not (errors or (warnings and getattr(args, "strict", False)))
    if args.format == "json":
        _write_json({"good": good, "counts": counts, "problems": loaded.problems, "inactive": inactive})
        return GOOD if good else FINDINGS
    _write_problems(args, loaded)
    if inactive:
        _write(f"not yet active, checked only: {', '.join(inactive)}")
    summary = ", ".join(amount(count, thing.removesuffix("s")) for thing, count in counts.items())
    found = [amount(errors, "error")] * (errors > 0) + [amount(warnings, "warning")] * (warnings > 0)
    _write(f"{summary}: {', '.join((['good'] if good else []) + found)}")
    return GOOD if good else FINDINGS


def _test(args: argparse.Namespace, loaded: Loaded) -> int:
    if loaded.plan is None or loaded.rules is None:
        return check(args, loaded)
    results = [
        replace(result, where=str(loaded.folder / result.where))
        for result in rule_tests.run(loaded.plan, asked_tests(loaded.rules, args.test))
    ]
    failed = sum(not result.passed for result in results)
    # What could be better in the rules is the business of `check`, unless it is to fail the run.
    warnings = loaded.problems if args.strict else []
    good = not (failed or warnings)
    if args.format == "json":
        _write_json({"good": good, "tests": results, "problems": warnings})
        return GOOD if good else FINDINGS
    if warnings:
        _write_problems(args, loaded)
    for result in results:
        if result.passed:
            _write(f"ok    {result.name}")
            continue
        failures = [line for failure in result.failures for line in _lines(failure)]
        if args.format == "github":
            problem = Problem.at(result.where, "\n".join((f"{quoted(result.name)} failed", *failures)))
            _write(_workflow_command(problem))
        else:
            _write(f"FAIL  {result.name}  ({result.where})", *(f"      {line}" for line in failures))
    verdict = f"{failed} failed" if failed else "good"
    noted = f", {amount(len(warnings), 'warning')} in the rules" if warnings else ""
    _write(f"{amount(len(results), 'test')}: {verdict}{noted}")
    return GOOD if good else FINDINGS


def _lines(failure: rule_tests.Failure) -> Sequence[str]:
    """Return what was expected, what was found, and why."""
    first = f"{failure.what}: expected {failure.expected}, found {failure.actual}"
    return [first, *(f"  {line}" for line in failure.explanation)]


def _write_problems(args: argparse.Namespace, loaded: Loaded) -> None:
    _write(*map(_workflow_command if args.format == "github" else str, loaded.problems))


def _workflow_command(problem: Problem) -> str:
    """Return the line that makes GitHub show a problem where it is."""
    place = f"file={_escaped(problem.file)},line={problem.line},col={problem.column}"
    return f"::{problem.level} {place}::{_escaped(problem.message, ends='')}"


def _escaped(text: str, ends: str = ":,") -> str:
    """Return a text in which no sign ends a workflow command or one of its properties."""
    for sign in f"%\r\n{ends}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def _only_tests(files: Mapping[str, bytes]) -> bool:
    roots = [compose(file, source)[0] for file, source in files.items()]
    return all(isinstance(root, Map) and set(root) == {"tests"} for root in roots)


def _counts(loaded: Loaded) -> dict[str, int]:
    """Return how much of what there is, things that are not there left out."""
    rules = loaded.rules
    sections: Mapping[str, Any] = (
        {}
        if rules is None
        else {
            "scores": rules.scores,
            "interests": rules.interests,
            "segments": rules.segments,
            "placements": rules.placements,
            "tests": rules.tests,
        }
    )
    return {"files": loaded.files} | {name: len(things) for name, things in sections.items() if things}


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _write_json(value: Any) -> None:
    _write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


_VERBS: Mapping[str, Callable[[argparse.Namespace, Loaded], int]] = {
    "check": check,
    "test": _test,
}
