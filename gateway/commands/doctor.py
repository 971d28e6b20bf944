"""`tuttu doctor URL`: look at a deployment from outside, as browsers meet it, and say what to change.

Exit codes: 0 all good, 1 something was found, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path

from gateway.app import clock
from gateway.commands.showing import show, show_json
from gateway.doctor.examination import examine
from gateway.doctor.finding import Finding, Level
from gateway.doctor.inside import data_age, internal
from gateway.doctor.naming import resolve
from gateway.doctor.target import Target, target_of
from gateway.errors import GatewayError
from gateway.networks.data import FOLDER
from personalize.explain_text import Line, Role

GOOD, FOUND, USAGE = 0, 1, 2

_ROLES: dict[Level, Role] = {"good": "won", "warning": "warning", "bad": "minus", "open": "detail"}
_WIDTH = 16


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "doctor",
        help="look at a deployment from outside and say what to change",
        description="Look at a deployment from outside, as browsers meet it. Writes nothing there without --visit.",
    )
    parser.add_argument("url", metavar="URL", help="where browsers find the gateway: https://www.example.com/t")
    parser.add_argument("--write-key", metavar="KEY", default="", help="the site's write key; without it less is seen")
    parser.add_argument("--page", metavar="URL", default="", help="a page that calls it (the same host)")
    parser.add_argument(
        "--visit", action="store_true", help="also make one visitor, see that they are known, and erase them"
    )
    parser.add_argument(
        "--internal", metavar="URL", default="", help="the internal port, if it can be reached from here"
    )
    parser.add_argument("--data", metavar="DIR", help="the data folder, if it is on this machine: the age of its data")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look, and tell what was found."""
    try:
        target = target_of(args.url, args.page, args.write_key)
        inside = target_of(args.internal).url if args.internal else ""
    except ValueError as err:
        return _wrong(str(err))
    if args.visit and not args.write_key:
        return _wrong("--visit needs --write-key")
    findings: list[Finding] = []
    try:
        for finding in _watched(_all(args, target, inside)):
            findings.append(finding)
            if not args.json:
                show(_lines(finding))
    except KeyboardInterrupt:
        sys.stderr.write("tuttu doctor: interrupted\n")
        return FOUND
    found = [finding for finding in findings if finding.level in ("warning", "bad")]
    if args.json:
        show_json({"url": target.url, "page": target.page, "findings": [asdict(finding) for finding in findings]})
    else:
        bad = sum(finding.level == "bad" for finding in found)
        total = f"{bad} bad, {len(found) - bad} to think about" if found else "All that was looked at is good."
        show([Line(0, "gap", ""), Line(0, "title", total)])
    return FOUND if found else GOOD


def _all(args: argparse.Namespace, target: Target, inside: str) -> Generator[Finding, None, None]:
    now_s = clock() / 1000
    yield from examine(target, resolver=resolve, now_s=now_s, visiting=args.visit)
    if inside:
        yield from internal(inside)
    if args.data:
        try:
            yield from data_age(Path(args.data) / FOLDER, now_s)
        except GatewayError as err:
            yield Finding("data age", "bad", str(err), "tuttu data fetch")


def _watched(findings: Generator[Finding, None, None]) -> Iterator[Finding]:
    """Say on a terminal that something is going on; a deployment that is silent takes its time."""
    if not sys.stderr.isatty() or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield from findings
        return
    from rich.console import Console  # noqa: PLC0415 - it takes 0.13 s to import, and every command would pay for it

    with contextlib.closing(findings), Console(stderr=True).status("looking …") as status:
        for finding in findings:
            status.stop()
            yield finding
            status.start()


def _lines(finding: Finding) -> Iterator[Line]:
    head = f"{finding.level.upper() if finding.level == 'bad' else finding.level:8}{finding.check:{_WIDTH}}"
    yield Line(0, _ROLES[finding.level], f"{head}{finding.seen}")
    if finding.advice:
        for line in textwrap.wrap(f"→ {finding.advice}", 96):
            yield Line(4, "detail", line)


def _wrong(sentence: str) -> int:
    sys.stderr.write(f"tuttu doctor: {sentence}\n")
    return USAGE
