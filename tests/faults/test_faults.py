"""The short form of the fault suite: the most telling faults, with a few hits. `make faults` runs all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rig import Size, run
from tests.faults.scenarios import SCENARIOS, Scenario, problems, sized
from tests.integration.process import Gateway, alive, children, eventually

SHORT = Size(hits=900, rate=450, visitors=60, workers=1, hold_s=0.6)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.short], ids=lambda s: s.name)
def test_no_accepted_hit_is_lost_or_doubled(scenario: Scenario, tmp_path: Path) -> None:
    result = run(
        scenario.name, scenario.grade, scenario.setting, scenario.act, tmp_path, sized(scenario, SHORT), seed=1
    )
    assert problems(scenario, result) == []
    assert len(result.book.accepted) > SHORT.hits / 2


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_stays_behind_of_a_gateway_that_was_killed(workers: int, tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", str(workers)) as gateway:
        family = children(gateway.pid)
        gateway.kill()
        eventually(lambda: not any(alive(pid) for pid in family), within=5)
