"""From the published list of autonomous systems to the compiled one.

The list is rows of `first address,last address,AS number,name`, sorted. A few overlap or are damaged; they are clipped
or left out. When that is more than one in a hundred, the list is not what it should be and is refused.
"""

from __future__ import annotations

import csv
import socket
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.networks.asn_table import Network, write
from gateway.networks.errors import DataBroken

_MOST_BAD = 0.01
_MOST_NUMBER = 2**32 - 1
_LONGEST_NAME = 200
_SHOWN_EVERY = 5000


@dataclass(slots=True)
class _Records:
    """The autonomous systems in the order in which they turn up; record 0 is nobody."""

    by_number: dict[int, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=lambda: [""])
    addresses: list[int] = field(default_factory=lambda: [0])

    def of(self, number: int, name: str) -> int:
        """Return the record of an AS number; the first name that it turns up with stays."""
        record = self.by_number.setdefault(number, len(self.names))
        if record == len(self.names):
            self.names.append(name[:_LONGEST_NAME])
            self.addresses.append(0)
        return record

    def networks(self) -> list[Network]:
        """Return all of them, nobody first."""
        numbers = [0, *self.by_number]
        return [Network(*row) for row in zip(numbers, self.names, self.addresses, strict=True)]


def compile_list(
    ipv4: Iterable[str], ipv6: Iterable[str], built: int, to: Path, advance: Callable[[int], object]
) -> int:
    """Compile the lines of both lists into a file; returns how many rows were taken.

    `built` is in s since 1970; `advance` is told the rows so far. Raises DataBroken, OSError when it cannot be written.
    """
    records = _Records()
    starts4, records4 = _ranges(ipv4, socket.AF_INET, records, advance)
    rows = sum(record != 0 for record in records4)
    starts6, records6 = _ranges(ipv6, socket.AF_INET6, records, lambda done: advance(rows + done))
    rows += sum(record != 0 for record in records6)
    advance(rows)
    write(
        to,
        built,
        starts4=array("I", starts4),
        records4=records4,
        starts6=starts6,
        records6=records6,
        networks=records.networks(),
    )
    return rows


def _ranges(
    lines: Iterable[str], family: socket.AddressFamily, records: _Records, advance: Callable[[int], object]
) -> tuple[list[int], array[int]]:
    """Return where each range begins and whose it is, without gaps from address 0 to the last one."""
    starts, owners = [0], array("I", [0])
    free = good = bad = 0
    for done, row in enumerate(csv.reader(lines), 1):
        if done % _SHOWN_EVERY == 0:
            advance(done)
        parsed = _parsed(row, family)
        if parsed is None or parsed[1] < free:
            bad += 1
            continue
        first, last, number, name = parsed
        good += 1
        first = max(first, free)
        record = records.of(number, name)
        if family == socket.AF_INET:
            records.addresses[record] += last - first + 1
        _append(starts, owners, first, record)
        _append(starts, owners, last + 1, 0)
        free = last + 1
    if bad > (good + bad) * _MOST_BAD or not good:
        raise DataBroken(f"the list of autonomous systems has {bad} bad rows beside {good} good ones")
    if starts[-1] > (0xFFFFFFFF if family == socket.AF_INET else (1 << 128) - 1):
        del starts[-1], owners[-1]  # the last range reaches to the very end
    return starts, owners


def _append(starts: list[int], owners: array[int], start: int, record: int) -> None:
    """Let a range begin; one that begins where the last one does takes its place."""
    if starts[-1] == start:
        starts.pop()
        owners.pop()
    if not owners or owners[-1] != record:
        starts.append(start)
        owners.append(record)


def _parsed(row: list[str], family: socket.AddressFamily) -> tuple[int, int, int, str] | None:
    try:
        first, last, number, name = row
        begin, end = (int.from_bytes(socket.inet_pton(family, text), "big") for text in (first, last))
        asn = int(number)
    except (OSError, ValueError):
        return None
    return (begin, end, asn, " ".join(name.split())) if begin <= end and 0 < asn <= _MOST_NUMBER else None
