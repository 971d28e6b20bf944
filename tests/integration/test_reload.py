"""Rules that change under a running gateway: good ones go live in every worker at once, bad ones change nothing."""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.counting import counting_since
from personalize.loader import digest_of
from tests.integration.process import Gateway, eventually

LIVE_WITHIN_S = 15
ANEW = httpx.Client(timeout=10, limits=httpx.Limits(max_keepalive_connections=0))
"""A client whose every request has a new connection."""
RULES = """
segments:
  - segment: readers of NUMBER
    when: [{viewed: /NUMBER/*}]
placements:
  - placement: PLACEMENT
    blocks:
      - block: PLACEMENT NUMBER by heart
        when: [{in segment: readers of NUMBER}]
        content: {title: "NUMBER"}
      - {block: PLACEMENT NUMBER, content: {title: "NUMBER"}}
"""
TEST = """
tests:
  - test: both are of one version
    now: 2026-05-04 12:00
    expect: {hero: hero NUMBER, footer: footer NUMBER}
"""


def files_of(number: int) -> dict[str, str]:
    """Return the rule files of one version: its number is in both placements, which stand in files of their own."""

    def numbered(text: str) -> str:
        return text.replace("NUMBER", str(number))

    return {
        "footer.yaml": numbered(RULES.replace("PLACEMENT", "footer").replace("readers", "footer readers")),
        "hero.yaml": numbered(RULES.replace("PLACEMENT", "hero")),
        "tests/both.yaml": numbered(TEST),
    }


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def started(tmp_path: Path, workers: int = 1) -> Gateway:
    write(tmp_path / "rules", files_of(0))
    return Gateway(tmp_path / "data", "--rules", str(tmp_path / "rules"), "--workers", str(workers))


def asked(gateway: Gateway, http: httpx.Client | None = None) -> dict[str, Any]:
    """Return a decision for both placements, by default over a connection of its own: any worker may take it."""
    body = {"writeKey": "demo", "placements": ["hero", "footer"]}
    answer: dict[str, Any] = (http or ANEW).post(f"{gateway.public}/v1/decide", json=body).json()
    return answer


def rules(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = ANEW.get(f"{gateway.internal}/rules").json()["sites"]["demo"]
    return found


def reloads(gateway: Gateway, result: str) -> float:
    return gateway.metrics().get(("tuttu_rules_reloads_total", result), 0)


def ready(gateway: Gateway) -> str:
    """Return the notes of a gateway that takes hits."""
    answer = ANEW.get(f"{gateway.internal}/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    return "\n".join(answer.json()["notes"])


def is_live(gateway: Gateway, number: int) -> Callable[[], bool]:
    version = digest_of(files_of(number))
    return lambda: bool(rules(gateway)["version"] == version)


class Visitors(threading.Thread):
    """Sends a page view and asks for both placements in turn, until it is told to stop.

    Every other time over a connection of its own.
    """

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.failed: list[object] = []
        self.decided: list[tuple[str, str, str]] = []
        self._gateway = gateway
        self._enough = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=10) as kept:
            for http in cycle((kept, ANEW)):
                if self._enough.wait(0.005):
                    return
                try:
                    self.visit(http)
                except (httpx.HTTPError, LookupError, ValueError) as error:
                    self.failed.append(error)

    def visit(self, http: httpx.Client) -> None:
        body = {"writeKey": "demo", "properties": {"path": "/1/a"}}
        tracked = http.post(f"{self._gateway.public}/v1/page", json=body)
        if tracked.status_code != 200 or tracked.json()["accepted"] != 1:
            self.failed.append(tracked.text)
        found = asked(self._gateway, http)
        hero, footer = (found["placements"][name]["block"] for name in ("hero", "footer"))
        self.decided.append((found["version"], hero, footer))

    def stop(self) -> None:
        self._enough.set()
        self.join(30)


def bad_of(number: int) -> dict[str, str]:
    """Return what breaks the folder of a version: half a file, a failing test, a wrong word, a name that is taken."""
    files = files_of(number)
    return [
        {"hero.yaml": files["hero.yaml"].partition("/")[0]},
        {"tests/both.yaml": files["tests/both.yaml"].replace(f"hero {number}", f"hero {number} by heart")},
        {"footer.yaml": files["footer.yaml"].replace("viewed", "viewd")},
        {"again.yaml": files["hero.yaml"].replace("readers", "others")},
    ][number % 4]


def test_reloads_good_and_bad_in_turn_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    turns = 10  # twenty reloads, every other one bad
    with started(tmp_path, workers=2) as gateway:
        visitors = [Visitors(gateway) for _ in range(2)]
        for visitor in visitors:
            visitor.start()
        try:
            for turn in range(turns):
                write(folder, bad_of(turn))
                os.kill(gateway.pid, signal.SIGHUP)  # saves the wait for the next look
                eventually(lambda n=turn: reloads(gateway, "bad") > n, LIVE_WITHIN_S)  # type: ignore[misc]  # a loop's lambda
                assert is_live(gateway, turn)()
                assert asked(gateway)["version"] == digest_of(files_of(turn))
                (folder / "again.yaml").unlink(missing_ok=True)
                write(folder, files_of(turn + 1))
                os.kill(gateway.pid, signal.SIGHUP)
                eventually(is_live(gateway, turn + 1), LIVE_WITHIN_S)
                decided = [asked(gateway) for _ in range(8)]  # on new connections: of every worker
                assert {d["version"] for d in decided} == {digest_of(files_of(turn + 1))}
        finally:
            for visitor in visitors:
                visitor.stop()
        assert gateway.metrics()[("tuttu_worker_restarts_total",)] == 0
    assert [error for visitor in visitors for error in visitor.failed] == []
    possible = {(digest_of(files_of(n)), f"hero {n}", f"footer {n}") for n in range(turns + 1)}
    seen = {decided for visitor in visitors for decided in visitor.decided}
    assert seen <= possible
    assert len(seen) > turns / 2


def test_a_bad_folder_says_why_everywhere_and_heals(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    with started(tmp_path) as gateway:
        assert ready(gateway) == ""
        good = files_of(0)["hero.yaml"]
        # A file that is written in two steps: the first half stays long enough to be looked at, the second heals it.
        half = good.index("viewed") + 9
        (folder / "hero.yaml").write_text(good[:half], "utf-8")
        eventually(lambda: "hero.yaml:4:1: this is no YAML" in ready(gateway), LIVE_WITHIN_S)
        problem = rules(gateway)["refused"]["problems"][0]
        assert (problem["file"], problem["line"], problem["column"]) == ("hero.yaml", 4, 1)
        assert "hero.yaml:4:1: this is no YAML" in gateway.errors()
        assert gateway.metrics()[("tuttu_rules_refused", "demo")] == 1
        with (folder / "hero.yaml").open("a", encoding="utf-8") as file:
            file.write(good[half:])
        eventually(lambda: ready(gateway) == "", LIVE_WITHIN_S)
        assert "the folder is good again" in gateway.errors()
        assert gateway.metrics()[("tuttu_rules_refused", "demo")] == 0

        write(folder, {"tests/both.yaml": files_of(0)["tests/both.yaml"].replace("hero 0", "hero 0 by heart")})
        eventually(lambda: 'the test "both are of one version" fails' in ready(gateway), LIVE_WITHIN_S)
        assert "expected hero 0 by heart, found hero 0" in gateway.errors()
        folder.rename(tmp_path / "moved")
        eventually(lambda: "there is no folder" in ready(gateway), LIVE_WITHIN_S)
        assert is_live(gateway, 0)()

        # A link to a pipe: whoever opened it would wait for ever, and the gateway's end with it.
        os.mkfifo(tmp_path / "pipe")
        write(folder, files_of(0))
        (folder / "pipe.yaml").symlink_to(tmp_path / "pipe")
        eventually(lambda: "pipe.yaml in the folder" in ready(gateway), LIVE_WITHIN_S)
        (folder / "pipe.yaml").unlink()
        eventually(lambda: ready(gateway) == "", LIVE_WITHIN_S)
        before = reloads(gateway, "same")
        (folder / "hero.yaml").touch()
        eventually(lambda: reloads(gateway, "same") > before, LIVE_WITHIN_S)
        assert is_live(gateway, 0)()
        assert reloads(gateway, "good") == 0


def test_a_folder_is_swapped_through_a_link_as_mounted_volumes_do(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    for number in (1, 2):
        write(folder / f"..{number}", files_of(number))
    (folder / "..data").symlink_to("..1")
    for name in ("hero.yaml", "footer.yaml", "tests"):
        (folder / name).symlink_to(f"..data/{name}")
    with Gateway(tmp_path / "data", "--rules", str(folder)) as gateway:
        assert is_live(gateway, 1)()
        assert rules(gateway)["counts"]["tests"] == 1
        (folder / "..new").symlink_to("..2")
        (folder / "..new").replace(folder / "..data")
        eventually(is_live(gateway, 2), LIVE_WITHIN_S)
        assert asked(gateway)["placements"]["footer"]["block"] == "footer 2"


def test_a_reload_lists_what_starts_counting_names_its_version_and_outlives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    with started(tmp_path) as gateway:
        write(folder, {**files_of(0), "more.yaml": "segments: [{segment: new, when: [{did: Signed Up}]}]"})
        os.kill(gateway.pid, signal.SIGHUP)
        eventually(lambda: rules(gateway)["counts"]["segments"] == 3, LIVE_WITHIN_S)
        version = rules(gateway)["version"]
        assert f"version {version} is live (was {digest_of(files_of(0))})" in gateway.errors()
        assert "1 thing starts counting now: did Signed Up (more.yaml:1:34)" in gateway.errors()
        counting = {m["id"]: (m["what"], m["since"][:10]) for m in rules(gateway)["matchers"]}
        assert {what for what, _ in counting.values()} == {"viewed /0/*", "did Signed Up"}
        eventually(lambda: counting_since(gateway.data, "demo").keys() == counting.keys(), LIVE_WITHIN_S)
        assert {m: str(day) for m, day in counting_since(gateway.data, "demo").items()} == {
            matcher: day for matcher, (_, day) in counting.items()
        }
        body = {"writeKey": "demo", "batch": [{"type": "page", "messageId": "1"}], "placements": ["hero"]}
        answer = ANEW.post(f"{gateway.public}/v1/decide", json=body).json()
        payload = answer["placements"]["hero"]["decision"].partition(".")[0]
        assert version in orjson.dumps(_decoded(payload)).decode()

        write(folder, {"hero.yaml": "placements: [ {"})
        os.kill(gateway.pid, signal.SIGHUP)
        eventually(lambda: reloads(gateway, "bad") == 1, LIVE_WITHIN_S)
        gateway.stop()
        gateway.start()
        assert asked(gateway)["version"] == version
        assert rules(gateway)["refused"]["problems"][0]["file"] == "hero.yaml"
        (folder / "more.yaml").unlink()
        write(folder, files_of(2))
        os.kill(gateway.pid, signal.SIGHUP)
        eventually(is_live(gateway, 2), LIVE_WITHIN_S)


def test_a_worker_that_dies_in_a_reload_changes_nothing_about_it_and_one_that_is_stopped_is_waited_for(
    tmp_path: Path,
) -> None:
    with started(tmp_path, workers=2) as gateway:
        for number in (1, 2):
            write(tmp_path / "rules", files_of(number))
            os.kill(gateway.pid, signal.SIGHUP)
            os.kill(gateway.worker_pids()[0], signal.SIGKILL)
            eventually(is_live(gateway, number), LIVE_WITHIN_S)
            eventually(lambda: gateway.metrics()[("tuttu_workers",)] == 2, LIVE_WITHIN_S)
            decided = {asked(gateway)["version"] for _ in range(8)}
            assert decided == {digest_of(files_of(number))}
        stopped = gateway.worker_pids()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            write(tmp_path / "rules", files_of(3) | {"large.yaml": f"# {'x' * 700_000}"})
            os.kill(gateway.pid, signal.SIGHUP)
            eventually(lambda: f"(process {stopped}) has said nothing" in ready(gateway), LIVE_WITHIN_S)
            assert gateway.metrics()[("tuttu_workers",)] == 2  # within its own time-out
            assert is_live(gateway, 2)()
        finally:
            os.kill(stopped, signal.SIGCONT)
        eventually(lambda: "large.yaml" in rules(gateway)["files"], LIVE_WITHIN_S)
        eventually(lambda: ready(gateway) == "", LIVE_WITHIN_S)


def _decoded(payload: str) -> Any:
    return orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
