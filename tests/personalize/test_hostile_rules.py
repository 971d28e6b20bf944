"""Whatever the files hold, loading ends soon, takes little memory, never raises, and says where what is wrong."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalize.loader import load
from personalize.yaml_nodes import MAX_PROBLEMS
from tests.personalize.hostile_inputs import FILES, HOSTILE

pytestmark = pytest.mark.timeout(300)  # the first test waits for all inputs, some of which take their limit

REPOSITORY = Path(__file__).parents[2]
CPU_S, MEMORY_MB = 4, 200
"""A safety limit, not a measurement: each takes well below a second on a quiet machine (benchmarks measure that)."""


@cache
def outcomes() -> dict[str, dict[str, int]]:
    """Return what became of each input, loaded in a process of its own under limits of the kernel."""
    child = [sys.executable, str(Path(__file__).with_name("hostile_child.py")), str(CPU_S), str(MEMORY_MB)]
    done = subprocess.run(child, capture_output=True, cwd=REPOSITORY, env={"PYTHONPATH": "."}, timeout=280, check=True)
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_soon_and_takes_little_memory(name: str) -> None:
    outcome = outcomes()[name]
    assert outcome["signal"] == 0, "the kernel ended it: it took too much time"
    assert outcome["code"] == 0, "it raised an exception"
    assert outcome["grown_mb"] < MEMORY_MB
    assert outcome["problems"] <= 2 * MAX_PROBLEMS + 1  # errors and warnings are counted apart


def test_limits_would_end_what_takes_too_much() -> None:
    assert outcomes()["(endless)"]["signal"] != 0
    assert outcomes()["(huge)"]["code"] != 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a.yaml", "tests/a.yaml"]), st.text() | st.binary()))
def test_any_text_gives_problems_and_no_exception(files: dict[str, str | bytes]) -> None:
    rules, problems = load(files)
    assert rules is not None or problems


def checked(files: dict[str, bytes]) -> None:
    """Load files, and check that each problem stands in a line that its file has."""
    rules, problems = load(files)
    assert rules is not None or any(problem.level == "error" for problem in problems)
    for problem in problems:
        source = files[problem.file].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        assert 1 <= problem.line <= source.count(b"\n") + 1, problem
        assert problem.column >= 1, problem
        assert problem.message
        assert "\n" not in problem.message


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_bytes_gives_located_problems(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(FILES)))
    source = FILES[file]
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(start + 30, len(source))))
    signs = st.sampled_from(" \n\t-:,[]{}'\"#&*!|>%@`?\\äx1") | st.characters()
    put = data.draw(st.text(signs, max_size=8)).encode(errors="surrogatepass")
    checked({**FILES, file: source[:start] + put + source[end:]})


TOKENS = (
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "|",
    ">",
    "#",
    "---",
    "...",
    "%",
)
CHANGES = ("delete", "double", "swap", "indent", "quote", "put", "join")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_lines_and_tokens_gives_located_problems(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(FILES)))
    lines = FILES[file].decode().split("\n")
    for change in data.draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4)):
        at = data.draw(st.integers(0, len(lines) - 1))
        other = data.draw(st.integers(0, len(lines) - 1))
        words = lines[at].split(" ")
        word = data.draw(st.integers(0, len(words) - 1))
        match change:
            case "delete":
                lines[at] = " ".join(words[:word] + words[word + 1 :])
            case "double":
                lines[at : at + 1] = [lines[at], lines[other]]
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "indent":
                lines[at] = " " * data.draw(st.integers(0, 12)) + lines[at].lstrip(" ")
            case "quote":
                lines[at] = lines[at].replace('"', data.draw(st.sampled_from(["'", "", "“"])), 1)
            case "put":
                lines[at] = " ".join(
                    [*words[:word], data.draw(st.sampled_from(TOKENS)) + words[word], *words[word + 1 :]]
                )
            case "join":
                lines[at : at + 2] = ["".join(lines[at : at + 2])]
    checked({**FILES, file: "\n".join(lines).encode()})
