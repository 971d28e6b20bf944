"""Runs the tests in three parts beside each other, and fails if one fails; arguments are pytest's.

The browser mostly waits, and its tests share one loop; those that start whole gateways and break them mostly wait as
well. What the first part tells is shown at once, of the others when it is done. pytest's exit code 5 means that the
arguments chose none of a part.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

PARTS = {"browser": ["tests/browser"], "integration": ["tests/integration", "tests/faults"]}
"""The folders of each part but the first, which has all others."""
PYTEST = [sys.executable, "-m", "pytest"]
FINE = (0, 5)


def main(args: Sequence[str]) -> int:
    """Run all, and return 0 or what pytest returned for a part that did not pass."""
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    # Where bytecode may not be written, each of the many gateways would compile all its modules again, twice.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with contextlib.ExitStack() as stack:
        told: dict[str, IO[bytes]] = {}
        running: dict[str, subprocess.Popen[bytes]] = {}
        for name, folders in PARTS.items():
            told[name] = stack.enter_context(tempfile.TemporaryFile())
            # Each part has a cache of its own: the one that ends last would else forget the others' failures.
            cache = [] if any("no:cacheprovider" in arg for arg in args) else ["-o", f"cache_dir=.pytest_cache/{name}"]
            # In a process group of its own a Ctrl-C reaches it once, by us: a second one would break off its cleaning.
            running[name] = subprocess.Popen(
                [*PYTEST, *colour, *cache, *folders, *args],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=told[name],
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        ignored = [f"--ignore={folder}" for folders in PARTS.values() for folder in folders]
        others = subprocess.Popen([*PYTEST, *ignored, *args], env=env)

        def end(number: int, _frame: object) -> None:
            for part in running.values() if number == signal.SIGINT else (*running.values(), others):
                if part.poll() is None:
                    part.send_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        others.wait()
        for name, process in running.items():
            _write(f"\nand {', '.join(PARTS[name])}, which ran meanwhile:\n".encode())
            _follow(process, told[name])
    codes = {"all others": others.returncode, **{name: process.returncode for name, process in running.items()}}
    _write("".join(f"{part}: {'passed' if code in FINE else 'FAILED'}\n" for part, code in codes.items()).encode())
    return next((abs(code) for code in codes.values() if code not in FINE), 0)


def _follow(process: subprocess.Popen[bytes], told: IO[bytes]) -> None:
    """Write what a process has told and goes on to tell, until it ends."""
    shown = 0
    running = True
    while running:
        try:
            process.wait(0.2)
            running = False
        except subprocess.TimeoutExpired:
            pass
        part = os.pread(told.fileno(), os.fstat(told.fileno()).st_size - shown, shown)
        shown += len(part)
        _write(part)


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
