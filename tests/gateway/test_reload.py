"""Rules from disk to a live plan, part by part: reading, checking, keeping, counting, watching."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.control import NotTaken
from gateway.counting import Counting, counting_since
from gateway.last_good import keep_last_good, read_last_good
from gateway.reload import check, pack, read_rules, stamp_of, unpacked
from gateway.rules_watch import RulesWatch
from gateway.settings import Settings
from gateway.site_rules import SiteRules
from gateway.telemetry import Telemetry, exposition
from personalize.errors import RulesError, RulesInvalid
from tests.fakes.store import FakeStore
from tests.gateway.app import running
from tests.gateway.making import plan, site

EXAMPLE = Path(__file__).parents[1] / "vectors" / "rules-example"
NOON = 1_795_341_600_000  # 2026-11-22 10:00 UTC
DAY = timedelta(days=1)

RULES = """
segments:
  - segment: readers
    when: [{viewed: /blog/*, at least: 2 times, within: 30 days}]
placements:
  - placement: hero
    blocks:
      - block: more to read
        when: [{in segment: readers}]
        content: {title: "More"}
      - {block: welcome, content: {title: "Welcome"}}
"""
TESTS = """
tests:
  - test: a reader reads on
    now: 2026-05-04 12:00
    events: [1 day ago: viewed /blog/a, 1 hour ago: viewed /blog/b]
    expect: {hero: WANTED}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "rules", {"rules.yaml": RULES, "tests/readers.yaml": TESTS.replace("WANTED", "more to read")})
    return tmp_path / "rules"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def settings_of(folder: Path) -> Settings:
    site = {"key": "demo", "time_zone": "Europe/Helsinki", "rules": str(folder)}
    return Settings.model_validate({"site": [site], "data": folder.parent / "data"})


def rules_of(folder: Path, now: int = NOON) -> SiteRules:
    settings = settings_of(folder)
    return SiteRules(settings.site[0], settings.data, lambda: now)


# -- reading and checking --------------------------------------------------------------------------------------------


def test_rule_files_are_read_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yml", ".git/x.yaml", "a/.b/x.yaml", ".x.yaml", "notes.txt"):
        write(tmp_path, {name: name})
    (tmp_path / "folder.yaml").mkdir()
    assert list(read_rules(tmp_path).items()) == [("a/z.yml", b"a/z.yml"), ("b.yaml", b"b.yaml")]


def test_links_are_followed_but_not_in_circles_and_not_to_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "there", {"tests/t.yaml": "t", "a.yaml": "a"})
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "tests").symlink_to(tmp_path / "there" / "tests")
    (rules / "a.yaml").symlink_to(tmp_path / "there" / "a.yaml")
    (rules / "again").symlink_to(rules)
    assert read_rules(rules) == {"a.yaml": b"a", "tests/t.yaml": b"t"}
    (rules / "b.yaml").symlink_to(tmp_path / "nowhere.yaml")
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(rules)


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_a_folder_without_rules_is_said(tmp_path: Path, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RulesError, match=r"there is no folder|holds no rule files"):
        read_rules(tmp_path / missing)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: (f / "rules.yaml").write_text("x" * 9), id="written"),
        pytest.param(lambda f: (f / "new.yaml").touch(), id="new"),
        pytest.param(lambda f: (f / "tests" / "readers.yaml").unlink(), id="gone"),
        pytest.param(lambda f: os.utime(f / "rules.yaml", (1, 1)), id="touched"),
    ],
)
def test_the_stamp_changes_with_every_file(folder: Path, change: Callable[[Path], object]) -> None:
    before = stamp_of(folder)
    (folder / "notes.txt").touch()
    assert stamp_of(folder) == before
    change(folder)
    assert stamp_of(folder) != before


def test_good_rules_give_a_plan_and_bad_ones_every_error_at_once() -> None:
    checked = check(read_rules(EXAMPLE), "Europe/Helsinki")
    assert set(checked.plan.placements) == {"home hero", "article footer"}
    with pytest.raises(RulesInvalid) as invalid:
        check({"a.yaml": "placments: []\nsegmnts: []\n"}, "UTC")
    assert [problem.line for problem in invalid.value.problems] == [1, 2]


def test_a_failed_test_is_an_error_with_its_place_and_what_was_found() -> None:
    files = {"rules.yaml": RULES, "tests/readers.yaml": TESTS.replace("WANTED", "welcome")}
    with pytest.raises(RulesInvalid) as invalid:
        check(files, "UTC")
    (problem,) = invalid.value.problems
    assert (problem.file, problem.line) == ("tests/readers.yaml", 3)
    assert problem.message == 'the test "a reader reads on" fails: hero: expected welcome, found more to read'


def test_a_packed_plan_is_the_checked_one_and_is_let_go_without_the_collector() -> None:
    checked = check(read_rules(EXAMPLE), "Europe/Helsinki")
    packed = pack(checked.rules)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        found = unpacked(packed, "Europe/Helsinki")
        assert (found.version, found.named) == (checked.plan.version, checked.plan.named)
        size = len(gc.get_objects()) - before
        del found
        assert len(gc.get_objects()) - before < size / 10
    finally:
        gc.enable()


# -- starting --------------------------------------------------------------------------------------------------------


def test_the_first_start_with_a_failed_test_is_refused(folder: Path) -> None:
    write(folder, {"tests/readers.yaml": TESTS.replace("WANTED", "welcome")})
    with pytest.raises(RulesInvalid, match='the test "a reader reads on" fails'):
        rules_of(folder)


@pytest.mark.parametrize("broken", ["segments: [ {", TESTS.replace("WANTED", "welcome"), ""])
def test_a_start_with_a_bad_folder_takes_the_last_good_rules_and_says_so(folder: Path, broken: str) -> None:
    version = rules_of(folder).live.version
    if broken:
        write(folder, {"tests/readers.yaml": broken})
    else:
        folder.rename(folder.with_name("moved"))
    again = rules_of(folder)
    assert again.live.version == version
    assert again.refused is not None
    assert f"version {version} stays live" in "".join(again.notes())
    assert again.report()["refused"]["problems"]


def test_what_was_kept_but_cannot_be_read_is_no_rescue(folder: Path) -> None:
    rules_of(folder)
    kept = folder.parent / "data" / "rules" / "demo"
    (folder / "rules.yaml").write_text("placments: []")
    for damage in (b"{", b"[]", b'{"files": {"a.yaml": "placments: []"}}'):
        (kept / "last_good.json").write_bytes(damage)
        with pytest.raises(RulesInvalid, match="placments"):
            rules_of(folder)


def test_the_last_good_rules_are_kept_as_they_are(tmp_path: Path) -> None:
    assert read_last_good(tmp_path / "demo") == {}
    keep_last_good(tmp_path / "demo", "v", {"a.yaml": "ä\n"})
    assert read_last_good(tmp_path / "demo") == {"a.yaml": "ä\n"}


# -- counting since --------------------------------------------------------------------------------------------------


def test_a_matcher_counts_since_it_was_named_and_anew_after_a_month_without(tmp_path: Path) -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    def named(matchers: set[str], days: int) -> list[str]:
        counting = Counting(tmp_path / "rules" / "demo")
        starting = counting.name(matchers, at + days * DAY)
        counting.write()
        return starting

    def since() -> dict[str, date]:
        return counting_since(tmp_path, "demo")

    assert since() == {}
    assert named({"a", "b"}, 0) == ["a", "b"]
    assert named({"a"}, 5) == []
    assert named({"a", "b"}, 34) == []  # 29 days without b
    assert named({"a"}, 40) == []
    assert named({"a"}, 50) == []
    assert since() == {"a": at.date(), "b": at.date()}
    assert named({"a", "b"}, 70) == ["b"]  # 30 days without it
    assert since() == {"a": at.date(), "b": (at + 70 * DAY).date()}


def test_a_count_that_cannot_be_read_starts_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "rules" / "demo", {"counting.json": '{"a": {"since": "yesterday"}}'})
    assert counting_since(tmp_path, "demo") == {}
    assert "counting.json cannot be read" in caplog.text


def test_the_log_names_what_starts_counting_in_the_rules_own_words(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = rules_of(folder)
    assert "1 segment, 1 placement; 1 test passes; counting begins now" in caplog.text
    write(folder, {"more.yaml": "segments: [{segment: new, when: [{did: [Signed Up, Asked], at least: twice}]}]"})
    caplog.clear()
    rules.take(rules.load(read_rules(folder)))
    assert "1 thing starts counting now: did Signed Up or Asked (more.yaml:1:34)" in caplog.text
    rules.keep()
    assert counting_since(folder.parent / "data", "demo").keys() == set(rules.live.matchers)
    assert [(m["what"], m["where"]) for m in rules.report()["matchers"]] == [
        ("did Signed Up or Asked", "more.yaml:1:34"),
        ("viewed /blog/*", "rules.yaml:4:12"),
    ]


# -- the watch -------------------------------------------------------------------------------------------------------


async def test_rules_that_a_worker_cannot_take_are_refused_and_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_S", "STILL_S", "RETRY_S"):
        monkeypatch.setattr(f"gateway.rules_watch.{name}", 0.01)
    watch = RulesWatch(settings_of(folder), lambda: NOON)
    before = watch.packed()
    tries: list[str] = []

    async def roll_out(site: str, packed: str) -> None:
        tries.append(packed)
        if len(tries) < 3:
            assert len(watch.notes()) == (len(tries) > 1)
            raise NotTaken("worker 1 could not take them: out of memory")

    running = asyncio.create_task(watch.run(roll_out))
    write(folder, {"more.yaml": "segments: [{segment: new, when: [{country: FI}]}]"})
    async with asyncio.timeout(20):
        while watch.packed() == before:  # noqa: ASYNC110 - what is tested tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    assert watch.packed() == {"demo": tries[-1]}
    assert (len(tries), watch.notes()) == (3, [])
    telemetry = Telemetry()
    watch.measure(telemetry)
    assert telemetry.counters == {("rules_reloads", "bad"): 2, ("rules_reloads", "good"): 1}
    version = watch.report()["demo"]["version"]
    assert f'tuttu_rules_version_info{{site="demo",version="{version}"}} 1.0' in exposition(telemetry).decode()


# -- one hit, one plan -----------------------------------------------------------------------------------------------


@pytest.fixture
def shop() -> Iterator[Any]:
    return site(plan=plan(RULES))


async def test_a_hit_keeps_the_plan_that_it_began_with(shop: Any) -> None:
    class SlowStore(FakeStore):
        async def commit(self, write: Any) -> Any:
            shop.plan = after  # the reload comes while the hit waits for the store
            return await super().commit(write)

    before, after = shop.plan, plan("placements: [{placement: hero, blocks: [{block: other, content: {title: B}}]}]")
    async with running(SlowStore(), [shop]) as app:
        asked = {"placements": ["hero"], "batch": [{"type": "page", "messageId": "1", "properties": {"path": "/"}}]}
        first = (await app.post("/v1/decide", **asked)).json()
        second = (await app.post("/v1/decide", placements=["hero"])).json()
    assert (first["version"], first["placements"]["hero"]["block"]) == (before.version, "welcome")
    assert (second["version"], second["placements"]["hero"]["block"]) == (after.version, "other")
