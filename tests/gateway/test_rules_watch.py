"""The watch when things go wrong: folders that do not answer or are never still, data that cannot be written."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import reload, rules_watch, site_rules
from gateway.rules_watch import RulesWatch
from gateway.site_rules import Refusal
from personalize.errors import Problem, RulesInvalid
from tests.gateway.test_reload import NOON, RULES, TESTS, rules_of, settings_of, write

MORE = {"more.yaml": "segments: [{segment: new, when: [{country: FI}]}]"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "rules", {"rules.yaml": RULES, "tests/readers.yaml": TESTS.replace("WANTED", "more to read")})
    return tmp_path / "rules"


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_S", "STILL_S", "RETRY_S"):
        monkeypatch.setattr(rules_watch, name, 0.01)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[RulesWatch]:
    watch = RulesWatch(settings_of(folder), lambda: NOON)

    async def roll_out(_site: str, _packed: str) -> None:
        pass

    running = asyncio.create_task(watch.run(roll_out))
    yield watch
    running.cancel()
    await asyncio.wait((running,))


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is tested tells nobody
            await asyncio.sleep(0.01)


def test_a_folder_that_never_answers_is_said_and_keeps_nobody_from_ending(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    back = threading.Event()
    notes: list[str] = []

    async def serve() -> None:
        async with watching(folder) as watch:
            monkeypatch.setattr(rules_watch, "stamp_of", lambda _: back.wait(60))
            await eventually(watch.notes)
            notes.extend(watch.notes())

    monkeypatch.setattr(rules_watch, "SILENT_S", 0.05)
    gateway = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    gateway.start()
    gateway.join(10)
    ended = not gateway.is_alive()
    back.set()
    assert ended
    assert notes == [f"rules of site demo: the folder {folder} does not answer; what is live stays"]
    assert "has not answered for 0.05 s" in caplog.text


async def test_a_folder_that_is_never_still_is_read_when_two_reads_agree(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(rules_watch, "RESTLESS_S", 0.05)
    looks = 0

    def restless(path: Path) -> Any:
        nonlocal looks
        looks += 1
        return (("touched", (looks,)), *reload.stamp_of(path))

    async with watching(folder) as watch:
        before = watch.packed()
        monkeypatch.setattr(rules_watch, "stamp_of", restless)
        write(folder, MORE)
        await eventually(lambda: watch.packed() != before)
        await eventually(watch.notes)
        assert "changes all the time" in watch.notes()[0]
        seen = looks
        await eventually(lambda: looks > seen + 40)
        assert caplog.text.count("changes all the time") == 1
        assert "holds the same rules" not in caplog.text
        monkeypatch.setattr(rules_watch, "stamp_of", reload.stamp_of)
        await eventually(lambda: not watch.notes())


async def test_what_breaks_the_watch_is_a_refusal_until_it_is_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def broken(_: Path) -> Any:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError("a fault of ours")

    async with watching(folder) as watch:
        monkeypatch.setattr(rules_watch, "stamp_of", broken)
        await eventually(lambda: tries > 3)
        assert "the folder cannot be read: ZeroDivisionError: a fault of ours" in watch.notes()[0]
        assert caplog.text.count("Traceback") == 1
        monkeypatch.setattr(rules_watch, "stamp_of", reload.stamp_of)
        await eventually(lambda: not watch.notes())


async def test_many_files_are_looked_at_less_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    wait_for = asyncio.wait_for

    async def noted(waiting: Any, pause: float) -> Any:
        pauses.append(pause)
        return await wait_for(waiting, 0.01)

    monkeypatch.setattr(asyncio, "wait_for", noted)
    monkeypatch.setattr(rules_watch, "_look", lambda rules: (rules.stamp, 0.1))
    async with watching(folder):
        await eventually(lambda: len(pauses) > 2)
    assert pauses[:2] == [0.01, pytest.approx(2)]


async def test_what_cannot_be_kept_is_said_and_tried_again_and_the_rest_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep, tries = site_rules.keep_last_good, 0

    def full(*what: Any) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(28, "No space left on device")
        keep(*what)

    monkeypatch.setattr(site_rules, "keep_last_good", full)
    rules = rules_of(folder)
    assert (folder.parent / "data" / "rules" / "demo" / "counting.json").exists()
    (note,) = rules.notes()
    assert f"version {rules.live.version} is live but cannot be kept" in note
    assert note.endswith("No space left on device")
    async with watching(folder) as watch:
        assert watch.notes() == [note]
        await eventually(lambda: not watch.notes())
    assert caplog.text.count("No space left on device") == 2  # once for each of the two that were made


def test_kept_rules_that_cannot_be_read_are_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules_of(folder)
    kept = folder.parent / "data" / "rules" / "demo" / "last_good.json"
    (folder / "rules.yaml").write_text("placments: []")
    for damage, said in (
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"files": {"a": "b"}}', "are refused"),
    ):
        kept.write_bytes(damage)
        caplog.clear()
        with pytest.raises(RulesInvalid, match="placments"):
            rules_of(folder)
        assert said in caplog.text


def test_the_log_names_new_things_in_the_files_order_and_misses_the_tests(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = rules_of(folder)
    names = [f"thing {n}" for n in range(9)]
    written = "".join(f"  - {{segment: {name}, when: [{{did: {name}}}]}}\n" for name in names)
    write(folder, {"a.yaml": f"segments:\n{written}"})
    (folder / "tests" / "readers.yaml").unlink()
    rules.take(rules.load(reload.read_rules(folder)))
    assert ", ".join(f"did {name} (a.yaml:{line}:31)" for line, name in enumerate(names, 2)) in caplog.text
    assert "rules of site demo: no tests any more; before: 1 test" in caplog.text


def test_a_reason_of_several_lines_is_one_line_in_the_log() -> None:
    problems = [Problem("a.yaml", 1, 1, "one\nERROR forged"), Problem("b.yaml", 1, 1, "two")]
    refusal = Refusal(datetime(2026, 11, 22, tzinfo=UTC), RulesInvalid(problems))
    assert refusal.sentences == ["a.yaml:1:1: one\\nERROR forged", "b.yaml:1:1: two"]
