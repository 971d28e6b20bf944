"""`tuttu rules explain`: whose visitor, in which language, in which form, and what is wrong usage."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import orjson
import pytest

from gateway.commands.explain import counted_since, visitor_key
from gateway.commands.rules import UsageError
from gateway.counting import Counting
from gateway.identity.visitor import hashed
from personalize.decision import Because
from personalize.language import LANGUAGES
from personalize.profiles import Profile
from tests.fakes.visitor import plan_of
from tests.gateway.command import ROOT, tuttu

EXAMPLE = ROOT / "tests" / "vectors" / "rules-example"
DISMISSED = "a dismissed demo rests two weeks"
RESTS = "Lepää 1.12.2026 klo 10.00 asti, koska kävijä sulki sen 3 päivää sitten."
VISITOR = """
now: 2026-11-20 10:00
visitor: {country: FI}
events: [{3 days ago: dismissed book a demo}, {2 days ago: viewed /hinnoittelu}]
"""


def explain(*args: str | Path, given: str | bytes = b"") -> subprocess.CompletedProcess[str]:
    return tuttu(*args, given=given)


def in_a_process(*args: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, args)]
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert b"Traceback" not in done.stderr
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_tests_visitor_is_explained_in_finnish() -> None:
    asked = ("--test", DISMISSED.upper(), "--language", "fi", "--time-zone", "Europe/Helsinki")
    shown = in_a_process("rules", "explain", EXAMPLE, *asked)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[:2] == [f"testi {DISMISSED}", "  20.11.2026 klo 10.00, 4 käyntiä"]
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
    assert shown.stdout.startswith(f"visitor {file}\n  2026-11-20 10:00, 3 visits\n")
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
    assert "stdin is no profile that can be read: it is damaged at v: " in wrong.stderr


def test_the_handbooks_visitor_is_one_and_its_table_has_every_cause() -> None:
    text = (ROOT / "docs" / "explain.md").read_text("utf-8")
    visitor = text.partition("```\nnow")[2].partition("```")[0]
    shown = explain("rules", "explain", EXAMPLE, "--visitor", "-", given=f"now{visitor}")
    assert shown.stdout.startswith("visitor stdin\n  2026-11-20 10:00, 3 visits\n"), shown.stdout
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


LATE = """
segments:
  - {segment: s, when: [{viewed: /a, at least: twice, within: 30 days}, {did: x, where: {topic: api}}, {viewed: /b}]}
"""


def test_what_began_to_be_counted_after_the_first_visit_is_told(tmp_path: Path) -> None:
    plan = plan_of(LATE)
    a, x, b = plan.matchers.behaviours
    november = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("Europe/Helsinki"))
    counting = Counting(tmp_path)
    counting.name([b], november - timedelta(days=100))
    counting.name([a, b], november)
    counting.name([a, x, b], november + timedelta(days=1))
    now = november + timedelta(days=2)

    def told(first_visit: datetime) -> list[str]:
        profile = Profile(first_visit=int(first_visit.timestamp() * 1000))
        since = counted_since(plan, profile, counting, int(now.timestamp() * 1000))
        return [LANGUAGES["en"].counting(day, those) for day, those in since.items()]

    of_x = "Counts since 2026-11-21: did x, where topic api."
    assert told(november - timedelta(days=200)) == ["Counts since 2026-11-20: viewed /a.", of_x]
    assert told(november + timedelta(hours=1)) == [of_x]
    assert told(now) == []


@pytest.mark.parametrize("plain", ["", "NO_COLOR"])
def test_a_terminal_gets_colours_and_lines_that_fit(plain: str) -> None:
    text = on_a_terminal("--test", DISMISSED, env={plain: "1"} if plain else {})
    assert ("\x1b[32m" in text) is not bool(plain)
    if plain:
        assert (
            max(map(len, text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "").split("\r\n"))) <= 80
        )


def test_a_terminal_that_is_hardly_one_gets_lines_too() -> None:
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal("--test", DISMISSED, "--time-zone", "UTC", env={"COLUMNS": "1"}))
    lines = shown.split("\r\n")
    assert "    won  welcome: Nothing else fits," in lines
    assert max(map(len, lines)) <= 40


def on_a_terminal(*args: str | Path, env: dict[str, str], given: bytes = b"") -> str:
    """Return what `tuttu rules explain` writes on a terminal of 80 columns, unless `env` says otherwise."""
    leader, follower = pty.openpty()
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "80"} | env
    command = [sys.executable, "-m", "gateway", "rules", "explain", str(EXAMPLE), *map(str, args)]
    source = subprocess.PIPE
    with subprocess.Popen(command, stdin=source, stdout=follower, stderr=follower, cwd=ROOT, env=env) as process:
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65_536):
                shown += part
        except OSError:  # the end of a terminal
            pass
        assert process.wait(60) == 0
    os.close(leader)
    return shown.decode()


HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9bbasi\r\n    won  upgrade to pro: It is the first that fits.\u2028\u202e\u2066\u061c"
)
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def document(**parts: object) -> bytes:
    """Return a profile as the store keeps it."""
    return orjson.dumps(
        {"r": "boot1", "f": 1, "s": 1_795_000_000_000, "v": [0, 0, 1_795_000_000, 1_795_000_100], **parts}
    )


def test_what_a_browser_sent_does_nothing_to_a_terminal_and_forges_no_line() -> None:
    name = {"name": HOSTILE, "domain": HOSTILE, "industry": HOSTILE}
    stored = document(t=[[1, {"plan": HOSTILE, "owns": [HOSTILE]}]], g=[1, HOSTILE, name])
    asked = ("--visitor", "-", "--time-zone", "UTC")
    piped = in_a_process("rules", "explain", EXAMPLE, *asked, given=stored).stdout
    assert "\\x1b]0;owned\\x07\\x1b[2J\\x9bbasi\\x0d\\x0a    won  upgrade" in piped
    assert not OBEYED.search(piped)
    coloured = on_a_terminal(*asked, env={}, given=stored)
    assert "\x1b[32m" in coloured
    shown = re.sub(r"\x1b\[[\d;]*m", "", coloured).replace("\r\n", "\n")
    assert not OBEYED.search(shown)
    assert "\\x1b]0;owned" in shown
    for text in (piped, shown):
        assert not [line for line in text.splitlines() if line.startswith("    won  upgrade to pro")]
    as_json = explain("rules", "explain", EXAMPLE, *asked, "--format", "json", given=stored).stdout
    assert orjson.dumps(HOSTILE).decode() in as_json


def test_spaces_cannot_push_a_forged_line_to_the_beginning_of_a_line() -> None:
    stored = document(t=[[1, {"plan": f"basi{' ' * 90}won upgrade to pro: It is the first that fits."}]])
    shown = on_a_terminal("--visitor", "-", "--time-zone", "UTC", env={"NO_COLOR": "1"}, given=stored)
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).split("\r\n")
    assert [line for line in lines if line.startswith("      won upgrade to pro")]
    assert not [line for line in lines if re.match(" {0,4}won +upgrade", line)]


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b'{"r":"1","f":1,"h":["customer",1e300]}', "it is damaged at h.1"),
        (b'{"r":"1","f":1,"b":{"book a demo":[[1],0,1e300,0]}}', "it is damaged at b.2"),
        (b'{"r":"1","f":1,"t":5}', "it is damaged at t"),
        (b'{"r":"1","f":1,"v":[1,2],"m":{"a":"b"},"c":3}', "it is damaged at m"),
        (b'{"r":"1","f":99}', "it has the format 99, and this release reads formats up to 1"),
    ],
)
def test_a_damaged_profile_is_refused_with_the_place_of_the_damage(stored: bytes, said: str) -> None:
    refused = explain("rules", "explain", EXAMPLE, "--visitor", "-", "--time-zone", "UTC", given=stored)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"tuttu rules explain: stdin is no profile that can be read: {said}")
    assert refused.stderr.count("\n") == 1


def test_a_terminal_that_knows_ascii_only_gets_escapes_and_json_stays_json() -> None:
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    asked = ["rules", "explain", str(EXAMPLE), "--language", "fi", "--time-zone", "UTC", "--test", DISMISSED]
    command = [sys.executable, "-m", "gateway", *asked]
    shown = subprocess.run(command, env=env, capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert b"h\\xe4visi book a demo" in shown.stdout
    command += ["--format", "json"]
    shown = subprocess.run(command, env=env, capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert orjson.loads(shown.stdout)[0]["test"] == DISMISSED


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_output_that_takes_nothing_is_told_in_a_line(form: str) -> None:
    command = [
        sys.executable,
        "-m",
        "gateway",
        "rules",
        "explain",
        str(EXAMPLE),
        "--time-zone",
        "UTC",
        "--format",
        form,
    ]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b"tuttu: the output cannot be written: No space left on device\n"


def test_a_file_whose_name_is_no_utf_8_is_a_visitor_too(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.json")
    file.write_bytes(document())
    asked = ("rules", "explain", EXAMPLE, "--time-zone", "UTC", "--visitor", file)
    assert in_a_process(*asked).stdout.startswith(f"visitor {tmp_path}/\\udcff.json\n")
    (one,) = orjson.loads(in_a_process(*asked, "--format", "json").stdout)
    assert one["visitor"] == f"{tmp_path}/\\udcff.json"


def test_a_visitor_is_named_by_cookie_by_user_id_or_as_in_the_log() -> None:
    assert visitor_key("s", "Ab_c-9.k1.mac") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "__Host-tuttu_id=Ab_c-9.k1.mac") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "Ab_c-9") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "a:Ab_c-9") == ("s", "a", "Ab_c-9")
    assert visitor_key("s", "known:user:7") == ("s", "k", hashed("s", "u", "user:7"))
    assert visitor_key("s", "k:abc") == ("s", "k", "abc")
    for name in ("\udcff", "known:\udcff", "a:\udcff"):
        with pytest.raises(UsageError, match="not written in UTF-8"):
            visitor_key("s", name)
