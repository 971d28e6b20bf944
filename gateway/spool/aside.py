"""What was set aside goes back to what waits, once the reason for it is gone. Blocks on the disk; raises OSError."""

from __future__ import annotations

import contextlib
from pathlib import Path

from gateway.spool.records import set_aside
from gateway.spool.segments import ASIDE, Claim, Record, Writer, claimed, listed, made_at, segment_name


def bring_back(folder: Path) -> tuple[int, int]:
    """Let all that was set aside wait again; return how many records do, and how many segments another process has.

    A crash in between leaves a record at both places: it is replayed once more, as a duplicate.
    """
    back = held = 0
    for path in listed(folder, ASIDE):
        claim = claimed(path)
        if claim is None:
            held += path.exists()
            continue
        with claim:
            back += _back(claim)
    return back, held


def _back(claim: Claim) -> int:
    found = (_inner(one.payload) for one in claim.records() if isinstance(one, Record))
    inner = [payload for payload in found if payload]
    if not inner:
        return 0
    writer = Writer(claim.path.parent, segment_name(made_at(claim.path)))  # it is as old as it was
    try:
        writer.append(inner)
    finally:
        writer.close()
    claim.rewrite(lambda payload: None if _inner(payload) else payload)
    return len(inner)


def _inner(payload: bytes) -> bytes:
    """Return the record in one that was set aside, nothing for what cannot be read."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        return set_aside(payload)[1]
    return b""
