"""The ring of keys: what may be done to it, how the file keeps it, how workers change over."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway.keys_watch
from gateway.__main__ import main
from gateway.control import NotTaken
from gateway.errors import KeysRefused, StartupError
from gateway.identity.signing import Keys
from gateway.identity.tokens import Tokens
from gateway.identity.visitor import Cookies
from gateway.keys_watch import KeysWatch
from gateway.ring import MOST, RingKey, added, expired, key_id, promoted, rotated, without
from gateway.secrets import Secrets, SecretsFile, changing_secrets, load_secrets
from gateway.telemetry import Telemetry
from gateway.toml_edit import with_value
from personalize.decision import Decision
from tests.gateway.app import running
from tests.gateway.making import site

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = "a" * 32, "b" * 32
OLD = (RingKey(A, made=NOW - 500 * DAY),)
BY_HAND = f"""# mine
admin_password = "p"  # written by hand
cookie_keys = ["{A}",
  "{B}"]   # two of them
admin_token = 't'

[site.demo]
secret_key = "the first secret"
[extra]
x = [1,
2]
"""


# -- what may be done to a ring ------------------------------------------------------------------------------------


def test_after_a_rotation_the_new_key_signs_and_the_old_one_has_its_end() -> None:
    new, old = rotated(OLD, NOW)
    assert (new.made, new.until) == (NOW, None)
    assert (old.text, old.until) == (A, NOW)
    assert old.may_go_at == NOW + 400 * DAY


def test_an_added_key_waits_behind_the_one_that_signs_until_it_is_promoted() -> None:
    ring = added(OLD, NOW)
    assert (ring[0], ring[1].never_signed) == (OLD[0], True)
    assert promoted(ring, "", NOW + DAY) == (ring[1], RingKey(A, OLD[0].made, NOW + DAY))
    back = promoted(promoted(ring, "", NOW), OLD[0].id, NOW + DAY)
    assert (back[0], back[1].until) == (OLD[0], NOW + DAY)
    for name, text in (("", "no key waits"), ("none", 'no key has the id "none"'), (OLD[0].id, "signs already")):
        with pytest.raises(KeysRefused, match=text):
            promoted(OLD, name, NOW)


def test_a_key_goes_only_when_nothing_that_it_signed_lives_or_when_its_loss_is_meant() -> None:
    ring = rotated(OLD, NOW)
    with pytest.raises(KeysRefused, match="may live until 2027-06-08"):
        without(ring, ring[1].id, NOW + DAY, sure=False)
    assert without(ring, ring[1].id, NOW + DAY, sure=True) == ring[:1]
    assert without(ring, ring[1].id, NOW + 400 * DAY, sure=False) == ring[:1]
    with pytest.raises(KeysRefused, match="a moment ago"):
        without(ring, ring[1].id, NOW + timedelta(seconds=2), sure=True)
    with pytest.raises(KeysRefused, match="signs"):
        without(ring, ring[0].id, NOW, sure=True)
    by_hand = (*OLD, RingKey(B))
    with pytest.raises(KeysRefused, match="which nobody wrote down"):
        without(by_hand, by_hand[1].id, NOW, sure=False)
    waiting = added(OLD, NOW)
    assert without(waiting, waiting[1].id, NOW, sure=False) == OLD


def test_only_keys_that_stopped_long_enough_ago_are_expired() -> None:
    ring = (*rotated(OLD, NOW), RingKey(B))
    assert expired(ring, NOW + 400 * DAY, 400 * DAY) == [key_id(A)]
    assert expired(ring, NOW + 399 * DAY, 400 * DAY) == []


def test_a_full_ring_refuses_another_key_and_loses_none() -> None:
    ring = OLD
    for _ in range(MOST - 1):
        ring = rotated(ring, NOW)
    assert len({key.id for key in ring}) == MOST
    with pytest.raises(KeysRefused, match="as many as it may"):
        rotated(ring, NOW)


# -- the file ------------------------------------------------------------------------------------------------------


def written(data: Path, text: str = BY_HAND) -> Path:
    path = data / "secrets.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o644)
    return path


def test_a_rotation_changes_its_lines_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 0
    text = path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for kept in (
        "# mine\n",
        'admin_password = "p"  # written by hand\n',
        "admin_token = 't'\n",
        "x = [1,\n2]\n",
        f'"{B}"',
    ):
        assert kept in text
    secrets = load_secrets(tmp_path, ["demo"])
    assert secrets.cookie_keys[1:] == (A, B)
    assert len(secrets.cookie_keys[0]) == 32
    assert secrets.cookie_keys[0] not in capsys.readouterr().out


def test_a_secret_key_is_rotated_with_an_overlap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    assert main(["keys", "rotate", "--secret", "demo", "--data", str(tmp_path)]) == 0
    secrets = load_secrets(tmp_path, ["demo"])
    assert secrets.old_secret_keys == {"demo": ("the first secret",)}
    with changing_secrets(tmp_path) as file:
        new, old = file.secret_ring("demo")
        assert (new.text, new.made is not None) == (secrets.secret_keys["demo"], True)
        file.put_secret_ring("demo", (new, RingKey(old.text, until=NOW)))
    assert main(["keys", "drop", new.id, "--data", str(tmp_path)]) == 2
    assert main(["keys", "drop", old.id, "--data", str(tmp_path)]) == 0
    assert load_secrets(tmp_path, ["demo"]).old_secret_keys == {}
    assert main(["keys", "rotate", "--secret", "dmeo", "--data", str(tmp_path)]) == 2
    assert 'no site "dmeo"' in capsys.readouterr().err


def test_the_list_has_ids_and_times_and_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    for verb in (["rotate"], ["add"], ["show"], ["show", "--json"]):
        assert main(["keys", *verb, "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for ring in (SecretsFile(tmp_path).cookie_ring(), SecretsFile(tmp_path).secret_ring("demo")):
        for key in ring:
            assert key.id in out
            assert key.text not in out
    assert "waits" in out
    assert "(0 days ago)" in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cookie_keys = [", "secrets.toml"),
        ('cookie_keys = ["short"]', "shorter than 16"),
        (f'cookie_keys = ["{A}", "{A}"]', "the same"),
        (f'cookie_keys = "{A}"', "not a list"),
        ("cookie_keys = [5]", "something else"),
        (f'cookie_keys = [{{ key = "{A}", mode = 1 }}]', "something else"),
        (f"cookie_keys = [{', '.join(repr(str(n) * 20) for n in range(17))}]", "over 16"),
        (f'cookie_keys = ["{A}"]\nsite = 5', "site is no table"),
    ],
)
def test_a_file_that_will_not_do_is_refused_with_a_sentence_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StartupError, match=sentence):
        load_secrets(tmp_path, ["demo"])
    for verb in ("rotate", "show"):
        assert main(["keys", verb, "--data", str(tmp_path)]) == 1
    assert sentence in capsys.readouterr().err
    assert path.read_text("utf-8") == text


def test_without_a_file_no_command_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["show"], ["rotate"], ["add"], ["promote"], ["drop", "x"]):
        assert main(["keys", *verb, "--data", str(tmp_path)]) == 1
    assert "there is no secrets.toml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_concurrent_rotations_lose_no_key(tmp_path: Path) -> None:
    written(tmp_path)
    threads = [threading.Thread(target=main, args=(["keys", "rotate", "--data", str(tmp_path)],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ring = SecretsFile(tmp_path).cookie_ring()
    assert len(ring) == 10
    assert {A, B} <= {key.text for key in ring}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change another's file")
def test_the_file_stays_its_owners_when_root_rotates(tmp_path: Path) -> None:
    path = written(tmp_path)
    os.chown(path, 12345, 12346)
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 0
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 12346, 0o600)


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.mkdir()
    written(real)
    (tmp_path / "secrets.toml").symlink_to(real / "secrets.toml")
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 0
    assert (tmp_path / "secrets.toml").is_symlink()
    assert len(SecretsFile(real).cookie_ring()) == 3


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.text("ab-_", min_size=1, max_size=3), st.text(max_size=8), max_size=4),
    st.sampled_from(["", "\n", "# c\n", "\n\n# [d]\n"]),
    st.one_of(
        st.none(), st.text(max_size=8), st.lists(st.fixed_dictionaries({"key": st.text(max_size=8)}), max_size=3)
    ),
)
def test_one_value_changes_and_the_rest_stays(values: dict[str, str], between: str, value: Any) -> None:
    text = "".join(with_value("", (), name, item) + between for name, item in values.items())
    text += "[site.x]\na = 1\n[[many]]\nab = 2\n"
    found = tomllib.loads(text)
    for table in ((), ("site", "x"), ("site", "new one")):
        changed = with_value(text, table, "ab", value)
        again = tomllib.loads(changed)
        inner = again if not table else again.get("site", {}).get(table[1], {})
        assert inner.pop("ab", None) == value
        assert again["many"] == found["many"]
        assert with_value(changed, table, "ab", value) == changed


# -- a worker ------------------------------------------------------------------------------------------------------


def test_what_a_dropped_key_signed_is_forgotten_also_when_it_was_remembered() -> None:
    keys = Keys([A])
    cookies, tokens = Cookies(keys), Tokens(keys)
    value = cookies.value(site(), "v")
    token = tokens.make("demo", "v", Decision("home hero", "welcome", {}, "rule"), "1", 0)
    assert cookies.visitor_id(site(), value) == "v"
    keys.replace([B, A])
    assert cookies.visitor_id(site(), value) == "v"
    assert tokens.read("demo", "v", token) is not None
    assert cookies.value(site(), "v") != value
    keys.replace([B])
    assert cookies.visitor_id(site(), value) == ""
    assert tokens.read("demo", "v", token) is None


def news(*cookie_keys: str, servers: tuple[str, ...] = ("a secret key",)) -> dict[str, Any]:
    newest, *old = servers
    return {"cookie_keys": cookie_keys, "secret_keys": {"demo": newest}, "old_secret_keys": {"demo": old}}


async def test_a_prepared_key_verifies_before_any_worker_signs_with_it() -> None:
    first = "k" * 32
    async with running() as one, running() as other:

        async def known(app: Any, cookie: str) -> bool:
            before = app.counted("bad_cookies")
            assert (await app.post(headers={"cookie": cookie})).status_code == 200
            return bool(app.counted("bad_cookies") == before)

        async def new_cookie(app: Any) -> str:
            app.http.cookies.clear()
            header: str = (await app.post()).headers["set-cookie"].partition(";")[0]
            app.http.cookies.clear()
            return header

        go = [app.gateway.prepare_keys(news(B, first)) for app in (one, other)]
        assert key_id(first) in await new_cookie(one)
        go[0]()
        cookie = await new_cookie(one)
        assert key_id(B) in cookie
        assert await known(other, cookie)
        go[1]()
        assert await known(other, cookie)
        one.gateway.prepare_keys(news(B))()
        old = await new_cookie(other)
        one.gateway.prepare_keys(news(A))()
        assert not await known(one, old)


async def test_both_secret_keys_are_accepted_until_the_old_one_is_dropped() -> None:
    async with running() as app:

        async def status(key: str) -> int:
            answer = await app.http.post("/v1/identify", json={"writeKey": key, "userId": "u"})
            return answer.status_code

        go = app.gateway.prepare_keys(news("k" * 32, servers=("new", "a secret key")))
        assert [await status(key) for key in ("new", "a secret key", "other")] == [200, 200, 401]
        go()
        assert [await status(key) for key in ("new", "a secret key")] == [200, 200]
        app.gateway.prepare_keys(news("k" * 32, servers=("new",)))()
        assert [await status(key) for key in ("new", "a secret key")] == [200, 401]


# -- the watch -----------------------------------------------------------------------------------------------------


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_S", "STILL_S", "RETRY_S"):
        monkeypatch.setattr(gateway.keys_watch, name, 0.005)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


async def test_the_watch_takes_good_keys_says_why_not_and_tries_again(
    tmp_path: Path, still: None, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path)
    watch = KeysWatch(tmp_path, load_secrets(tmp_path, ["demo"]), ["demo"])
    taken: list[Secrets] = []
    failing = [NotTaken("worker 1 had not taken them")]

    async def roll_out(secrets: Secrets) -> None:
        if failing:
            raise failing.pop()
        taken.append(secrets)

    def numbers() -> Telemetry:
        watch.measure(found := Telemetry())
        return found

    task = asyncio.create_task(watch.run(roll_out))
    path.write_text(BY_HAND + "# touched\n", "utf-8")
    await asyncio.sleep(0.05)
    assert (taken, watch.notes(), len(failing)) == ([], [], 1)
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 0
    await until(lambda: len(taken) == 1)
    assert taken[0].cookie_keys[1:] == (A, B)
    new = key_id(taken[0].cookie_keys[0])
    await until(lambda: ("cookie_key_info", new, "signs") in numbers().site_gauges)
    assert watch.notes() == []
    good = path.read_text("utf-8")
    for bad, why in (
        (
            f'cookie_keys = ["{"z" * 32}"]\nadmin_password="p"\nadmin_token="t"\n[site.demo]\nsecret_key="s"',
            "in force here",
        ),
        ("cookie_keys = [", "Invalid value"),
        (good.replace("[site.demo]", "[site.other]"), "site.demo.secret_key"),
    ):
        path.write_text(bad, "utf-8")
        await until(lambda why=why: any(why in note for note in watch.notes()))  # type: ignore[misc]  # a loop's lambda
    path.unlink()
    await until(lambda: any("cookie_keys" in note for note in watch.notes()))
    path.write_text(good, "utf-8")
    await until(lambda: watch.notes() == [])
    assert len(taken) == 1
    assert numbers().counters[("key_reloads", "good")] == 1
    assert numbers().counters[("key_reloads", "bad")] >= 5
    task.cancel()


def test_a_start_needs_no_right_to_write_when_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.setattr("gateway.secrets.replace_file", lambda *_, **__: pytest.fail("it was written"))
    assert load_secrets(tmp_path, ["demo"]).cookie_keys == (A, B)
