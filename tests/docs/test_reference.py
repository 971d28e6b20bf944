"""Every setting, reason, metric and rule word that exists stands in the docs, and every YAML example there loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.envelope import Dropped, Rejected
from gateway.settings import GatewaySettings, SiteSettings
from gateway.telemetry import COUNTERS, GAUGES, SITE_GAUGES
from personalize.loader import load
from personalize.model import Reason

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
HANDBOOK = {"rules.md", "cookbook.md", "email.md"}
"""Their examples build on one another, and some are wrong on purpose: see test_rules_docs."""
EXAMPLES = [
    pytest.param(example, id=f"{path.name} {number}")
    for path in DOCS
    if path.name not in HANDBOOK
    for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL))
]


def rows(name: str) -> set[str]:
    """Return the first cells of all tables of a page, without back-quotes and labels."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    return {cell.partition("{")[0] for cell in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}


def test_every_setting_is_documented_and_nothing_else() -> None:
    known = {*GatewaySettings.model_fields, *SiteSettings.model_fields}
    assert rows("configuration.md") == known


def test_every_reason_is_documented() -> None:
    assert rows("wire-api.md") >= {*Dropped, *Rejected, *get_args(Reason)}


def test_every_metric_is_documented() -> None:
    known = {f"tuttu_{name}_total" for name in COUNTERS} | {f"tuttu_{name}" for name in (*GAUGES, *SITE_GAUGES)}
    assert {row for row in rows("operations.md") if row.startswith("tuttu_")} == known


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_rules_loads(example: str) -> None:
    rules, problems = load({"example.yaml": example})
    assert rules is not None, problems
    assert [p for p in problems if p.level == "error"] == []


def test_every_file_that_the_docs_name_exists() -> None:
    names = {
        name
        for path in DOCS
        for name in re.findall(r"`((?:gateway|personalize|docs|tests|benchmarks)/[\w./-]+)`", path.read_text("utf-8"))
        if "<" not in name
    }
    assert {name for name in names if not (ROOT / name).exists()} == set()
