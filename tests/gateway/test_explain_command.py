"""`tuttu rules explain` as a process: whose visitor, in which language, in which form, and what is wrong usage."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import orjson
import pytest

from gateway.commands.explain import visitor_key
from gateway.identity.visitor import hashed
from personalize.decision import Because

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "vectors" / "rules-example"
DISMISSED = "a dismissed demo rests two weeks"
RESTS = "Lepää 1.12.2026 klo 10.00 asti, koska kävijä sulki sen 3 päivää sitten."
VISITOR = """
now: 2026-11-20 10:00
visitor: {country: FI}
events: [{3 days ago: dismissed book a demo}, {2 days ago: viewed /hinnoittelu}]
"""


def explain(*args: str | Path, given: str | bytes = b"") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, args)]
    done = subprocess.run(
        command,
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert b"Traceback" not in done.stderr
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_tests_visitor_is_explained_in_finnish() -> None:
    shown = explain("rules", "explain", EXAMPLE, "--test", DISMISSED.upper(), "--language", "fi")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[:2] == [f"testi {DISMISSED}", "  20.11.2026 klo 10.00, 3 käyntiä"]
    assert "  paikka home hero: welcome (oletus)" in lines
    assert [line for line in lines if "book a demo" in line] == [
        f"    hävisi book a demo: {RESTS}  (placements.yaml:10:9)"
    ]
    assert not [line for line in lines if line != line.rstrip()]


def test_one_placement_of_a_visitor_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "visitor.yaml"
    file.write_text(VISITOR)
    asked = ("rules", "explain", EXAMPLE, "--placement", "Home Hero", "--time-zone", "Europe/Helsinki")
    shown = explain(*asked, "--visitor", file)
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"visitor {file}\n  2026-11-20 10:00, 2 visits\n")
    assert "placement home hero: welcome (fallback)" in shown.stdout
    assert "article footer" not in shown.stdout
    from_input = explain(*asked, "--visitor", "-", given=VISITOR)
    assert from_input.stdout == shown.stdout.replace(str(file), "stdin")
    as_json = explain(*asked, "--visitor", "-", "--format", "json", given='{"now": "2026-11-20 10:00"}')
    (one,) = orjson.loads(as_json.stdout)
    assert one["visitor"] == "stdin"
    (decision,) = one["explanation"]["decisions"]
    assert [c["because"] for c in decision["candidates"]] == ["unmet", "unmet", "unmet", "fallback"]


def test_a_file_may_begin_like_a_test_of_the_rules() -> None:
    given = f"like: {DISMISSED}\nalso: [{{1 day ago: did purchase}}]\n"
    shown = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=given)
    assert "  placement home hero: upgrade to pro (rule)" in shown.stdout.splitlines()


def test_a_profile_as_the_store_keeps_it_is_a_visitor_too() -> None:
    document = b'{"r":"boot1","f":1,"s":1795000000000,"v":[0,0,1795000000,1795000100],"t":[[1,{"plan":"pro"}]]}'
    shown = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=document)
    assert shown.returncode == 0
    assert "  segment customer: in it  (segments.yaml:9:5)" in shown.stdout.splitlines()


def test_a_profile_that_no_store_has_written_is_refused() -> None:
    wrong = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=b'{"r":"boot1","f":1,"v":7,"m":[]}')
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "stdin is no profile as the store keeps it" in wrong.stderr


def test_the_handbooks_visitor_is_one_and_its_table_has_every_cause() -> None:
    text = (ROOT / "docs" / "explain.md").read_text("utf-8")
    visitor = text.partition("```\nnow")[2].partition("```")[0]
    shown = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=f"now{visitor}")
    assert shown.stdout.startswith("visitor stdin\n  2026-11-20 10:00, 2 visits\n"), shown.stdout
    causes = text.partition("| `because` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([^`]+)`", causes, re.MULTILINE)) == set(get_args(Because))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "visitr: {}\nevents: [{1 day ago: dismissed book a demoo}, {2 dayz ago: viewed /x}]\n",
            [
                'stdin:1:1: "visitr" is not a word of a visitor\'s file; did you mean "visitor"?',
                'stdin:2:22: there is no block "book a demoo"; did you mean "book a demo"?',
                'stdin:2:48: "2 dayz" is not a length of time such as "30 days"; did you mean "days"?',
            ],
        ),
        ("visitor: {country: FI}\n", ['stdin:1:1: a visitor needs the word "now", such as now: 2026-11-20 10:00']),
        ("like: nobody\n", ['stdin:1:7: there is no test "nobody"; possible here: ']),
        ("- now\n", ["stdin:1:1: a visitor is written as words with values, such as now: 2026-11-20 10:00"]),
        ("now: 2026-11-20 10:00\nnow: x\n", ["stdin:2:1: "]),
        ("", ["stdin:1:1: a visitor is written"]),
        ('{"r": 1, "f"', ["stdin:1:1: this is no YAML", "stdin:1:10: "]),
    ],
)
def test_what_is_wrong_with_the_file_is_said_where_it_stands(given: str, said: list[str]) -> None:
    refused = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=given)
    assert refused.returncode == 1
    lines = refused.stdout.splitlines()
    assert len(lines) == len(said), lines
    for line, start in zip(lines, said, strict=True):
        assert line.startswith(start)
    problems = orjson.loads(
        explain("rules", "explain", EXAMPLE, "--visitor", "-", "--format", "json", given=given).stdout
    )
    assert problems["good"] is False
    assert len(problems["problems"]) == len(said)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--placement", "hom hero"], 'there is no placement "hom hero"; did you mean "home hero"?'),
        (["--visitor", "no-such-file.yaml"], 'the file "no-such-file.yaml" cannot be read'),
        (["--test", "x", "--visitor", "y"], "not allowed with argument"),
        (["--language", "sv"], "invalid choice"),
        (["--time-zone", "Helsinki"], 'there is no time zone "Helsinki"'),
    ],
)
def test_wrong_usage(args: list[str], said: str) -> None:
    wrong = explain("rules", "explain", EXAMPLE, *args)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert said in wrong.stderr


def test_rules_without_tests_need_a_visitor(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("segments: [{segment: s, when: [{country: FI}]}]\n")
    wrong = explain("rules", "explain", tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "give --visitor FILE" in wrong.stderr


@pytest.mark.parametrize("plain", ["", "NO_COLOR"])
def test_a_terminal_gets_colours_and_lines_that_fit(plain: str) -> None:
    leader, follower = pty.openpty()
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "80"}
    command = [sys.executable, "-m", "gateway", "rules", "explain", str(EXAMPLE), "--test", DISMISSED]
    with subprocess.Popen(command, stdout=follower, cwd=ROOT, env=env | ({plain: "1"} if plain else {})) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65_536):
                shown += part
        except OSError:  # the end of a terminal
            pass
        assert process.wait(60) == 0
    os.close(leader)
    text = shown.decode()
    assert ("\x1b[32m" in text) is not bool(plain)
    if plain:
        assert (
            max(map(len, text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "").split("\r\n"))) <= 80
        )


def test_a_visitor_is_named_by_cookie_by_user_id_or_as_in_the_log() -> None:
    assert visitor_key("s", "Ab_c-9.k1.mac") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "__Host-tuttu_id=Ab_c-9.k1.mac") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "Ab_c-9") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "a:Ab_c-9") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "known:user:7") == ("s", "k", hashed("s", "u", "user:7"))
    assert visitor_key("s", "k:abc") == ("s", "k", "abc")
