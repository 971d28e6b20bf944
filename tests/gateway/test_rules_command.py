from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.gateway.command import ROOT, tuttu

EXAMPLE = ROOT / "tests" / "vectors" / "rules-example"
INACTIVE = (
    "experiment demo wording 2026-11",
    "holdout",
    "trigger tell sales about a hot lead",
    "trigger pricing nudge",
    "trigger win back",
)


def rules(*args: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return tuttu("rules", *args, cwd=cwd)


def in_a_process(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "rules", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False, env={"PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki"])
def test_the_reference_rules_are_good_and_pass(zone: str) -> None:
    checked = in_a_process("check", EXAMPLE, "--time-zone", zone)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[2:] == [
        f"not yet active, checked only: {', '.join(INACTIVE)}",
        "4 files, 2 scores, 2 interests, 5 segments, 2 placements, 4 tests: good, 2 warnings",
    ]
    tested = in_a_process("test", EXAMPLE, "--time-zone", zone)
    assert tested.returncode == 0
    assert tested.stdout.splitlines()[-1] == "4 tests: good"


def test_the_folder_is_rules_unless_it_is_named() -> None:
    assert re.fullmatch(r"\d\d tests: good", rules("test", cwd=ROOT).stdout.splitlines()[-1])


def test_check_prints_every_problem_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("segments: [{segment: s, when: [{viewed: /a, within: 30 dayz}]}]\n")
    (tmp_path / "b.yml").write_text("placements: [{placement: p, blocks: [{block: b, wehn: []}]}]\n")
    for verb in ("check", "test", "explain"):
        found = rules(verb, tmp_path)
        assert found.returncode == 1
        *lines, summary = found.stdout.splitlines()
        assert any(line.startswith(f"{tmp_path}/a.yaml:1:53: ") and '"30 dayz"' in line for line in lines)
        assert any(line.startswith(f"{tmp_path}/b.yml:1:49: ") and "did you mean" in line for line in lines)
        assert summary.startswith("2 files: ")
        assert summary.endswith(" errors")
    data = orjson.loads(rules("check", tmp_path, "--format", "json").stdout)
    assert data["good"] is False
    assert {"file", "line", "column", "message", "level"} == set(data["problems"][0])


def test_failed_tests_are_findings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "placements: [{placement: hero, blocks: [{block: fi, when: [{country: FI}]}, {block: hello}]}]\n"
        "tests: [{test: from Sweden, now: 2026-11-20 10:00, visitor: {country: SE}, expect: {hero: fi}}]\n"
    )
    failed = rules("test", tmp_path)
    assert failed.returncode == 1
    assert failed.stdout.splitlines() == [
        f"FAIL  from Sweden  ({tmp_path}/a.yaml:2:9)",
        "      hero: expected fi, found hello",
        "        placement hero: hello (fallback)",
        "          lost fi: Needs country FI (is: SE).  (a.yaml:1:60)",
        "          won  hello: Nothing else fits, so the fallback is shown.  (a.yaml:1:77)",
        "1 test: 1 failed",
    ]
    data = orjson.loads(rules("test", tmp_path, "--format", "json").stdout)
    assert data["tests"][0]["failures"][0]["actual"] == "hello"
    told, summary = rules("test", tmp_path, "--format", "github").stdout.splitlines()
    assert told.startswith(f'::error file={tmp_path}/a.yaml,line=2,col=9::"from Sweden" failed%0Ahero: expected fi')
    assert summary == "1 test: 1 failed"


def test_one_test_may_be_run_alone() -> None:
    name = "a dismissed demo rests two weeks"
    alone = rules("test", EXAMPLE, "--test", name.upper())
    assert (alone.returncode, alone.stdout) == (0, f"ok    {name}\n1 test: good\n")


def test_a_folder_of_tests_alone_is_no_rule_folder(tmp_path: Path) -> None:
    for verb in ("check", "test", "explain"):
        wrong = rules(verb, EXAMPLE / "tests")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert (
            f"tests holds only tests; name the folder that holds the rules as well, such as {EXAMPLE}" in wrong.stderr
        )
    (tmp_path / "a.yaml").write_text("tests: [{test: t, now: 2026-11-20 10:00, expect: {segments: s}}]\n")
    assert rules("check", ".", cwd=tmp_path).stderr.endswith(" the folder that holds the rules as well\n")
    (tmp_path / "b.yaml").write_text("segments: [{segment: z, when: [{country: FI}]}]\n")
    assert 'there is no segment "s"' in rules("check", ".", cwd=tmp_path).stdout


def test_the_time_zone_is_that_of_the_site_or_it_is_said_which(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.yaml").write_text(
        "segments: [{segment: today, when: [{viewed: /a, within: 1 day}]}]\n"
        "tests: [{test: t, now: 2026-11-20 01:00, events: [{90 minutes ago: viewed /a}], "
        "expect: {not segments: today}}]\n"
    )
    for verb in ("check", "test", "explain"):
        shown = rules(verb, "r", cwd=tmp_path)
        assert (shown.returncode, shown.stderr) == (
            0,
            "times are in UTC; name your site's zone, as in --time-zone Europe/Helsinki\n",
        )
        assert rules(verb, "r", "--time-zone", "UTC", cwd=tmp_path).stderr == ""
        assert rules(verb, "r", "--format", "json", cwd=tmp_path).stderr == ""
    settings = tmp_path / "tuttu.toml"
    settings.write_text('[[site]]\nkey = "a"\n[[site]]\nkey = "b"\nrules = "r"\ntime_zone = "Pacific/Kiritimati"\n')
    assert rules("check", "./r/", cwd=tmp_path).stderr == "times are in Pacific/Kiritimati, as tuttu.toml says\n"
    assert "in UTC; " in rules("check", tmp_path / "r", cwd=ROOT).stderr
    settings.write_text("[[site]]\nkye = 1\n")
    assert "in UTC; " in rules("check", "r", cwd=tmp_path).stderr


def test_paths_are_printed_as_the_folder_was_given(tmp_path: Path) -> None:
    (tmp_path / "rules" / "tests").mkdir(parents=True)
    (tmp_path / "rules" / "tests" / "a.yaml").write_text("segmnts: []\n")
    for folder, shown in (
        (".", "rules/tests/a.yaml"),
        ("rules", "rules/tests/a.yaml"),
        ("./rules/", "rules/tests/a.yaml"),
    ):
        assert rules("check", folder, cwd=tmp_path).stdout.startswith(f"{shown}:1:1: ")


def test_github_is_told_in_workflow_commands(tmp_path: Path) -> None:
    (tmp_path / "50%,a:b.yaml").write_text("segments: [{segment: 'a 10%', when: [{country: FI}]}]\nx: {y: 1}\n")
    found = rules("check", tmp_path.name, "--format", "github", cwd=tmp_path.parent)
    assert found.returncode == 1
    error, summary = found.stdout.splitlines()
    place = f"file={tmp_path.name}/50%25%2Ca%3Ab.yaml,line=2,col=1"
    assert error.startswith(f'::error {place}::"x" is not a word of a rule file; possible here: ')
    assert summary == "1 file: 1 error"
    (tmp_path / "50%,a:b.yaml").write_text("segments: [{segment: 'a 10%', when: [{country: FI}]}]\n")
    warning, summary = rules("check", tmp_path, "--format", "github").stdout.splitlines()
    assert warning.startswith(f"::warning file={tmp_path}/50%25%2Ca%3Ab.yaml,line=1,col=12::")
    assert '"a 10%25"' in warning
    assert summary == "1 file, 1 segment: good, 1 warning"


def test_warnings_are_findings_only_if_they_are_asked_to_be() -> None:
    for verb in ("check", "test"):
        assert rules(verb, EXAMPLE).returncode == 0
        strict = rules(verb, EXAMPLE, "--strict")
        assert strict.returncode == 1
        assert "2 warnings" in strict.stdout.splitlines()[-1]
        assert "good, " not in strict.stdout.splitlines()[-1] or verb == "test"
        assert orjson.loads(rules(verb, EXAMPLE, "--strict", "--format", "json").stdout)["good"] is False


def test_a_schedule_is_over_by_the_clock_of_the_command(tmp_path: Path) -> None:
    block = "{{block: b, until: {}-01-01}}"
    for year, over in (("2020", True), ("2900", False)):
        blocks = f"{block.format(year)}, {{block: c}}"
        (tmp_path / "a.yaml").write_text(f"placements: [{{placement: p, blocks: [{blocks}]}}]\n")
        assert ("is over since 2020-01-01" in rules("check", tmp_path).stdout) is over


def test_explain_shows_a_tests_visitor() -> None:
    name = "a dismissed demo rests two weeks"
    shown = rules("explain", EXAMPLE, "--test", name.upper())
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == f"test {name}"
    assert "  placement home hero: welcome (fallback)" in lines
    everybody = orjson.loads(rules("explain", EXAMPLE, "--format", "json").stdout)
    assert [item["test"] for item in everybody][-1] == name


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["check", "no-such-folder"], "there is no folder no-such-folder"),
        (["check", "EMPTY"], "holds no rule files"),
        (["check", str(EXAMPLE), "--time-zone", "Helsinki"], 'there is no time zone "Helsinki"'),
        (["explain", str(EXAMPLE), "--test", "a dismissed demo rests two week"], "did you mean"),
        (["test", str(EXAMPLE), "--test", "a dismissed demo rests two week"], "did you mean"),
        (["chekc"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_usage_is_told_apart_from_findings(args: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "EMPTY" / ".hidden.yaml").write_text("nonsense")
    wrong = rules(*args, cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert said in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for _ in range(3):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m gateway rules explain {EXAMPLE} --time-zone UTC | head -1"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout.startswith("test "), done.stderr) == (True, "")
