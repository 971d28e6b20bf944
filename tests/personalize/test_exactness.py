"""The engine beside a naive reading of the language: random rules, written in YAML, for random visitors.

What is compared is said by the tests' names. The naive reading is in naive.py, the rules are made in
rule_strategies.py, the visitors in strategies.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from math import isclose
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.choosing import Asked
from personalize.decide import decide
from personalize.explain_scores import explained_score
from personalize.expression import truth_of
from personalize.loader import load
from personalize.model import Context, Event, Facts, Shown, stamp_of
from personalize.plan import Plan, compile_rules
from personalize.syntax import RuleSet
from personalize.view import View
from tests.personalize import rule_strategies as written
from tests.personalize import strategies as random
from tests.personalize.naive import World


def loaded(text: str, zone: str) -> tuple[RuleSet, Plan]:
    rules, problems = load({"rules.yaml": text})
    assert rules is not None, "\n".join([*map(str, problems), text])
    return rules, compile_rules(rules, zone)


def visited(draw: st.DrawFn, rules: RuleSet, plan: Plan, now: int, zone: str) -> tuple[World, View]:
    """Return one visitor twice: as raw events, and as the engine sees the profile that it made of them."""
    context = draw(random.contexts())
    arriving = draw(random.arrivals(now, zone)) + draw(random.habits(now, zone))
    erased = draw(random.pick(0, 0, 0, 0, now - random.DAY, now - 7 * random.DAY))
    profile = random.arrived(plan, arriving, random.tombstone(erased))
    happened = [arrival.event for arrival in arriving]
    allowed, unread = context.consent, bool(context.unread)
    world = World(rules, zone, now, happened, context.facts, allowed, context.known, unread, erased)
    return world, View(plan, profile, context, now)


@st.composite
def worlds(draw: st.DrawFn, *, groups: bool = True, placements: bool = False) -> tuple[World, View]:
    """Return random scores, with groups also segments, stages and temperatures, and a visitor."""
    zone = draw(random.ZONES)
    now = random.moment(draw(random.NOWS), zone)
    parts = [draw(written.scored())]
    if groups:
        parts.append(draw(written.grouped()))
    if placements:
        parts.append(draw(written.placed(now, zone)))
    rules, plan = loaded(written.yaml(*parts), zone)
    return visited(draw, rules, plan, now, zone)


@settings(max_examples=70, deadline=None)
@given(worlds())
def test_a_compiled_condition_equals_a_naive_interpreter(world_and_view: tuple[World, View]) -> None:
    world, view = world_and_view
    plan = view.plan
    for one in world.rules.segments:
        segment = plan.segments[one.name]
        parts = [*zip(one.when, segment.conditions, strict=True)]
        for condition, compiled in parts:
            assert truth_of(compiled.holds)(view) is world.holds(condition), condition
        assert segment.holds(view) is world.is_in(one.name)
    assert plan.stages.name(view) == world.stage()
    assert plan.temperatures.name(view) == world.temperature()


def combinations() -> list[dict[str, Any]]:
    """Return `viewed` with every combination of count, window and number of days."""
    options = (
        [{}, {"at least": "twice"}, {"at most": "twice"}, {"at least": "twice", "at most": "3 times"}],
        [{}, *({"within": days} for days in ("1 day", "2 days", "1 week", "30 days", "90 days"))],
        [{}, {"across": "2 days"}],
    )
    return [{"viewed": "/a", **often, **lately, **apart} for often, lately, apart in product(*options)]


BEHAVIOURS = loaded(
    written.yaml({"segments": [{"segment": f"s{n}", "when": [c]} for n, c in enumerate(combinations())]}), random.ZONE
)
MOMENTS = st.tuples(random.BORDER_DAYS, random.pick(0, 12 * 60, 24 * 60 - 1), random.pick(1, 1, 2))


@settings(max_examples=80, deadline=None)
@given(random.NOWS, st.lists(MOMENTS, max_size=4))
def test_every_count_in_every_window_equals_a_naive_count(clock: str, moments: list[tuple[int, int, int]]) -> None:
    rules, plan = BEHAVIOURS
    now = random.moment(clock)
    midnight = datetime.fromisoformat(clock).replace(hour=0, minute=0)
    days = [(midnight - timedelta(days=ago, minutes=-minute), times) for ago, minute, times in moments]
    times = [min(now, random.moment(str(day))) for day, times in days for _ in range(times)]
    happened = [Event("page", f"m{n}", at, stamp_of(at, n), path="/a") for n, at in enumerate(times)]
    profile = random.arrived(plan, [random.Arrival(event, event.time) for event in happened])
    world, view = World(rules, random.ZONE, now, happened), View(plan, profile, Context(Facts()), now)
    for segment in rules.segments:
        assert plan.segments[segment.name].holds(view) is world.is_in(segment.name), segment.when


RESTS = {"1 minute": random.MINUTE, "1 day": random.DAY, "14 days": 14 * random.DAY, "forever": 0}
LIMITS = [
    *({"show at most": cap} for cap in written.CAPS),
    *({f"rest after {reaction}": rest} for reaction in ("click", "dismiss", "convert") for rest in RESTS),
]
LIMITED = loaded(
    written.yaml({"placements": [{"placement": "hero", "blocks": [
        *({"block": f"b{n}", **limit, "content": {"title": "x"}} for n, limit in enumerate(LIMITS)),
        {"block": "last", "content": {"title": "x"}},
    ]}]}),
    random.ZONE,
)  # fmt: skip
REACTED = st.tuples(
    random.pick("Content Shown", "Content Shown", "Content Clicked", "Content Dismissed", "Content Converted"),
    st.tuples(st.sampled_from([*RESTS.values()]), random.pick(-1, 0, 1))
    | st.tuples(random.BORDER_DAYS.map(lambda days: days * random.DAY), random.pick(-random.HOUR, 0, random.HOUR)),
)


@settings(max_examples=60, deadline=None)
@given(random.NOWS, st.lists(REACTED, max_size=5))
def test_every_cap_and_every_rest_equals_a_naive_reading(clock: str, reacted: list[tuple[str, Any]]) -> None:
    rules, plan = LIMITED
    now = random.moment(clock)
    placement, compiled = rules.placements[0], plan.placements["hero"]
    happened = []
    for n, (name, (ago, nudge)) in enumerate(reacted):
        at = min(now, now - ago + nudge)
        for block in placement.blocks:
            shown = Shown("hero", block.name, "", "v", at, "rule")
            happened.append(Event("track", f"m{n}", at, stamp_of(at, n), name, shown=shown))
    profile = random.arrived(plan, [random.Arrival(event, event.time) for event in happened])
    world, view = World(rules, random.ZONE, now, happened), View(plan, profile, Context(Facts()), now)
    for block, engine in zip(placement.blocks, compiled.blocks, strict=True):
        assert (Asked(engine).lacking(view) < 0) is world.may_show(block), block


def test_every_value_fits_a_test_as_in_a_naive_reading() -> None:
    tests = [*written.PHRASES, *written.WORDS, list(written.WORDS[:2]), [written.Quoted("5.5"), "x"]]
    conditions = [[{"trait": "plan", "is": test}] for test in tests]
    segments = [{"segment": f"s{n}", "when": when} for n, when in enumerate(conditions)]
    rules, plan = loaded(written.yaml({"segments": segments}), random.ZONE)
    for n, value in enumerate(random.JSON_VALUES):
        said = Event("identify", "m", n, stamp_of(n, 1), traits={"plan": value})
        profile = random.arrived(plan, [random.Arrival(said, n)])
        world, view = World(rules, random.ZONE, n, [said]), View(plan, profile, Context(Facts()), n)
        for segment in rules.segments:
            assert plan.segments[segment.name].holds(view) is world.is_in(segment.name), (segment.when, value)


def test_clock_and_calendar_equal_a_naive_reading_at_every_edge() -> None:
    segments = [{"segment": f"s{n}", "when": [clock]} for n, clock in enumerate(written.CLOCKS)]
    rules, plan = loaded(written.yaml({"segments": segments}), random.ZONE)
    starts = [random.moment(day) for day in ("2026-03-28", "2026-06-30", "2026-10-23", "2027-03-27", "2027-10-30")]
    edges = [start + half_hour * 30 * random.MINUTE for start in starts for half_hour in range(4 * 48)]
    for now in (edge + nudge for edge in edges for nudge in (-1, 0, random.MINUTE)):
        world, view = World(rules, random.ZONE, now, []), View(plan, None, Context(Facts()), now)
        assert {s.name: plan.segments[s.name].holds(view) for s in rules.segments} == {
            s.name: world.is_in(s.name) for s in rules.segments
        }, now


@settings(max_examples=40, deadline=None)
@given(worlds(groups=False))
def test_scores_equal_a_recomputation_from_the_raw_events_and_their_lines_add_up(
    world_and_view: tuple[World, View],
) -> None:
    world, view = world_and_view
    plan = view.plan
    for those, compiled in ((world.rules.scores, plan.scores), (world.rules.interests, plan.interests)):
        for score in those:
            explained = explained_score("score", compiled[score.name.lower()], view)
            assert isclose(explained.value, world.points(those, score.name), abs_tol=1e-9), score
            total = 0.0
            for line, grant in zip(explained.lines, score.grants, strict=True):
                assert isclose(line.points, world.given(grant, score.half_life), abs_tol=1e-9), grant
                assert line.count or not line.points, "what gives points is shown"
                assert abs(line.shown - line.points * 100) < 1.001
                if line.by_day:
                    assert isclose(sum(day.points for day in line.by_day), line.points, abs_tol=1e-9)
                    assert sum(day.shown for day in line.by_day) == line.shown
                total += line.points
            assert total == explained.value, "to the last bit"
            assert sum(line.shown for line in explained.lines) == explained.shown == round(explained.value * 100)


@settings(max_examples=50, deadline=None)
@given(worlds(placements=True))
def test_a_decision_equals_a_naive_choice(world_and_view: tuple[World, View]) -> None:
    world, view = world_and_view
    for placement in world.rules.placements:
        for block, compiled in zip(placement.blocks, view.plan.placements[placement.name].blocks, strict=True):
            assert (Asked(compiled).lacking(view) < 0) is world.may_show(block), block
        (decision,) = decide(view.plan, view.profile, view.context, [placement.name], view.now)
        block, reason = world.choose(placement)
        assert (decision.block, decision.reason) == (block, view.context.unread or reason)
