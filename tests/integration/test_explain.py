"""`tuttu explain` against a running gateway and its store: a real visitor, read and never written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from gateway.identity.visitor import hashed
from gateway.ports import VisitorKey
from gateway.store import keys
from gateway.store.folder import socket_path
from tests.gateway.command import ROOT, tuttu
from tests.integration.process import Gateway

EXAMPLE = ROOT / "tests" / "vectors" / "rules-example"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("explain") / "data", "--rules", str(EXAMPLE)) as running:
        yield running


def explain(gateway: Gateway, *args: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    return tuttu("explain", "--data", data or gateway.data, *args, cwd=gateway.data.parent)


def in_a_process(gateway: Gateway, *args: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "explain", "--data", str(gateway.data), *args],
        capture_output=True,
        text=True,
        cwd=gateway.data.parent,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in done.stderr
    return done


def a_visitor(gateway: Gateway) -> str:
    """Return the cookie of a visitor who looked at the prices twice."""
    body = {"writeKey": "demo", "batch": [{"type": "page", "properties": {"path": "/hinnoittelu"}}] * 2}
    answer = httpx.post(f"{gateway.public}/v1/batch", content=orjson.dumps(body))
    assert answer.json()["accepted"] == 2
    return answer.headers["set-cookie"].partition(";")[0].partition("=")[2]


def test_a_real_visitor_is_explained_by_the_rules_that_are_live(gateway: Gateway) -> None:
    cookie = a_visitor(gateway)
    before = gateway.profile(f"a:{cookie.partition('.')[0]}")
    shown = in_a_process(gateway, cookie)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    version = httpx.get(f"{gateway.internal}/rules").json()["sites"]["demo"]["version"]
    assert lines[0] == f"visitor a:{cookie.partition('.')[0]}, rules {version}"
    assert "score engagement 16, halves every 14 days  (scoring.yaml:3:5)" in lines
    assert "temperature warm" in lines
    finnish = explain(gateway, f"__Host-tuttu_id={cookie}", "--language", "fi", "--placement", "home hero").stdout
    assert "pisteet engagement 16 (puoliintuvat 14 päivässä)" in finnish
    assert "paikka home hero" in finnish
    assert "article footer" not in finnish
    found = orjson.loads(explain(gateway, cookie, "--format", "json").stdout)
    assert (found["site"], found["visitor"]) == ("demo", f"a:{cookie.partition('.')[0]}")
    assert found["explanation"]["scores"][0]["value"] == 16
    assert found["explanation"]["profile"]["first_visit"] > 0
    assert gateway.profile(f"a:{cookie.partition('.')[0]}") == before
    url = f"unix://{socket_path(gateway.data / 'store')}"
    assert explain(gateway, cookie, "--redis", url).stdout.splitlines()[0] == lines[0]


def test_the_gateway_says_it_in_the_language_that_is_asked_for(gateway: Gateway) -> None:
    body = {"writeKey": "demo", "placements": ["home hero"]}
    whys = {}
    for language in ("en", "fi"):
        address = f"{gateway.public}/v1/decide?explain=1&language={language}"
        answer = httpx.post(address, content=orjson.dumps(body)).json()
        first = answer["placements"]["home hero"]["receipt"][0]
        assert (first["because"], first["unmet"]["head"], first["unmet"]["actual"]) == ("unmet", "stage", "awareness")
        whys[language] = first["why"]
        assert answer["explanation"]["scores"][0]["shown"] == "0"
    assert whys["fi"] == "Vaatii, että vaihe on customer (nyt awareness)."
    assert whys["en"] == "Needs stage customer (is: awareness)."


def test_the_log_keeps_the_receipt_as_data(gateway: Gateway) -> None:
    cookie = a_visitor(gateway)
    header = {"cookie": f"__Host-tuttu_id={cookie}"}
    asked = {"writeKey": "demo", "placements": ["home hero"]}
    shown = httpx.post(f"{gateway.public}/v1/decide", json=asked, headers=header).json()["placements"]["home hero"]
    event = {"writeKey": "demo", "event": "Content Shown", "properties": {"decision": shown["decision"]}}
    assert httpx.post(f"{gateway.public}/v1/track", json=event, headers=header).json()["accepted"] == 1
    (receipt,) = [e["receipt"] for e in gateway.log() if e["v"] == f"a:{cookie.partition('.')[0]}" and "receipt" in e]
    assert receipt["candidates"][0] == [
        "upgrade to pro",
        "lost",
        "unmet",
        "placements.yaml:6:16",
        None,
        ["stage", "stage customer", "awareness"],
    ]


def test_a_known_person_is_named_by_their_user_id(gateway: Gateway) -> None:
    body = {"userId": "user-7", "event": "demo requested", "context": {}}
    headers = {"authorization": f"Bearer {gateway.secret_key()}"}
    assert httpx.post(f"{gateway.public}/v1/track", json=body, headers=headers).status_code == 200
    shown = explain(gateway, "known:user-7")
    assert shown.returncode == 0, shown.stderr
    assert "stage purchase" in shown.stdout.splitlines()


def test_a_visitor_who_withdrew_is_gone(gateway: Gateway) -> None:
    cookie = a_visitor(gateway)
    body = {"writeKey": "demo", "batch": [], "consent": []}
    header = {"cookie": f"__Host-tuttu_id={cookie}"}
    assert httpx.post(f"{gateway.public}/v1/batch", json=body, headers=header).status_code == 200
    gone = explain(gateway, cookie)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "was erased" in gone.stderr


def test_what_cannot_be_explained_is_said_with_what_to_do(gateway: Gateway, tmp_path: Path) -> None:
    nobody = explain(gateway, "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert 'the site "demo" has no such visitor; ids are told apart by case' in nobody.stderr
    site = explain(gateway, "x", "--site", "demos")
    assert site.returncode == 2
    assert 'there is no site "demos"; did you mean "demo"?' in site.stderr
    placement = explain(gateway, a_visitor(gateway), "--placement", "hero home")
    assert placement.returncode == 2
    assert "there is no placement" in placement.stderr
    begun = time.monotonic()
    away = explain(gateway, "x", "--rules", str(EXAMPLE), data=tmp_path)
    assert time.monotonic() - begun < 20
    assert (away.returncode, away.stdout) == (1, "")
    assert "no store answers at" in away.stderr
    assert "is it running" in away.stderr
    assert list(tmp_path.iterdir()) == []
    ruleless = explain(gateway, "x", data=tmp_path)
    assert ruleless.returncode == 2
    assert "name their folder with --rules" in ruleless.stderr
    address = explain(gateway, "x", "--redis", "http://user:secret@host")
    assert address.returncode == 1
    assert "secret" not in address.stderr
    assert "unix:///path/to/socket, redis://" in address.stderr
    for name in ("\udcff", "known:\udcff"):
        no_text = in_a_process(gateway, name)
        assert (no_text.returncode, no_text.stdout) == (2, "")
        assert no_text.stderr == (
            "tuttu explain: the visitor's name is not written in UTF-8; a cookie's value and a user id are\n"
        )


def test_what_is_no_profile_in_the_store_is_said(gateway: Gateway) -> None:
    name = keys.visitor_name(VisitorKey("demo", "a", "broken"))
    key = keys.profile_prefix(keys.partition_of(name.encode())) + name
    said = {
        b'{"r":"1","f":1,"t":5}': "the stored profile cannot be read: it is damaged at t: ",
        b'{"r":"1","f":1,"h":["customer",1e300]}': "the stored profile cannot be read: it is damaged at h.1: ",
        b'{"r":"1","f":99}': "the stored profile cannot be read: it has the format 99, and this release reads",
    }
    store = gateway.store()
    for document, why in said.items():
        store.set(key, document)
        refused = explain(gateway, "broken")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"tuttu explain: {why}")
    store.delete(key)
    store.hset(key, "a", "b")
    refused = explain(gateway, "broken")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"has no profile under the key {key} but something else" in refused.stderr
    store.delete(key)


def test_the_browser_of_a_known_person_is_explained_by_the_persons_profile(gateway: Gateway) -> None:
    cookie = a_visitor(gateway)
    secret = tomllib.loads((gateway.data / "secrets.toml").read_text())["site"]["demo"]["secret_key"]
    body = {"writeKey": secret, "visitor": cookie, "userId": "u-1", "traits": {"plan": "pro"}}
    assert httpx.post(f"{gateway.public}/v1/identify", content=orjson.dumps(body)).json()["accepted"] == 1
    found = orjson.loads(explain(gateway, cookie, "--format", "json").stdout)
    assert found["visitor"] == f"k:{hashed('demo', 'u', 'u-1')}"
    assert found["explanation"]["scores"][0]["value"] == 16
    assert found["explanation"]["profile"]["traits"] == {"plan": "pro"}
    assert orjson.loads(explain(gateway, "known:u-1", "--format", "json").stdout)["visitor"] == found["visitor"]


def test_what_is_kept_about_a_company_itself_is_explained_for_its_people(gateway: Gateway, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {gateway.secret_key()}"}
    for body in ({"groupId": "acme", "traits": {"employees": 250}}, {"groupId": "acme", "userId": "user-8"}):
        assert httpx.post(f"{gateway.public}/v1/group", json=body, headers=headers).status_code == 200
    (tmp_path / "large.yaml").write_text(
        "segments:\n  - {segment: large, when: [{company: {employees: at least 100}}]}\n", encoding="utf-8"
    )
    shown = explain(gateway, "known:user-8", "--rules", str(tmp_path))
    assert "segment large: in it" in shown.stdout, shown.stdout + shown.stderr
