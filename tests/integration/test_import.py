"""`tuttu import` as a user runs it, against a real gateway: what goes in, what stops it, and how it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import orjson
import pytest

from benchmarks.crm_import import RULES, look, profiles, write_table
from gateway.__main__ import main
from gateway.crm.report import Problems
from gateway.identity.verified import user_hash
from gateway.identity.visitor import company_key
from tests.integration.process import Gateway

PEOPLE = 300


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("import")
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(RULES, "utf-8")
    with Gateway(folder / "data", "--rules", str(folder / "rules")) as running:
        yield running


def command(file: Path, url: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "gateway", "import", str(file), "--url", url, *options]


@dataclass
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def tuttu_import(gateway: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process: a new one takes most of a second to start."""

    def run(file: Path, *options: str, **env: str) -> Said:
        monkeypatch.setenv("TUTTU_DATA", str(gateway.data))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        url = () if "--url" in options else ("--url", gateway.public)
        try:
            code = main(["import", str(file), *url, *options])
        except SystemExit as stop:  # argparse's way
            code = int(stop.code or 0)
        return Said(code, *capsys.readouterr())

    return run


def table(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_killed_import_goes_on_and_ends_as_if_nothing_had_happened(
    gateway: Gateway, tuttu_import: Run, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    bad = write_table(people, PEOPLE)
    others = {id_ for id_, _ in profiles(gateway)}
    progress = tmp_path / "people.csv.tuttu-progress"
    env = {**os.environ, "TUTTU_DATA": str(gateway.data)}
    process = subprocess.Popen(command(people, gateway.public, "--batch", "1"), env=env, stdout=subprocess.PIPE)
    done = 0
    while process.poll() is None and not 20 < done < PEOPLE:
        time.sleep(0.01)
        done = orjson.loads(progress.read_bytes())["done"] if progress.exists() else 0
    process.kill()
    process.communicate()
    resumed = tuttu_import(people, "--resume")
    assert resumed.code == 1, resumed.err
    if process.returncode == -signal.SIGKILL:  # else it had been too fast for us
        assert "going on after row" in resumed.err
    assert not progress.exists()
    assert look(gateway, people, PEOPLE, bad, others) == 0
    again = tuttu_import(people)
    events = [line for line in again.out.splitlines() if "accepted" in line or "duplicates" in line]
    assert [line.split()[1] for line in events] == [events[0].split()[1]] * 2  # everything was there already
    assert look(gateway, people, PEOPLE, bad, others) == 0


def test_a_dry_run_says_what_it_would_do_and_sends_nothing(gateway: Gateway, tuttu_import: Run, tmp_path: Path) -> None:
    people = table(tmp_path / "p.csv", "user id,plan,seats\ndry-1,pro,5\ndry-2,free,x\ndry-3,,1\ndry-4,,1\n")
    before = gateway.log_length()
    said = tuttu_import(people, "--dry-run", "--map", "plan=trait.level")
    assert said.code == 0, said.err
    assert "4 rows, 4 good: 4 events would be sent" in said.out
    assert 'level="pro"' in said.out
    assert "dry-3" in said.out
    assert "dry-4" not in said.out
    assert gateway.log_length() == before
    assert list(tmp_path.iterdir()) == [people]


def test_companies_have_a_profile_of_their_own(gateway: Gateway, tuttu_import: Run, tmp_path: Path) -> None:
    companies = table(tmp_path / "companies.csv", "id,name,employees\nacme,Acme Oy,250\nundefined,Nobody,1\n")
    said = tuttu_import(companies)
    assert said.code == 1
    assert f'{companies}:3:1: id: "groupId" is the placeholder' in said.out
    kept = gateway.profile(f"g:{company_key('demo', 'acme').id}")
    assert kept.trait_values() == {"name": "Acme Oy", "employees": 250}


def test_a_gateway_that_restarts_meanwhile_is_waited_for(gateway: Gateway, tmp_path: Path) -> None:
    rows = "".join(f"restart-{n},pro\n" for n in range(400))
    companies = table(tmp_path / "p.csv", f"company id,plan\n{rows}")
    env = {**os.environ, "TUTTU_DATA": str(gateway.data)}
    options = ("--batch", "1", "--patience", "60")
    process = subprocess.Popen(command(companies, gateway.public, *options), env=env, stdout=subprocess.PIPE, text=True)
    progress = tmp_path / "p.csv.tuttu-progress"
    while process.poll() is None and not progress.exists():
        time.sleep(0.01)
    gateway.stop()
    gateway.start()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "400 companies sent" in said
    assert gateway.profile(f"g:{company_key('demo', 'restart-399').id}").trait_values() == {"plan": "pro"}


@pytest.mark.parametrize(
    ("options", "env", "code", "message"),
    [
        (["--url", "http://127.0.0.1:1", "--patience", "0"], {}, 1, "go on later with --resume"),
        (["--url", "ftp://x"], {}, 1, "is no address such as"),
        ([], {"TUTTU_SECRET_KEY": "wrong"}, 1, "take the site's secret_key from secrets.toml"),
        (["--site", "other"], {}, 2, 'there is no site "other"; say --site with one of: demo'),
        (["--data", "nowhere"], {}, 2, "TUTTU_SECRET_KEY"),
        (["--batch", "0"], {}, 2, "--batch is between"),
        (["--map", "plan"], {}, 2, "is not COLUMN=FIELD"),
    ],
)
def test_what_cannot_work_is_told_without_a_traceback(
    gateway: Gateway,
    tuttu_import: Run,
    tmp_path: Path,
    options: list[str],
    env: dict[str, str],
    code: int,
    message: str,
) -> None:
    people = table(tmp_path / "p.csv", "user id,plan\nsomebody,pro\n")
    said = tuttu_import(people, *options, **env)
    assert (said.code, "Traceback" in said.err) == (code, False)
    assert message in said.err
    assert "somebody" not in [entry["e"].get("userId") for entry in gateway.log()]


def test_a_changed_table_or_other_columns_are_not_resumed(tuttu_import: Run, tmp_path: Path) -> None:
    people = table(tmp_path / "p.csv", "user id,plan\na,pro\n")
    away = ("--url", "http://127.0.0.1:1", "--patience", "0")
    assert tuttu_import(people, *away).code == 1
    assert "other --map" in tuttu_import(people, "--resume", "--map", "plan=ignore").err
    people.write_text("user id,plan\na,free\n", "utf-8")
    assert "another file" in tuttu_import(people, "--resume").err
    anew = tuttu_import(people)
    assert (anew.code, "this one begins anew" in anew.err) == (0, True)


class Moody(BaseHTTPRequestHandler):
    """A gateway that answers what a list says, then takes everything."""

    protocol_version = "HTTP/1.1"
    moods: ClassVar[list[Any]] = []
    batches: ClassVar[int] = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        mood = type(self).moods.pop(0) if type(self).moods else 200
        if mood == "hang up":
            self.close_connection = True
            return
        body = b'{"success":true,"accepted":1,"dropped":0,"rejected":[]}' if mood == 200 else b"<html>"
        if mood == "refuse one":
            body = b'{"accepted":0,"dropped":0,"rejected":[{"index":0,"code":"bad_event","message":"no"}]}'
        type(self).batches += mood == 200
        self.send_response(mood if isinstance(mood, int) else 200)
        self.send_header("content-length", str(len(body)))
        self.send_header("retry-after", "1" if mood == 429 else "soon")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Moody)
    Moody.moods, Moody.batches = [], 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def alone(moody: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Said]:
    monkeypatch.setenv("TUTTU_SECRET_KEY", "x")
    return lambda people: Said(main(["import", str(people), "--url", moody]), *capsys.readouterr())


def test_a_busy_gateway_is_asked_again_when_it_wishes(alone: Callable[[Path], Said], tmp_path: Path) -> None:
    Moody.moods = [503, "hang up", 429]
    begun = time.monotonic()
    said = alone(table(tmp_path / "p.csv", "user id\na\n"))
    assert (said.code, Moody.batches) == (0, 1), said.err
    assert time.monotonic() - begun >= 1
    assert "trying again" in said.err
    assert "it answers again" in said.err


def test_what_the_gateway_refuses_is_told_by_its_line(alone: Callable[[Path], Said], tmp_path: Path) -> None:
    Moody.moods = ["refuse one"]
    people = table(tmp_path / "p.csv", "user id\na\n")
    said = alone(people)
    assert said.code == 1
    assert f"{people}:2:1: the gateway refused it as bad_event: no" in said.out
    assert (tmp_path / "p.errors.csv").read_text("utf-8").splitlines()[1].startswith("2,1,")


def test_what_is_no_gateway_is_told(alone: Callable[[Path], Said], tmp_path: Path) -> None:
    Moody.moods = [404]
    said = alone(table(tmp_path / "p.csv", "user id\na\n"))
    assert (said.code, "is the address right?" in said.err) == (1, True)


def test_the_file_of_problems_overwrites_nothing_else_and_holds_no_formula(
    alone: Callable[[Path], Said], tmp_path: Path
) -> None:
    people = table(tmp_path / "p.csv", "user id,consent\na,=1+1\n")
    errors = table(tmp_path / "p.errors.csv", "my own notes\n")
    assert "is something else already" in alone(people).err
    assert errors.read_text("utf-8") == "my own notes\n"
    errors.unlink()
    alone(people)
    assert "'=1+1" in errors.read_text("utf-8")
    table(people, "user id\na\n")
    assert alone(people).code == 0
    assert not errors.exists()
    with Problems(errors):
        pass
    assert not errors.exists()


def test_a_column_consent_is_the_trait_and_a_choice_only_where_it_names_the_gateways_purposes(
    gateway: Gateway, tuttu_import: Run, tmp_path: Path
) -> None:
    """The demo's default allows analytics and personalization."""
    cells = {"mail": "email", "none": "none", "both": "email;analytics", "all": "analytics|personalization|ads"}
    for name in cells:
        assert told(gateway, f"consent-{name}", consent=["personalization"])["accepted"] == 1
    rows = [f"consent-{name},{cell},x" for name, cell in cells.items()]
    people = table(tmp_path / "p.csv", "\n".join(["user id,consent,plan", *rows, "consent-new,email,x", ""]))
    said = tuttu_import(people)
    assert said.code == 0, said.err
    log = {e["e"]["userId"]: e for e in gateway.log() if e["k"] == "identify" and e["m"].startswith("import-")}
    profiles = {name: gateway.profile(log[f"consent-{name}"]["v"]) for name in cells}
    found = {name: (p.consent[1], p.trait_values()["consent"]) for name, p in profiles.items()}
    assert found == {
        "mail": (["personalization"], ["email"]),
        "none": (["personalization"], []),
        "both": (["analytics"], ["email"]),
        "all": (["ads", "analytics", "personalization"], []),
    }
    assert log["consent-new"]["c"] == ["analytics", "personalization"], "the site's default"


def test_an_import_does_not_bring_back_who_refused_unless_it_says_that_they_chose(
    gateway: Gateway, tuttu_import: Run, tmp_path: Path
) -> None:
    for name in ("gone", "old", "back"):
        user_id = f"refused-{name}"
        proof = {"writeKey": "demo", "userHash": user_hash(gateway.secret_key(), user_id)}
        assert told(gateway, user_id, consent=["analytics"])["accepted"] == 1
        assert told(gateway, user_id, consent=[], **proof)["dropped"] == 1
    people = table(
        tmp_path / "p.csv",
        "user id,consent,updated at\nrefused-gone,email,\nrefused-old,analytics,2026-01-01\nrefused-back,analytics,\n",
    )
    said = tuttu_import(people)
    assert said.code == 0, said.err
    kept = [e["e"]["userId"] for e in gateway.log() if e["m"].startswith("import-") and "refused" in str(e["e"])]
    assert kept == ["refused-back"]


def told(gateway: Gateway, user_id: str, **body: Any) -> Any:
    """Send a page view of a person by the site's server."""
    event = {"writeKey": gateway.secret_key(), "userId": user_id, **body}
    return httpx.post(f"{gateway.public}/v1/page", json=event).json()
