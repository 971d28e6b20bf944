"""`tuttu rules check|test|explain [DIR]`: is the rule folder good, do its tests pass, why does a visitor see what.

Exit codes: 0 good, 1 findings (errors in the rules, failed tests), 2 usage (no such folder, zone or test).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfoNotFoundError

import orjson

from gateway.reload import read_rules
from personalize import rule_tests
from personalize.calendar import Calendar
from personalize.errors import Problem, RulesError, RulesInvalid
from personalize.explain import as_data, explain, plain_lines
from personalize.loader import load
from personalize.phrasing import amount
from personalize.plan import Plan, compile_rules
from personalize.suggest import did_you_mean, nearest, quoted
from personalize.syntax import RuleSet

GOOD, FINDINGS, USAGE = 0, 1, 2


class Subparsers(Protocol):
    """What argparse's `add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's own name
        """Add a command."""


@dataclass(slots=True, frozen=True)
class _Loaded:
    """A rule folder as far as it could be read: `rules` and `plan` are there when no problem is an error."""

    files: int
    problems: list[Problem]
    rules: RuleSet | None
    plan: Plan | None


def add_parser(subparsers: Subparsers) -> None:
    """Add `rules` and its three verbs to the command line."""
    verbs = subparsers.add_parser("rules", help="check, test and explain rules").add_subparsers(
        dest="verb", required=True, metavar="check|test|explain"
    )
    for verb, what in (
        ("check", "say everything that is wrong with the rules"),
        ("test", "run the tests that stand beside the rules"),
        ("explain", "show what the rules make of a test's visitor, and why"),
    ):
        parser = verbs.add_parser(verb, help=what)
        parser.add_argument(
            "folder", nargs="?", default="rules", metavar="DIR", help="the rule folder (default: rules)"
        )
        parser.add_argument("--time-zone", default="UTC", metavar="Z", help="the site's time zone (default: UTC)")
        parser.add_argument("--format", choices=("text", "json"), default="text")
        if verb == "explain":
            parser.add_argument(
                "--test", default="", metavar="NAME", help="the test whose visitor to show (default: all)"
            )
        parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run one verb, write its answer to standard output, and return the exit code."""
    try:
        loaded = _load(Path(args.folder), args.time_zone)
        return _VERBS[args.verb](args, loaded)
    except _UsageError as error:
        sys.stderr.write(f"tuttu rules {args.verb}: {error}\n")
        return USAGE


class _UsageError(Exception):
    """The command was asked for something that is not there; the message is a whole sentence."""


def _load(folder: Path, time_zone: str) -> _Loaded:
    try:
        files = read_rules(folder)
    except RulesError as error:
        raise _UsageError(str(error)) from error
    try:
        Calendar(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _UsageError(f"there is no time zone {quoted(time_zone)}; write it as in Europe/Helsinki") from error
    rules, problems = load(files)
    try:
        plan = None if rules is None else compile_rules(rules, time_zone)
    except RulesInvalid as error:
        return _Loaded(len(files), [*problems, *error.problems], None, None)
    return _Loaded(len(files), problems, rules, plan)


def _check(args: argparse.Namespace, loaded: _Loaded) -> int:
    errors = sum(problem.level == "error" for problem in loaded.problems)
    warnings = len(loaded.problems) - errors
    inactive = list(loaded.plan.inactive) if loaded.plan else []
    counts = _counts(loaded)
    if args.format == "json":
        found = {"good": not errors, "counts": counts, "problems": loaded.problems, "inactive": inactive}
        _write_json(found)
        return FINDINGS if errors else GOOD
    _write(*map(str, loaded.problems))
    if inactive:
        _write(f"not yet active, checked only: {', '.join(inactive)}")
    verdict = ", ".join([amount(errors, "error")] * (errors > 0) + [amount(warnings, "warning")] * (warnings > 0))
    summary = ", ".join(amount(count, thing.removesuffix("s")) for thing, count in counts.items())
    _write(f"{summary}: {verdict if errors else ', '.join(filter(None, ('good', verdict)))}")
    return FINDINGS if errors else GOOD


def _test(args: argparse.Namespace, loaded: _Loaded) -> int:
    if loaded.plan is None or loaded.rules is None:
        return _check(args, loaded)
    results = rule_tests.run(loaded.plan, loaded.rules.tests)
    failed = sum(not result.passed for result in results)
    if args.format == "json":
        _write_json({"good": not failed, "tests": results})
        return FINDINGS if failed else GOOD
    for result in results:
        _write(
            f"{'ok  ' if result.passed else 'FAIL'}  {result.name}" + ("" if result.passed else f"  ({result.where})")
        )
        for failure in result.failures:
            _write(f"      {failure.what}: expected {failure.expected}, found {failure.actual}")
            _write(*(f"        {line}" for line in failure.explanation))
    _write(f"{amount(len(results), 'test')}: {'good' if not failed else f'{failed} failed'}")
    return FINDINGS if failed else GOOD


def _explain(args: argparse.Namespace, loaded: _Loaded) -> int:
    if loaded.plan is None or loaded.rules is None:
        return _check(args, loaded)
    by_name = {case.name.lower(): case for case in loaded.rules.tests}
    if not by_name:
        raise _UsageError("there is no test whose visitor could be shown; write one under tests:")
    if args.test and args.test.lower() not in by_name:
        raise _UsageError(f"there is no test {quoted(args.test)}{did_you_mean(nearest(args.test, list(by_name)))}")
    cases = [by_name[args.test.lower()]] if args.test else loaded.rules.tests
    explained = [(case.name, explain(loaded.plan, *rule_tests.visitor_of(loaded.plan, case))) for case in cases]
    if args.format == "json":
        _write_json([{"test": name, "explanation": as_data(explanation)} for name, explanation in explained])
        return GOOD
    for name, explanation in explained:
        _write(f"test {name}", *(f"  {line}" for line in plain_lines(explanation)))
    return GOOD


def _counts(loaded: _Loaded) -> dict[str, int]:
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


_VERBS: Mapping[str, Callable[[argparse.Namespace, _Loaded], int]] = {
    "check": _check,
    "test": _test,
    "explain": _explain,
}
