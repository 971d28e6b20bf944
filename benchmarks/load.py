"""What the benchmark sends: visitors, requests of about 600 bytes, and wrk to send them.

Everything is prepared in files ahead of the measurement, so that the load generator only joins strings.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

VISITORS = 100_000
AGENTS = 1_000
ADDRESSES = 10_000
CONNECTIONS = 64
TEMPLATES = 40
COLD_STRIDE = 9_973
"""A prime, so that the runs start taking cold visitors from ever other places."""
MESSAGE_ID = "@"

_PAGES = [
    "/",
    "/hinnoittelu",
    "/tuotteet/raportointi",
    "/tuotteet/integraatiot",
    "/docs/api",
    "/blogi/42",
    "/case",
    "/tuki",
]
_PLACEMENTS = ["home hero", "article footer"]


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw in one measurement; `p99_us` is the 99th percentile of the answer times."""

    requests: int
    seconds: float
    broken: int
    timeouts: int
    refused: int
    p99_us: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def prepare(folder: Path, cookie_of: Callable[[int], str]) -> None:
    """Write the visitors' headers and each kind's requests into the folder; `cookie_of` mints a visitor's cookie."""
    visitors = (_headers(n, f"Cookie: {cookie_of(n)}") for n in range(VISITORS))
    (folder / "visitors.txt").write_text("\n".join(visitors), "utf-8")
    strangers = (_headers(n, "DNT: 0") for n in range(ADDRESSES))
    (folder / "strangers.txt").write_text("\n".join(strangers), "utf-8")
    kinds = {"seed": _seed, "track": _track, "decide": _decide, "decide-with-event": _decide_with_event}
    for kind, bodies in kinds.items():
        lines = [f'{path}\t{orjson.dumps(body).decode()[:-1]},"number":#}}' for path, body in bodies()]
        (folder / f"{kind}.txt").write_text("\n".join(lines), "utf-8")


class Wrk:
    """The load generator over one prepared folder; it numbers its runs, so that no messageId comes twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def run(self, url: str, kind: str, seconds: float, start: int | None = None) -> Load:
        """Send requests of one kind for a time; `start` says from which visitor on, else each run takes other ones."""
        self._runs += 1
        script = Path(__file__).with_name("load.lua")
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds:g}s",
            "--timeout",
            "10s",
            "-s",
            str(script),
            url,
            "--",
        ]
        first = self._runs * COLD_STRIDE if start is None else start
        arguments = [kind, str(self._folder), f"run{self._runs:04}-", str(first)]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
        requests, duration_us, broken, timeouts, refused, p99_us = map(int, result.split()[1:])
        return Load(requests, duration_us / 1e6, broken, timeouts, refused, p99_us)


def _headers(n: int, extra: str) -> str:
    """Return a browser's headers; the addresses are of the network that RFC 2544 keeps for benchmarks."""
    agent, address = n % AGENTS, n % ADDRESSES
    engine = "AppleWebKit/537.36 (KHTML, like Gecko)"
    systems = (
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 14",
    )
    browser = f"Chrome/{100 + agent // 4 % 50}.0.{agent}.0"
    return "\t".join(
        [
            f"User-Agent: Mozilla/5.0 ({systems[agent % 4]}) {engine} {browser} Safari/537.36",
            f"X-Forwarded-For: 198.{18 + address // 65536}.{address // 256 % 256}.{address % 256}",
            "Content-Type: text/plain",
            "Origin: http://localhost:3000",
            "Accept-Language: fi-FI,fi;q=0.9,en;q=0.8",
            extra,  # the last: see load.lua on hashes
        ]
    )


def _page(n: int) -> dict[str, str]:
    path = _PAGES[n % len(_PAGES)]
    return {"path": path, "url": f"http://localhost:3000{path}?utm_source=news&utm_campaign=syksy", "title": "Insight"}


def _context(n: int) -> dict[str, Any]:
    library = {"name": "tuttu.js", "version": "0.1.0"}
    screen = {"width": 1280, "height": 720, "density": 2}
    return {"page": _page(n), "library": library, "locale": "fi-FI", "screen": screen, "timezone": "Europe/Helsinki"}


def _event(n: int) -> dict[str, Any]:
    names = ("download", "video played", "search", "scrolled")
    topics = {"topic": ("reporting", "integrations")[n % 2], "type": ("whitepaper", "case", "video")[n % 3]}
    return {"type": "track", "event": names[n % 4], "properties": {**topics, "position": n, "list": "raportit"}}


def _track() -> Iterator[tuple[str, dict[str, Any]]]:
    for n in range(TEMPLATES):
        event = {**_event(n), "messageId": MESSAGE_ID, "context": _context(n), "integrations": {}, "writeKey": "demo"}
        yield "/v1/track", {**event, "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []}}


def _decide() -> Iterator[tuple[str, dict[str, Any]]]:
    consent = ["analytics", "personalization"]
    for n in range(TEMPLATES):
        asked = {"writeKey": "demo", "placements": _PLACEMENTS, "context": _context(n), "consent": consent}
        yield (
            "/v1/decide",
            {**asked, "request": MESSAGE_ID, "sdk": {"name": "tuttu.js", "features": ["queue", "beacon"] * 6}},
        )


def _decide_with_event() -> Iterator[tuple[str, dict[str, Any]]]:
    consent = ["analytics", "personalization"]
    for n in range(TEMPLATES):
        page = {"type": "page", "name": "Insight", "messageId": MESSAGE_ID, "properties": _page(n)}
        asked = {"writeKey": "demo", "placements": _PLACEMENTS, "context": _context(n), "consent": consent}
        yield "/v1/decide", {**asked, "batch": [page]}


def _seed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what gives a visitor a short past: two pages and something done."""
    for n in range(TEMPLATES):
        pages = [{"type": "page", "properties": _page(n + i)} for i in range(2)]
        yield (
            "/v1/batch",
            {"writeKey": "demo", "batch": [{**_event(n), "messageId": MESSAGE_ID}, *pages], "context": _context(n)},
        )
