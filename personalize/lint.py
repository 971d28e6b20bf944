"""What is wrong with rules that are each well written; each finding comes with its reason.

Errors are what leaves a visitor without a block or a stage, and circles. All else is a warning: blocks that are never
reached (lint_reach), conditions that are always or never true (lint_truth), caps without effect, schedules that are
over, experiments that spoil each other (lint_limits), names that are nearly others (lint_names), and names that nothing
uses. But for names that are nearly others, only what is certain is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from personalize import lint_limits, lint_reach
from personalize.lint_circles import in_order
from personalize.lint_names import check_content, check_names, check_pages
from personalize.lint_truth import Truths
from personalize.suggest import quoted
from personalize.syntax import Case, Condition, Placement, RuleSet, Segment, Step
from personalize.syntax_reserved import Experiment, Trigger
from personalize.words import Names, Problems


@dataclass(slots=True, frozen=True)
class Written:
    """All that was read. `cases` are the tests as written, `failed` the words of whose lists some item is lacking."""

    rules: RuleSet
    experiments: Sequence[Experiment]
    triggers: Sequence[Trigger]
    cases: Sequence[Case]
    names: Names
    failed: Collection[str]


def check(written: Written, today: date | None, problems: Problems) -> None:
    """Report what is wrong; `today` is the site's date, without which no schedule is over."""
    rules = written.rules
    for word, steps in (("stages", rules.stages), ("temperatures", rules.temperatures)):
        if word not in written.failed:
            _check_steps(steps, word, problems)
    for placement in rules.placements:
        _check_fallback(placement, problems)
    for case in written.cases:
        check_pages(case, problems)
    segments = in_order(rules, problems)
    if not problems.errors:
        # What could not be read might be what the rest needs, and what is wrong is no base for conclusions.
        _check_sense(written, segments, problems)
        _check_uses(written, problems)
        check_names(_conditions(written), written.cases, problems)
    if today is not None:
        lint_limits.check_dates(list(_conditions(written)), today, problems)
    for placement in rules.placements:
        lint_limits.check_placement(placement, today, problems)
        check_content(placement, problems)


def _check_sense(written: Written, segments: Iterable[Segment], problems: Problems) -> None:
    """Report what is always or never true, never reached, or without effect."""
    rules = written.rules
    truths = Truths(rules, problems)
    for segment in segments:
        truths.of_segment(segment)
    for steps in (rules.stages, rules.temperatures):
        lint_reach.check_steps(steps, [truths.of_list(step.when) for step in steps], problems)
    scores = {f"score {score.name}": score for score in rules.scores}
    scores |= {f"interest {interest.name}": interest for interest in rules.interests}
    for placement in rules.placements:
        judged = [truths.of_block(block) for block in placement.blocks]
        lint_reach.check_placement(placement, judged, scores, problems)
        for block in placement.blocks:
            if block.converts_when is not None:
                truths.of(block.converts_when)
    for experiment in written.experiments:
        truths.of(experiment.goal)
    for trigger in written.triggers:
        truths.of_list(trigger.only_if)
        truths.of_list(trigger.stops)
    for score in scores.values():
        lint_limits.check_score(score, problems)
        for grant in score.grants:
            truths.of(grant.condition)
    lint_limits.check_experiments(written.experiments, problems)


def _conditions(written: Written) -> Iterator[Condition]:
    """Yield every condition of the rules."""
    rules = written.rules
    for segment in rules.segments:
        yield from segment.when
    for step in (*rules.stages, *rules.temperatures):
        yield from step.when
    for placement in rules.placements:
        for block in placement.blocks:
            yield from block.when
            yield from () if block.converts_when is None else (block.converts_when,)
    for score in (*rules.scores, *rules.interests):
        yield from (grant.condition for grant in score.grants)
    for experiment in written.experiments:
        yield experiment.goal
    for trigger in written.triggers:
        yield from (*trigger.only_if, *trigger.stops)


def _check_uses(written: Written, problems: Problems) -> None:
    """Report the segments, scores and interests that nothing names, or nothing but tests."""
    rules = written.rules
    in_tests = {(used.kind, used.name) for used in written.names.references}
    for kind, things in (("segment", rules.segments), ("score", rules.scores), ("interest", rules.interests)):
        for thing in things:
            if (kind, thing.name) not in written.names.used:
                message = f"no block, stage or other rule uses the {kind} {quoted(thing.name)}; remove it, or use it"
                if (kind, thing.name) in in_tests:
                    message = f"only tests use the {kind} {quoted(thing.name)}, so it changes nothing for visitors"
                problems.report(thing.where, message, "warning")


def _check_steps(steps: Sequence[Step], word: str, problems: Problems) -> None:
    """Check that the last step, and only the last, fits every visitor."""
    for step in steps[:-1]:
        if not step.when:
            message = f'only the last of {word} stands without "when"; after {quoted(step.name)} no other is reached'
            problems.report(step.where, message)
    if steps and steps[-1].when:
        message = f'the last of {word} stands without "when", so that every visitor has one'
        problems.report(steps[-1].where, message)


def _check_fallback(placement: Placement, problems: Problems) -> None:
    """Check that a placement always shows something."""
    if placement.fallback is None and placement.blocks[-1].when:
        message = f'the placement {quoted(placement.name)} needs a fallback, or a last block without "when"'
        problems.report(placement.where, message)
