from __future__ import annotations

from personalize.marks import MOST, Marks

HOUR = 3_600_000
NOW = 500_000 * HOUR


def prints(n: int, start: int = 0) -> list[bytes]:
    return [i.to_bytes(6, "big") for i in range(start, start + n)]


def test_marks_survive_packing() -> None:
    marks, gone = Marks().added(prints(3), NOW)
    again = Marks(marks.packed)
    assert gone == 0
    assert len(marks.packed) == 27
    assert all(p in again for p in prints(3))
    assert prints(1, 7)[0] not in again


def test_marks_go_after_48_hours() -> None:
    marks, _ = Marks().added(prints(2), NOW)
    same, _ = marks.added(prints(1, 10), NOW + 48 * HOUR)
    assert prints(1)[0] in same
    later, gone = marks.added(prints(1, 10), NOW + 49 * HOUR)
    assert gone == 0
    assert prints(1)[0] not in later
    assert prints(1, 10)[0] in later


def test_at_the_cap_the_oldest_go_and_are_counted() -> None:
    marks, _ = Marks().added(prints(MOST), NOW)
    marks, gone = marks.added(prints(5, MOST), NOW)
    assert gone == 5
    assert len(marks.packed) == MOST * 9
    assert prints(1)[0] not in marks
    assert prints(1, MOST + 4)[0] in marks


def test_united_marks_know_the_messages_of_both_and_the_order_does_not_matter() -> None:
    one, _ = Marks().added(prints(3), NOW)
    other, _ = Marks().added([*prints(1), *prints(2, 10)], NOW + HOUR)
    both, gone = one.united(other)
    assert (both.packed, gone) == (other.united(one)[0].packed, 0)
    assert all(p in both for p in (*prints(3), *prints(2, 10)))
    assert len(both.packed) == 5 * 9
    later, _ = both.added(prints(1, 20), NOW + 49 * HOUR)
    assert prints(1)[0] in later, "a message that both know is kept as long as the later mark"
    assert prints(1, 1)[0] not in later


def test_united_marks_let_the_oldest_go_at_the_cap() -> None:
    one, _ = Marks().added(prints(MOST), NOW)
    other, _ = Marks().added(prints(5, MOST), NOW + HOUR)
    both, gone = one.united(other)
    assert gone == 5
    assert all(p in both for p in prints(5, MOST))
    assert len(both.packed) == MOST * 9
