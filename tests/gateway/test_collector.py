"""What goes when rules are replaced: everything of the old plan, and if it had cycles, soon."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway import collector
from gateway.collector import Collector
from tests.fakes.visitor import plan_of
from tests.personalize.test_conditions import RULES, VECTORS

MANY = "segments:\n" + "".join(
    f"  - {{segment: s{n}, when: [{{did: x{n}, where: {{n: at least 3, city: [Oulu, Tam*]}}}}]}}\n" for n in range(50)
)


@pytest.fixture(autouse=True)
def resting() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_plan_has_no_cycles() -> None:
    texts = [MANY, *(RULES.format(condition=condition) for condition, _, _ in VECTORS)]
    for text in texts:
        plan_of(text)  # what is made once and kept, such as a cache, is made now
    gc.collect()
    gc.freeze()
    with_cycles = []
    for text in texts:
        plan_of(text)
        if gc.collect():
            with_cycles.append(text)
    assert with_cycles == []


async def test_what_cannot_go_by_itself_is_found_when_no_hit_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_PAUSE_S", 0.001)
    monkeypatch.setattr(collector, "_PATIENCE_S", 100)
    hits = 3

    def calm() -> bool:
        nonlocal hits
        hits -= 1
        return hits < 0

    tidying = Collector(calm)
    before = gc.get_freeze_count()
    with tidying.resting():
        assert not gc.isenabled()
        circles: list[object] = [[] for _ in range(before)]
        circles.append(circles)
    assert gc.isenabled()
    assert gc.get_freeze_count() > 2 * before
    del circles
    tidying.tidy_soon()
    first = tidying._tidying
    tidying.tidy_soon()
    assert first is tidying._tidying
    assert first is not None
    await first
    assert hits == -1
    assert gc.get_freeze_count() < 1.1 * before


async def test_what_went_by_itself_costs_no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_PAUSE_S", 0.001)
    tidying = Collector(lambda: True)
    monkeypatch.setattr(collector, "_collected", lambda: pytest.fail("everything was walked"))
    with tidying.resting():
        plan_of(MANY)
    tidying.tidy_soon()
    assert tidying._tidying is not None
    await tidying._tidying
