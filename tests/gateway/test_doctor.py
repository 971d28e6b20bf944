"""`tuttu doctor` behind a good proxy and behind bad ones: every finding appears where it should, and only there."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

import gateway.doctor.reaching
from gateway.__main__ import main
from gateway.doctor.asking import Answer, Silence
from gateway.doctor.finding import Finding
from gateway.doctor.inside import data_age, internal
from gateway.doctor.naming import Resolved, naming
from gateway.doctor.reaching import certificate, https
from gateway.doctor.target import target_of
from gateway.networks.manifest import DataSet, Manifest, write_manifest
from tests.gateway.making import RULES
from tests.gateway.meddler import Headers, Meddler, OnAnswer, OnRequest, Reply, changed, more, without
from tests.integration.process import Gateway, eventually

SETTINGS = """
[gateway]
trusted_proxies = ["127.0.0.1"]
[[site]]
key = "www"
origins = ["http://127.0.0.1:*", "https://127.0.0.1:*", "http://localhost:*"]
rules = "rules"
"""
DAY_S = 86_400


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "tuttu.toml").write_text(SETTINGS, "utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "site.yaml").write_text(RULES, "utf-8")
    with Gateway(folder / "data", "--config", str(folder / "tuttu.toml")) as found:
        yield found


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, str]]:
    """Return a function that runs the command and returns the level of each check, with "exit" and "all seen"."""

    def run(url: str, *words: str) -> dict[str, str]:
        code = main(["doctor", url, *(words or ("--write-key", "www")), "--json"])
        findings = json.loads(capsys.readouterr().out)["findings"]
        for finding in findings:
            assert bool(finding["advice"]) == (finding["level"] != "good"), finding
        return {"exit": str(code), "all seen": json.dumps(findings)} | {f["check"]: f["level"] for f in findings}

    return run


def levels(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.check: finding.level for finding in findings}


def test_behind_a_good_proxy_all_is_good_and_nothing_is_written(
    running: Gateway, doctor: Callable[..., dict[str, str]]
) -> None:
    with running.store() as store, Meddler(running.public) as proxy:
        before = store.dbsize()
        found = doctor(proxy.url)
        assert store.dbsize() == before
    assert found.pop("exit") == "0"
    found.pop("all seen")
    assert set(found.values()) == {"good"}
    assert set(found) >= {check for check, *_ in FAULTS if check not in ("visit", "cookie lifetime", "host")}


def test_a_visit_is_made_known_and_erased(running: Gateway, doctor: Callable[..., dict[str, str]]) -> None:
    entries = running.log_length()
    with running.store() as store, Meddler(running.public) as proxy:
        before = set(store.scan_iter())
        found = doctor(proxy.url, "--write-key", "www", "--visit")
        assert (found["visit"], found["cookie lifetime"], found["exit"]) == ("good", "good", "0")
        eventually(lambda: running.log_length() <= entries, 15)
        assert not [key for key in set(store.scan_iter()) - before if b":m:" in key], "no mark of a message is left"


def cached() -> OnAnswer:
    """Return a cache that keeps every answer to a GET, whoever asks, and hides that it does."""
    kept: dict[str, Reply] = {}

    def answer(method: str, path: str, reply: Reply) -> Reply:
        return kept.setdefault(path, reply) if method == "GET" else reply

    return answer


def rewritten(name: str, text: str) -> OnRequest:
    return lambda _, headers: [(key, text if key.lower() == name else value) for key, value in headers]


def only(path: str, status: int, content: bytes = b"no", headers: Headers | None = None) -> OnAnswer:
    """Return a proxy that answers one path, or one method, itself."""
    return lambda method, asked, reply: (status, headers or [], content) if path in (asked, method) else reply


def same(_path: str, headers: Headers) -> Headers:
    return headers


def unchanged(_method: str, _path: str, reply: Reply) -> Reply:
    return reply


def cookie(old: str, new: str) -> OnAnswer:
    return changed("set-cookie", lambda value: value.replace(old, new))


FAULTS: list[tuple[str, str, OnRequest, OnAnswer]] = [
    ("reachable", "bad", same, only("/live", 502)),
    ("reachable", "bad", same, only("/live", 301, b"", [("Location", "https://www.example.com/t/live")])),
    ("write key", "bad", same, only("/v1/projects/www/settings", 404)),
    ("scheme", "bad", rewritten("x-forwarded-proto", "https"), unchanged),
    ("forwarded host", "bad", rewritten("host", "gateway.internal"), unchanged),
    ("prefix", "bad", without("x-forwarded-prefix"), unchanged),
    ("origin", "bad", rewritten("origin", "http://other.example"), unchanged),
    ("origin", "bad", same, only("POST", 405)),
    ("cookie", "bad", same, changed("set-cookie", lambda _: None)),
    ("cookie", "bad", same, cookie("; Secure", "")),
    ("cookie", "bad", same, cookie("; HttpOnly", "")),
    ("cookie", "bad", same, cookie("Path=/", "Path=/t/")),
    ("cookie", "bad", same, cookie("; Path", "; Domain=example.com; Path")),
    ("cookie", "bad", same, cookie("__Host-tuttu_id=; ", "tuttu_id=; Domain=example.com; ")),
    ("cookie", "warning", same, cookie("SameSite=Lax", "SameSite=None")),
    ("cookie", "warning", same, cookie("__Host-", "")),
    ("cookie", "warning", same, more(Set_Cookie="__Host-tuttu_id=; Path=/; Secure; HttpOnly; SameSite=Lax")),
    ("cookie lifetime", "warning", same, cookie("Max-Age=34560000", "Max-Age=604800")),
    ("visit", "bad", without("cookie"), unchanged),
    ("visit", "bad", same, only("/v1/page", 503)),
    ("cors", "warning", same, changed("access-control-allow-origin", lambda _: "*")),
    ("cors", "warning", same, more(Access_Control_Allow_Origin="*")),
    ("cors", "warning", same, changed("access-control-allow-credentials", lambda _: None)),
    ("cors", "warning", same, changed("vary", lambda _: "Accept-Encoding")),
    ("cors", "warning", same, changed("access-control-expose-headers", lambda _: None)),
    ("preflight", "warning", same, only("OPTIONS", 405)),
    ("preflight", "warning", same, changed("access-control-allow-headers", lambda _: "X-Other")),
    ("unlisted origin", "bad", same, more(Access_Control_Allow_Origin="*")),
    ("unlisted origin", "bad", without("origin"), unchanged),
    ("origin null", "bad", without("origin"), unchanged),
    ("cache", "bad", same, cached()),
    ("cache", "bad", same, changed("cache-control", lambda _: "public, max-age=600")),
    ("cache", "bad", same, more(Age="12")),
    ("cache", "bad", same, more(X_Cache="HIT from edge")),
    ("cache", "bad", same, more(CF_Cache_Status="HIT")),
    ("zipped bodies", "warning", without("content-encoding"), unchanged),
    ("internal paths", "bad", same, only("/metrics", 200, b"tuttu_hits_total 1\n")),
]
"""A check, its level, and what the proxy does wrong."""


@pytest.mark.parametrize(("check", "level", "request_", "answer"), FAULTS)
def test_a_fault_is_found(
    running: Gateway,
    doctor: Callable[..., dict[str, str]],
    check: str,
    level: str,
    request_: OnRequest,
    answer: OnAnswer,
) -> None:
    with Meddler(running.public, request_, answer) as proxy:
        found = doctor(proxy.url, "--write-key", "www", *(["--visit"] if check in ("visit", "cookie lifetime") else []))
    assert (found[check], found["exit"]) == (level, "1"), found["all seen"]


def test_a_proxy_with_a_small_limit_is_found(running: Gateway, doctor: Callable[..., dict[str, str]]) -> None:
    with Meddler(running.public, limit=1_000_000) as proxy:
        found = doctor(proxy.url)
    assert (found["large bodies"], found["zipped bodies"], found["exit"]) == ("warning", "good", "1")


def test_pages_of_another_origin_need_cors(running: Gateway, doctor: Callable[..., dict[str, str]]) -> None:
    page = ("--page", "http://localhost:3000/hinnoittelu", "--write-key", "www")
    with Meddler(running.public) as proxy:
        found = doctor(proxy.url, *page)
        assert (found["cors"], found["preflight"], found["origin"]) == ("good", "good", "good")
        assert (found["host"], found["address"]) == ("bad", "good")
        found = doctor(proxy.url, "--page", "https://www.example.com", "--write-key", "www")
        assert found["origin"] == "bad"
        assert "to the site's origins" in found["all seen"]
    with Meddler(running.public, answer=changed("access-control-allow-credentials", lambda _: None)) as proxy:
        found = doctor(proxy.url, *page)
        assert (found["cors"], found["preflight"], found["exit"]) == ("bad", "bad", "1")


def test_without_or_with_a_wrong_key_the_rest_is_seen(running: Gateway, doctor: Callable[..., dict[str, str]]) -> None:
    with Meddler(running.public) as proxy:
        found = doctor(proxy.url, "--page", proxy.url)
        assert (found["write key"], found["exit"]) == ("open", "0")
        assert {found[check] for check in ("cors", "preflight", "origin null", "cache", "large bodies")} == {"good"}
        found = doctor(proxy.url, "--write-key", "wwww")
        assert (found["write key"], found["large bodies"], found["exit"]) == ("bad", "good", "1")


@pytest.mark.parametrize(
    "words",
    [
        ["www.example.com"], ["ftp://x"], ["https://"], ["http://[::1"], ["http://x:99999"], ["http://u:p@x"],
        ["http://x/?a"], ["http://a b"], ["http://ä.fi"], ["http://x", "--page", "y"], ["http://x", "--visit"],
        ["http://x", "--write-key", "a/b"], ["http://x", "--internal", "8081"],
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *words]) == 2
    assert capsys.readouterr().err.startswith("tuttu doctor: ")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://a..b", f"http://{'a' * 80}.invalid", "https://127.0.0.1:1"]
)
def test_where_nobody_answers_is_a_finding_and_no_traceback(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", url]) == 1
    out = capsys.readouterr().out
    assert out.startswith("BAD     reachable ")
    assert "1 bad" in out


def test_what_a_server_says_cannot_move_the_terminal(running: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    with Meddler(running.public, answer=only("/live", 500, b"\x1b[2J\nfine")) as proxy:
        assert main(["doctor", proxy.url]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2J fine" in out


# -- names, certificates, clocks ---------------------------------------------------------------------------------


NEAR = {
    "www.example.com": Resolved(("192.0.2.1", "2001:db8::1"), "www.example.com"),
    "t.example.com": Resolved(("192.0.77.1", "2001:db8::77"), "t.example.com"),
    "far.example.com": Resolved(("192.0.2.1", "2001:db8:1::1"), "far.example.com"),
    "alias.example.com": Resolved(("192.0.2.9",), "customer.tracker.net"),
    "v4.example.com": Resolved(("::ffff:192.0.2.7",)),
}


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("www.example.com", {"host": "good", "address": "good"}),
        ("t.example.com", {"host": "warning", "address": "good", "alias": "good"}),
        ("v4.example.com", {"host": "warning", "address": "good", "alias": "good"}),
        ("far.example.com", {"host": "warning", "address": "bad", "alias": "good"}),
        ("alias.example.com", {"host": "warning", "address": "good", "alias": "bad"}),
        ("unknown.example.com", {"host": "warning", "address": "open"}),
        ("198.51.100.1", {"host": "bad", "address": "open"}),
    ],
)
def test_far_and_aliased_names_are_found(host: str, found: dict[str, str]) -> None:
    def resolver(name: str) -> Resolved:
        if name not in NEAR:
            raise OSError("no such name")
        return NEAR[name]

    assert levels(naming(target_of(f"https://{host}/t", "https://www.example.com"), resolver)) == found


@pytest.mark.parametrize(("days", "level"), [(60, "good"), (13, "warning")])
def test_a_certificate_that_ends_soon_is_found(days: int, level: str) -> None:
    now = time.time()
    found = certificate(Answer(200, (), b"", now + days * DAY_S + 60), now)
    assert levels(found) == {"certificate": level}
    assert levels(certificate(Answer(200, (), b""), now)) == {}


@pytest.mark.parametrize(("skew", "level"), [(0, "good"), (-59, "good"), (300, "warning"), (None, "open")])
def test_a_clock_that_is_wrong_is_found(skew: int | None, level: str) -> None:
    now = time.time() // 1
    dated = () if skew is None else (("date", formatdate(now + skew, usegmt=True)),)
    assert levels(gateway.doctor.reaching.clock(Answer(200, dated, b""), now)) == {"clock": level}


@pytest.mark.parametrize(
    ("url", "plain", "found"),
    [
        ("http://127.0.0.1:8080", None, {"https": "good"}),
        ("http://www.example.com", None, {"https": "bad"}),
        ("https://www.example.com:8443", None, {"https": "good"}),
        ("https://www.example.com/t", None, {"https": "good", "redirect": "good"}),
        ("https://www.example.com/t", Answer(200, (), b""), {"https": "good", "redirect": "warning"}),
        (
            "https://www.example.com/t",
            Answer(308, (("location", "https://www.example.com/t/live"),), b""),
            {"https": "good", "redirect": "good"},
        ),
    ],
)
def test_plain_http_is_found(
    url: str, plain: Answer | None, found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(method: str, asked: str) -> Answer:
        assert (method, asked) == ("GET", "http://www.example.com/t/live")
        if plain is None:
            raise Silence("nobody")
        return plain

    monkeypatch.setattr(gateway.doctor.reaching, "ask", ask)
    assert levels(https(target_of(url))) == found


def test_a_certificate_is_checked_as_browsers_do(
    running: Gateway, doctor: Callable[..., dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate and is not installed: apt-get install openssl")
    made = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate"), "-days", "3"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *made, *subject]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with Meddler(running.public, tls=tls) as proxy:
        found = doctor(proxy.url)
        assert found["reachable"] == "bad"
        assert "the certificate is not valid: self" in found["all seen"]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        found = doctor(proxy.url)
        assert (found["https"], found["scheme"], found["certificate"]) == ("good", "good", "warning")
        assert "believes the proxy in front" in found["all seen"]


# -- inside --------------------------------------------------------------------------------------------------------


def inside(**changes: Any) -> OnAnswer:
    """Return what changes fields of the JSON answer at a path: `ready={...}`."""

    def answer(_method: str, path: str, reply: Reply) -> Reply:
        name = path.strip("/")
        if name not in changes:
            return reply
        change = changes[name]
        body = change if isinstance(change, bytes) else json.dumps(json.loads(reply[2]) | change).encode()
        return reply[0], reply[1], body

    return answer


REFUSED = {"sites": {"www": {"refused": {"problems": [{"message": '"viewd" is not a word'}]}}}}


@pytest.mark.parametrize(
    ("changes", "check", "level"),
    [
        ({}, "ready", "good"),
        ({"ready": {"notes": ["the folder does not answer"]}}, "ready", "warning"),
        ({"ready": {"reasons": ["no worker is ready"]}}, "ready", "bad"),
        ({"ready": b"welcome"}, "ready", "bad"),
        ({}, "rules", "good"),
        ({"rules": REFUSED}, "rules", "bad"),
        ({"rules": {"sites": {}}}, "rules", "warning"),
        ({}, "network data", "warning"),
        ({"metrics": b"tuttu_network_data 2.0\n"}, "network data", "good"),
    ],
)
def test_what_the_internal_port_tells_is_found(
    running: Gateway, changes: dict[str, Any], check: str, level: str
) -> None:
    with Meddler(running.internal, answer=inside(**changes)) as proxy:
        assert levels(internal(proxy.url))[check] == level


def test_an_internal_port_that_is_closed_is_said(running: Gateway, doctor: Callable[..., dict[str, str]]) -> None:
    with Meddler(running.public) as proxy:
        found = doctor(proxy.url, "--write-key", "www", "--internal", "http://127.0.0.1:1", "--data", str(running.data))
    assert (found["ready"], found["data age"], found["exit"]) == ("bad", "warning", "1")


@pytest.mark.parametrize(("days", "level"), [(10, "good"), (90, "warning"), (None, "open")])
def test_old_data_is_found(tmp_path: Path, days: int | None, level: str) -> None:
    now = time.time()
    built = 0 if days is None else int(now - days * DAY_S)
    about = {"package": "p", "version": "1", "fetched": 0, "rows": 1, "licence": "CC", "attribution": "a", "files": {}}
    write_manifest(tmp_path, Manifest(sets={"asn": DataSet.model_validate({**about, "built": built})}))
    assert levels(data_age(tmp_path, now)) == {"data age": level}


def test_broken_data_is_a_finding(running: Gateway, doctor: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "current.json").write_text("{", "utf-8")
    with Meddler(running.public) as proxy:
        assert doctor(proxy.url, "--write-key", "www", "--data", str(tmp_path))["data age"] == "bad"
