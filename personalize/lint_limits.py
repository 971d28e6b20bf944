"""Caps, rests and points that can have no effect, and schedules that are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from personalize.suggest import listed, quoted
from personalize.syntax import Behaviour, Block, Condition, Logic, Placement, Score, When
from personalize.syntax_reserved import Experiment
from personalize.values import DateRange
from personalize.words import Problems


def check_score(score: Score, problems: Problems) -> None:
    """Report points that count for nothing, and caps of what counts once anyway."""
    for grant in score.grants:
        if grant.points == 0:
            problems.report(grant.where, f"0 points change nothing in {quoted(score.name)}", "warning")
        elif grant.cap is not None and not isinstance(grant.condition, Behaviour):
            message = f'"at most" does nothing here: points for {grant.head} count once, however often it is seen'
            problems.report(grant.where, message, "warning")


def check_placement(placement: Placement, today: date | None, problems: Problems) -> None:
    """Report schedules that are over, and rests of a block that is shown once."""
    for block in placement.blocks:
        if today and block.until and block.until.day < today:
            message = f"the schedule of {quoted(block.name)} is over since {block.until.day}; remove the block, or"
            problems.report(block.where, f"{message} give it a new end", "warning")
        _check_rests(block, problems)


def _check_rests(block: Block, problems: Problems) -> None:
    """Report rests of a block that is shown once ever: by the time of a click it is never shown again."""
    cap = block.show_at_most
    if cap is None or cap.days or cap.count != 1 or not block.rests:
        return
    rests = listed(quoted(f"rest after {event}") for event in block.rests)
    do = "do" if len(block.rests) > 1 else "does"
    message = f"{rests} {do} nothing for {quoted(block.name)}: it is shown once ever, so it never comes back anyway"
    problems.report(block.where, message, "warning")


def check_dates(conditions: Sequence[Condition], today: date, problems: Problems) -> None:
    """Report the conditions on dates that are past for good."""
    for condition in conditions:
        if isinstance(condition, Logic):
            check_dates(condition.conditions, today, problems)
        elif isinstance(condition, When) and isinstance(condition.range, DateRange):
            last = condition.range.last
            if last and last < today:
                message = f"this date is over since {last}; remove what depends on it, or give it a new end"
                problems.report(condition.where, message, "warning")


def check_experiments(experiments: Sequence[Experiment], problems: Problems) -> None:
    """Report experiments on one block, and experiments that compare nothing."""
    changed: dict[str, Experiment] = {}
    for experiment in experiments:
        name = quoted(experiment.name)
        block = experiment.changes.block.lower()
        first = changed.setdefault(block, experiment)
        if first is not experiment:
            message = f"{name} changes the block {quoted(experiment.changes.block)}, which {quoted(first.name)} changes"
            problems.report(experiment.where, f"{message} already; two experiments on one block spoil both", "warning")
        if not any(experiment.split.values()):
            problems.report(experiment.where, f"{name} shows nobody anything: all its weights are 0", "warning")
        elif sum(weight > 0 for weight in experiment.split.values()) == 1:
            problems.report(experiment.where, f"{name} compares nothing: only one arm has a weight", "warning")
        elif not experiment.arms:
            message = f"{name} compares nothing: no arm has a content of its own, so that all show the same"
            problems.report(experiment.where, message, "warning")
