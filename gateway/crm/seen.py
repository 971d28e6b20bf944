"""The ids of a file that have come already, in 12 to 24 bytes a row: a set of a million texts would take 130 MB."""

from __future__ import annotations

from array import array


class SeenIds:
    """Remembers in which line each of at most `most` ids came first.

    Ids are told apart by 64 bits of Python's own keyed hash (PEP 456): with a million of them the odds that two
    different ones seem equal are one in 37 million, and nobody can choose ids that do.
    """

    def __init__(self, most: int) -> None:
        size = 1 << max(10, (most + most // 3).bit_length())
        self._mask = size - 1
        self._hashes = array("q", bytes(8 * size))
        self._lines = array("I", bytes(4 * size))

    def first(self, key: str, line: int) -> int:
        """Return the line in which an id came first, 0 when this is it."""
        hashed = hash(key)
        at = hashed & self._mask
        while self._lines[at]:
            if self._hashes[at] == hashed:
                return self._lines[at]
            at = (at + 1) & self._mask
        self._hashes[at] = hashed
        self._lines[at] = line
        return 0
