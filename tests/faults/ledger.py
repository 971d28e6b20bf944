"""The book of what was answered, and the audit: what the store holds against it.

Accepted means: a 200 whose `accepted` counts the message, which a decision does not name in `retry`. Such a message
must stand in the log once, and have its one effect. Effects are counted by the rules' one matcher: for every visitor,
aliases followed, its total must equal the number of the visitor's messages in the log.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import redis

from gateway.store import keys
from personalize import aliases
from personalize.aliases import Alias

DEADLINE_S = 0.050
ALLOWANCE_S = 0.010
"""What a decision may take beyond its 50 ms between the client's write and its read of the whole answer: two ways
through the kernel, and the turns of two processes. The time for which the client's own loop stood still is taken
off."""

_SCAN = 1000


@dataclass(slots=True)
class Book:
    """What the client wrote down. Times are seconds of the machine's monotonic clock."""

    accepted: dict[str, float] = field(default_factory=dict)
    """Message id -> when it was first answered as accepted."""
    sent: set[str] = field(default_factory=set)
    newcomers: set[str] = field(default_factory=set)
    """Messages of visitors without a cookie that were sent again: their retry is another visitor's, by design."""
    odd: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    """Longest time without a 200, from the first to the last of the steady phase."""
    decisions: int = 0
    decisions_answered: int = 0
    decisions_in_time: int = 0
    slowest_decision_s: float = 0.0
    degraded: int = 0


def read_book(path: Path) -> Book:
    """Return the book, of which the last line may be half written."""
    book, tries = Book(), Counter[str]()
    latest = first = 0.0
    for line in path.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        book.statuses[entry["status"]] += 1
        book.sent.update(entry["ids"])
        for message in entry["accepted"]:
            book.accepted.setdefault(message, entry["ended"])
        if "odd" in entry:
            book.odd.append(entry["odd"])
        if entry["kind"] == "newcomer":
            for message in entry["ids"]:
                tries[message] += 1
        if not entry["again"]:
            first = first or entry["begun"]
            if entry["status"] == 200:
                book.longest_gap_s = max(book.longest_gap_s, entry["ended"] - (latest or first))
                latest = max(latest, entry["ended"])
        if entry["kind"] in ("decide", "ask"):
            _note_decision(book, entry)
    book.newcomers = {message for message, n in tries.items() if n > 1}
    return book


def _note_decision(book: Book, entry: dict[str, Any]) -> None:
    book.decisions += 1
    if entry["status"] != 200:
        return
    took = entry["ended"] - entry["begun"] - entry["stood"]
    book.decisions_answered += 1
    book.decisions_in_time += took <= DEADLINE_S + ALLOWANCE_S
    book.slowest_decision_s = max(book.slowest_decision_s, took)
    book.degraded += entry["degraded"]


@dataclass(slots=True)
class Audit:
    """What the store holds, held against the book."""

    lost: list[str]
    """Accepted, but not in the log."""
    doubled: list[str]
    """More than once in the log."""
    twins: int
    """Doubled messages of newcomers whose first answer was lost; see Book.newcomers."""
    effects_lost: int
    """Messages in the log that a profile does not count."""
    effects_doubled: int
    """Counts of a profile without a message."""
    unasked: int
    """Messages in the log that were never answered as accepted; harmless."""
    stored: int

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, nothing doubled."""
        return not (self.lost or self.doubled or self.effects_lost or self.effects_doubled)


def audit(store: redis.Redis, book: Book) -> Audit:
    """Hold what the store has against the book; call it when nothing is under way any more."""
    entries = read_log(store)
    counts = Counter(entry["m"] for entry in entries)
    doubled = [m for m, n in counts.items() if n > 1 and m not in book.newcomers]
    totals, to = _read_profiles(store)
    logged: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry["e"].get("event") == "Hit":
            logged[_owner(f"{entry['s']}:{entry['v']}", to)] += 1
    visitors = logged.keys() | totals.keys()
    return Audit(
        lost=[m for m in book.accepted if m not in counts],
        doubled=doubled,
        twins=sum(n > 1 for m, n in counts.items() if m in book.newcomers),
        effects_lost=sum(max(0, logged.get(v, 0) - totals.get(v, 0)) for v in visitors),
        effects_doubled=sum(max(0, totals.get(v, 0) - logged.get(v, 0)) for v in visitors),
        unasked=sum(m not in book.accepted for m in counts),
        stored=len(counts),
    )


def read_log(store: redis.Redis) -> list[dict[str, Any]]:
    """Return every entry of every partition's log."""
    with store.pipeline(transaction=False) as pipe:
        for partition in range(keys.PARTITIONS):
            pipe.xrange(keys.log_key(partition))
        return [orjson.loads(fields[b"e"]) for entries in pipe.execute() for _, fields in entries]


def merges_under_way(store: redis.Redis) -> int:
    """Return how many merges were begun and are not seen to be over."""
    with store.pipeline(transaction=False) as pipe:
        for partition in range(keys.PARTITIONS):
            pipe.scard(keys.merging_key(partition))
        return sum(pipe.execute())


def _read_profiles(store: redis.Redis) -> tuple[dict[str, int], dict[str, str]]:
    """Return what each visitor's profile counts, and whom each alias leads to; both by `<site>:<kind>:<id>`."""
    totals: dict[str, int] = {}
    to: dict[str, str] = {}
    names = [bytes(key) for key in store.scan_iter("{p*}:v:*", count=_SCAN)]
    for start in range(0, len(names), _SCAN):
        some = names[start : start + _SCAN]
        for key, document in zip(some, store.mget(some), strict=True):
            name = key.decode().partition(":v:")[2]
            if document is None:
                continue
            found = aliases.decode(document)
            if isinstance(found, Alias):
                to[name] = f"{name.partition(':')[0]}:{found.to}"
            else:
                totals[name] = sum(row[0] for row in found.matchers.values())
    return totals, to


def _owner(name: str, to: dict[str, str]) -> str:
    seen: set[str] = set()
    while name in to and name not in seen:
        seen.add(name)
        name = to[name]
    return name
