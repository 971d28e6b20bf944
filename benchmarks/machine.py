"""What the benchmark runs on, and which core each process may use (Linux only: /proc and CPU affinity)."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

from tests.integration.process import Gateway


@dataclass(frozen=True, slots=True)
class Machine:
    """The lines that stand above the figures, because figures without them say nothing."""

    processor: str
    store: str
    cores: Sequence[int]

    @classmethod
    def here(cls, gateway: Gateway, cores: Sequence[int]) -> Self:
        """Look at this machine and at the gateway's store."""
        return cls(processor(), _store(gateway), cores)

    def describe(self, arguments: Sequence[str]) -> str:
        """Return the lines."""
        served = ", ".join(
            f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "httptools", "orjson", "hiredis")
        )
        command = "make bench" + (f" ARGS={shlex.quote(shlex.join(arguments))}" if arguments else "")
        return "\n".join(
            [
                f"machine  {self.processor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
                f"python   {platform.python_version()}; {served}",
                f"store    {self.store}",
                f"command  {command}",
                f"cores    the measured server on core {self.cores[0]}; its store and wrk on core {self.cores[1]}",
            ]
        )


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def pin(pid: int, core: int) -> None:
    """Let every thread of a process run on this core only."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


@contextmanager
def busy_share(core: int) -> Iterator[list[float]]:
    """Put into the list, at the end of the block, which share of the core's time was not idle during it."""
    share = [0.0]
    busy, total = _ticks(core)
    yield share
    busy_after, total_after = _ticks(core)
    share[0] = (busy_after - busy) / max(total_after - total, 1)


def _ticks(core: int) -> tuple[int, int]:
    """Return a core's busy and total clock ticks, see proc_stat(5)."""
    lines = Path("/proc/stat").read_text("utf-8").splitlines()
    values = [int(x) for line in lines if line.startswith(f"cpu{core} ") for x in line.split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)


def _store(gateway: Gateway) -> str:
    with gateway.store() as store:
        server, policy = store.info("server"), store.config_get("append*")
    name = server.get("server_name", "redis")
    number = server.get("valkey_version") or server["redis_version"]
    durable = f"AOF {policy['appendfsync']}" if policy["appendonly"] == "yes" else "no AOF"
    return f"{name} {number}, embedded, unix socket, {durable}"
