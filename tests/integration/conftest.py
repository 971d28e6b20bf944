from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.process import Gateway

RULES = Path(__file__).parents[1] / "vectors" / "rules-example"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "data", "--rules", str(RULES)) as running:
        yield running
