"""The compiled list of autonomous systems: one file that all workers map into memory and search by bisection.

Little more than sorted arrays: where each range begins, and whose it is. A range that nobody announces belongs to
record 0, so that an end needs no array of its own. Facts only: what a name means is decided by the release that reads
it, see `classify.py`.

    header   magic, format, byte order, IPv4 ranges, IPv6 ranges, records, bytes of names, build time (s since 1970)
    IPv6     range starts, first halves (uint64); second halves (uint64)
    records  IPv4 addresses announced (uint64)
    IPv4     range starts (uint32); records (uint32)
    IPv6     records (uint32)
    records  AS number (uint32); where its name ends (uint32)
    names    UTF-8, one after the other

Numbers are in the machine's own byte order: the file is made where it is read.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.networks.errors import DataBroken

MAGIC = b"TUTTUASN"
FORMAT = 1
BYTE_ORDER = 0x01020304
HEADER = struct.Struct("=8sIIIIIIQ")
SECTIONS = "QQQIIIII"
"""The item type of each array, in the order of the file: the wide ones first, so that all are aligned."""

_LOW_HALF = (1 << 64) - 1


class Network(NamedTuple):
    """An autonomous system: its number, the name that it is registered by, and how many IPv4 addresses it announces."""

    number: int
    name: str
    addresses: int


class AsnTable:
    """A compiled file, open for searching. Raises DataBroken when the file is none, or not all of it."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as err:  # ValueError: an empty file cannot be mapped
            raise DataBroken(f"{path}: {err}") from err
        if len(content) < HEADER.size or content[:8] != MAGIC:
            raise DataBroken(f"{path}: this is no compiled list of autonomous systems")
        _, version, order, ranges4, ranges6, records, names, self.built = HEADER.unpack(content[: HEADER.size])
        if (version, order) != (FORMAT, BYTE_ORDER):
            raise DataBroken(f"{path}: made by another release or machine (format {version}); fetch the data again")
        lengths = (ranges6, ranges6, records, ranges4, ranges4, ranges6, records, records)
        sizes = [length * array(kind).itemsize for length, kind in zip(lengths, SECTIONS, strict=True)]
        if HEADER.size + sum(sizes) + names != len(content) or not ranges4 or not ranges6 or not records:
            raise DataBroken(
                f"{path}: the file has {len(content)} bytes, not what its header says; fetch the data again"
            )
        views, at = [], HEADER.size
        for size, kind in zip(sizes, SECTIONS, strict=True):
            views.append(content[at : at + size].cast(kind))  # type: ignore[call-overload] # the kinds are literals
            at += size
        self._high6, self._low6, self._addresses, self._start4, self._record4, self._record6 = views[:6]
        self._number, self._name_end = views[6:]
        self._names = content[at:]
        self.rows = ranges4 + ranges6

    def __len__(self) -> int:
        return len(self._number) - 1

    def find(self, address: bytes) -> int:
        """Return the record that 4 or 16 bytes belong to; 0 when nobody announces the address."""
        if len(address) == 4:
            return int(self._record4[bisect_right(self._start4, int.from_bytes(address, "big")) - 1])
        high, low = int.from_bytes(address[:8], "big"), int.from_bytes(address[8:], "big")
        after = bisect_right(self._high6, high)
        # Among the ranges that begin with the same half, the other half decides; mostly there is one or none.
        first = bisect_left(self._high6, high, 0, after)
        return int(self._record6[bisect_right(self._low6, low, first, after) - 1])

    def network(self, record: int) -> Network:
        """Return a record, counted from 1."""
        begin, end = self._name_end[record - 1], self._name_end[record]
        name = str(self._names[begin:end], "utf-8")
        return Network(self._number[record], name, self._addresses[record])

    def ranges4(self) -> Iterator[tuple[int, int, int]]:
        """Yield (first address, number of addresses, record) of every IPv4 range, those of nobody too."""
        ends = [*self._start4[1:], 1 << 32]
        for start, end, record in zip(self._start4, ends, self._record4, strict=True):
            yield start, end - start, record

    def larger_than(self, addresses: int) -> Iterator[Network]:
        """Yield every system that announces more IPv4 addresses than this."""
        for record in range(1, len(self._number)):
            if self._addresses[record] > addresses:
                yield self.network(record)


def write(  # noqa: PLR0913 - the arrays of the file, one by one
    path: Path,
    built: int,
    *,
    starts4: array[int],
    records4: array[int],
    starts6: list[int],
    records6: array[int],
    networks: list[Network],
) -> None:
    """Write a compiled file; `networks[0]` is nobody, and both lists of ranges begin at address 0. Raises OSError."""
    names = [network.name.encode() for network in networks]
    ends, end = array("I"), 0
    for name in names:
        end += len(name)
        ends.append(end)
    counts = (len(starts4), len(starts6), len(networks), end)
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, FORMAT, BYTE_ORDER, *counts, built))
        for section in (
            array("Q", (start >> 64 for start in starts6)),
            array("Q", (start & _LOW_HALF for start in starts6)),
            array("Q", (network.addresses for network in networks)),
            starts4,
            records4,
            records6,
            array("I", (network.number for network in networks)),
            ends,
        ):
            section.tofile(file)
        file.write(b"".join(names))
