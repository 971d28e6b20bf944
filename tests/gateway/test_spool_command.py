"""`tuttu spool`: what waits is shown without a change, replayed into a real store, and deleted only when it may be."""

from __future__ import annotations

import asyncio
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import clock
from gateway.commands.spool_show import as_data, tables
from gateway.settings import GatewaySettings
from gateway.spool.looking import look
from gateway.spool.segments import ASIDE, SUFFIX, Record, Writer, claimed, is_locked, listed, segment_name, waiting
from tests.gateway.app import running
from tests.gateway.command import tuttu
from tests.gateway.mails import contact_key, landed, mail_site, mailed, person, view
from tests.gateway.making import site
from tests.integration.process import Gateway

HOUR_MS = 3_600_000
SETTINGS = """
[[site]]
key = "demo"
origins = ["https://www.example.com"]
"""
TIMES = st.integers(-(2**63), 2**63) | st.sampled_from(["soon", None, 1])
EVENT = st.fixed_dictionaries({"k": st.text(max_size=3), "m": st.text(max_size=3), "t": TIMES})
JSON = st.none() | st.fixed_dictionaries(
    {"s": st.sampled_from(["demo", [], {}, 1]), "v": st.sampled_from(["a:x", None]), "r": TIMES},
    optional={"x": TIMES, "e": st.lists(EVENT | st.none(), max_size=2) | st.none()},
)
NOTHING = "Nothing waits in {}, and nothing was set aside.\n"


def spooled(data: Path, *, shop: int = 1) -> Path:
    """Let three hits of the site demo and some of another one wait in a data folder; return the spool's folder."""

    async def work() -> None:
        sites = [site(), site(key="shop", secret_key="another")]  # noqa: S106 - a test's key
        async with running(sites=sites, spool=folder) as app:
            app.store.down = True
            for n in range(3):
                await app.post(messageId=f"m{n}", anonymousId=f"x{n}", properties={"path": "/hinnoittelu"})
            for n in range(shop):
                await app.post("/v1/track", writeKey="shop", messageId=f"s{n}", anonymousId="y", event="Ordered")

    folder = data / "spool"
    (data / "store").mkdir(parents=True)
    asyncio.run(work())
    return folder


def spool(verb: str, data: Path, *args: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return tuttu("spool", verb, "--data", str(data), *args, cwd=data.parent, given=given)


def shown(data: Path, *args: str) -> dict[str, Any]:
    done = spool("show", data, "--json", *args)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def state(folder: Path) -> list[tuple[str, bytes, int]]:
    return [(path.name, path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]


# -- show --------------------------------------------------------------------------------------------------------------


def test_nothing_there_is_said_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    done = spool("show", data)
    assert (done.returncode, done.stdout) == (0, NOTHING.format(data / "spool"))
    assert list(data.iterdir()) == []
    assert shown(data)["waiting"]["segments"] == []


def test_show_tells_what_waits_and_changes_nothing(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    before = state(folder)
    done = spool("show", tmp_path / "data")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"4 events wait in {tmp_path}")
    assert [line.split()[:3] for line in lines if line.startswith(("demo", "shop"))] == [
        ["demo", "3", "0"],
        ["shop", "1", "0"],
    ]
    (row,) = [line for line in lines if listed(folder)[0].name in line]
    assert row.split()[-3:] == ["4", "0", "free"]
    assert max(map(len, lines[1:])) <= 80
    assert "\x1b" not in done.stdout
    assert "x0" not in done.stdout
    assert state(folder) == before


def test_show_tells_positions_locks_damage_and_other_versions(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    (path,) = listed(folder)
    (folder / segment_name(5)).write_bytes(b"tuttu spool 9\n\0\0 what?")
    with claimed(path) as claim:  # type: ignore[union-attr] # nobody else has it
        claim.note([one.end for one in claim.records()][1])
        with path.open("ab") as file:
            file.write(b"\xf5\x01TS torn")
        done = spool("show", tmp_path / "data")
        data = shown(tmp_path / "data")
    assert "Damage: 1 place that holds no whole record (9 bytes)" in done.stdout
    assert "is not in the format of this version" in done.stdout
    other, ours = data["waiting"]["segments"]
    assert (other["readable"], other["records"]) == (False, 0)
    assert (ours["locked"], ours["records"], ours["replayed"], ours["damaged"]) == (True, 2, 2, 1)
    assert data["damage"] == {"places": 1, "bytes": 9}
    assert data["waiting"]["sites"]["demo"]["events"] == 1
    assert not is_locked(path)


def test_records_with_ids_only_when_they_are_asked_for(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    assert "records" not in shown(tmp_path / "data")
    first, second = shown(tmp_path / "data", "--records", "2")["records"]
    assert (first["site"], first["events"][0]["messageId"], second["events"][0]["type"]) == ("demo", "m0", "page")
    assert first["visitor"].startswith("c:")
    assert first["segment"] == listed(folder)[0].name
    assert '"messageId":"m0"' in spool("show", tmp_path / "data", "--records", "2").stdout
    assert spool("show", tmp_path / "data", "--records", "many").returncode == 2


def test_what_clients_sent_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "spool"
    writer = Writer(folder, segment_name(clock()))
    event = {"k": "track", "m": "\x1b[31m", "t": 1, "n": "[bold]\x1b]0;title\x07"}
    writer.append([orjson.dumps({"s": "[red]\x1b[2J", "v": "a:x", "p": "", "q": False, "r": 1, "a": 1, "e": [event]})])
    writer.close()
    for args in ([], ["--records", "5"]):
        done = spool("show", tmp_path / "data", *args)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "[red]" in done.stdout


@settings(max_examples=40, deadline=None)
@given(st.lists(JSON, max_size=4), st.sampled_from([ASIDE, SUFFIX]))
def test_no_record_is_too_strange_to_be_shown(values: list[Any], suffix: str) -> None:
    with TemporaryDirectory() as data:
        writer = Writer(Path(data) / "spool", segment_name(clock(), suffix))
        for value in values:
            payload = orjson.dumps(value)
            writer.append(
                [orjson.dumps({"why": "x", "record": b64encode(payload).decode()}) if suffix == ASIDE else payload]
            )
        writer.close()
        found = look(Path(data) / "spool", 3)
        tables(found, Path(data), clock(), GatewaySettings())
        orjson.dumps(as_data(found, Path(data), clock(), 1))
        assert sum(one.records for one in (*found.waiting, *found.aside)) == len(values)


def test_what_was_set_aside_is_grouped_by_reason(tmp_path: Path) -> None:
    spooled(tmp_path / "data", shop=3)
    assert spool("replay", tmp_path / "data").returncode == 1
    data = shown(tmp_path / "data")
    assert data["waiting"]["records"] == 0
    (reason,) = data["aside"]["reasons"]
    assert (reason["count"], reason["example"]["site"], reason["example"]["kind"]) == (3, "shop", "track")
    assert set(reason["example"]) == {"site", "kind", "time"}
    text = spool("show", tmp_path / "data").stdout
    assert "Set aside: 3 events." in text
    assert 'the settings have no site "shop"' in text
    assert max(map(len, text.splitlines()[1:])) <= 80


# -- what cannot be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [["show"], ["replay"], ["drop", "--aside"]])
def test_a_folder_that_is_not_there_or_none_is_said(tmp_path: Path, verb: list[str]) -> None:
    done = spool(verb[0], tmp_path / "nowhere", *verb[1:])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tuttu spool {verb[0]}: There is no folder ")
    assert "--data" in done.stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "spool").touch()
    done = spool(verb[0], tmp_path / "data", *verb[1:])
    assert done.returncode == 1
    assert "is no folder" in done.stderr


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = spooled(tmp_path / "data")

    def shut(self: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", shut)
    done = spool("show", tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr == (
        f"tuttu spool show: {folder}: Permission denied; run it as the user that the gateway runs as\n"
    )


def test_a_store_that_is_away_leaves_all_as_it_was(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    before = state(folder)
    done = spool("replay", tmp_path / "data", "--redis", "redis://127.0.0.1:1")
    assert done.returncode == 1
    assert "No store answers at" in done.stderr
    assert state(folder) == before


# -- replay ------------------------------------------------------------------------------------------------------------


def test_replay_without_a_gateway_brings_all_to_the_store(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data", shop=0)
    done = spool("replay", tmp_path / "data")
    assert (done.returncode, done.stdout) == (0, "events: 3 stored\n"), done.stderr
    assert listed(folder) == []
    again = spool("replay", tmp_path / "data")
    assert (again.returncode, again.stdout) == (0, f"Nothing waits in {folder}.\n")


def test_a_site_that_is_back_in_the_settings_gets_what_was_set_aside(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    assert spool("replay", tmp_path / "data").returncode == 1
    config = tmp_path / "tuttu.toml"
    config.write_text(SETTINGS + '[[site]]\nkey = "shop"\norigins = []\n', "utf-8")
    done = spool("replay", tmp_path / "data", "--aside", "--config", str(config))
    assert (done.returncode, done.stdout) == (0, "events: 1 stored\n"), done.stderr
    assert "set aside before, and waiting again: 1 record\n" in done.stderr
    assert (listed(folder), listed(folder, ASIDE)) == ([], [])


def test_the_click_of_an_email_follows_its_page_view(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(sites=[mail_site()], spool=tmp_path / "data" / "spool") as app:
            await person(app, "ann")
            address = await landed(app, (await mailed(app))["link"])
            app.store.down = True
            await view(app, address)

    (tmp_path / "data" / "store").mkdir(parents=True)
    asyncio.run(work())
    assert spool("replay", tmp_path / "data").stdout == "events: 1 stored\n"
    exported = tuttu(
        "privacy", "export", "--site", "demo", "--data", tmp_path / "data", "--key", f"k:{contact_key('ann').id}",
        cwd=tmp_path,
    )  # fmt: skip
    assert "Email Link Clicked" in exported.stdout


def test_a_segment_that_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data", shop=0)
    (path,) = listed(folder)
    with claimed(path) as _:  # type: ignore[union-attr] # nobody else has it
        done = spool("replay", tmp_path / "data")
    assert (done.returncode, done.stdout) == (1, "events: none\n")
    assert f"{path.name} stays: another process writes or replays it" in done.stderr


def test_rules_with_errors_are_said_before_anything_is_replayed(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data", shop=0)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("segments: [{segment: x, when: [{viewd: /a}]}]", "utf-8")
    config = tmp_path / "tuttu.toml"
    config.write_text(SETTINGS + 'rules = "rules"\n', "utf-8")
    done = spool("replay", tmp_path / "data", "--config", str(config))
    assert done.returncode == 2
    assert "the rules have errors" in done.stderr
    assert len(listed(folder)) == 1


def test_a_running_gateway_replays_what_was_set_aside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = spooled(data)
    assert spool("replay", data).returncode == 1  # the site shop is set aside
    config = tmp_path / "tuttu.toml"
    config.write_text(SETTINGS + '[[site]]\nkey = "shop"\norigins = []\n', "utf-8")
    with Gateway(data, "--config", str(config)) as gateway:
        assert spool("show", data).returncode == 0
        done = spool("replay", data, "--aside", "--config", str(config))
        assert (done.returncode, done.stdout) == (0, "All of it has left the spool.\n"), done.stderr
        assert "a gateway runs on" in done.stderr
        assert (listed(folder), listed(folder, ASIDE)) == ([], [])
        assert {entry["m"] for entry in gateway.log()} == {"m0", "m1", "m2", "s0"}


def test_a_deletion_by_command_reaches_what_waits(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data", shop=0)
    ids = [record["visitor"] for record in shown(tmp_path / "data", "--records", "3")["records"]]
    done = tuttu(
        "privacy", "delete", "--yes", "--site", "demo", "--data", tmp_path / "data", "--key", ids[1], cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    left = [one.payload for path in listed(folder) for one in waiting(path) if isinstance(one, Record)]
    assert [orjson.loads(payload)["v"] for payload in left] == [ids[0], ids[2]]


# -- drop --------------------------------------------------------------------------------------------------------------


def test_drop_says_what_would_be_lost_and_asks(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    before, (path,) = state(folder), listed(folder)
    done = spool("drop", tmp_path / "data", path.stem)
    assert (done.returncode, done.stdout) == (1, "")
    assert "4 events will be lost for good: 3 of site demo, 1 of site shop." in done.stderr
    assert "nothing was deleted; --yes deletes without asking" in done.stderr
    assert state(folder) == before
    done = spool("drop", tmp_path / "data", path.name, "--yes")
    assert (done.returncode, done.stdout) == (0, "1 segment was deleted, with 4 events.\n")
    assert listed(folder) == []


def test_drop_by_age_and_of_what_was_set_aside(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "spool"
    for hours, suffix in ((30, ".spool"), (2, ".spool"), (30, ASIDE)):
        writer = Writer(folder, segment_name(clock() - hours * HOUR_MS, suffix))
        writer.append([b"{}"])
        writer.close()
    assert spool("drop", tmp_path / "data", "--older-than", "2d", "--yes").stdout.startswith("There is nothing of that")
    assert spool("drop", tmp_path / "data", "--older-than", "12h", "--yes").returncode == 0
    assert (len(listed(folder)), len(listed(folder, ASIDE))) == (1, 1)
    assert spool("drop", tmp_path / "data", "--aside", "--yes").returncode == 0
    assert (len(listed(folder)), len(listed(folder, ASIDE))) == (1, 0)


def test_a_wish_to_be_erased_is_not_dropped_unsaid(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "spool"
    writer = Writer(folder, segment_name(clock()))
    writer.append([orjson.dumps({"s": "demo", "v": "a:x", "p": "", "q": False, "r": 1, "a": 1, "x": 5, "d": 5})])
    writer.close()
    done = spool("drop", tmp_path / "data", listed(folder)[0].name)
    assert "The erasures are visitors' own wishes" in done.stderr
    assert "1 erasure" in spool("show", tmp_path / "data").stdout


def test_a_segment_that_a_process_has_is_not_dropped(tmp_path: Path) -> None:
    folder = spooled(tmp_path / "data")
    (path,) = listed(folder)
    with claimed(path) as _:  # type: ignore[union-attr] # nobody else has it
        done = spool("drop", tmp_path / "data", path.name, "--yes")
    assert done.returncode == 1
    assert "is being written or replayed by a running process" in done.stderr
    assert sum(isinstance(one, Record) for one in waiting(path)) == 4


@pytest.mark.parametrize(
    "args", [[], ["--aside", "x"], ["--older-than", "12h", "x"], ["--older-than", "soon"], ["nonsense"]]
)
def test_drop_wants_to_know_what(tmp_path: Path, args: list[str]) -> None:
    folder = spooled(tmp_path / "data")
    done = spool("drop", tmp_path / "data", "--yes", *args)
    assert done.returncode == 2
    assert done.stderr
    assert len(listed(folder)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for another user")
def test_what_root_writes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    writer = Writer(folder, segment_name(clock()))
    writer.append([b"{}"])
    writer.close()
    assert writer.path.stat().st_uid == 12345
