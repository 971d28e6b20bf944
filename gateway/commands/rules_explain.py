"""`tuttu rules explain [DIR]`: what the rules make of a test's visitor, or of one in a file, and why.

Exit codes: 0 good, 1 errors in the rules or in the visitor's file, 2 usage (no such folder, file, test or placement).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from gateway.app import clock
from gateway.commands.rules import (
    FINDINGS,
    GOOD,
    USAGE,
    Subparsers,
    UsageError,
    add_time_zone,
    asked_tests,
    check,
    load_folder,
    time_zone_of,
)
from gateway.commands.showing import asked_placements, show, show_json
from personalize import rule_tests
from personalize.aliases import Alias
from personalize.document_check import Unreadable, checked
from personalize.explain import Explanation, as_data, explain
from personalize.explain_text import Line, explained_lines
from personalize.language import LANGUAGES
from personalize.plan import Plan
from personalize.suggest import quoted
from personalize.syntax import RuleSet
from personalize.view import without_request
from personalize.visitor_file import read_visitor


def add_parser(verbs: Subparsers) -> None:
    """Add the verb `explain`."""
    parser = verbs.add_parser("explain", help="show what the rules make of a visitor, and why")
    parser.add_argument("folder", nargs="?", default="rules", metavar="DIR", help="the rule folder (default: rules)")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--test", default="", metavar="NAME", help="the test whose visitor to show (default: all)")
    whose.add_argument(
        "--visitor",
        default="",
        metavar="FILE",
        help="a visitor, written as in a test, or as the store keeps it; - reads it",
    )
    add_options(parser)
    add_time_zone(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what both commands that explain can be asked for."""
    parser.add_argument("--placement", default="", metavar="NAME", help="only this placement (default: all)")
    parser.add_argument("--language", choices=sorted(LANGUAGES), default="en", help="of the sentences (default: en)")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(args: argparse.Namespace) -> int:
    """Explain, and return the exit code."""
    try:
        return _explain(args)
    except UsageError as error:
        sys.stderr.write(f"tuttu rules explain: {error}\n")
        return USAGE


def _explain(args: argparse.Namespace) -> int:
    loaded = load_folder(Path(args.folder), time_zone_of(args))
    plan, rules = loaded.plan, loaded.rules
    if plan is None or rules is None:
        return check(args, loaded)
    if args.visitor:
        found = _of_file(args, plan, rules)
        if found is None:
            return FINDINGS
    else:
        found = _of_tests(args, plan, rules)
    if args.format == "json":
        language = LANGUAGES[args.language]
        show_json([{kind: name, "explanation": as_data(it, language)} for kind, name, it in found])
    else:
        show(_lines(args, found))
    return GOOD


def _lines(args: argparse.Namespace, found: list[tuple[str, str, Explanation]]) -> Iterator[Line]:
    language = LANGUAGES[args.language]
    for number, (kind, name, explanation) in enumerate(found):
        if number:
            yield Line(0, "gap", "")
        yield Line(0, "title", language.of_test(name) if kind == "test" else language.of_visitor(name))
        yield from (line._replace(depth=line.depth + 1) for line in explained_lines(explanation, language))


def _of_tests(args: argparse.Namespace, plan: Plan, rules: RuleSet) -> list[tuple[str, str, Explanation]]:
    if not rules.tests:
        raise UsageError(
            "there is no test whose visitor could be shown; write one under tests:, or give --visitor FILE"
        )
    cases = asked_tests(rules, args.test)
    asked = asked_placements(plan, args.placement)
    return [("test", case.name, explain(plan, *rule_tests.visitor_of(plan, case), asked)) for case in cases]


def _of_file(args: argparse.Namespace, plan: Plan, rules: RuleSet) -> list[tuple[str, str, Explanation]] | None:
    """Return the explanation of a file's visitor, or None, when what is wrong with the file has been said."""
    name, source = _read(args.visitor)
    asked = asked_placements(plan, args.placement)
    stored = _document(source)
    if stored is not None:
        try:
            profile = checked(stored)
        except Unreadable as error:
            raise UsageError(f"{name} is no profile that can be read: {error}") from error
        if isinstance(profile, Alias):
            raise UsageError(f"{name} is an alias, so the profile to look at is that of {profile.to}")
        return [("visitor", name, explain(plan, profile, without_request(profile), clock(), asked))]
    case, problems = read_visitor(name, source, rules)
    if case is None:
        if args.format == "json":
            show_json({"good": False, "problems": problems})
        else:
            sys.stdout.writelines(f"{problem}\n" for problem in problems)
        return None
    return [("visitor", name, explain(plan, *rule_tests.visitor_of(plan, case), asked))]


def _read(file: str) -> tuple[str, bytes]:
    try:
        return ("stdin", sys.stdin.buffer.read()) if file == "-" else (_named(file), Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"the file {quoted(file)} cannot be read: {error.strerror}") from error


def _named(file: str) -> str:
    """Return the file's name as text, also where it is no UTF-8."""
    return file.encode(errors="backslashreplace").decode()


def _document(source: bytes) -> bytes | None:
    """Return the source if it is a profile as the store keeps it: it has a revision and a format number."""
    if not source.lstrip().startswith(b"{"):
        return None
    try:
        table = orjson.loads(source)
    except orjson.JSONDecodeError:
        return None
    return source if isinstance(table, dict) and {"r", "f"} <= table.keys() else None
