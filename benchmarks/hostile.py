"""`make bench-hostile`: what others notice while a gateway is attacked: their p50, p99 and longest wait.

A client makes an ordinary hit 100 times a second, by the clock, whether or not the last one was answered; its times
count from when a hit was due. Beside it another process attacks the same gateway (two workers, the embedded store), at
a bounded rate: what a single address is let through, not what a botnet can do.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import math
import multiprocessing
import os
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import orjson

from benchmarks.machine import Machine
from tests.fuzz.requests import plain
from tests.fuzz.sockets import Client
from tests.integration.process import Gateway

HITS_A_SECOND = 100
MOST_MS = 50.0
"""What others' p99 may be during an attack."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to attack: so many bodies a second, or so many connections that send a byte now and then."""

    name: str
    rate: float = 0
    body: bytes = b""
    zipped: bool = False
    connections: int = 0
    opening: bytes = b""


def attacks(connections: int) -> list[Attack]:
    """Return what is tried, the calm first."""
    head = b"POST /v1/batch HTTP/1.1\r\nhost: a\r\nx-write-key: demo\r\n"
    names = b",".join(b'"%x":1' % number for number in range(95_000))
    events = b",".join(
        b'{"type":"page","anonymousId":"%d","properties":{"path":"/"}}' % number for number in range(4_000)
    )
    page = b'{"type":"page","properties":{"path":"/","url":"http://a/?utm_source=%b"}}' % (b"%" * 900)
    return [
        Attack("nothing"),
        Attack("idle connections", connections=connections),
        Attack("slow headers", connections=connections, opening=head + b"x-a: "),
        Attack("slow bodies", connections=connections, opening=head + b"content-length: 100000\r\n\r\n"),
        Attack("gzip bombs (100 MB)", 20, gzip.compress(b" " * 100_000_000, 9), zipped=True),
        Attack("deep JSON (4 MB)", 5, b'{"a":' * 790_000),
        Attack("a million objects (3 MB)", 5, b'{"batch":[' + b"{}," * 1_000_000 + b"{}]}"),
        Attack("95,000 names (1 MB)", 1, b'{"batch":[{' + names + b"}]}"),
        Attack("4,000 bad events", 1, b'{"batch":[' + b"{}," * 3_999 + b"{}]}"),
        Attack("4,000 events of as many", 0.2, b'{"batch":[' + events + b"]}"),
        Attack("3,900 pages of one visitor", 1, b'{"batch":[' + page + (b"," + page) * 3_899 + b"]}"),
    ]


def main() -> None:
    """Measure and print; the exit status is 1 when others had to wait longer than they may."""
    parser = argparse.ArgumentParser(prog="bench-hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="for each attack (20)")
    parser.add_argument("--connections", type=int, default=2_000, help="of the slow ones (2,000)")
    parser.add_argument("--only", default="", help="attacks whose name has this in it")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    slow = False
    with tempfile.TemporaryDirectory(prefix="tuttu-hostile-") as name:
        with Gateway(Path(name) / "data", "--workers", "2") as gateway:
            for line in Machine.here(gateway, (0, 0)).describe(sys.argv[1:]).splitlines()[:3]:
                print(line)
            print("cores    shared by two workers, their store, the client and the attacker")
            print(
                f"load before: {os.getloadavg()[0]:.1f}; p50, p99 and longest of {HITS_A_SECOND} hits a second, in ms\n"
            )
            print(f"{'attack':<26}{'rate':>14}{'p50':>8}{'p99':>8}{'max':>8}{'peak MB':>9}  statuses: others; attack")
            for attack in attacks(options.connections):
                if options.only in attack.name:
                    slow |= _measure(gateway, attack, options.seconds) > MOST_MS
        print("\nno traceback" if "Traceback" not in gateway.errors() else gateway.errors())
    sys.exit(1 if slow else 0)


def _measure(gateway: Gateway, attack: Attack, seconds: float) -> float:
    """Measure one attack, print its row, and return the others' p99 in ms."""
    for pid in gateway.worker_pids():
        Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")  # the peak begins anew, see proc(5)
    context = multiprocessing.get_context("spawn")
    seen: multiprocessing.Queue[Mapping[int, int]] = context.Queue()
    attacker = context.Process(target=_attack, args=(gateway.public, attack, seconds + 2, seen))
    attacker.start()
    times, statuses = asyncio.run(_others(gateway.public, seconds))
    theirs = seen.get(timeout=60)
    attacker.join()
    peak = max(_peak_mb(pid) for pid in gateway.worker_pids())
    ordered = sorted(times)
    p99 = ordered[math.ceil(len(ordered) * 0.99) - 1]
    rate = f"{attack.connections:,} open" if attack.connections else f"{attack.rate:g}/s" if attack.rate else "-"
    told = f"{_told(statuses)}; {_told(theirs) or '-'}"
    print(
        f"{attack.name:<26}{rate:>14}{median(ordered):8.1f}{p99:8.1f}{ordered[-1]:8.1f}{peak:9.0f}  {told}", flush=True
    )
    return p99


async def _others(url: str, seconds: float) -> tuple[list[float], Counter[int]]:
    """Make hits by the clock and return how long each took from when it was due (ms), and their statuses."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(1.5)  # the attack begins
    free: list[Client] = []
    times: list[float] = []
    statuses: Counter[int] = Counter()

    async def hit(number: int, due: float) -> None:
        client = free.pop() if free else Client(url)
        body = {"anonymousId": f"other-{number % 50}", "messageId": f"{due}-{number}", "properties": {"path": "/"}}
        status = await client.send(plain("/v1/page", body))
        times.append((loop.time() - due) * 1000)
        statuses[status] += 1
        free.append(client)

    began, hits = loop.time(), set()
    for number in range(int(seconds * HITS_A_SECOND)):
        due = began + number / HITS_A_SECOND
        await asyncio.sleep(max(0.0, due - loop.time()))
        hits.add(asyncio.create_task(hit(number, due)))
    await asyncio.gather(*hits)
    for client in free:
        await client.close()
    return times, statuses


def _attack(url: str, attack: Attack, seconds: float, seen: multiprocessing.Queue[Mapping[int, int]]) -> None:
    """Attack for so long, in a process of its own."""
    os.nice(5)  # it shall press upon the gateway, not upon whoever measures
    seen.put(asyncio.run(_slow(url, attack, seconds) if attack.connections else _bombs(url, attack, seconds)))


async def _bombs(url: str, attack: Attack, seconds: float) -> Counter[int]:
    """Send bodies at the attack's rate."""
    statuses: Counter[int] = Counter()
    if not attack.rate:
        return statuses
    headers = [(b"content-encoding", b"gzip")] if attack.zipped else []
    sent = plain("/v1/batch", attack.body, *headers)

    async def throw() -> None:
        client = Client(url)
        statuses[await client.send(sent)] += 1
        await client.close()

    thrown = set()
    for _ in range(max(1, int(seconds * attack.rate))):
        thrown.add(asyncio.create_task(throw()))
        await asyncio.sleep(1 / attack.rate)
    await asyncio.gather(*thrown)
    return statuses


async def _slow(url: str, attack: Attack, seconds: float) -> Counter[int]:
    """Hold connections open, each with a byte a second; whoever is sent away comes again."""
    parts = urlsplit(url)
    statuses: Counter[int] = Counter()
    end = asyncio.get_running_loop().time() + seconds

    async def hold(number: int) -> None:
        await asyncio.sleep(number / attack.connections)
        while asyncio.get_running_loop().time() < end:
            try:
                await _hold_one(parts.hostname or "", parts.port or 0, attack.opening, end, statuses)
            except OSError:
                statuses[0] += 1
                await asyncio.sleep(0.5)

    await asyncio.gather(*map(hold, range(attack.connections)))
    return statuses


async def _hold_one(host: str, port: int, opening: bytes, end: float, statuses: Counter[int]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(opening)
        while asyncio.get_running_loop().time() < end:
            try:
                answer = await asyncio.wait_for(reader.read(4_096), 1.0)
            except TimeoutError:
                if opening:
                    writer.write(b"a")
                continue
            statuses[int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0] += 1
            return
    finally:
        writer.close()


def _told(counts: Mapping[int, int]) -> str:
    return orjson.dumps({str(status) if status else "closed": n for status, n in sorted(counts.items())}).decode()[1:-1]


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
