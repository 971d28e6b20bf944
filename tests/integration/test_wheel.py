"""The wheel that would be shipped: everything in it, and working where the source tree is not."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_built_wheel_is_whole(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
    ]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("tuttu-*.whl")

    unpacked = tmp_path / "elsewhere"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    assert {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")} == {
        "gateway",
        "personalize",
    }
    for package in ("gateway", "personalize"):
        assert shipped(unpacked, package) == shipped(ROOT, package)
    assert any(name.endswith(".lua") for name in shipped(unpacked, "gateway"))

    # -P keeps the working folder off the path: only the unpacked wheel can answer, before the editable install.
    show = "import gateway, runpy; print(gateway.__file__); runpy.run_module('gateway', run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", show, "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(unpacked))
    assert "serve" in done.stdout


def shipped(root: Path, package: str) -> set[str]:
    """Return the package's files, as paths below `root`."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }
