"""Files stay short enough to be read in one go: no file over 400 lines, the median at most 150."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FOLDERS = ("gateway", "personalize", "sdk-js", "benchmarks", "tests")
KINDS = {".py", ".lua", ".js", ".mjs", ".ts"}
LONGEST = 400
MEDIAN = 150


def test_no_file_is_too_long() -> None:
    assert {name: lines for name, lines in sizes() if lines > LONGEST} == {}


def test_the_median_file_is_short() -> None:
    assert median(lines for _, lines in sizes()) <= MEDIAN


def sizes() -> Iterator[tuple[str, int]]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in KINDS and "node_modules" not in path.parts:
                yield str(path.relative_to(ROOT)), len(path.read_text("utf-8").splitlines())
