"""The command line: `tuttu serve|rules|explain|data`; each command has its file in gateway/commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from gateway.commands import data, explain, rules, rules_explain, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 good, 1 it found something or cannot start, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="tuttu", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve.add_parser(commands)
    rules_explain.add_parser(rules.add_parser(commands))
    explain.add_parser(commands)
    data.add_parser(commands)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # `tuttu … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
