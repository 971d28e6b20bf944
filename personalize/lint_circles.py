"""Segments, stages and temperatures that need one another without an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from personalize.suggest import way
from personalize.syntax import Condition, Logic, Named, RuleSet, Segment
from personalize.words import Problems


def in_order(rules: RuleSet, problems: Problems) -> list[Segment]:
    """Return the segments, each behind those that it needs; those that need themselves are reported and left out.

    A segment may need itself by way of stages or temperatures too.
    """
    where = {f'segment "{segment.name}"': segment.where for segment in rules.segments}
    needs = {f'segment "{segment.name}"': set(_needs(segment.when)) for segment in rules.segments}
    for word, steps in (("the stages", rules.stages), ("the temperatures", rules.temperatures)):
        if steps:
            where[word] = steps[0].where
            needs[word] = {need for step in steps for need in _needs(step.when)}
    graph = {name: [need for need in sorted(held) if need in needs] for name, held in needs.items()}
    order = _freed(graph)
    for circle in _circles({name: graph[name] for name in graph.keys() - order.keys()}):
        start = circle.index(min(circle, key=lambda name: _order(where[name])))
        route = [*circle[start:], *circle[:start], circle[start]]
        problems.report(where[route[0]], f"these need one another without an end: {way(route)}")
    named = {f'segment "{segment.name}"': segment for segment in rules.segments}
    return [named[name] for name in order if name in named]


def _freed(needs: Mapping[str, Iterable[str]]) -> dict[str, None]:
    """Return the names that need nothing on a circle, each behind those that it needs."""
    freed: dict[str, None] = {}
    left = {name: len(set(held)) for name, held in needs.items()}
    needed_by: dict[str, list[str]] = {}
    for name, held in needs.items():
        for need in set(held):
            needed_by.setdefault(need, []).append(name)
    free = [name for name, number in left.items() if not number]
    while free:
        name = free.pop()
        freed[name] = None
        for other in needed_by.get(name, ()):
            left[other] -= 1
            if not left[other]:
                free.append(other)
    return freed


def _circles(needs: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Yield circles of a graph in which each name needs another one of it; no two circles share a name.

    Following the first need of each must come back to where it was. Linear in the graph's size.
    """
    walked: set[str] = set()
    for start in sorted(needs):
        path: dict[str, None] = {}
        name = start
        while name not in walked:
            walked.add(name)
            path[name] = None
            name = next(need for need in needs[name] if need in needs)
        if name in path:
            names = list(path)
            yield names[names.index(name) :]


def _order(where: str) -> tuple[str, int, int]:
    """Return a position in the order of reading."""
    file, line, column = where.rsplit(":", 2)
    return file, int(line), int(column)


def _needs(conditions: Iterable[Condition]) -> Iterable[str]:
    """Yield what a list of conditions reuses."""
    for condition in conditions:
        if isinstance(condition, Logic):
            yield from _needs(condition.conditions)
        elif isinstance(condition, Named):
            if condition.head == "in segment":
                yield from (f'segment "{name}"' for name in condition.names)
            else:
                yield f"the {condition.head}s"
