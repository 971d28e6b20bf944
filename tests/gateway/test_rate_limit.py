from __future__ import annotations

import pytest

from gateway.edge.rate_limit import RateLimit
from tests.gateway.app import running
from tests.gateway.making import site


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_ten_seconds_and_fills_again() -> None:
    clock = Clock()
    limit = RateLimit(2, clock=clock)
    assert [limit.retry_after_s("192.0.2.1") for _ in range(22)] == [0] * 20 + [1, 1]
    assert limit.retry_after_s("192.0.2.2") == 0
    clock.now += 1
    assert [limit.retry_after_s("192.0.2.1") for _ in range(3)] == [0, 0, 1]
    clock.now += 3600
    assert [limit.retry_after_s("192.0.2.1") for _ in range(21)] == [0] * 20 + [1]


def test_a_rate_below_one_says_how_long_to_wait() -> None:
    clock = Clock()
    limit = RateLimit(0.05, clock=clock)
    assert [limit.retry_after_s("192.0.2.1") for _ in range(2)] == [0, 20]
    clock.now += 19
    assert limit.retry_after_s("192.0.2.1") == 1
    clock.now += 1
    assert limit.retry_after_s("192.0.2.1") == 0


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_ipv6_is_counted_by_64(one: str, other: str, *, shared: bool) -> None:
    limit = RateLimit(0.1, clock=Clock())
    assert limit.retry_after_s(one) == 0
    assert bool(limit.retry_after_s(other)) is shared


def test_its_memory_is_bounded_and_who_is_forgotten_may_pass() -> None:
    limit = RateLimit(0.1, most=100, clock=Clock())
    for n in range(1000):
        assert limit.retry_after_s(f"10.0.{n // 256}.{n % 256}") == 0
    assert len(limit) == 100
    assert limit.retry_after_s("10.0.0.0") == 0
    assert limit.retry_after_s("10.0.3.231") > 0


def test_who_has_no_address_passes() -> None:
    limit = RateLimit(0.1, clock=Clock())
    assert [limit.retry_after_s("") for _ in range(3)] == [0, 0, 0]


async def test_a_hit_over_the_limit_is_answered_429_and_its_events_counted() -> None:
    origin = {"Origin": "http://localhost:3000"}
    async with running(sites=[site(origins=("http://localhost:*",))], rate_limit=0.1) as app:
        assert (await app.post(headers=origin)).status_code == 200
        single = await app.post(headers=origin)
        batch = await app.post("/v1/batch", headers=origin, batch=[{"type": "page"}] * 3)
        decision = await app.post("/v1/decide", headers=origin, placements=["hero"], batch=[{"type": "page"}])
        for answer in (single, batch, decision):
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert 1 <= int(answer.headers["retry-after"]) <= 10
            assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert app.gateway.telemetry.counters["events", "rejected", "rate_limited"] == 5
        assert app.counted("events_received") == sum(app.outcomes().values()) == 6


async def test_the_secret_key_has_no_limit() -> None:
    async with running(rate_limit=0.1) as app:
        for _ in range(3):
            assert (await app.post(writeKey=site().secret_key, userId="u1")).status_code == 200
