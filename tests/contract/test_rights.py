"""Export and deletion of browsers and of whole persons, on the fake and on a real store, with crashes in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gateway.erasure import Sweep
from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Erasure, Stored, VisitorKey, Write
from gateway.rights.erasing import Eraser
from gateway.rights.ledger import Ledger
from gateway.rights.readable import HANDLED, readable_profile
from gateway.rights.requests import Rights, browser, claimed, company, named, person
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile
from tests.contract.conftest import ENGINES, real_subject
from tests.contract.household import (
    GONE,
    HERS,
    LAPTOP,
    OLDER,
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
from tests.contract.subjects import FakeSubject, Subject
from tests.gateway.making import NOW, plan

PLAN = plan()


@pytest.fixture(params=["fake", ENGINES[0]], ids=str)
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        subject = FakeSubject()
        await move_in(subject)
        yield subject
        return
    async with real_subject(tmp_path / "store", request.param) as real:
        await move_in(real)
        yield real


def rights_in(subject: Subject) -> Rights:
    return Rights(subject.stores, lambda: NOW)


def sweep_of(subject: Subject, folder: Path) -> Sweep:
    eraser = Eraser(subject.profiles, subject.eraser, subject.merges, lambda: NOW + 1)
    return Sweep(subject.eraser, eraser, Ledger(folder), lambda: NOW + 1)


async def profile_at(subject: Subject, visitor: VisitorKey) -> Profile | Alias:
    stored = await subject.profiles.read(visitor, "")
    assert stored is not None
    assert stored.document is not None
    return aliases.decode(stored.document)


async def of_others(subject: Subject) -> list[Stored | None]:
    return [await subject.profiles.read(visitor, "") for visitor in OTHERS]


async def test_a_persons_export_holds_everything_that_leads_to_them_and_nobody_else(home: Subject) -> None:
    out = await rights_in(home).export(person("demo", USER), PLAN)
    assert out["subject"] == "person"
    assert out["log_complete"]
    assert [p["kind"] for p in out["profiles"]] == ["person", "browser", "claimed", "claimed"]
    assert {a["key"] for a in out["aliases"]} == {name(v) for v in (PHONE, LAPTOP, OLDER, GONE)}
    assert len(out["log"]) == 8
    assert all(SECRET in line["sent"]["said"] for line in out["log"])
    assert {line["site"] for line in out["log"]} == {"demo"}
    first = out["profiles"][0]
    assert first["first_visit"] == "2026-11-22T00:26:31.000+02:00"
    assert first["traits"] == [{"set": "2026-11-22T00:26:35.000+02:00", "values": {"note": SECRET}}]
    assert first["counts"] == [
        {"id": "abcdef", "what": "what no rule names any more", "times": 3, "by_day": {"2026-09-04": 3}}
    ]
    assert first["messages_marked"] == 1


async def test_an_older_id_exports_the_same_person(home: Subject) -> None:
    rights = rights_in(home)
    newer, older = [await rights.export(person("demo", user), PLAN) for user in (USER, "anna (old)")]
    assert {line["sent"]["said"] for line in newer["log"]} == {line["sent"]["said"] for line in older["log"]}
    assert newer["profiles"] == older["profiles"] or len(newer["profiles"]) == len(older["profiles"])


async def test_a_browsers_export_holds_what_came_through_it_and_nothing_of_the_person(home: Subject) -> None:
    out = await rights_in(home).export(browser("demo", "phone"), PLAN)
    assert out["profiles"] == []
    assert [line["sent"]["said"] for line in out["log"]] == [f"{SECRET} on the phone"] * 3
    assert {line["profile"] for line in out["log"]} == {name(PHONE), name(PERSON), name(OLDER)}
    assert [a["key"] for a in out["aliases"]] == [name(PHONE)]
    assert "userHash" in out["notes"][0]


async def test_a_persons_deletion_reaches_everything_and_nobody_else(home: Subject, tmp_path: Path) -> None:
    rights, before = rights_in(home), await of_others(home)
    report = await rights.delete(person("demo", USER), PLAN.calendar)
    assert report["erased"] == {"profiles": 3, "browsers": 2, "older_ids": 1, "marks": 4}
    assert report["pending"]["log_entries"] == 8
    assert not report["done"]
    assert (await rights.report(report["report"])) == report
    await sweep_of(home, tmp_path).once()
    assert SECRET not in await everything(home)
    for visitor in HERS:
        left = await profile_at(home, visitor)
        assert isinstance(left, Profile)
        # A choice outlives the erasure: it may only be stricter than the site's default.
        assert left == Profile(left.revision, NOW, consent=left.consent), visitor
    assert (await profile_at(home, PHONE)).consent == [NOW - 8000, ["analytics"]]  # type: ignore[union-attr]
    assert await of_others(home) == before
    done = await rights.report(report["report"])
    assert done is not None
    assert done["done"]
    assert done["pending"] is None
    assert await rights.report(report["report"]) == done
    assert {line.erasure.visitor for line in Ledger(tmp_path).read()} == set(HERS)


async def test_a_browsers_deletion_lets_go_of_the_person_and_leaves_them(home: Subject, tmp_path: Path) -> None:
    rights = rights_in(home)
    report = await rights.delete(browser("demo", "phone"), PLAN.calendar)
    assert report["erased"] == {"profiles": 0, "browsers": 1, "older_ids": 0, "marks": 0}
    assert "cannot be told apart" in report["notes"][0]
    kept = await profile_at(home, PERSON)
    assert isinstance(kept, Profile)
    assert kept.aliases[name(PHONE)] == -NOW
    assert kept.matchers, "the person's counts stay"
    await sweep_of(home, tmp_path).once()
    assert f"{SECRET} on the phone" not in await everything(home)
    assert f"{SECRET} on the laptop" in await everything(home)
    tombstone = await profile_at(home, PHONE)
    assert tombstone.erased == NOW
    report_now = await rights.report(report["report"])
    assert report_now is not None
    assert report_now["done"]


async def test_a_browser_of_nobody_and_a_claimed_profile_are_erased_alone(home: Subject, tmp_path: Path) -> None:
    rights = rights_in(home)
    for subject, visitor in (
        (browser("demo", "bystander"), key("a", "bystander")),
        (claimed("demo", "an anonymous id"), None),
        (named("demo", "k:bystander"), key("k", "bystander")),
    ):
        assert subject is not None
        report = await rights.delete(subject, PLAN.calendar)
        assert report["erased"]["profiles"] == (1 if visitor else 0), "what is unknown gets its tombstone too"
        assert (await profile_at(home, subject.key)).erased == NOW
    await sweep_of(home, tmp_path).once()
    assert SECRET in await everything(home)


class Crashing:
    """A store and its log that die at the n-th change."""

    def __init__(self, home: Subject, after: int) -> None:
        self._home = home
        self._left = after

    async def read(self, visitor: VisitorKey, revision: str) -> Stored | None:
        return await self._home.profiles.read(visitor, revision)

    async def commit(self, write: Write) -> Committed | Stored:
        self._step()
        return await self._home.profiles.commit(write)

    async def note(self, erasure: Erasure) -> None:
        self._step()
        await self._home.eraser.note(erasure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._home.eraser, name)

    def _step(self) -> None:
        if not self._left:
            raise StoreUnavailable("it crashed")
        self._left -= 1


@pytest.mark.parametrize("whole", [True, False], ids=["person", "browser"])
async def test_a_crash_between_any_two_steps_is_finished_by_the_sweep(whole: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    def erasing(eraser: Eraser) -> Any:
        return eraser.erase_person(PERSON) if whole else eraser.erase_browser(LAPTOP)

    outcomes = set()
    for steps in range(1, 12):
        home = FakeSubject()
        await move_in(home)
        crashing = Crashing(home, steps)
        finished = True
        try:
            await erasing(Eraser(crashing, crashing, home.merges, lambda: NOW))
        except StoreUnavailable:
            finished = False
        await sweep_of(home, tmp_path / f"{steps}").once()
        await sweep_of(home, tmp_path / f"{steps}").once()  # what finishing noted
        assert await home.eraser.pending() == []
        found = [await profile_at(home, visitor) for visitor in HERS]
        for profile in found:
            profile.revision = ""
        outcomes.add(repr((found, [await home.reader.entries(v, "", 100) for v in HERS])))
        if finished:
            assert steps > 1
            break
    assert len(outcomes) == 1, "\n\n".join(outcomes)


async def test_a_browser_that_began_anew_keeps_its_new_profile(home: Subject, tmp_path: Path) -> None:
    eraser = Eraser(home.profiles, home.eraser, home.merges, lambda: NOW)
    await eraser.erase_person(PERSON)
    tombstone = await profile_at(home, PHONE)
    anew = profile_of("anew", erased=NOW)
    anew.first_visit = NOW + 10
    write = Write(PHONE, tombstone.revision, documents.encode(anew, "n1"), 1000, b"n" * 9, [])
    assert await home.profiles.commit(write) == Committed(0)
    await sweep_of(home, tmp_path).once()
    assert (await profile_at(home, PHONE)).revision == "n1"


async def test_a_later_link_of_an_erased_person_stays(home: Subject, tmp_path: Path) -> None:
    tablet = key("a", "tablet")
    await Eraser(home.profiles, home.eraser, home.merges, lambda: NOW).erase_person(PERSON)
    left = await profile_at(home, PERSON)
    anew = Profile(erased=NOW, first_visit=NOW + 5, aliases={name(tablet): NOW + 5})
    await home.profiles.commit(Write(PERSON, left.revision, documents.encode(anew, "n1"), 1000, b"", []))
    await put(home, tablet, aliases.encode(Alias(name(PERSON), NOW + 5), "t1"))
    await sweep_of(home, tmp_path).once()
    assert (await profile_at(home, tablet)).revision == "t1"
    assert (await profile_at(home, PERSON)).revision == "n1"


async def test_a_damaged_document_is_said_and_erased(home: Subject) -> None:
    broken = key("a", "broken")
    await put(home, broken, b'{"r":"b1","f":1,"m":')
    rights = rights_in(home)
    assert "damaged" in (await rights.export(browser("demo", "broken"), PLAN))["notes"][0]
    await rights.delete(browser("demo", "broken"), PLAN.calendar)
    assert (await profile_at(home, broken)).erased == NOW


async def test_a_circle_of_aliases_ends(home: Subject) -> None:
    one, two = key("k", "one"), key("k", "two")
    await put(home, one, aliases.encode(Alias(name(two), NOW - 5), "1"))
    await put(home, two, aliases.encode(Alias(name(one), NOW - 5), "1"))
    subject = named("demo", name(one))
    assert subject is not None
    await rights_in(home).delete(subject, PLAN.calendar)
    assert Profile in [type(await profile_at(home, visitor)) for visitor in (one, two)]


async def test_a_store_that_went_back_in_time_is_erased_again(tmp_path: Path) -> None:
    home = FakeSubject()
    await move_in(home)
    older = home.store.snapshot()
    sweep = sweep_of(home, tmp_path)
    await rights_in(home).delete(person("demo", USER), PLAN.calendar)
    await rights_in(home).delete(browser("demo", "bystander"), PLAN.calendar)
    await sweep.once()
    home.store.roll_back(older)
    assert SECRET in await everything(home)
    await sweep.renew()
    await sweep.once()
    assert SECRET not in await everything(home)
    assert (await profile_at(home, key("a", "bystander"))).erased == NOW
    assert isinstance(await profile_at(home, OLDER), Profile)


async def begin_to_merge(home: Subject) -> tuple[VisitorKey, VisitorKey, VisitorKey]:
    """Let a tablet, and an older id that has a watch, be on their way to the person."""
    tablet, watch, before = key("a", "tablet"), key("a", "watch"), key("k", "anna before")
    theirs = profile_of(SECRET, aliases={name(watch): NOW - 500})
    for visitor, snapshot in ((tablet, profile_of(SECRET)), (before, theirs)):
        alias = aliases.encode(Alias(name(PERSON), NOW - 100, snapshot=snapshot), "h1")
        await put(home, visitor, alias, entry(visitor, SECRET), merging=NOW - 100)
    await put(home, watch, aliases.encode(Alias(name(before), NOW - 500), "w1"), entry(watch, SECRET), marks=b"")
    return tablet, watch, before


async def test_what_is_just_being_merged_is_exported_and_erased_with_the_person(home: Subject, tmp_path: Path) -> None:
    added = await begin_to_merge(home)
    rights = rights_in(home)
    out = await rights.export(person("demo", USER), PLAN)
    assert {a["key"] for a in out["aliases"]} >= {name(visitor) for visitor in added}
    assert {name(added[0]), name(added[2])} <= {p["key"] for p in out["profiles"]}
    assert {line["profile"] for line in out["log"]} >= {name(visitor) for visitor in added}
    report = await rights.delete(person("demo", USER), PLAN.calendar)
    assert report["erased"] == {"profiles": 3, "browsers": 4, "older_ids": 2, "marks": 6}
    for visitor in added:
        assert (await profile_at(home, visitor)).erased == NOW, "at once"
    for _ in range(2):
        await sweep_of(home, tmp_path).once()
    for visitor in added:
        left = await profile_at(home, visitor)
        assert left == Profile(left.revision, NOW, consent=[NOW - 8000, ["analytics"]])
        assert await home.reader.entries(visitor, "", 10) == []
    assert await home.eraser.pending() == []
    found = await rights.report(report["report"])
    assert found is not None
    assert found["done"]
    # Their notes are settled by whoever looks next.
    await rights.export(person("demo", USER), PLAN)
    assert await home.merges.merging() == []


async def test_browsers_forget_a_contact_who_is_erased(home: Subject, tmp_path: Path) -> None:
    friend, anew, elsewhere = key("a", "friend"), key("a", "anew"), key("a", "elsewhere")
    for visitor, contact, since in ((friend, PERSON, -9), (anew, PERSON, 9), (elsewhere, key("k", "bystander"), -9)):
        recognized = profile_of("own", contact=[NOW + since, contact.id, NOW + 10_000])
        said = entry(visitor, "own", NOW + since, p=name(contact))
        await put(home, visitor, documents.encode(recognized, "c1"), said)
    out = await rights_in(home).export(browser("demo", "friend"), PLAN)
    assert PERSON.id not in repr(out), "whoever sits at a browser learns nothing of a contact"
    assert out["log"][0]["recognized_by_a_link"]
    assert set(out["profiles"][0]["recognized_by_email"]) == {"time", "until"}
    await rights_in(home).delete(person("demo", USER), PLAN.calendar)
    await sweep_of(home, tmp_path).once()
    assert (await profile_at(home, friend)) == profile_of("own", revision=(await profile_at(home, friend)).revision)
    assert await home.reader.entries(friend, "", 10) == [entry(friend, "own", NOW - 9)]
    for visitor in (anew, elsewhere):
        assert (await profile_at(home, visitor)).revision == "c1", visitor
        assert b'"p":"k:' in (await home.reader.entries(visitor, "", 10))[0]


async def test_a_company_is_exported_and_erased(home: Subject, tmp_path: Path) -> None:
    whom = company("demo", "acme")
    told = Profile(traits=[[(NOW - 5000) << 22, {"industry": "anvils"}]], company=[(NOW - 5000) << 22, "acme", {}])
    await put(home, whom.key, documents.encode(told, "g1"), entry(whom.key, "anvils"))
    rights = rights_in(home)
    out = await rights.export(whom, PLAN)
    assert (out["subject"], out["profiles"][0]["company"]["group_id"]) == ("company", "acme")
    assert out["profiles"][0]["traits"][0]["values"] == {"industry": "anvils"}
    assert (await rights.delete(whom, PLAN.calendar))["erased"]["profiles"] == 1
    await sweep_of(home, tmp_path).once()
    assert (await profile_at(home, whom.key)).erased == NOW
    assert await home.reader.entries(whom.key, "", 10) == []


def test_everything_that_a_profile_may_hold_has_words_of_its_own() -> None:
    stamp = (NOW - 1000) << 22
    full = Profile(
        first=[stamp, "/hinnoittelu", "www.google.com", "spring"],
        last=[stamp, "/"],
        clicks={"gclid": [stamp, "abc"]},
        contact=[NOW, "hash", NOW + 1000],
        member=[stamp, "acme"],
        ads_refused=NOW,
    )
    found = readable_profile(full, PLAN)
    at = "2026-11-22T00:26:39.000+02:00"
    touch = {"time": at, "landing": "/hinnoittelu", "referrer": "www.google.com", "campaign": "spring"}
    assert found["first_touch"] == touch
    assert found["last_touch"] == {"time": at, "landing": "/"}
    assert found["click_ids"] == {"gclid": {"set": at, "id": "abc"}}
    assert found["company_by_server"] == {"set": at, "group_id": "acme", "attributes": {}}
    assert found["ads_refused"] == "2026-11-22T00:26:40.000+02:00"
    assert set(HANDLED) == {field.name for field in fields(Profile)}
    assert "other" not in found


async def test_a_persons_browsers_stand_in_the_ledger_with_the_person(home: Subject, tmp_path: Path) -> None:
    crashing = Crashing(home, 1)  # as a withdrawal leaves it: nothing but the person's tombstone is written
    with pytest.raises(StoreUnavailable):
        await Eraser(crashing, crashing, home.merges, lambda: NOW).erase_person(PERSON)
    await sweep_of(home, tmp_path).once()
    assert {line.erasure.visitor for line in Ledger(tmp_path).read()} == {PERSON, PHONE, LAPTOP, OLDER}


async def test_a_browser_that_was_let_go_of_is_not_reached_through_an_older_ids_merge(
    home: Subject, tmp_path: Path
) -> None:
    _, watch, _ = await begin_to_merge(home)
    await Eraser(home.profiles, home.eraser, home.merges, lambda: NOW - 50).erase_browser(watch)
    tombstone = await profile_at(home, watch)
    theirs = aliases.encode(Alias("k:bystander", NOW - 10), "b1")  # somebody else's by now
    await home.profiles.commit(Write(watch, tombstone.revision, theirs, 1000, b"", []))
    await rights_in(home).delete(person("demo", USER), PLAN.calendar)
    for _ in range(3):
        await sweep_of(home, tmp_path).once()
    assert (await profile_at(home, watch)).revision == "b1"
    assert {line.erasure.before for line in Ledger(tmp_path).read() if line.erasure.visitor == watch} == {NOW - 50}
