"""Every single-token mutant of the reference rules is noticed, but for those that are listed with a reason."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.personalize.mutants import REASONS, Mutant, judged

LISTED = Path(__file__).parents[1] / "vectors" / "surviving-mutants.txt"
DECISION = Path(__file__).parents[2] / "docs" / "decisions" / "009-mutants.md"


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Mutant, str]]:
    return list(judged())


def test_the_mutants_that_nothing_notices_are_those_that_are_listed(verdicts: list[tuple[Mutant, str]]) -> None:
    listed = dict(line.rsplit("  (", 1) for line in LISTED.read_text().splitlines())
    assert {mutant.line for mutant, caught in verdicts if not caught} == set(listed)
    assert {reason.rstrip(")") for reason in listed.values()} <= set(REASONS)


def test_the_decision_gives_the_figures_as_they_are(verdicts: list[tuple[Mutant, str]]) -> None:
    kinds = Counter((mutant.kind, caught) for mutant, caught in verdicts)
    shown = {
        (row[0], caught): int(number)
        for row in re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", DECISION.read_text(), re.MULTILINE)
        for caught, number in zip(("error", "warning", "test", ""), row[1:], strict=True)
    }
    assert shown == {(kind, caught): kinds[kind, caught] for kind, caught in shown}
    assert {kind for kind, _ in shown} == {"number", "name", "order", "not"}
    reasons = Counter(line.rsplit("  (", 1)[1].rstrip(")") for line in LISTED.read_text().splitlines())
    told = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|[^|]*\|$", DECISION.read_text(), re.MULTILINE))
    assert {reason: int(number) for reason, number in told.items()} == reasons
