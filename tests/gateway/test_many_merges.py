from __future__ import annotations

import asyncio
import random
from collections import Counter

from gateway.envelope import Envelope, Hit
from gateway.identity.visitor import hashed
from gateway.jobs import Job
from gateway.ports import VisitorKey
from gateway.telemetry import Telemetry
from gateway.visitors import Visitors
from gateway.wire.segment import decode_event
from personalize import visits
from tests.fakes.store import FakeStore
from tests.gateway.making import NOW, site
from tests.gateway.people import person, seen

MERGES = 10_000


async def test_ten_thousand_random_merges_lose_no_count() -> None:
    seed = random.Random(20261122)  # noqa: S311 - what happens, not a secret
    store = FakeStore(log_cap=10**9)
    workers = [Visitors(store, Telemetry(), cached=2_000, patience_ms=60_000, clock=lambda: NOW) for _ in range(2)]
    where = site()
    browsers = [f"b{n}" for n in range(MERGES)]
    people = [f"u{n}" for n in range(MERGES // 4)]
    owner = {browser: seed.choice(people) for browser in browsers}
    todo = [(browser, False) for browser in browsers for _ in range(seed.randint(0, 2))]
    todo += [(browser, True) for browser in browsers]
    seed.shuffle(todo)

    def one_hit(number: int, browser: str) -> tuple[Hit, Envelope]:
        at = Hit(where, False, NOW, 0, {}, {}, visitor_id=browser)  # noqa: FBT003 - not the secret key
        raw = {"messageId": f"m{number}", "properties": {"path": "/hinnoittelu"}, "timestamp": "2026-11-21T10:00:00Z"}
        found = decode_event(raw, 0, "page", at, walk=False)
        assert isinstance(found, Envelope)
        return at, found

    async def bring(number: int, browser: str, *, identified: bool) -> None:
        at, envelope = one_hit(number, browser)
        who = hashed("demo", "u", owner[browser]) if identified else ""
        job = Job(at, VisitorKey("demo", "a", browser), [envelope], who)
        await seed.choice(workers).submit(job)
        assert job.done
        assert envelope.outcome is not None
        assert envelope.outcome.kind == "stored"

    for start in range(0, len(todo), 200):  # as many in flight as a busy gateway has
        chunk = enumerate(todo[start : start + 200], start)
        await asyncio.gather(*(bring(n, browser, identified=identified) for n, (browser, identified) in chunk))

    expected = Counter(owner[browser] for browser, _ in todo)
    found = {user: person(store, user) for user in expected}
    assert {user: seen(profile) for user, profile in found.items()} == dict(expected)
    assert sum(len(profile.aliases) for profile in found.values()) == MERGES
    assert {visits.count(profile.visits) for profile in found.values()} == {1}
