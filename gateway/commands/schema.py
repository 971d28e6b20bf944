"""`tuttu rules schema [DIR]`: writes DIR/.schema/rules.json, from which editors know the words of the rules.

The names that the folder's rules give are in it as suggestions, so it is worth writing again after new ones; an old one
never calls a right rule wrong. Rules with mistakes are no obstacle: an editor is wanted most while there are some.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Protocol

import orjson

from gateway.reload import read_rules
from personalize.errors import RulesError
from personalize.schema import names_in, rule_schema

FILE = Path(".schema", "rules.json")
"""Where the schema lies in a rule folder; the reader of rules leaves out what starts with a dot."""

LINE = f"# yaml-language-server: $schema={FILE.as_posix()}"


class Verbs(Protocol):
    """What argparse's `add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's own name
        """Add a command."""


def add_parser(verbs: Verbs) -> None:
    """Add the verb `schema`."""
    parser = verbs.add_parser("schema", help="write what editors need to complete and check rules")
    parser.add_argument("folder", nargs="?", default="rules", metavar="DIR", help="the rule folder (default: rules)")
    parser.add_argument("--stdout", action="store_true", help="print the schema, write no file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write or print the schema; returns 0, or 2 when there is no such folder or it cannot be written to."""
    folder = Path(args.folder)
    if not folder.is_dir():
        return _refused(f"there is no folder {folder}; name the folder that holds your rule files")
    schema = schema_of(folder)
    if args.stdout:
        sys.stdout.write(schema.decode())
        return 0
    path = folder / FILE
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(schema)
    except OSError as error:
        return _refused(f"{path} cannot be written: {error.strerror}")
    sys.stdout.write(f"{path}\nThe first line of a rule file beside it tells the editor: {LINE}\n")
    return 0


def schema_of(folder: Path) -> bytes:
    """Return the schema for a rule folder as JSON; a folder without rules has one too."""
    try:
        files = read_rules(folder)
    except RulesError:
        files = {}
    return orjson.dumps(rule_schema(names_in(files)), option=orjson.OPT_APPEND_NEWLINE)


def _refused(why: str) -> int:
    sys.stderr.write(f"tuttu rules schema: {why}\n")
    return 2
