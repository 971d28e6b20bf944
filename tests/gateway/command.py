"""The command line in this process: what `python -m gateway …` does, without the second that a process takes to start.

What is the process's own (a terminal, a closed pipe, the locale, how arguments are decoded) needs a real one.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from gateway.__main__ import main

ROOT = Path(__file__).parents[2]


def tuttu(*args: str | Path, cwd: Path = ROOT, given: str | bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with `given` as its input and without environment; what it raises goes on."""
    words = [str(arg) for arg in args]
    source = io.TextIOWrapper(io.BytesIO(given.encode() if isinstance(given, str) else given), "utf-8")
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        chdir(cwd),
        mock.patch.dict(os.environ, clear=True),
        mock.patch.object(sys, "stdin", source),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        try:
            code = main(words)
        except SystemExit as ended:  # argparse ends a process itself
            code = ended.code if isinstance(ended.code, int) else 1
    return subprocess.CompletedProcess(words, code, *map(_written, (out, errors)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    data = stream.detach()
    assert isinstance(data, io.BytesIO)
    return data.getvalue().decode()
