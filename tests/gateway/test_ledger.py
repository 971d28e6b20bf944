"""The ledger of erasures: what was written stays readable, whatever happens, and does not grow for ever."""

from __future__ import annotations

from pathlib import Path

from gateway.ports import Erasure, VisitorKey
from gateway.rights.ledger import Ledger, Line
from gateway.store.keys import TOMBSTONE_LIFETIME_S

ANNA = Erasure(VisitorKey("demo", "a", "an:id|with \n signs"), 5)
VIA = Erasure(VisitorKey("demo", "k", "person"), 7, "a:phone")
YEARS_MS = 1000 * TOMBSTONE_LIFETIME_S


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "data")
    assert ledger.read() == []
    ledger.append([ANNA, VIA], 10)
    ledger.append([], 11)
    ledger.append([ANNA], 12)
    assert ledger.read() == [Line(ANNA, 10), Line(VIA, 10), Line(ANNA, 12)]
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([ANNA, VIA], 10)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-9])
    ledger.append([VIA], 12)
    assert ledger.read() == [Line(ANNA, 10), Line(VIA, 12)]


def test_only_what_halves_the_file_is_compacted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([ANNA, VIA], 10)
    ledger.append([ANNA._replace(before=6)], 11)
    assert ledger.compact(20) == 0
    ledger.append([ANNA._replace(before=4), VIA], 12)
    ledger.append([ANNA._replace(before=3)], 13)
    assert ledger.compact(20) == 4
    latest = [Line(ANNA._replace(before=6), 11), Line(VIA, 12)]
    assert ledger.read() == latest
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    ledger.append([VIA], 20)
    assert ledger.compact(YEARS_MS + 15) == 2
    assert ledger.read() == [Line(VIA, 20)]
