"""Rewriting a segment: killed at any step, or beside a replay, nothing that stays is lost and nothing comes twice."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.ports import Erasure, VisitorKey
from gateway.spool import segments
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import Record, Writer, claimed, listed, segment_name, swept, waiting

ERASED = [Erasure(VisitorKey("demo", "a", "gone"), 1_000)]
LATER = 1 << 50


def record(visitor: str, message: str) -> bytes:
    event = {"k": "page", "m": message, "t": 500}
    return orjson.dumps({"s": "demo", "v": f"a:{visitor}", "p": "", "q": False, "r": 500, "a": 500, "e": [event]})


def put(folder: Path, *records: bytes) -> None:
    writer = Writer(folder, segment_name(500))
    writer.append(records)
    writer.close()


def messages(path: Path) -> list[str]:
    found = [orjson.loads(one.payload) for one in waiting(path) if isinstance(one, Record)]
    return [event["m"] for one in found for event in one["e"]]


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Do something in a process that is killed at its n-th call that may change the disk; tell whether it was."""
    child = os.fork()
    if child == 0:
        left = [step]

        def hooked(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), 9)
                return real(*args, **named)

            return call

        for name in ("open", "write", "fsync", "fdatasync", "ftruncate", "rename", "replace", "unlink", "close"):
            setattr(os, name, hooked(getattr(os, name)))
        segments.sync_folder = hooked(segments.sync_folder)
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9


@pytest.mark.parametrize("kept", [["stays-1", "stays-2"], []])
def test_a_kill_at_any_step_leaves_the_old_segment_or_the_new_one(tmp_path: Path, kept: list[str]) -> None:
    step, was_killed, states = 0, True, set()
    while was_killed:
        step += 1
        folder = tmp_path / str(step)
        gone = [record("gone", "gone-1"), record("gone", "gone-2")]
        put(folder, gone[0], *(record("stays", each) for each in kept), gone[1])
        was_killed = killed_at(step, lambda folder=folder: erase_what_waits(folder, ERASED))  # type: ignore[misc]  # bound
        found = [each for path in listed(folder) for each in messages(path)]
        assert found in (["gone-1", *kept, "gone-2"], kept)
        states.add(len(found))
        erase_what_waits(folder, ERASED)
        swept(folder, LATER)
        assert [each for path in listed(folder) for each in messages(path)] == kept
        assert b"gone" not in b"".join(path.read_bytes() for path in folder.iterdir())
        assert len(list(folder.iterdir())) == min(1, len(kept))
    assert len(states) == 2
    assert step > 3


def test_what_was_replayed_already_does_not_come_back_by_rewriting(tmp_path: Path) -> None:
    put(tmp_path, record("stays", "done"), record("gone", "gone"), record("stays", "open"))
    (path,) = listed(tmp_path)
    first = next(one for one in waiting(path) if isinstance(one, Record))
    claim = claimed(path)
    assert claim is not None
    with claim:
        claim.note(first.end)
        assert erase_what_waits(tmp_path, ERASED) == 0, "it is being replayed"
    assert erase_what_waits(tmp_path, ERASED) == 1
    assert messages(path) == ["open"]


def replay(folder: Path, written: threading.Event, replayed: Counter[str]) -> None:
    """Claim and replay until all that was written is gone."""
    while True:
        last = written.is_set()
        for path in listed(folder):
            claim = claimed(path)
            if claim is not None:
                with claim:
                    for one in claim.records():
                        assert isinstance(one, Record)
                        replayed.update(event["m"] for event in orjson.loads(one.payload)["e"])
                    claim.remove()
        if last and not listed(folder):
            return


def erase(folder: Path, written: threading.Event) -> None:
    """Erase and tidy until all that was written is gone."""
    while not written.is_set() or listed(folder):
        erase_what_waits(folder, ERASED)
        swept(folder, 0)


def test_beside_replays_and_adoptions_everything_comes_exactly_once(tmp_path: Path) -> None:
    rounds, each = 30, 4
    replayed: Counter[str] = Counter()
    written = threading.Event()
    threads = [threading.Thread(target=replay, args=(tmp_path, written, replayed)) for _ in range(2)]
    threads += [threading.Thread(target=erase, args=(tmp_path, written)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(rounds):
        put(tmp_path, *(record(who, f"{who}-{number}-{n}") for n in range(each) for who in ("stays", "gone")))
    written.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    stayed = {message: n for message, n in replayed.items() if message.startswith("stays")}
    assert stayed == {f"stays-{number}-{n}": 1 for number in range(rounds) for n in range(each)}
    assert set(replayed.values()) == {1}
    assert list(tmp_path.iterdir()) == []
