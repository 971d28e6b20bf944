"""What is wrong with rules that are each well written: order, reach and circles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from personalize.suggest import quoted
from personalize.syntax import Block, Condition, Logic, Named, Placement, RuleSet, Step
from personalize.words import Problems


def check(rules: RuleSet, failed: Collection[str], problems: Problems) -> None:
    """Report what is wrong; `failed` names the lists of which some item could not be read."""
    for word, steps in (("stages", rules.stages), ("temperatures", rules.temperatures)):
        if word not in failed:
            _check_steps(steps, word, problems)
    for placement in rules.placements:
        _check_placement(placement, problems)
    _check_circles(rules, problems)


def _check_steps(steps: Sequence[Step], word: str, problems: Problems) -> None:
    """Check that the last step, and only the last, fits every visitor."""
    for step in steps[:-1]:
        if not step.when:
            message = f'only the last of {word} stands without "when"; after {quoted(step.name)} no other is reached'
            problems.report(step.where, message)
    if steps and steps[-1].when:
        message = f'the last of {word} stands without "when", so that every visitor has one'
        problems.report(steps[-1].where, message)


def _check_placement(placement: Placement, problems: Problems) -> None:
    """Check that a placement always shows something, and that every block of a `first match` can be reached."""
    if placement.fallback is None and placement.blocks[-1].when:
        message = f'the placement {quoted(placement.name)} needs a fallback, or a last block without "when"'
        problems.report(placement.where, message)
    if placement.choose == "best score":
        return
    always = ""
    for block in placement.blocks:
        if always:
            message = f"{quoted(block.name)} is never reached: {quoted(always)} above it fits every visitor"
            problems.report(block.where, message, "warning")
        elif _always_fits(block):
            always = block.name
        if block.worth is not None:
            message = f'worth counts only under "choose: best score", so it does nothing for {quoted(block.name)}'
            problems.report(block.worth.where, message, "warning")


def _always_fits(block: Block) -> bool:
    """Tell whether a block fits every visitor at any time."""
    limits = (block.when, block.starts, block.until, block.owners, block.show_at_most, block.rests)
    return not any(limits)


def _check_circles(rules: RuleSet, problems: Problems) -> None:
    """Check that nothing that is reused by name needs itself, be it by way of stages or temperatures."""
    where = {f"segment {quoted(segment.name)}": segment.where for segment in rules.segments}
    needs = {f"segment {quoted(segment.name)}": set(_needs(segment.when)) for segment in rules.segments}
    for word, steps in (("the stages", rules.stages), ("the temperatures", rules.temperatures)):
        if steps:
            where[word] = steps[0].where
            needs[word] = {need for step in steps for need in _needs(step.when)}
    for circle in _circles({name: [need for need in sorted(held) if need in needs] for name, held in needs.items()}):
        start = circle.index(min(circle, key=lambda name: _order(where[name])))
        route = [*circle[start:], *circle[:start], circle[start]]
        shown = route if len(route) <= 10 else [*route[:6], "…", *route[-3:]]
        problems.report(where[route[0]], f"these need one another without an end: {' → '.join(shown)}")


def _circles(needs: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Return the circles of a graph: each way back to a name on the path of a depth-first walk, without recursion."""
    finished: set[str] = set()
    for root in needs:
        path: dict[str, Iterator[str]] = {} if root in finished else {root: iter(needs[root])}
        while path:
            name, rest = next(reversed(path.items()))
            need = next(rest, None)
            if need is None:
                finished.add(name)
                del path[name]
            elif need in path:
                names = list(path)
                yield names[names.index(need) :]
            elif need not in finished:
                path[need] = iter(needs[need])


def _order(where: str) -> tuple[str, int, int]:
    """Return a position in the order of reading."""
    file, line, column = where.rsplit(":", 2)
    return file, int(line), int(column)


def _needs(conditions: Iterable[Condition]) -> Iterable[str]:
    """Return what a list of conditions reuses."""
    for condition in conditions:
        if isinstance(condition, Logic):
            yield from _needs(condition.conditions)
        elif isinstance(condition, Named):
            if condition.head == "in segment":
                yield from (f"segment {quoted(name)}" for name in condition.names)
            else:
                yield f"the {condition.head}s"
