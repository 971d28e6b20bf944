"""`like` and `also` of tests: a test takes time, visitor and events of another and writes only what differs."""

from __future__ import annotations

from collections.abc import Sequence

from personalize.suggest import quoted, way
from personalize.syntax_tests import Case
from personalize.words import Problems

MOST_EVENTS = 1000
"""The events of one test, those that it takes from others included, each as often as its `times` says."""


def resolved(cases: Sequence[Case], problems: Problems) -> tuple[Case, ...]:
    """Return the tests complete in themselves: all events in `events`, nothing left in `like` and `also`."""
    given = {case.name: case for case in cases}
    done: dict[str, Case | None] = {}
    numbers: dict[str, int] = {}
    for case in cases:
        # A chain is walked down and put together on the way back, without recursion.
        chain: dict[str, Case] = {}
        name = case.name
        while name in given and name not in done and name not in chain:
            chain[name] = given[name]
            name = given[name].like
        if name in chain:
            circle = [*chain][[*chain].index(name) :]
            message = f"these tests are like one another without an end: {way(map(quoted, (*circle, name)))}"
            problems.report(chain[name].where, message)
            done.update(dict.fromkeys(circle))
        for one in reversed(chain.values()):
            if one.name not in done:
                done[one.name] = _merged(one, done.get(one.like))
                numbers[one.name] = _number(one) + (0 if one.events else numbers.get(one.like, 0))
                if numbers[one.name] > MOST_EVENTS:
                    message = f"this test has more than {MOST_EVENTS} events; fewer will show the same"
                    problems.report(one.where, message)
                    done[one.name] = None
    whole = tuple(case for case in done.values() if case)
    for case in whole:
        if case.now is None:
            problems.report(case.where, 'a test needs the word "now", such as now: 2026-11-20 10:00')
    return whole


def _number(case: Case) -> int:
    """Return how many events a test has of its own."""
    return sum(event.times for event in (*case.events, *case.also))


def _merged(case: Case, base: Case | None) -> Case | None:
    """Return the test with what it takes from another, or None when that one could not be read."""
    if not case.like:
        return case.model_copy(update={"events": case.events + case.also, "also": ()})
    if base is None:
        return None
    return case.model_copy(
        update={
            "now": case.now or base.now,
            "visitor": {**base.visitor, **case.visitor},
            "events": (case.events or base.events) + case.also,
            "like": "",
            "also": (),
        }
    )
