"""Backups of a real store: everything comes back as it was, but for what was erased and what is over."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from gateway.backup.erasures import Erasures
from gateway.backup.format import BackupFailed, records
from gateway.backup.restoring import Restore, Restored, is_empty
from gateway.backup.writing import back_up
from gateway.erasure import Sweep
from gateway.ports import Committed, Erasure, VisitorKey, Write
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Rights, browser, person
from gateway.store import keys
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile
from tests.contract.conftest import ENGINES, real_subject
from tests.contract.household import (
    HERS,
    LAPTOP,
    OTHERS,
    PERSON,
    PHONE,
    SECRET,
    USER,
    entry,
    everything,
    key,
    move_in,
    name,
    profile_of,
    put,
)
from tests.contract.subjects import RealSubject
from tests.gateway.making import NOW, plan

CALENDAR = plan().calendar


def now() -> int:
    return NOW


def later() -> int:
    return NOW + 1


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[RealSubject]:
    async with real_subject(tmp_path / "store", ENGINES[0]) as subject:
        await move_in(subject)
        yield subject


async def saved(home: RealSubject, folder: Path) -> Path:
    path = folder / "store.backup"
    await back_up(home.client, path, now, lambda _: None)
    return path


async def restored(client: Redis, path: Path, folder: Path, *, merge: bool = False, when: int = NOW) -> Restored:
    restore = Restore(path, lambda: when, merge=merge)
    restore.check()
    return await restore.run(client, Ledger(folder).read(), lambda _: None)


async def erase(home: RealSubject, folder: Path, *, whole: bool) -> None:
    rights = Rights(home.stores, later)
    await rights.delete(person("demo", USER) if whole else browser("demo", "phone"), CALENDAR)
    sweep = Sweep(home.eraser, rights.eraser, Ledger(folder), later)
    await sweep.once()
    await sweep.once()


async def dumped(client: Redis) -> dict[bytes, object]:
    """Return all keys with what they hold, logs with their ids."""
    found: dict[bytes, object] = {}
    async for at in client.scan_iter():
        if at.endswith(b":log"):
            found[at] = await client.xrange(at)
        elif at.endswith(b":merging"):
            found[at] = await client.smembers(at)
        else:
            found[at] = (await client.get(at), await client.pttl(at) // 100_000)
    return found


async def test_an_empty_store_takes_back_everything_with_its_ids_and_lifetimes(
    home: RealSubject, tmp_path: Path
) -> None:
    before = await dumped(home.client)
    path = await saved(home, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    await home.client.flushall()
    assert await is_empty(home.client)
    done = await restored(home.client, path, tmp_path)
    assert (done.visitors, done.entries, done.erased) == (len(HERS) + len(OTHERS), 12, 0)
    assert await dumped(home.client) == before


async def test_what_expired_since_stays_away(home: RealSubject, tmp_path: Path) -> None:
    path = await saved(home, tmp_path)
    await home.client.flushall()
    done = await restored(home.client, path, tmp_path, when=NOW + 1_000_001)
    assert (done.visitors, done.expired) == (0, len(HERS) + len(OTHERS))


@pytest.mark.parametrize("how", ["replace", "merge", "into an empty store"])
async def test_an_erased_person_does_not_come_back(home: RealSubject, tmp_path: Path, how: str) -> None:
    path = await saved(home, tmp_path)
    await erase(home, tmp_path, whole=True)
    if how == "into an empty store":
        await home.client.flushall()  # only the ledger remembers
    await restored(home.client, path, tmp_path, merge=how == "merge")
    assert SECRET not in await everything(home)
    for visitor in HERS:
        stored = await home.profiles.read(visitor, "")
        assert stored is not None
        assert stored.document is not None
        found = aliases.decode(stored.document)
        assert isinstance(found, Profile)
        assert found.erased == NOW + 1
        assert (found.matchers, found.aliases, found.traits) == ({}, {}, [])
    assert await home.profiles.read(OTHERS[0], "") is not None
    assert "another" in await everything(home)


async def test_an_erased_browser_does_not_come_back_through_its_person(home: RealSubject, tmp_path: Path) -> None:
    path = await saved(home, tmp_path)
    await erase(home, tmp_path, whole=False)
    await home.client.flushall()
    await restored(home.client, path, tmp_path)
    assert f"{SECRET} on the phone" not in await everything(home)
    assert f"{SECRET} on the laptop" in await everything(home)
    stored = await home.profiles.read(PERSON, "")
    assert stored is not None
    assert stored.document is not None
    anna = documents.decode(stored.document)
    assert anna.revision != "p1", "a cache that holds the backup's must not overwrite this"
    assert anna.aliases[name(PHONE)] == -(NOW + 1)
    assert anna.aliases[name(LAPTOP)] > 0
    assert anna.matchers


async def test_merging_changes_nothing_that_is_there(home: RealSubject, tmp_path: Path) -> None:
    path = await saved(home, tmp_path)
    bystander, newcomer = key("a", "bystander"), key("a", "newcomer")
    newer = documents.encode(profile_of("newer"), "n1")
    write = Write(bystander, "t1", newer, 1000, b"n" * 9, [entry(bystander, "newer")])
    assert await home.profiles.commit(write) == Committed(0)
    await put(home, newcomer, documents.encode(profile_of("new"), "n1"), entry(newcomer, "new"))
    before = await dumped(home.client)
    done = await restored(home.client, path, tmp_path, merge=True)
    assert (done.visitors, done.kept) == (0, len(HERS) + len(OTHERS))
    assert await dumped(home.client) == before
    # What the store has lost comes back, in the order of its ids.
    log = keys.log_key(keys.partition_of(keys.visitor_name(bystander).encode()))
    first = (await home.client.xrange(log))[0][0]
    await home.client.xdel(log, first)
    partition = keys.partition_of(keys.visitor_name(OTHERS[0]).encode())
    await home.client.delete(keys.profile_prefix(partition) + keys.visitor_name(OTHERS[0]))
    done = await restored(home.client, path, tmp_path, merge=True)
    assert done.visitors == 1
    assert (await dumped(home.client)).keys() == before.keys()
    assert await home.client.xrange(log) == before[log.encode()]


async def test_replacing_leaves_only_the_backup_and_what_was_erased(home: RealSubject, tmp_path: Path) -> None:
    path = await saved(home, tmp_path)
    before = await dumped(home.client)
    newcomer = key("a", "newcomer")
    await put(home, newcomer, documents.encode(profile_of("new"), "n1"), entry(newcomer, "new"))
    await restored(home.client, path, tmp_path)
    assert await dumped(home.client) == before


async def test_a_profile_that_began_after_its_erasure_comes_back(home: RealSubject, tmp_path: Path) -> None:
    await erase(home, tmp_path, whole=True)
    stored = await home.profiles.read(PHONE, "")
    assert stored is not None
    assert stored.document is not None
    anew = profile_of("began anew", erased=NOW + 1)
    at = aliases.decode(stored.document).revision
    await home.profiles.commit(Write(PHONE, at, documents.encode(anew, "n1"), 1000, b"", []))
    path = await saved(home, tmp_path)
    await home.client.flushall()
    await restored(home.client, path, tmp_path)
    assert "began anew" in await everything(home)
    assert SECRET not in await everything(home)


@pytest.mark.parametrize("harm", ["cut", "flip", "tail", "line gone", "no backup", "newer", "missing"])
async def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(
    home: RealSubject, tmp_path: Path, harm: str
) -> None:
    path = await saved(home, tmp_path)
    whole = path.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    broken = {
        "cut": whole[:-20],
        "flip": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        "tail": gzip.compress(b"".join([*lines, b"{}\n"])),
        "line gone": gzip.compress(b"".join(lines[:3] + lines[4:])),
        "no backup": b"something else",
        "newer": gzip.compress(orjson.dumps({"tuttu": "backup", "format": 2, "made": 1}) + b"\n"),
    }
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(broken[harm])
    with pytest.raises(BackupFailed) as failed:
        Restore(path, now, merge=False).check()
    assert failed.value.hint
    assert "Traceback" not in str(failed.value)


async def test_a_backup_that_fails_leaves_the_older_file(home: RealSubject, tmp_path: Path) -> None:
    path = await saved(home, tmp_path)
    before = path.read_bytes()

    def fails(_: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await back_up(home.client, path, now, fails)
    assert path.read_bytes() == before
    assert not path.with_name(f".{path.name}.part").exists()


async def test_odd_bytes_survive(home: RealSubject, tmp_path: Path) -> None:
    odd = VisitorKey("demo", "c", "}:v:{p1}:log \n ääk")
    await put(home, odd, b'{"r":"1","x\xff', b'{"s":"demo"\xff', marks=bytes(range(256)))
    before = await dumped(home.client)
    path = await saved(home, tmp_path)
    assert sum(1 for _ in records(path)) > 10
    await home.client.flushall()
    await restored(home.client, path, tmp_path)
    assert await dumped(home.client) == before


def test_a_browser_that_was_let_go_of_comes_back_as_a_tombstone() -> None:
    erasures = Erasures([Erasure(PERSON, NOW, name(PHONE))])
    at = keys.visitor_name(PHONE)
    before, later = (aliases.encode(Alias(name(PERSON), NOW + when), "b1") for when in (0, 1))
    assert erasures.left_of(at, before, "r1") is None
    left, time = erasures.tombstone(at, before, "r1")
    assert (documents.decode(left), time) == (Profile("r1", NOW), NOW)
    assert erasures.left_of(at, later, "r1") == later


def test_a_browser_comes_back_without_the_erased_contact_as_whom_it_was_recognized() -> None:
    erasures, friend = Erasures([Erasure(PERSON, NOW)]), key("a", "friend")
    for since, stays in ((0, False), (1, True)):
        recognized = profile_of("own", contact=[NOW + since, PERSON.id, NOW + 9])
        left = erasures.left_of(keys.visitor_name(friend), documents.encode(recognized, "b1"), "r1")
        assert left is not None
        assert bool(documents.decode(left).contact) == stays
        said = entry(friend, "own", NOW + since, p=name(PERSON))
        assert erasures.left_of_entry(said) == (said if stays else entry(friend, "own", NOW + since))
