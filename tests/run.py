"""Runs the browser's tests beside all others, and fails if either fails; arguments are pytest's.

The browser mostly waits, and its tests share one loop, so they have a process of their own. What they write is shown
when the others are done. pytest's exit code 5 means that the arguments chose none of a part.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

BROWSER = "tests/browser"
PYTEST = [sys.executable, "-m", "pytest"]
FINE = (0, 5)


def main(args: Sequence[str]) -> int:
    """Run both, and return 0 or what pytest returned for a part that did not pass."""
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    # Each part has a cache of its own: the one that ends last would else forget the other's failures.
    cache = [] if any("no:cacheprovider" in arg for arg in args) else ["-o", "cache_dir=.pytest_cache/browser"]
    in_browser = [*PYTEST, *colour, *cache, BROWSER, *args]
    # Where bytecode may not be written, each of the many gateways would compile all its modules again, twice.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as told:
        # In a process group of its own a Ctrl-C reaches it once, by us: a second one would break off its cleaning up.
        browser = subprocess.Popen(
            in_browser, env=env, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, process_group=0
        )
        others = subprocess.Popen([*PYTEST, "--ignore", BROWSER, *args], env=env)

        def end(number: int, _frame: object) -> None:
            for part in (browser,) if number == signal.SIGINT else (browser, others):
                if part.poll() is None:
                    part.send_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        others.wait()
        _write(f"\nand {BROWSER}, which ran meanwhile:\n".encode())
        _follow(browser, told)
    codes = {"all others": others.returncode, BROWSER: browser.returncode}
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
