"""The table of faults: how each begins and ends, under which grade, and what loss that grade allows.

The promise that is held against all of them stands in `problems`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

from gateway.settings import GatewaySettings
from tests.faults import acts
from tests.faults.acts import nothing
from tests.faults.rig import Act, Result, Rig, Setting, Size

TAIL_S = 5.0
"""For how long a worker keeps what it has answered (docs/reliability.md)."""
SLACK_S = 0.5
EVERYSEC_S = 2.0

ORDINARY = Setting()

Loss = Callable[[Result, float], bool]
"""Whether the grade allows to lose a message that was accepted at this time (monotonic, s)."""


def none(_result: Result, _at: float) -> bool:
    """No loss is allowed."""
    return False


def last_two_seconds(result: Result, at: float) -> bool:
    """What `appendfsync everysec` may not have brought to disk when gateway and store host went together."""
    return result.fault_at - EVERYSEC_S - SLACK_S <= at <= result.fault_at + SLACK_S


def older_than_the_tail(result: Result, at: float) -> bool:
    """What a replica that lagged for longer than the tail did not get, and the workers do not have any more."""
    return result.lag_since - SLACK_S <= at <= result.fault_at - TAIL_S + SLACK_S


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault. `missing` says why it cannot run here, "" if it can. `deaf`: the gateway itself cannot answer a while.

    `gone` is how long it holds, in terms of the size's `hold_s`.
    """

    name: str
    begin: Act
    end: Act = nothing
    setting: Setting = ORDINARY
    grade: str = "store"
    loss: Loss = none
    workers: int = 0
    gone: float = 1.0
    short: bool = False
    deaf: bool = False
    steady: bool = False
    """Whether the store serves all the time, so that nothing may ever be answered 503."""
    missing: Callable[[], str] = field(default=lambda: "")

    def act(self, rig: Rig) -> None:
        """Begin, hold, end."""
        rig.fault_at = time.monotonic()
        self.begin(rig)
        time.sleep(self.gone * rig.size.hold_s)
        self.end(rig)


def durability(grade: str) -> Callable[[], str]:
    """Return a check that this release has the grade."""

    def missing() -> str:
        known = get_args(GatewaySettings.model_fields["durability"].annotation)
        return "" if grade in known else f"durability = {grade} is not there yet"

    return missing


def grade(name: str, prepare: Act = nothing) -> Setting:
    """Return the setting of a gateway with this durability."""
    return Setting(env={"TUTTU_DURABILITY": name}, prepare=prepare)


SCENARIOS: Sequence[Scenario] = (
    Scenario("no fault", nothing, steady=True),
    # -- the line ----------------------------------------------------------------------------------------------------
    Scenario("connection cut", lambda rig: rig.proxy.cut(), short=True),
    Scenario("connection reset, again and again", acts.reset_often),
    Scenario("refused", lambda rig: rig.proxy.refuse(), lambda rig: rig.proxy.listen(), short=True),
    Scenario("refused, spool = off", lambda rig: rig.proxy.refuse(), lambda rig: rig.proxy.listen(),
             setting=acts.WITHOUT_SPOOL),
    Scenario("black hole", acts.line(to_store=False, to_gateway=False), acts.heal, gone=2),
    Scenario("black hole to the store only", acts.line(to_store=False), acts.heal),
    Scenario("black hole to the gateway only", acts.line(to_gateway=False), acts.heal, short=True),
    Scenario("black hole, held back and then delivered", acts.line(to_store=False), acts.heal, gone=0.5),
    Scenario("delay beyond the deadline (1.3 s)", acts.line(delay_s=0.65), acts.heal, gone=2),
    Scenario("jitter (0 to 80 ms)", acts.line(jitter_s=0.04), acts.heal),
    Scenario("throttled to 100 kB/s", acts.line(bytes_per_s=100_000), acts.heal),
    Scenario("garbage in place of an answer", acts.line(garbage="start"), acts.heal),
    Scenario("garbage in the middle of an answer", acts.line(garbage="middle"), acts.heal),
    # -- the store ---------------------------------------------------------------------------------------------------
    Scenario("store killed (-9) and restarted", acts.kill_store, acts.start_store, short=True),
    Scenario("store killed (-9), disk busy", acts.kill_store_on_busy_disk, acts.start_store),
    Scenario("store frozen (SIGSTOP)", lambda rig: rig.store.freeze(), lambda rig: rig.store.thaw(), gone=3),
    Scenario("store busy with a script", acts.long_script, acts.script_over, gone=1.5),
    Scenario("store says BUSY", acts.busy, acts.script_over, gone=1.5),
    Scenario("maxmemory reached, noeviction", acts.fill_memory, acts.more_memory),
    Scenario("read-only replica behind the address", acts.to_replica, acts.to_primary, setting=acts.WITH_REPLICA),
    Scenario("store down at start", nothing, lambda rig: rig.proxy.listen(), setting=acts.DOWN_AT_START),
    Scenario("store forgot its scripts", acts.forget_scripts),
    Scenario("failover, replica up to date", acts.fail_over, setting=acts.WITH_REPLICA, gone=0),
    Scenario("failover, replica lags 1 s", acts.fail_over, setting=acts.WITH_LAGGING_REPLICA, gone=0),
    Scenario(
        "failover, replica lags longer than the tail", acts.fail_over_late, setting=acts.WITH_REPLICA, gone=0,
        loss=older_than_the_tail,
    ),
    Scenario(
        "failover, replica lags longer than the tail", acts.fail_over_late, acts.attach_spare, gone=0,
        setting=grade("replica", acts.attach_replica), grade="replica", missing=durability("replica"),
    ),
    Scenario("power of the store's host lost", acts.lose_power, acts.start_store),
    # -- the gateway -------------------------------------------------------------------------------------------------
    Scenario("gateway killed (-9), whole", acts.kill_gateway, acts.start_gateway, gone=0.3, deaf=True),
    Scenario("gateway killed (-9), parent only", acts.kill_parent, acts.start_gateway, gone=0, deaf=True),
    Scenario(
        "gateway killed while the store is away", acts.kill_gateway_in_fault, acts.restart_all, deaf=True, short=True,
    ),
    Scenario("gateway killed (-9), disk busy", acts.kill_gateway_on_busy_disk, acts.start_gateway, gone=0.3, deaf=True),
    Scenario("worker killed (-9)", acts.kill_worker, workers=2, deaf=True, short=True),
    Scenario("worker frozen (SIGSTOP)", acts.freeze_worker, acts.thaw_workers, workers=2, deaf=True),
    Scenario("SIGTERM while the store is away", acts.terminate_in_fault, acts.restart_all, gone=0.3, deaf=True),
    Scenario(
        "power of both lost", acts.lose_power_of_both, acts.restart_all, gone=0.3, deaf=True, loss=last_two_seconds,
    ),
    Scenario(
        "power of both lost", acts.lose_power_of_both, acts.restart_all, gone=0.3, deaf=True, grade="disk",
        setting=grade("disk", acts.always_fsync), missing=durability("disk"),
    ),
    Scenario(
        "gateway and primary lost, replica promoted", acts.lose_gateway_and_primary, acts.start_gateway_with_spare,
        gone=0.3, deaf=True, setting=grade("replica", acts.attach_replica), grade="replica",
        missing=durability("replica"),
    ),
    Scenario("embedded store killed (-9)", acts.kill_embedded, setting=acts.EMBEDDED, workers=2),
    Scenario(
        "parent killed (-9), embedded store", acts.kill_and_start_parent, setting=acts.EMBEDDED, workers=2, deaf=True,
    ),
    # -- the machine -------------------------------------------------------------------------------------------------
    Scenario("clock one hour ahead, and back", acts.clock("+3600"), acts.clock("+0"), setting=acts.FAKED_CLOCK,
             missing=acts.no_faketime, steady=True),
    Scenario("clock one hour behind, and back", acts.clock("-3600"), acts.clock("+0"), setting=acts.FAKED_CLOCK,
             missing=acts.no_faketime, steady=True),
    Scenario("clock steps while the store is away", acts.clock_in_fault, acts.clock_back, setting=acts.FAKED_CLOCK,
             missing=acts.no_faketime),
    Scenario("clock ahead, then the store's power lost", acts.clock_then_power, acts.start_store,
             setting=acts.FAKED_CLOCK, missing=acts.no_faketime),
    Scenario("spool at its limit, store away", lambda rig: rig.proxy.refuse(), lambda rig: rig.proxy.listen(),
             setting=acts.SMALL_SPOOL, gone=2),
    Scenario("disk full, store up", acts.fill_disk, acts.empty_disk, setting=acts.SMALL_DISK,
             missing=acts.no_mount, steady=True),
    Scenario("disk full, store away", acts.fill_disk_and_refuse, acts.empty_disk_and_listen, setting=acts.SMALL_DISK,
             missing=acts.no_mount),
)  # fmt: skip


RANDOM: Sequence[tuple[str, Act, Act]] = (
    ("cut", lambda rig: rig.proxy.cut(), nothing),
    ("reset", lambda rig: rig.proxy.cut(reset=True), nothing),
    ("refuse", lambda rig: rig.proxy.refuse(), lambda rig: rig.proxy.listen()),
    ("black hole", acts.line(to_store=False, to_gateway=False), acts.heal),
    ("black hole to the store", acts.line(to_store=False), acts.heal),
    ("black hole to the gateway", acts.line(to_gateway=False), acts.heal),
    ("delay 1.3 s", acts.line(delay_s=0.65), acts.heal),
    ("jitter", acts.line(jitter_s=0.04), acts.heal),
    ("throttle", acts.line(bytes_per_s=100_000), acts.heal),
    ("garbage", acts.line(garbage="start"), acts.heal),
    ("garbage in the middle", acts.line(garbage="middle"), acts.heal),
    ("kill store", acts.kill_store, acts.start_store),
    ("freeze store", lambda rig: rig.store.freeze(), lambda rig: rig.store.thaw()),
    ("maxmemory", acts.fill_memory, acts.more_memory),
    ("busy", acts.long_script, acts.script_over),
    ("kill gateway", acts.kill_gateway, acts.start_gateway),
    ("kill parent", acts.kill_parent, acts.start_gateway),
    ("kill worker", acts.kill_worker, nothing),
    ("freeze worker", acts.freeze_worker, acts.thaw_workers),
)


def random_schedule(seed: int, faults: int = 5) -> Scenario:
    """Return a schedule of faults, one after the other or two at once; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    steps = [(rng.choice(RANDOM), rng.uniform(0.2, 2.0), rng.uniform(0.2, 1.2)) for _ in range(faults)]

    def act(rig: Rig) -> None:
        for (name, begin, end), hold, pause in steps:
            rig.notes.append(f"{name} {hold:.1f} s, then {pause:.1f} s")
            begin(rig)
            time.sleep(hold)
            end(rig)
            time.sleep(pause)

    return Scenario(f"random schedule, seed {seed}", act, workers=2, gone=0, deaf=True)


def problems(scenario: Scenario, result: Result) -> list[str]:
    """Return what breaks the promise, one sentence each."""
    book, found = result.book, result.audit
    lost = [m for m in found.lost if not scenario.loss(result, book.accepted[m])]
    wrong = {
        f"{len(lost)} accepted messages are lost, such as {lost[:3]}": bool(lost),
        f"{len(found.doubled)} messages are stored twice, such as {found.doubled[:3]}": bool(found.doubled),
        f"{found.effects_lost} effects are missing": found.effects_lost > 0,
        f"{found.effects_doubled} effects are too many": found.effects_doubled > 0,
        f"{result.received} events were received, but the outcomes are {result.outcomes}": result.received
        != sum(result.outcomes.values()),
        f"{result.never_accepted} messages were never accepted, although all is well again": result.never_accepted > 0,
        f"{len(book.odd)} answers do not add up, such as {book.odd[:1]}": bool(book.odd),
        f"the answers' status was {dict(book.statuses)}": bool(book.statuses.keys() - {0, 200, 503}),
        f"{book.statuses[0]} requests had no answer at all": book.statuses[0] > 0 and not scenario.deaf,
        f"{book.decisions - book.decisions_answered} decisions were not answered 200": not scenario.deaf
        and book.decisions_answered < book.decisions,
        f"{book.statuses[503]} requests were refused although the store served": scenario.steady
        and book.statuses[503] > 0,
    }
    return [sentence for sentence, holds in wrong.items() if holds]


def sized(scenario: Scenario, size: Size) -> Size:
    """Return the size with the workers that the scenario needs."""
    return Size(size.hits, size.rate, size.visitors, scenario.workers or size.workers, size.before, size.hold_s)
