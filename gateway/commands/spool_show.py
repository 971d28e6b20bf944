"""What stands in a spool, as tables that fit 80 columns, or as data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.settings import GatewaySettings
from gateway.spool.looking import Seen, Segment, sites_of

_MOST_SHOWN = 20
_WIDTH = 80
_LONGEST = 200
"""Signs of a reason that are shown."""


def as_data(seen: Seen, folder: Path, now: int, limit: int) -> dict[str, Any]:
    """Return all of it as data; times are ms since 1970."""
    damaged = [*seen.waiting, *seen.aside]
    data: dict[str, Any] = {
        "folder": str(folder),
        "now": now,
        "limit_bytes": limit,
        "waiting": _sums(seen.waiting),
        "aside": _sums(seen.aside)
        | {"reasons": [{"why": r.why, "count": r.count, "example": r.example} for r in seen.reasons.values()]},
        "damage": {"places": sum(s.damaged for s in damaged), "bytes": sum(s.damaged_bytes for s in damaged)},
    }
    return data | {"records": seen.records} if seen.records else data


def _sums(segments: Sequence[Segment]) -> dict[str, Any]:
    return {
        "records": sum(one.records for one in segments),
        "bytes": sum(one.size for one in segments),
        "sites": {
            key: {"events": events, "erasures": erasures, "oldest": oldest}
            for key, events, erasures, oldest in sites_of(segments)
        },
        "segments": [
            {
                "name": one.path.name,
                "begun": one.begun,
                "bytes": one.size,
                "readable": one.readable,
                "locked": one.locked,
                "records": one.records,
                "replayed": one.replayed,
                "events": one.events.total(),
                "erasures": one.erasures.total(),
                "oldest": one.oldest,
                "damaged": one.damaged,
                "damaged_bytes": one.damaged_bytes,
            }
            for one in segments
        ],
    }


def tables(seen: Seen, folder: Path, now: int, limits: GatewaySettings) -> None:
    """Write it to standard output."""
    page = _Page()
    waiting = seen.waiting
    if waiting:
        size, most = sum(one.size for one in (*waiting, *seen.aside)), limits.spool_max_bytes
        oldest = min((one.oldest for one in waiting if one.oldest), default=0)
        waits = f", the oldest for {age(now - oldest)}" if oldest else ""
        page.line(f"{counted(waiting)} wait in {folder}{waits}.")
        page.line(f"The spool takes {megabytes(size)} of {megabytes(most)} (spool_max_bytes).")
        page.table(("site", "events", "erasures", "oldest"), _site_rows(waiting, now))
        _segments(page, waiting, now)
    else:
        page.line(f"Nothing waits in {folder}.")
    if seen.aside:
        page.line("")
        page.line(f"Set aside: {counted(seen.aside)}. `tuttu spool replay --aside` tries them again.")
        page.table(("site", "events", "erasures", "oldest"), _site_rows(seen.aside, now))
        page.table(
            ("times", "why", "for example (UTC)"),
            [(f"{one.count:,}", clean(one.why[:_LONGEST]), _example(one.example)) for one in seen.reasons.values()],
            wide=("why",),
        )
        _segments(page, seen.aside, now)
    for sentence in _troubles([*waiting, *seen.aside]):
        page.line(sentence)
    if seen.records:
        page.line("")
        page.line("records, oldest first:")
        for record in seen.records:
            page.line(clean(orjson.dumps(record).decode()))


def _site_rows(segments: Sequence[Segment], now: int) -> list[tuple[str, ...]]:
    return [
        (clean(key), f"{events:,}", f"{erasures:,}", age(now - oldest) if oldest else "")
        for key, events, erasures, oldest in sites_of(segments)
    ]


def _segments(page: _Page, segments: Sequence[Segment], now: int) -> None:
    shown = segments[:_MOST_SHOWN]
    rows = [
        (
            one.path.name,
            age(now - one.begun) if one.begun else "unknown",
            megabytes(one.size),
            f"{one.records:,}",
            f"{one.replayed:,}",
            state(one),
        )
        for one in shown
    ]
    page.table(("segment", "age", "size", "records", "replayed", "state"), rows)
    if len(segments) > len(shown):
        page.line(f"and {len(segments) - len(shown):,} newer segments, which --json lists")


def state(segment: Segment) -> str:
    """Return in a word or two how a segment stands."""
    if not segment.readable:
        return "other version"
    return "in use" if segment.locked else "free"


def _troubles(segments: Sequence[Segment]) -> Iterable[str]:
    damaged = [one for one in segments if one.damaged]
    if damaged:
        places, size = sum(one.damaged for one in damaged), sum(one.damaged_bytes for one in damaged)
        where = f"{len(damaged)} segments" if len(damaged) > 1 else damaged[0].path.name
        one = "1 place that holds" if places == 1 else f"{places:,} places that hold"
        yield f"Damage: {one} no whole record ({size:,} bytes), in {where}."
    for segment in segments:
        if not segment.readable:
            yield f"{segment.path.name} is not in the format of this version; the release that wrote it can replay it."
    if unreadable := sum(one.unreadable for one in segments):
        yield f"Of all records {unreadable:,} say nothing to this version."


def _example(example: Any) -> str:
    if not example:
        return ""
    at = datetime.fromtimestamp(example["time"] / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return clean(f"{example['site']}: {example['kind']} of {at}")


def counted(segments: Sequence[Segment]) -> str:
    """Return how many events and erasures wait in segments, in words."""
    events, erasures = sum(one.events.total() for one in segments), sum(one.erasures.total() for one in segments)
    text = f"{events:,} event{'' if events == 1 else 's'}"
    return f"{text} and {erasures:,} erasure{'' if erasures == 1 else 's'}" if erasures else text


def age(ms: int) -> str:
    """Return a length of time in its largest unit; one that lies ahead counts as none."""
    seconds = max(0, ms) // 1000
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} s"


def megabytes(size: int) -> str:
    """Return a size in its unit."""
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1000:,.1f} kB"


def clean(text: str) -> str:
    """Return a text that came from outside, so that a terminal shows it and obeys nothing of it."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class _Page:
    """Standard output: as wide as a terminal, or 80 columns."""

    def __init__(self) -> None:
        # Only here: rich takes 0.13 s to import, and every command would pay for it.
        from rich.console import Console  # noqa: PLC0415 - only this verb needs it

        terminal = sys.stdout.isatty()
        self._console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        if not terminal:
            self._console.width = _WIDTH

    def line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)  # a path is copied whole

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, wide: Sequence[str] = ()) -> None:
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for head in heads:
            number = head in ("events", "erasures", "records", "replayed", "size", "times")
            table.add_column(
                head, justify="right" if number else "left", overflow="fold", ratio=1 if head in wide else None,
                no_wrap=head == "segment" or head.startswith("for"),
            )  # fmt: skip
        for row in rows:
            table.add_row(*map(Text, row))
        if rows:
            with self._console.capture() as drawn:
                self._console.print(table)
            self._console.out("", *(line.rstrip() for line in drawn.get().splitlines()), sep="\n")
