"""`make fuzz-decoders`: atheris leads bytes into each decoder by what they reach of its code, for so many seconds each.

    make fuzz-decoders ARGS="--seconds 300 --only events,addresses"

What breaks a decoder is written to .fuzz/ by its name. Each decoder has a process of its own, as libFuzzer wants it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
from rich.console import Console

from tests.fuzz.hostile_values import ADDRESSES, COOKIES, HEADER_VALUES, IDS, TIMES
from tests.fuzz.requests import samples

FOLDER = Path(".fuzz")

CONSENT = (
    b'{"consent":["analytics"]}', b'{"Analytics":true,"Advertising":false}',
    b'{"consent":{"categoryPreferences":{"a":true}}}',
    b'{"allowedConsentIds":["C0002"],"deniedConsentIds":{"C0004":1},"resolutionStrategy":"or"}',
)  # fmt: skip

console = Console()


def main() -> None:
    """Run every decoder; the exit status is 1 if one was broken."""
    parser = argparse.ArgumentParser(prog="fuzz-decoders", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", default="")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.one:
        _fuzz(options.one, rest)
        return
    from tests.fuzz.decoders import DECODERS  # noqa: PLC0415 - a child imports it under atheris, see _fuzz

    names = options.only.split(",") if options.only else list(DECODERS)
    broken = [name for name in names if not _lead(name, options.seconds)]
    sys.exit(f"broken: {', '.join(broken)}" if broken else 0)


def _lead(name: str, seconds: int) -> bool:
    """Lead one decoder and print what came of it; return whether it held."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tuttu-fuzz-") as corpus:
        _plant(Path(corpus))
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.guided", "--one", name]
        limits = [
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-timeout=5",
            "-rss_limit_mb=1500",
            "-print_final_stats=1",
        ]
        done = subprocess.run(
            [*command, *limits, f"-artifact_prefix={FOLDER}/{name}-", corpus],
            capture_output=True,
            text=True,
            check=False,
        )
    lines = done.stderr.splitlines()
    told = [line for line in lines if "DONE" in line or "cov:" in line][-1:]
    units = [line.rpartition(" ")[2] for line in lines if "number_of_executed_units" in line]
    console.print(f"{name}: {''.join(units)} inputs, {''.join(told).strip()}")
    if done.returncode:
        console.print(done.stdout[-3_000:], "\n".join(lines[-30:]), sep="\n", markup=False)
    return done.returncode == 0


def _plant(corpus: Path) -> None:
    """Begin with what is known to be hostile, and with what clients send."""
    known = [*(text.encode() for text in (*IDS, *TIMES, *ADDRESSES)), *COOKIES, *HEADER_VALUES]
    bodies = [orjson.dumps(sample.body) for sample in samples()]
    known += [*bodies, *(b"\x00" + body for body in bodies), *CONSENT]
    for number, data in enumerate(known):
        (corpus / str(number)).write_bytes(data[:4_096])


def _fuzz(name: str, rest: list[str]) -> None:
    import atheris  # noqa: PLC0415 - there only where `make fuzz-decoders` has put it

    with atheris.instrument_imports(include=["gateway", "personalize"]):
        from tests.fuzz.decoders import DECODERS  # noqa: PLC0415 - to be instrumented

    atheris.Setup([sys.argv[0], *rest], DECODERS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
