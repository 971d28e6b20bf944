"""The README's own commands, run as they stand there, against a gateway on another port."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.process import Gateway

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_three_hits_and_a_decision_as_the_readme_says(tmp_path: Path) -> None:
    blocks = [b for b in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if b.startswith("curl")]
    with Gateway(tmp_path / "data", "--rules", str(ROOT / "rules")) as gateway:
        script = "\n".join(blocks).replace("http://127.0.0.1:8080", gateway.public)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
        )
    assert "set-cookie: __Host-tuttu_id=" in done.stdout.lower().replace("__host", "__Host")
    assert done.stdout.count('{"success":true,"accepted":1,"dropped":0,"rejected":[]}') == 3
    answer = json.loads(done.stdout[done.stdout.rindex('{"success"') :])
    hero = answer["placements"]["home hero"]
    assert (hero["block"], hero["reason"]) == ("book a demo", "rule")
    assert answer["visitor"]["stage"] == "comparison"
