"""What stands in a spool, for whoever looks at it: nothing is changed, and one segment at a time is in memory."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.spool.records import set_aside
from gateway.spool.segments import ASIDE, Record, content_of, is_locked, left_in, listed, made_at

_UNREADABLE = "it cannot be read"
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(slots=True)
class Segment:
    """One segment as it stands; counts are of what waits in it. Times are ms since 1970, 0 without any."""

    path: Path
    begun: int
    size: int = 0
    readable: bool = True
    """Whether it is in a format that this version knows."""
    locked: bool = False
    records: int = 0
    replayed: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """Events that wait, by site."""
    erasures: Counter[str] = field(default_factory=Counter)
    oldest: int = 0
    """When the first of what waits was received."""
    damaged: int = 0
    damaged_bytes: int = 0
    unreadable: int = 0
    """Whole records that say nothing to this version."""


@dataclass(slots=True)
class Reason:
    """Why some records were set aside: how many, and the site, kind and time of the first."""

    why: str
    count: int = 0
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Seen:
    """A whole spool: what waits and what was set aside, and `records` one by one where they were asked for."""

    waiting: list[Segment] = field(default_factory=list)
    aside: list[Segment] = field(default_factory=list)
    reasons: dict[str, Reason] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)


def look(folder: Path, most_records: int = 0) -> Seen:
    """Return what stands in a spool's folder, with its first records if these are wanted; raises OSError."""
    seen = Seen()
    for path in listed(folder):
        _add(seen, seen.waiting, path, most_records)
    for path in listed(folder, ASIDE):
        _add(seen, seen.aside, path, most_records)
    return seen


def segment_at(path: Path) -> Segment | None:
    """Return what stands in one segment, None when it is gone; raises OSError."""
    return _add(Seen(), [], path, 0)


def bytes_left(folder: Path) -> int:
    """Return how many bytes wait to be replayed; raises OSError."""
    return sum(map(left_in, listed(folder)))


def in_short(payload: bytes) -> dict[str, Any] | None:
    """Return what a record says, without what the client sent in its events; None when it says nothing."""
    try:
        record = orjson.loads(payload)
        found: dict[str, Any] = {
            "site": str(record["s"]),
            "visitor": str(record["v"]),
            "received": _ms(record["r"]),
        }
        if "x" in record:
            return {**found, "erase_before": _ms(record["x"]), "events": []}
        return {**found, "events": [_event(event) for event in record["e"]]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": str(event["k"]),
        "name": str(event.get("n", "")),
        "messageId": str(event["m"]),
        "time": _ms(event["t"]),
    }


def _ms(value: Any) -> int:
    if not isinstance(value, int) or abs(value) > _LAST_MS:
        raise TypeError("no time")
    return value


def _add(seen: Seen, segments: list[Segment], path: Path, most_records: int) -> Segment | None:
    content = content_of(path)
    if content is None:
        return None
    segment = Segment(path, made_at(path), content.size, content.readable, is_locked(path))
    segments.append(segment)
    if not segment.readable:
        return segment
    segment.replayed = content.replayed()
    for one in content.records():
        if isinstance(one, Record):
            _count(seen, segment, one.payload, most_records)
        else:
            segment.damaged += 1
            segment.damaged_bytes += one.size
    return segment


def _count(seen: Seen, segment: Segment, payload: bytes, most_records: int) -> None:
    segment.records += 1
    why = ""
    if segment.path.suffix == ASIDE:
        why = _UNREADABLE
        with contextlib.suppress(ValueError, LookupError, TypeError):
            why, payload = set_aside(payload)
    found = in_short(payload)
    if why:
        reason = seen.reasons.setdefault(why, Reason(why))
        reason.count += 1
        reason.example = reason.example or (_example(found) if found else {})
    if len(seen.records) < most_records:
        seen.records.append({"segment": segment.path.name, **({"why": why} if why else {}), **(found or {})})
    if found is None:
        segment.unreadable += 1
        return
    segment.oldest = min(filter(None, (segment.oldest, found["received"])), default=0)
    if "erase_before" in found:
        segment.erasures[found["site"]] += 1
    else:
        segment.events[found["site"]] += len(found["events"])


def _example(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the little of a record that is nobody's personal data."""
    events: Sequence[Mapping[str, Any]] = found["events"]
    if not events:
        return {"site": found["site"], "kind": "erasure", "time": found["received"]}
    return {"site": found["site"], "kind": events[0]["type"], "time": events[0]["time"]}


def sites_of(segments: Sequence[Segment]) -> Iterator[tuple[str, int, int, int]]:
    """Yield of each site its key, events and erasures, and when (ms) the oldest of a segment with it was received."""
    keys = sorted({site for segment in segments for site in (*segment.events, *segment.erasures)})
    for key in keys:
        theirs = [one for one in segments if one.events[key] or one.erasures[key]]
        yield (
            key,
            sum(one.events[key] for one in theirs),
            sum(one.erasures[key] for one in theirs),
            min((one.oldest for one in theirs), default=0),
        )
