"""Every key name and lifetime of the store, in one place.

All keys of a partition carry the same tag, `{p17}`, so a Redis Cluster keeps them in one slot and one script may touch
them together. A key's tag is what stands between its first two braces, so braces inside an id change nothing.

    {p17}:v:<site>:<kind>:<id>   the profile, one JSON document that starts with its revision
    {p17}:m:<site>:<kind>:<id>   the message marks, packed
    {p17}:log                    the stream of events and receipts
    {p17}:erasing                the visitors whose log entries still have to go, as `<site>:<kind>:<id>|<before, ms>`;
                                 in front `via <length> <browser> ` where only those through one browser have to
    {p17}:merging                the visitors whose merges were begun and not seen to be over, as
                                 `<site>:<kind>:<id>|<moment of the alias, ms>`; no lifetime, the sweep settles them
    {p17}:report:<name>          the report of a deletion, one JSON document
    {p0}:probe                   nothing, for a second: by writing it the gateway asks whether writes work again
"""

from __future__ import annotations

from binascii import crc_hqx

from gateway.ports import Erasure, Merge, VisitorKey

PARTITIONS = 256

PROFILE_LIFETIME_S = 400 * 86_400
MARKS_LIFETIME_S = 48 * 3_600
TOMBSTONE_LIFETIME_S = 5 * 366 * 86_400
"""Five years, each taken as a leap year: as old as an event may be that is replayed under a secret key."""
PROBE_KEY = "{p0}:probe"
REPORT_LIFETIME_S = 400 * 86_400


def visitor_name(visitor: VisitorKey) -> str:
    """Return the visitor's name inside keys: `<site>:<kind>:<id>`."""
    return f"{visitor.site}:{visitor.kind}:{visitor.id}"


def partition_of(name: bytes) -> int:
    """Return the partition of a visitor's name; Python's crc_hqx is CRC-16/XMODEM, the one that Redis Cluster uses."""
    return crc_hqx(name, 0) % PARTITIONS


def profile_prefix(partition: int) -> str:
    """Return what stands before a visitor's name in the key of its profile."""
    return f"{{p{partition}}}:v:"


def marks_prefix(partition: int) -> str:
    """Return what stands before a visitor's name in the key of its message marks."""
    return f"{{p{partition}}}:m:"


def log_key(partition: int) -> str:
    """Return the key of a partition's log."""
    return f"{{p{partition}}}:log"


def erasing_key(partition: int) -> str:
    """Return the key of the set of visitors whose entries in this partition's log still have to be erased."""
    return f"{{p{partition}}}:erasing"


def merging_key(partition: int) -> str:
    """Return the key of the set of visitors of this partition whose merges were begun."""
    return f"{{p{partition}}}:merging"


def report_key(name: str) -> str:
    """Return the key of a deletion's report."""
    return f"{{p{partition_of(name.encode())}}}:report:{name}"


def erase_note(visitor: VisitorKey, before: int, via: str = "") -> str:
    """Return the note of an Erasure."""
    return f"{f'via {len(via)} {via} ' if via else ''}{visitor_name(visitor)}|{before}"


def read_erase_note(note: str) -> Erasure:
    """Return the Erasure of a note. Only ids may hold colons, bars and spaces; no site's key is `via …`."""
    via = ""
    if note.startswith("via "):
        _, size, rest = note.split(" ", 2)
        via, note = rest[: int(size)], rest[int(size) + 1 :]
    name, _, before = note.rpartition("|")
    return Erasure(named_visitor(name), int(before), via)


def merge_note(visitor: VisitorKey, at: int) -> str:
    """Return the note of a Merge."""
    return f"{visitor_name(visitor)}|{at}"


def read_merge_note(note: str) -> Merge:
    """Return the Merge of a note."""
    name, _, at = note.rpartition("|")
    return Merge(named_visitor(name), int(at))


def named_visitor(name: str) -> VisitorKey:
    """Return the visitor of a name as `visitor_name` writes it."""
    site, kind, id_ = name.split(":", 2)
    return VisitorKey(site, kind, id_)
