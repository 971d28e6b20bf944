from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.times import DAY_MS, SECRET_KEY_SPAN_MS, WRITE_KEY_SPAN_MS, event_time, parse_time

RECEIVED = 1_795_300_000_000


@pytest.mark.parametrize(
    ("sent", "ms"),
    [
        ("2026-11-21T23:29:54.939+00:00", 1_795_303_794_939),
        ("2026-11-21T23:29:54.939Z", 1_795_303_794_939),
        ("2026-11-22T01:29:54.939123+02:00", 1_795_303_794_939),
        ("2026-11-21T23:29:54", 1_795_303_794_000),
        (1_795_303_794_939, 1_795_303_794_939),
        ("yesterday", 0),
        ("", 0),
        (None, 0),
        (True, 0),
        ("1969-12-31T23:59:59Z", 0),
        (5, 0),
        (10**30, 0),
        ({}, 0),
    ],
)
def test_times_are_read_as_clients_write_them(sent: object, ms: int) -> None:
    assert parse_time(sent) == ms


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_reading_a_time_never_fails(sent: object) -> None:
    assert parse_time(sent) >= 0


def test_a_wrong_clock_is_corrected_by_what_it_says_of_the_sending() -> None:
    wrong = RECEIVED - 400 * DAY_MS
    assert event_time(wrong - 5_000, wrong, RECEIVED, WRITE_KEY_SPAN_MS) == (RECEIVED - 5_000, False)


def test_without_a_time_the_event_happened_when_it_was_received() -> None:
    assert event_time(0, RECEIVED, RECEIVED, WRITE_KEY_SPAN_MS) == (RECEIVED, False)


def test_times_outside_the_span_are_clamped() -> None:
    assert event_time(RECEIVED + 5, 0, RECEIVED, WRITE_KEY_SPAN_MS) == (RECEIVED, True)
    assert event_time(RECEIVED - 8 * DAY_MS, 0, RECEIVED, WRITE_KEY_SPAN_MS) == (RECEIVED - 7 * DAY_MS, True)
    old = RECEIVED - 4 * 365 * DAY_MS
    assert event_time(old, 0, RECEIVED, SECRET_KEY_SPAN_MS) == (old, False)


@given(*[st.integers(946_684_800_000, 4_102_444_800_000)] * 3)
def test_the_time_is_always_inside_the_span(timestamp: int, sent_at: int, received: int) -> None:
    time, _ = event_time(timestamp, sent_at, received, WRITE_KEY_SPAN_MS)
    assert received - WRITE_KEY_SPAN_MS <= time <= received
