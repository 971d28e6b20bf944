"""The parent: what it says when it cannot start, and that it goes on when a worker cannot be what it was."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.integration.process import Gateway, alive, eventually

RULES = Path(__file__).parents[2] / "rules"


def serve(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = serve("--port", port, "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "choose another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_rules_keep_it_from_starting_with_every_problem(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    text = (rules / "segments.yaml").read_text("utf-8")
    (rules / "segments.yaml").write_text(text.replace("viewed:", "viewd:").replace("30 days", "30 dayz"), "utf-8")
    done = serve("--port", "0", "--data", str(tmp_path / "data"), "--rules", str(rules))
    assert done.returncode == 1
    assert done.stderr.count("segments.yaml:") >= 3
    assert 'did you mean "viewed"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rules_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = serve("--port", "0", "--data", str(tmp_path / "data"), "--rules", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "there is no folder" in done.stderr


def test_a_worker_that_dies_comes_back_with_the_rules_that_were_good(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    with Gateway(tmp_path / "data", "--rules", str(rules), "--workers", "2") as gateway:
        (rules / "segments.yaml").write_text("segments: [ {", "utf-8")
        before = gateway.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(set(gateway.worker_pids()) - set(before)) == 1, 10)
        eventually(lambda: gateway.metrics()[("tuttu_workers",)] == 2, 10)
        for _ in range(10):
            answer = httpx.post(f"{gateway.public}/v1/decide", json={"writeKey": "demo", "placements": ["home hero"]})
            assert answer.json()["placements"]["home hero"]["block"] == "welcome"


def test_it_ends_with_all_that_it_started(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "data", "--rules", str(RULES), "--workers", "2")
    gateway.start()
    family = [*gateway.worker_pids(), gateway.store_pid(), gateway.pid]
    gateway.stop()
    assert not any(map(alive, family))
