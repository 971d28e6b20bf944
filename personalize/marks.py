"""Message marks: which messages of a visitor were already applied.

Packed as 9 bytes each, in order of arrival: 6 bytes of the message id's hash, 3 bytes of the hour. They hold for 48 h,
at most 4,096 of them; the oldest go first.
"""

from __future__ import annotations

from collections.abc import Sequence

KEPT_HOURS = 48
MOST = 4096
SIZE = 9
"""Bytes of one mark."""

_PRINT = 6
_FEW = 256


class Marks:
    """A visitor's message marks. `packed` is what the store keeps; treat it as a value."""

    __slots__ = ("_known", "packed")

    def __init__(self, packed: bytes = b"") -> None:
        self.packed = packed
        self._known: set[bytes] | None = None

    def _prints(self) -> set[bytes]:
        if self._known is None:
            packed = self.packed
            self._known = {packed[i : i + _PRINT] for i in range(0, len(packed), SIZE)}
        return self._known

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._prints()

    def united(self, other: Marks) -> tuple[Marks, int]:
        """Return the marks of both, the oldest first, and how many had to go at the cap."""
        hours: dict[bytes, bytes] = {}
        for packed in (self.packed, other.packed):
            for at in range(0, len(packed), SIZE):
                fingerprint, hour = packed[at : at + _PRINT], packed[at + _PRINT : at + SIZE]
                hours[fingerprint] = max(hour, hours.get(fingerprint, hour))
        marks = sorted(hour + fingerprint for fingerprint, hour in hours.items())
        kept = marks[-MOST:]
        return Marks(b"".join([mark[-_PRINT:] + mark[:-_PRINT] for mark in kept])), len(marks) - len(kept)

    def at_rest(self) -> Marks:
        """Return the marks for keeping: many of them without their set, which takes nine times the room."""
        return self if len(self.packed) <= _FEW * SIZE else Marks(self.packed)

    def added(self, fingerprints: Sequence[bytes], now: int) -> tuple[Marks, int]:
        """Return the marks with these messages marked at `now` (ms), and how many young marks had to go at the cap."""
        hour = now // 3_600_000
        stamp = hour.to_bytes(3, "big")
        packed = self.packed
        size = len(packed) + len(fingerprints) * SIZE
        if packed and int.from_bytes(packed[_PRINT:SIZE], "big") < hour - KEPT_HOURS:
            packed = _since(packed, hour - KEPT_HOURS)
        packed += b"".join([fingerprint + stamp for fingerprint in fingerprints])
        over = len(packed) // SIZE - MOST
        if over > 0:
            packed = packed[over * SIZE :]
        marks = Marks(packed)
        if len(packed) == size:
            # Copying the set costs a tenth of making it from the bytes.
            marks._known = self._prints().union(fingerprints)
        return marks, max(over, 0)


def _since(packed: bytes, hour: int) -> bytes:
    """Drop the marks from the front that are older than an hour; a later one ends the search, for order is arrival."""
    at = 0
    while at < len(packed) and int.from_bytes(packed[at + _PRINT : at + SIZE], "big") < hour:
        at += SIZE
    return packed[at:]
