"""Blocks and steps that are never reached, since whoever fits them fits one above as well; limits without effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from personalize import literals as ls
from personalize.lint_truth import Judged, reach
from personalize.literals import Literal
from personalize.suggest import listed, quoted
from personalize.syntax import Block, Placement, Score, Step
from personalize.values import NumberRange
from personalize.words import Problems

_COMPARED = 16
"""So many blocks above with a first condition on the same thing are compared with each block."""


_ALTERNATIVES = ("any of",)


class Above:
    """The blocks or steps above that shut out what they cover, found by a thing that their conditions are about."""

    def __init__(self) -> None:
        self._by_subject: dict[ls.Subject, list[tuple[str, list[Literal]]]] = {}

    def add(self, name: str, literals: list[Literal]) -> None:
        """Add one that is taken whenever its literals hold."""
        subject = literals[0].subject if literals else ()
        # What holds in one of several ways may follow from conditions on any of its things.
        same = self._by_subject.setdefault(_ALTERNATIVES if subject[:1] == _ALTERNATIVES else subject, [])
        if len(same) < _COMPARED and ls.size(literals) <= ls.LARGEST:
            same.append((name, literals))

    def covering(self, literals: Sequence[Literal]) -> tuple[str, bool] | None:
        """Return the name of one that fits whoever fits these literals, and whether it fits everybody."""
        known = ls.by_subject(literals)
        for subject in ((), *known, _ALTERNATIVES):
            for name, wanted in self._by_subject.get(subject, ()):
                if all(ls.follows(known, literal) for literal in wanted):
                    return name, not wanted
        return None


def check_steps(steps: Sequence[Step], judged: Sequence[Judged], problems: Problems) -> None:
    """Report the steps that are never reached, but for those that fit nobody anyway."""
    above = Above()
    for step, found in zip(steps, judged, strict=True):
        if not step.when:
            continue  # only the last may have none, which is checked elsewhere
        if found.truth is not False:
            _report_covered(step, above.covering(found.literals), problems)
        above.add(step.name, found.literals)


def check_placement(
    placement: Placement, judged: Sequence[Judged], scores: Mapping[str, Score], problems: Problems
) -> None:
    """Report the blocks that are never shown, and what has no effect; `scores` are by kind and name."""
    if placement.choose == "best score":
        _check_worth(placement, judged, scores, problems)
        return
    above = Above()
    for block, found in zip(placement.blocks, judged, strict=True):
        if found.truth is not False:
            _report_covered(block, above.covering(found.literals), problems)
        if block.show_at_most is None and not block.rests:
            above.add(block.name, found.literals)
        if block.worth is not None:
            message = f'worth counts only under "choose: best score", so it does nothing for {quoted(block.name)}'
            problems.report(block.worth.where, message, "warning")
    _check_last(placement, problems)


def _report_covered(item: Block | Step, found: tuple[str, bool] | None, problems: Problems) -> None:
    if found is None:
        return
    name, everybody = found
    reason = "fits every visitor" if everybody else "fits everybody whom it fits"
    problems.report(item.where, f"{quoted(item.name)} is never reached: {quoted(name)} above it {reason}", "warning")


def _check_last(placement: Placement, problems: Problems) -> None:
    """Report the limits of a last block that is shown when nothing else fits, whatever its limits."""
    last = placement.blocks[-1]
    if placement.fallback is None:
        if last.when:
            return
    elif placement.fallback.content is not None or placement.fallback.block.lower() != last.name.lower():
        return
    written = {
        "when": last.when,
        "from": last.starts,
        "until": last.until,
        "not for owners of": last.owners,
        "show at most": last.show_at_most,
    } | {f"rest after {event}": True for event in last.rests}
    limits = [quoted(word) for word, value in written.items() if value]
    if limits:
        do = "do" if len(limits) > 1 else "does"
        message = f"{listed(limits)} {do} nothing: {quoted(last.name)} is what is shown when nothing else fits"
        problems.report(last.where, f"{message}, whatever its own limits; make another block the fallback", "warning")


def _check_worth(
    placement: Placement, judged: Sequence[Judged], scores: Mapping[str, Score], problems: Problems
) -> None:
    """Report the blocks of a `best score` that can never win."""
    fallback = placement.fallback.block.lower() if placement.fallback else placement.blocks[-1].name.lower()
    earlier: list[tuple[str, float, list[Literal]]] = []
    for block, found in zip(placement.blocks, judged, strict=True):
        worth = _worth(block, scores)
        if block.name.lower() != fallback and found.truth is not False:
            if worth.high <= 0:
                message = f"{quoted(block.name)} is never shown: only blocks that are worth more than 0 compete"
                problems.report(block.where, message, "warning")
            known = ls.by_subject(found.literals)
            for name, least, wanted in earlier:
                if least > 0 and worth.high <= least and all(ls.follows(known, literal) for literal in wanted):
                    message = f"{quoted(block.name)} is never shown: {quoted(name)} above it is always worth as much"
                    problems.report(block.where, f"{message} and fits everybody whom it fits", "warning")
                    break
        limited = block.show_at_most is not None or block.rests
        if not limited and len(earlier) < _COMPARED and ls.size(found.literals) <= ls.LARGEST:
            earlier.append((block.name, worth.low, found.literals))


def _worth(block: Block, scores: Mapping[str, Score]) -> NumberRange:
    """Return between which values a block's worth can lie."""
    if block.worth is None:
        return NumberRange(0, 0)
    worth = block.worth
    score = scores.get(f"interest {worth.interest}" if worth.interest else f"score {worth.score}")
    span = reach(score) if score else NumberRange(0, 0)
    return NumberRange(span.low + worth.plus, span.high + worth.plus)
