"""What the hot path and the erasure may rely on, whichever store is behind the ports."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.errors import StoreUnavailable
from gateway.ports import Committed, Erasure, Merge, Stored, VisitorKey, Write
from gateway.store import keys
from tests.contract.subjects import RealSubject, Subject
from tests.fakes.store import FakeStore

ANNA = VisitorKey("demo", "a", "anna")
ODD_IDS = ["{p3}", "}{", "a:b:c", "x|5|7", "ääkköset 漢字 🦊", "two words", "line\r\nbreak", "\x00", '"quoted\\"']


def document(revision: str, text: bytes = b"") -> bytes:
    return b'{"r":"%b","x":"%b"}' % (revision.encode(), text)


def write(visitor: VisitorKey = ANNA, expected: str = "", revision: str = "1", **more: Any) -> Write:
    fields: dict[str, Any] = {
        "document": document(revision),
        "lifetime_s": 1000,
        "marks": b"marks",
        "entries": [],
    } | more
    return Write(visitor=visitor, expected=expected, **fields)


def entry(visitor: VisitorKey, time: int, **more: Any) -> bytes:
    return orjson.dumps({"s": visitor.site, "v": f"{visitor.kind}:{visitor.id}", "t": time} | more)


def neighbour(visitor: VisitorKey) -> VisitorKey:
    """Return another visitor of the same partition."""
    partition = keys.partition_of(keys.visitor_name(visitor).encode())
    others = (VisitorKey(visitor.site, visitor.kind, f"other {n}") for n in range(10_000))
    return next(v for v in others if keys.partition_of(keys.visitor_name(v).encode()) == partition)


async def test_first_write_is_read_back(subject: Subject) -> None:
    assert await subject.profiles.read(ANNA, "") is None
    assert await subject.profiles.commit(write()) == Committed(0)
    assert await subject.profiles.read(ANNA, "") == Stored(document("1"), b"marks")


async def test_read_answers_nothing_new_only_for_the_same_revision(subject: Subject) -> None:
    await subject.profiles.commit(write(revision="12"))
    assert await subject.profiles.read(ANNA, "12") is None
    for other in ("1", "123", "2", ""):
        assert await subject.profiles.read(ANNA, other) == Stored(document("12"), b"marks")
    assert await subject.profiles.read(VisitorKey("demo", "k", "anna"), "12") == Stored(None, b"")


async def test_each_write_builds_on_the_one_before(subject: Subject) -> None:
    for number in range(5):
        expected = str(number) if number else ""
        assert await subject.profiles.commit(write(expected=expected, revision=str(number + 1))) == Committed(0)
    assert await subject.profiles.read(ANNA, "") == Stored(document("5"), b"marks")


@pytest.mark.parametrize("expected", ["", "1", "123", "13", "other"])
async def test_write_on_another_revision_changes_nothing(subject: Subject, expected: str) -> None:
    await subject.profiles.commit(write(revision="12", entries=[b"first"]))
    refused = write(expected=expected, revision="9", marks=b"others", entries=[b"second"], erase_before=5)
    assert await subject.profiles.commit(refused) == Stored(document("12"), b"marks")
    assert await subject.profiles.read(ANNA, "") == Stored(document("12"), b"marks")
    assert await subject.log(ANNA) == [b"first"]
    assert await subject.eraser.pending() == []


async def test_write_on_a_document_that_is_gone_changes_nothing(subject: Subject) -> None:
    assert await subject.profiles.commit(write(expected="1", revision="2", entries=[b"entry"])) == Stored(None, b"")
    assert await subject.profiles.read(ANNA, "") is None
    assert await subject.log(ANNA) == []


async def test_of_concurrent_writes_one_wins(subject: Subject) -> None:
    writes = [write(revision=f"w{n}", marks=b"%d" % n, entries=[b"%d" % n]) for n in range(20)]
    results = await asyncio.gather(*(subject.profiles.commit(attempt) for attempt in writes))
    winners = [n for n, result in enumerate(results) if isinstance(result, Committed)]
    assert len(winners) == 1
    stored = Stored(document(f"w{winners[0]}"), b"%d" % winners[0])
    assert all(result == stored for n, result in enumerate(results) if n not in winners)
    assert await subject.log(ANNA) == [b"%d" % winners[0]]


async def test_marks_are_replaced_and_empty_marks_leave_none(subject: Subject) -> None:
    await subject.profiles.commit(write(marks=b"one"))
    await subject.profiles.commit(write(expected="1", revision="2", marks=b"two"))
    assert await subject.profiles.read(ANNA, "") == Stored(document("2"), b"two")
    await subject.profiles.commit(write(expected="2", revision="3", marks=b""))
    assert await subject.profiles.read(ANNA, "") == Stored(document("3"), b"")


async def test_log_keeps_the_order_inside_and_between_writes(subject: Subject) -> None:
    other = neighbour(ANNA)
    await subject.profiles.commit(write(entries=[b"1", b"2", b"3"]))
    await subject.profiles.commit(write(other, entries=[b"4"]))
    await subject.profiles.commit(write(expected="1", revision="2"))
    await subject.profiles.commit(write(expected="2", revision="3", entries=[b"5", b"1"]))
    assert await subject.log(ANNA) == [b"1", b"2", b"3", b"4", b"5", b"1"]


async def test_cap_of_the_log_binds_and_is_counted(subject: Subject) -> None:
    trimmed, sent = 0, []
    for number in range(100):
        entries = [b"%d-%d" % (number, n) for n in range(7)]
        expected = str(number) if number else ""
        result = await subject.profiles.commit(write(expected=expected, revision=str(number + 1), entries=entries))
        assert isinstance(result, Committed)
        trimmed += result.trimmed
        sent += entries
        # The real one trims whole nodes of 100 entries at most.
        assert len(sent) - trimmed <= 200 + 100
    log = await subject.log(ANNA)
    assert log == sent[trimmed:]
    assert 200 <= len(log) <= 300


async def test_erasure_drops_the_marks_and_leaves_a_note(subject: Subject) -> None:
    await subject.profiles.commit(write())
    tombstone = write(expected="1", revision="2", marks=b"", erase_before=1_700_000_000_000, entries=[b"{}"])
    assert await subject.profiles.commit(tombstone) == Committed(0)
    assert await subject.profiles.read(ANNA, "") == Stored(document("2"), b"")
    assert await subject.eraser.pending() == [Erasure(ANNA, 1_700_000_000_000)]
    assert await subject.log(ANNA) == [b"{}"]


async def test_erasing_takes_the_visitors_older_entries_only(subject: Subject) -> None:
    other = neighbour(ANNA)
    kept = [
        entry(ANNA, 101),
        entry(other, 50),
        entry(other, 50, said="a:anna"),
        entry(VisitorKey("other site", "a", "anna"), 50),
        entry(VisitorKey("demo", "k", "anna"), 50),
    ]
    gone = [entry(ANNA, 100), entry(ANNA, 3, n=1), entry(ANNA, 3, n=2)]
    mixed = [gone[0], *kept[:2], gone[1], *kept[2:], gone[2]]
    await subject.profiles.commit(write(entries=mixed))
    await subject.profiles.commit(write(expected="1", revision="2", erase_before=100))
    await subject.profiles.commit(write(expected="2", revision="3", erase_before=102))
    assert await subject.eraser.erase(Erasure(ANNA, 100)) == 3
    assert await subject.log(ANNA) == kept
    assert await subject.eraser.pending() == [Erasure(ANNA, 102)]
    assert await subject.eraser.erase(Erasure(ANNA, 102)) == 1
    assert await subject.eraser.pending() == []
    assert await subject.eraser.erase(Erasure(ANNA, 102)) == 0


async def test_erasing_what_came_through_one_browser_leaves_the_rest(subject: Subject) -> None:
    person = VisitorKey("demo", "k", "anna")
    kept = [entry(person, 50), entry(person, 50, w="a:other"), entry(person, 101, w="a:anna"), entry(ANNA, 7)]
    await subject.profiles.commit(write(person, entries=[*kept, entry(person, 50, w="a:anna"), entry(person, 50, w=1)]))
    released = write(person, expected="1", revision="2", marks=b"marks", erase_before=100, via="a:anna")
    assert await subject.profiles.commit(released) == Committed(0)
    assert await subject.profiles.read(person, "") == Stored(document("2"), b"marks"), "its marks stay"
    noted = Erasure(person, 100, "a:anna")
    assert await subject.eraser.pending() == [noted]
    assert await subject.reader.waiting([noted, Erasure(person, 100)]) == 1
    assert await subject.eraser.erase(noted) == 1
    assert await subject.log(person) == [*kept, entry(person, 50, w=1)]
    assert await subject.reader.waiting([noted]) == 0


@pytest.mark.parametrize("via", ["", *(f"a:{odd}" for odd in ODD_IDS)])
async def test_a_note_names_any_visitor_and_browser(subject: Subject, via: str) -> None:
    notes = {Erasure(VisitorKey("demo", "k", odd), 7, via) for odd in ODD_IDS}
    for note in notes:
        await subject.eraser.note(note)
        await subject.eraser.note(note)
    assert set(await subject.eraser.pending()) == notes
    for note in notes:
        assert await subject.eraser.erase(note) == 0
    assert await subject.eraser.pending() == []


async def test_a_visitors_entries_are_read_up_to_a_number(subject: Subject) -> None:
    own = [entry(ANNA, n, w="a:x") if n % 2 else entry(ANNA, n) for n in range(40)]
    mixed = [text for pair in zip(own, [entry(neighbour(ANNA), n) for n in range(40)], strict=True) for text in pair]
    await subject.profiles.commit(write(entries=mixed))
    assert await subject.reader.entries(ANNA, "", 100) == own
    assert await subject.reader.entries(ANNA, "", 7) == own[:7]
    assert await subject.reader.entries(ANNA, "a:x", 100) == own[1::2]
    assert await subject.reader.entries(VisitorKey("other", "a", "anna"), "", 100) == []


async def test_reports_are_kept_by_name(subject: Subject) -> None:
    assert await subject.reports.get("one") is None
    await subject.reports.put("one", b"{}")
    await subject.reports.put("one", b'{"done":true}')
    assert await subject.reports.get("one") == b'{"done":true}'
    assert await subject.reports.get("other") is None


async def test_erasing_goes_through_the_whole_log(real: RealSubject) -> None:
    entries = [entry(ANNA, n) for n in range(199)]
    await real.profiles.commit(write(entries=entries))
    log = keys.log_key(keys.partition_of(keys.visitor_name(ANNA).encode()))
    for n in range(1200):
        await real.client.xadd(log, {"e": entry(ANNA, 1000 + n)})
    assert await real.eraser.erase(Erasure(ANNA, 2000)) == 199 + 1001
    assert [orjson.loads(text)["t"] for text in await real.log(ANNA)] == list(range(2001, 2200))


async def test_every_byte_survives(subject: Subject) -> None:
    noise = bytes(range(256)) + b"\r\n$-1\r\n*0\r\n\x00"
    await subject.profiles.commit(write(document=document("1", noise), marks=noise, entries=[noise, b"", noise]))
    assert await subject.profiles.read(ANNA, "") == Stored(document("1", noise), noise)
    assert await subject.log(ANNA) == [noise, b"", noise]
    big = document("2", b"x" * 200_000)
    await subject.profiles.commit(write(expected="1", document=big))
    assert await subject.profiles.read(ANNA, "1") == Stored(big, b"marks")


async def test_odd_ids_are_visitors_like_others(subject: Subject) -> None:
    for odd in ODD_IDS:
        visitor = VisitorKey("demo", "k", odd)
        await subject.profiles.commit(write(visitor, entries=[entry(visitor, 5)]))
        assert await subject.profiles.read(visitor, "1") is None
        await subject.profiles.commit(write(visitor, expected="1", revision="2", erase_before=9))
        assert await subject.eraser.pending() == [Erasure(visitor, 9)]
        assert await subject.eraser.erase(Erasure(visitor, 9)) == 1
        assert await subject.eraser.pending() == []
        assert await subject.log(visitor) == []


async def test_a_probe_leaves_visitors_and_log_alone(subject: Subject) -> None:
    await subject.profiles.commit(write(entries=[entry(ANNA, 1)]))
    await subject.profiles.probe()
    assert await subject.profiles.read(ANNA, "") == Stored(document("1"), b"marks")
    assert await subject.log(ANNA) == [entry(ANNA, 1)]


async def test_a_store_that_is_away_refuses_at_once(subject: Subject) -> None:
    await subject.take_down()
    for call in (subject.profiles.read(ANNA, ""), subject.profiles.commit(write()), subject.profiles.probe()):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(call, 0.5)


async def test_lifetimes_are_renewed_with_each_write(real: RealSubject) -> None:
    partition = keys.partition_of(b"demo:a:anna")
    profile, marks = keys.profile_prefix(partition) + "demo:a:anna", keys.marks_prefix(partition) + "demo:a:anna"
    await real.profiles.commit(write(lifetime_s=keys.PROFILE_LIFETIME_S))
    await real.client.expire(profile, 10)
    await real.client.expire(marks, 10)
    await real.profiles.commit(write(expected="1", revision="2", lifetime_s=keys.TOMBSTONE_LIFETIME_S))
    assert keys.TOMBSTONE_LIFETIME_S - 5 <= await real.client.ttl(profile) <= keys.TOMBSTONE_LIFETIME_S
    assert keys.MARKS_LIFETIME_S - 5 <= await real.client.ttl(marks) <= keys.MARKS_LIFETIME_S


async def test_all_keys_of_a_visitor_share_a_cluster_slot(real: RealSubject) -> None:
    await real.profiles.commit(write(erase_before=5, entries=[b"entry"]))
    await real.profiles.commit(write(expected="1", revision="2"))
    found = await real.client.keys("*")
    assert len(found) == 4
    assert len({f"{key!r}".partition("}")[0] for key in found}) == 1


async def test_the_fake_can_be_rolled_back() -> None:
    store = FakeStore()
    await store.commit(write(entries=[b"1"]))
    before = store.snapshot()
    await store.commit(write(expected="1", revision="2", entries=[b"2"]))
    store.roll_back(before)
    assert await store.commit(write(expected="2", revision="3")) == Stored(document("1"), b"marks")
    assert store.log(ANNA) == [b"1"]


async def test_a_merges_first_step_leaves_a_note_and_its_last_takes_it_away(subject: Subject) -> None:
    odd = [VisitorKey("demo", "a", id_) for id_ in ODD_IDS]
    for visitor in (ANNA, *odd):
        assert await subject.profiles.commit(write(visitor, merging=100)) == Committed(0)
    assert sorted(await subject.merges.merging()) == sorted(Merge(visitor, 100) for visitor in (ANNA, *odd))
    await subject.profiles.commit(write(expected="1", revision="2"))
    await subject.profiles.commit(write(expected="2", revision="3", merged=99))
    await subject.profiles.commit(write(expected="wrong", revision="4", merged=100))
    assert Merge(ANNA, 100) in await subject.merges.merging(), "only the end of this very merge takes it away"
    assert await subject.profiles.commit(write(expected="3", revision="4", merged=100, entries=[b"e"])) == Committed(0)
    assert await subject.log(ANNA) == [b"e"]
    for visitor in odd:
        await subject.merges.settle(Merge(visitor, 99))
        await subject.merges.settle(Merge(visitor, 100))
    assert await subject.merges.merging() == []
    assert await subject.eraser.pending() == []


async def test_an_erased_contact_is_taken_out_of_the_entries_of_browsers(subject: Subject) -> None:
    contact, namesake = VisitorKey("demo", "k", "anna"), VisitorKey("shop", "k", "anna")
    bob, erasure = VisitorKey("demo", "a", "bob"), Erasure(contact, 100)
    kept = [
        entry(ANNA, 101, p="k:anna"),
        entry(ANNA, 50, p="k:another"),
        entry(ANNA, 50, e={"p": "k:anna", "text": '"p":"k:anna"'}),
        entry(neighbour(ANNA), 50),
        entry(VisitorKey("shop", "a", "anna"), 50, p="k:anna"),
    ]
    first, last = entry(ANNA, 50, p="k:anna", e={"event": "näin"}), entry(ANNA, 100, p="k:anna")
    await subject.profiles.commit(write(entries=[first, *kept[:3], last]))
    await subject.profiles.commit(write(neighbour(ANNA), entries=[kept[3]]))
    await subject.profiles.commit(write(VisitorKey("shop", "a", "anna"), entries=[kept[4]]))
    await subject.profiles.commit(write(bob, entries=[entry(bob, 7, p="k:anna")]))
    assert await subject.eraser.forget([]) == []
    found = await subject.eraser.forget([Erasure(namesake, 9), erasure])
    assert sorted(found) == [(ANNA, erasure), (bob, erasure)]
    changed = [entry(ANNA, 50, e={"event": "näin"}), *kept[:3], entry(ANNA, 100)]
    assert await subject.reader.entries(ANNA, "", 100) == changed
    assert await subject.reader.entries(bob, "", 100) == [entry(bob, 7)]
    assert await subject.eraser.forget([erasure]) == []
    await subject.profiles.commit(write(expected="1", revision="2", entries=[b'{"s":"demo","v":"a:anna","t":1}']))
    assert len(await subject.reader.entries(ANNA, "", 100)) == len(changed) + 1
    assert await subject.reader.entries(neighbour(ANNA), "", 100) == [kept[3]]


async def test_a_log_that_is_written_anew_keeps_its_ids(real: RealSubject) -> None:
    log = keys.log_key(keys.partition_of(keys.visitor_name(ANNA).encode()))
    await real.profiles.commit(write(entries=[entry(ANNA, n, p="k:anna") for n in range(3)]))
    before = await real.client.xrange(log)
    await real.client.xdel(log, before[-1][0])
    await real.eraser.forget([Erasure(VisitorKey("demo", "k", "anna"), 100)])
    assert [id_ for id_, _ in await real.client.xrange(log)] == [id_ for id_, _ in before[:-1]]
    assert (await real.client.xinfo_stream(log))["last-generated-id"] == before[-1][0]
    assert await real.client.keys("*without*") == []
