"""The file format of the spool: what was written is read, whatever was cut off, flipped, locked or left behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.spool.segments import (
    ASIDE,
    Damage,
    Record,
    Writer,
    claimed,
    content_of,
    is_locked,
    listed,
    made_at,
    measured,
    segment_name,
    size_of,
    swept,
    waiting,
)

NOW = 1_795_300_000_000
START = 24
ROOT = Path(__file__).parents[2]
PAYLOADS = [b'{"s":"demo"}', b"", "sis\u00e4\u00e4n \U0001f600".encode(), b"TS" * 40]
TEXTS = st.lists(st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")), max_size=8)


def written(folder: Path, payloads: list[bytes], name: str = "") -> Path:
    writer = Writer(folder, name or segment_name(NOW))
    for payload in payloads:
        writer.append([payload])
    path = writer.path
    writer.close()
    return path


def read(path: Path) -> list[Record | Damage]:
    return list(waiting(path))


def payloads_in(path: Path) -> list[bytes]:
    return [one.payload for one in read(path) if isinstance(one, Record)]


def damage_in(path: Path) -> list[Damage]:
    return [one for one in read(path) if isinstance(one, Damage)]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_what_is_written_is_read_back(batches: list[list[bytes]]) -> None:
    with TemporaryDirectory() as folder:
        writer = Writer(Path(folder), segment_name(NOW))
        for batch in batches:
            writer.append(batch)
        expected = [payload for batch in batches for payload in batch]
        assert payloads_in(writer.path) == expected
        assert not damage_in(writer.path)
        assert (writer.records, writer.size) == (len(expected), writer.path.stat().st_size)
        writer.close()
        assert writer.path.exists() == bool(expected)


def test_a_file_cut_anywhere_gives_its_first_records_and_one_torn_end(tmp_path: Path) -> None:
    path = written(tmp_path, PAYLOADS)
    data = path.read_bytes()
    ends = [START, *(one.end for one in read(path) if isinstance(one, Record))]
    for cut in range(START, len(data)):
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends) - 1
        rest = cut - ends[whole]
        assert payloads_in(path) == PAYLOADS[:whole]
        assert damage_in(path) == ([Damage(rest, cut, torn=True)] if rest else [])


def test_a_file_cut_in_its_head_holds_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, PAYLOADS)
    data = path.read_bytes()
    for cut in range(START):
        path.write_bytes(data[:cut])
        assert read(path) == []


def test_any_byte_flipped_costs_at_most_its_own_record(tmp_path: Path) -> None:
    path = written(tmp_path, PAYLOADS)
    data = path.read_bytes()
    ends = [one.end for one in read(path) if isinstance(one, Record)]
    for at in range(16, len(data)):  # the 16 before name the format
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])
            hit = sum(end <= at for end in ends) if at >= START else None
            assert payloads_in(path) == [p for number, p in enumerate(PAYLOADS) if number != hit]
            last = hit == len(PAYLOADS) - 1
            assert [one.torn for one in damage_in(path)] == ([] if hit is None else [last])


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.binary(max_size=40), st.integers(0, 8))
def test_bytes_in_between_hide_no_record(payloads: list[bytes], rubbish: bytes, at: int) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), [b"first", *payloads])
        data = path.read_bytes()
        ends = [START, *(one.end for one in read(path) if isinstance(one, Record))]
        place = ends[min(at, len(ends) - 1)]
        path.write_bytes(data[:place] + rubbish + data[place:])
        assert payloads_in(path) == [b"first", *payloads]
        assert sum(one.size for one in damage_in(path)) == len(rubbish)


def test_a_segment_of_another_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / segment_name(NOW)
    path.write_bytes(b"tuttu spool 2\n\0\0" + bytes(40))
    assert read(path) == []
    claim = claimed(path)
    assert claim is not None
    with claim:
        assert not claim.readable


def test_a_position_survives_and_what_stands_before_it_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, PAYLOADS)
    second = [one.end for one in read(path)][1]
    with claimed(path) as claim:  # type: ignore[union-attr] # nobody else has it
        claim.note(second)
    assert payloads_in(path) == PAYLOADS[2:]
    content = content_of(path)
    assert content is not None
    assert content.replayed() == 2
    with claimed(path) as claim:  # type: ignore[union-attr] # as above
        assert claim.position == second
        assert [one.payload for one in claim.records() if isinstance(one, Record)] == PAYLOADS[2:]


@pytest.mark.parametrize("position", [0, 23, 10_000, 2**32 - 1])
def test_a_position_that_cannot_be_counts_as_none(tmp_path: Path, position: int) -> None:
    path = written(tmp_path, PAYLOADS)
    with claimed(path) as claim:  # type: ignore[union-attr] # nobody else has it
        claim.note(position)
    assert payloads_in(path) == PAYLOADS


# -- who has a segment -------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from gateway.spool.segments import claimed
claim = claimed(Path(sys.argv[1]))
print("mine" if claim else "taken", flush=True)
sys.stdin.read()
"""


def another(path: Path) -> subprocess.Popen[str]:
    """Start a process that claims a segment, and keeps it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_only_one_process_has_a_segment_and_its_end_lets_go_of_it(tmp_path: Path) -> None:
    path = written(tmp_path, PAYLOADS)
    with another(path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        assert claimed(path) is None
        assert is_locked(path)
        assert payloads_in(path) == PAYLOADS  # to look at it needs no lock
        process.kill()
    assert not is_locked(path)
    with claimed(path) as claim:  # type: ignore[union-attr] # its holder is dead
        assert claim.readable
        with another(path) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"
            process.kill()


def test_a_writer_has_its_segment_from_the_first_byte(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_name(NOW))
    writer.append([b"one"])
    assert claimed(writer.path) is None
    assert is_locked(writer.path)
    writer.close()
    with claimed(writer.path) as claim:  # type: ignore[union-attr] # it was closed
        assert claim.readable


@pytest.mark.parametrize("happens", ["replaced", "deleted"])
def test_a_file_that_went_between_look_and_lock_is_not_claimed(
    tmp_path: Path, happens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, PAYLOADS)
    other = written(tmp_path, [b"other"], "other")
    opened = os.open

    def then(name: Path, flags: int) -> int:
        file = opened(name, flags)
        if happens == "replaced":
            other.replace(path)
        else:
            path.unlink()
        return file

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", then)
        assert claimed(path) is None
    assert payloads_in(path) == ([b"other"] if happens == "replaced" else [])


def test_a_file_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / segment_name(NOW)
    assert claimed(path) is None
    assert not is_locked(path)
    assert content_of(path) is None
    assert read(path) == []


# -- changes -----------------------------------------------------------------------------------------------------------


def test_a_rewrite_changes_what_it_should_and_drops_damage(tmp_path: Path) -> None:
    path = written(tmp_path, [b"a", b"b", b"c"])
    path.write_bytes(path.read_bytes() + b"\xf5torn")
    with claimed(path) as claim:  # type: ignore[union-attr] # nobody else has it
        assert claim.rewrite(lambda payload: payload) == 0
    assert len(damage_in(path)) == 1
    with claimed(path) as claim:  # type: ignore[union-attr] # as above
        assert claim.rewrite(lambda payload: {b"a": None, b"b": b"B"}.get(payload, payload)) == 2
    assert read(path) == [Record(b"B", 37), Record(b"c", 50)]
    with claimed(path) as claim:  # type: ignore[union-attr] # as above
        assert claim.rewrite(lambda _: None) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_rewrite_keeps_what_was_replayed_out(tmp_path: Path) -> None:
    path = written(tmp_path, [b"a", b"b", b"c"])
    with claimed(path) as claim:  # type: ignore[union-attr] # nobody else has it
        claim.note(read(path)[0].end)
    with claimed(path) as claim:  # type: ignore[union-attr] # as above
        assert claim.rewrite(lambda payload: None if payload == b"b" else payload) == 1
    assert payloads_in(path) == [b"c"]


def test_a_rewrite_that_finds_no_room_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, [b"a", b"b"])
    with claimed(path) as claim, monkeypatch.context() as patch:  # type: ignore[union-attr] # nobody else has it
        patch.setattr(os, "fdatasync", _fails(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            claim.rewrite(lambda payload: None if payload == b"a" else payload)
    assert payloads_in(path) == [b"a", b"b"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_writers_left_behind_is_swept_and_nothing_else(tmp_path: Path) -> None:
    kept = written(tmp_path, [b"a"])
    aside = written(tmp_path, [b"b"], segment_name(NOW, ASIDE))
    (tmp_path / "note.txt").touch()
    for suffix in (".new", ".rewritten", ".rewritten.new"):
        (tmp_path / (kept.name + suffix)).write_bytes(b"half")
        os.utime(tmp_path / (kept.name + suffix), (NOW / 1000, NOW / 1000))
    swept(tmp_path, NOW + 3_600_000)
    assert sorted(tmp_path.iterdir()) == sorted([kept, aside, tmp_path / "note.txt"])
    swept(tmp_path / "nowhere", NOW)


def test_a_file_that_is_just_being_made_is_not_swept(tmp_path: Path) -> None:
    new = tmp_path / (segment_name(NOW) + ".new")
    new.touch()
    os.utime(new, (NOW / 1000, NOW / 1000))
    swept(tmp_path, NOW + 1000)  # its writer has not locked it yet
    assert new.exists()


# -- disks that fail ---------------------------------------------------------------------------------------------------


def _fails(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_nothing_of_an_append_that_failed_counts_and_the_next_one_works(
    tmp_path: Path, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path, segment_name(NOW))
    writer.append([b"before"])
    write, writes = os.write, 0

    def half(file: int, text: memoryview) -> int:
        nonlocal writes
        writes += 1
        if writes > 1:
            raise OSError(code, os.strerror(code))
        return write(file, text[: len(text) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, call, half if call == "write" else _fails(code))
        with pytest.raises(OSError, match=os.strerror(code)):
            writer.append([b"lost" * 10, b"lost too"])
    assert payloads_in(writer.path) == [b"before"]
    assert not damage_in(writer.path)
    writer.append([b"after"])
    assert payloads_in(writer.path) == [b"before", b"after"]
    assert writer.records == 2
    writer.close()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_segment_that_could_not_be_begun_leaves_nothing(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, _fails(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            Writer(tmp_path, segment_name(NOW))
    assert list(tmp_path.iterdir()) == []


def test_writes_that_the_system_splits_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:7]))
    assert payloads_in(written(tmp_path, PAYLOADS)) == PAYLOADS


# -- folders -----------------------------------------------------------------------------------------------------------


def test_segments_are_listed_oldest_first_and_measured(tmp_path: Path) -> None:
    late, early = (written(tmp_path, [b"x"], segment_name(at)) for at in (NOW, NOW - 60_000))
    aside = written(tmp_path, [b"y"], segment_name(NOW, ASIDE))
    (tmp_path / "other.txt").write_bytes(b"12345")
    assert listed(tmp_path) == [early, late]
    assert listed(tmp_path, ASIDE) == [aside]
    assert [made_at(path) for path in (early, late, tmp_path / "other.txt")] == [NOW - 60_000, NOW, 0]
    assert size_of(tmp_path) == 3 * 37 + 5
    assert measured(tmp_path, NOW) == {"spool_bytes": 74, "spool_aside_bytes": 37, "spool_oldest_seconds": 60}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    assert (listed(folder), size_of(folder)) == ([], 0)
    assert measured(folder, NOW)["spool_oldest_seconds"] == 0


def test_what_is_written_is_for_the_owner_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "data" / "spool", [b"x"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
