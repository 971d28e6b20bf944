"""What is measured: a bare uvicorn and the real gateway, each on its core, and what their work costs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast

from benchmarks.machine import pin
from gateway.identity.visitor import Cookies, cookie_name
from gateway.secrets import load_secrets
from tests.integration.process import Gateway, children, eventually

ROOT = Path(__file__).parents[1]
RULES = ROOT / "tests" / "vectors" / "rules-example"
FLAGS = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers", "--no-date-header",
         "--no-server-header", "--log-level", "warning", "--lifespan", "off")  # fmt: skip
"""The same as the gateway's own workers run with, see gateway/worker.py."""
SETTINGS = {
    "TUTTU_TRUSTED_PROXIES": "127.0.0.1",
    # At saturation each hit waits behind 63 others. The deadline would turn that wait into decisions without a profile,
    # and those are cheaper than the ones to be measured.
    "TUTTU_DECIDE_DEADLINE_MS": "5000",
    "TUTTU_STORE_DEADLINE_MS": "5000",
}

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Raw:
    """The bare app under uvicorn on one core; a context manager."""

    def __init__(self, core: int) -> None:
        self._core = core
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "uvicorn", "benchmarks.raw:app", "--port", str(self._port), *FLAGS]
        self._process = subprocess.Popen(command, cwd=ROOT)
        eventually(self._answers, within=15)
        pin(self._process.pid, self._core)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def gateway_in(
    folder: Path, cores: Sequence[int], more: Mapping[str, str] | None = None, checkout: Path = ROOT
) -> Iterator[Gateway]:
    """Run the gateway with one worker on the first core and its embedded store on the second; `more` are settings.

    `checkout` is where its code comes from; Python looks in the working directory first.
    """
    options = ("--rules", str(RULES), "--workers", "1")
    env = {**SETTINGS, **(more or {})}
    with Gateway(folder / "data", *options, env=env, before=("env", "-C", str(checkout))) as gateway:
        for pid in (gateway.pid, *children(gateway.pid)):
            pin(pid, cores[0])
        pin(gateway.store_pid(), cores[1])
        yield gateway


def cookie_minter(gateway: Gateway) -> Callable[[int], str]:
    """Return a function that gives a numbered visitor's valid cookie for the demo site, as `name=value`."""
    cookies = Cookies(load_secrets(gateway.data, ["demo"]).cookie_keys)
    site = cast("Any", SimpleNamespace(key="demo", cookie_domain=""))  # all that a cookie needs of a site

    def mint(number: int) -> str:
        visitor = urlsafe_b64encode(blake2b(str(number).encode(), digest_size=15).digest()).decode()
        return f"{cookie_name(site)}={cookies.value(site, visitor)}"

    return mint


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time (µs) and commands that the store ran, those in scripts included: since the start, or for one hit."""

    gateway_us: float
    store_us: float
    store_commands: float

    def since(self, before: Usage, hits: float) -> Usage:
        """Return the use a hit between two moments."""
        hits = max(hits, 1)
        return Usage(
            (self.gateway_us - before.gateway_us) / hits,
            (self.store_us - before.store_us) / hits,
            (self.store_commands - before.store_commands) / hits,
        )


def usage_of(gateway: Gateway) -> Usage:
    """Return what the gateway's processes and its store have used so far."""
    pids = [gateway.pid, *gateway.worker_pids()]
    with gateway.store() as store:
        cpu, stats = store.info("cpu"), store.info("stats")
    store_us = (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6
    return Usage(sum(_cpu_us(pid) for pid in pids), store_us, stats["total_commands_processed"])


def _cpu_us(pid: int) -> float:
    """Return a process's user and system time, see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S * 1e6
