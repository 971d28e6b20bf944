"""The command line: each command of `tuttu` has its file in gateway/commands."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from gateway.commands import (
    backup,
    data,
    doctor,
    explain,
    import_,
    keys,
    links,
    privacy,
    rules,
    rules_explain,
    serve,
    spool,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 good, 1 it found something or cannot start, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="tuttu", description="A gateway that knows returning visitors and decides what they see."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve.add_parser(commands)
    rules_explain.add_parser(rules.add_parser(commands))
    explain.add_parser(commands)
    data.add_parser(commands)
    keys.add_parser(commands)
    doctor.add_parser(commands)
    links.add_parser(commands)
    privacy.add_parser(commands)
    backup.add_parser(commands)
    import_.add_parser(commands)
    spool.add_parser(commands)
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except OSError as error:
        if not _output_is_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `tuttu … | head` has read enough
            return 0
        sys.stderr.write(f"tuttu: the output cannot be written: {error.strerror}\n")
        return 1
    return code


def _output_is_gone() -> bool:
    """Tell whether standard output takes nothing any more, not even the end of a line."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
