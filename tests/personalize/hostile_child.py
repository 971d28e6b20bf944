"""Load each hostile input in a process of its own, under limits of the kernel, and print what became of it as JSON.

A process is forked for each, when all imports are done, so that time and memory are those of loading alone. Takes the
limits as arguments: CPU seconds, and megabytes that the process may grow by.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from personalize.loader import load
from tests.personalize.hostile_inputs import FILES, HOSTILE

SECONDS, MEGABYTES = int(sys.argv[1]), int(sys.argv[2])


def grown() -> int:
    """Return the most memory that this process has had resident, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def limited(work: Callable[[], int], seconds: int = SECONDS) -> dict[str, int]:
    """Return the outcome of work in a child: its end, its growth, and what it returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            # Twice: address space is also taken by what is never touched.
            resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEGABYTES * 2**20,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            before = grown()
            found = work()
            os.write(writer, json.dumps({"problems": found, "grown_mb": (grown() - before) // 1024}).encode())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told by the exit code
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status, _ = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"code": max(code, 0), "signal": max(-code, 0), **(json.loads(told) if told else {})}


def loading(source: str | bytes) -> Callable[[], int]:
    return lambda: len(load({**FILES, "hostile.yaml": source})[1])


def endless() -> int:
    while True:
        pass


def main() -> None:
    load(FILES)  # what is made at first use is no cost of a hostile file
    outcomes = {name: limited(loading(source)) for name, source in HOSTILE.items()}
    outcomes["(endless)"] = limited(endless, seconds=1)
    outcomes["(huge)"] = limited(lambda: len(bytearray(3 * MEGABYTES * 2**20)))
    print(json.dumps(outcomes))  # noqa: T201 - its answer


main()
