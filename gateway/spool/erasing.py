"""What the visitors' rights ask of the spool: to take out what was erased, and to tell what waits.

A record that is locked, since it is being written or replayed, is left to the next look; whatever is replayed is judged
by the tombstone in the store. Both functions block on the disk and raise OSError.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Sequence
from pathlib import Path

import orjson

from gateway.ports import Erasure, VisitorKey
from gateway.spool.records import Erased, entries_in, erasure_in, set_aside, without_erased
from gateway.spool.segments import ASIDE, Record, claimed, listed, waiting

_SET_ASIDE = b'{"why":'


def erase_what_waits(folder: Path, erasures: Sequence[Erasure] = ()) -> int:
    """Take what erasures cover out of the segments that nobody has locked; return how many records changed.

    The erasures that wait in the spool themselves count as well.
    """
    paths = [*listed(folder), *listed(folder, ASIDE)]
    if not paths:
        return 0
    found = [*erasures]
    for path in paths:
        for one in waiting(path):
            erasure = erasure_in(_bare(one.payload)) if isinstance(one, Record) else None
            if erasure is not None:
                found.append(erasure)
    erased = Erased(found)
    changed = 0
    for path in paths if found else ():
        claim = claimed(path)
        if claim is not None:
            with claim:
                changed += claim.rewrite(lambda payload: _left_of(payload, erased))
    return changed


def waiting_of(folder: Path, visitors: Collection[VisitorKey], most: int) -> list[bytes]:
    """Return the waiting events of visitors as entries of the log, at most so many."""
    ids = [visitor.id.encode() for visitor in visitors]
    found: list[bytes] = []
    for path in (*listed(folder), *listed(folder, ASIDE)):
        # What was set aside is written in another way.
        for one in waiting(path, () if path.suffix == ASIDE else ids):
            if isinstance(one, Record) and len(found) < most:
                found += entries_in(_bare(one.payload), visitors)
    return found[:most]


def _left_of(payload: bytes, erased: Erased) -> bytes | None:
    inner = _bare(payload)
    kept = without_erased(inner, erased)
    if kept is inner:
        return payload
    if kept is None or inner is payload:
        return kept
    return orjson.dumps({**orjson.loads(payload), "record": b64encode(kept).decode()})


def _bare(payload: bytes) -> bytes:
    """Return a record without what was said when it was set aside."""
    try:
        return set_aside(payload)[1] if payload.startswith(_SET_ASIDE) else payload
    except (ValueError, LookupError, TypeError):
        return payload
