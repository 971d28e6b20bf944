"""The wire API as clients see it, over a real gateway: statuses, headers, cookies, consent, decisions."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.process import Gateway, eventually

RULES = Path(__file__).parents[2] / "rules"
PAGE = {"type": "page", "properties": {"path": "/demo/hinnoittelu"}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("http") / "data", "--rules", str(RULES)) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.public, timeout=10) as opened:
        yield opened


def post(client: httpx.Client, path: str = "/v1/page", /, headers: Any = None, **body: Any) -> httpx.Response:
    return client.post(path, json={"writeKey": "demo", **body}, headers=headers or {})


def cookie_of(answer: httpx.Response) -> str:
    return answer.headers.get("set-cookie", "").partition(";")[0]


def visitor_of(answer: httpx.Response) -> str:
    return "a:" + cookie_of(answer).partition("=")[2].partition(".")[0]


@pytest.mark.parametrize("path", ["/v1/page", "/v1/p", "/v1/screen", "/v1/s"])
def test_single_paths_name_the_type_of_their_event(client: httpx.Client, path: str) -> None:
    answer = post(client, path, properties={"path": "/x"})
    assert answer.json() == {"success": True, "accepted": 1, "dropped": 0, "rejected": []}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch?writeKey=demo"])
def test_batch_paths_take_lists(client: httpx.Client, path: str) -> None:
    answer = client.post(path, content=json.dumps({"batch": [PAGE, PAGE], "writeKey": "demo"}))
    assert answer.json()["accepted"] == 2


def test_a_bad_event_never_spoils_its_batch(client: httpx.Client) -> None:
    answer = post(client, "/v1/batch", batch=[PAGE, {"type": "nonsense"}, 5, PAGE, {"type": "page", "userId": "null"}])
    body = answer.json()
    assert body["accepted"] == 2
    assert [(r["index"], r["code"]) for r in body["rejected"]] == [
        (1, "bad_event"), (2, "bad_event"), (4, "placeholder_id"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "path", "content", "headers"),
    [
        (400, "bad_json", "/v1/page", b"{", {}),
        (400, "bad_shape", "/v1/page", b"[]", {}),
        (400, "bad_shape", "/v1/batch", b'{"writeKey":"demo"}', {}),
        (400, "bad_shape", "/v1/track", b'{"writeKey":"demo"}', {}),
        (400, "bad_shape", "/v1/decide", b'{"writeKey":"demo"}', {}),
        (400, "bad_shape", "/v1/page", b'{"writeKey":"demo","consent":"all"}', {}),
        (400, "bad_encoding", "/v1/page", b'{"writeKey":"\xff"}', {}),
        (400, "bad_encoding", "/v1/page", b"no gzip", {"content-encoding": "gzip"}),
        (400, "bad_encoding", "/v1/page", gzip.compress(b"{}")[:-4], {"content-encoding": "gzip"}),
        (401, "bad_write_key", "/v1/page", b'{"writeKey":"other"}', {}),
        (401, "bad_write_key", "/v1/page", b"{}", {}),
        (403, "origin_not_allowed", "/v1/page", b'{"writeKey":"demo"}', {"origin": "https://evil.example"}),
        (403, "origin_not_allowed", "/v1/page", b'{"writeKey":"demo"}', {"origin": "null"}),
        (413, "too_large", "/v1/page", b" " * 500_001, {}),
        (413, "too_large", "/v1/page", gzip.compress(b" " * 50_000_000), {"content-encoding": "gzip"}),
        (413, "too_large", "/v1/batch", b" " * 4_000_001, {}),
        (415, "bad_content_encoding", "/v1/page", b"{}", {"content-encoding": "br"}),
        (403, "origin_not_allowed", "/v1/decide?explain=1", b'{"writeKey":"demo"}', {"origin": "https://evil.example"}),
        (404, "not_found", "/v1/nothing", b"{}", {}),
    ],
)
def test_each_bad_request_has_its_clear_answer(
    client: httpx.Client, status: int, code: str, path: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = client.post(path, content=content, headers=headers)
    assert answer.status_code == status
    body = answer.json()
    assert body["code"] == code
    assert body["message"]
    assert body["hint"]
    assert "set-cookie" not in answer.headers


def test_a_large_event_in_a_batch_is_rejected_alone(client: httpx.Client) -> None:
    answer = post(client, "/v1/batch", batch=[PAGE, {**PAGE, "properties": {"x": "y" * 40_000}}])
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["code"] == "too_large"


def test_cors_names_listed_origins_and_no_others(client: httpx.Client) -> None:
    listed = {"origin": "http://localhost:5173"}
    preflight = client.options("/v1/i", headers={**listed, "access-control-request-method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert preflight.headers["access-control-max-age"] == "600"
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    other = client.options("/v1/i", headers={"origin": "https://evil.example"})
    assert other.status_code == 204
    assert "access-control-allow-origin" not in other.headers
    error = client.post("/v1/page", content=b"{", headers=listed)
    assert error.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert error.headers["access-control-expose-headers"] == "Retry-After"
    assert error.headers["vary"] == "Origin"
    assert error.headers["cache-control"] == "no-store"


def test_a_secret_key_does_not_belong_in_a_browser(client: httpx.Client, gateway: Gateway) -> None:
    key = gateway.secret_key()
    browser = post(client, writeKey=key, headers={"origin": "http://localhost:1"})
    assert (browser.status_code, browser.json()["code"]) == (403, "secret_key_in_browser")
    server = post(client, writeKey=key, userId="u-1")
    assert server.json()["accepted"] == 1
    assert "set-cookie" not in server.headers


def test_a_server_speaks_for_its_visitor(client: httpx.Client, gateway: Gateway) -> None:
    key = gateway.secret_key()
    first = post(client, **PAGE, writeKey=key)
    value = cookie_of(first).partition("=")[2]
    assert value
    again = post(client, "/v1/decide", writeKey=key, visitor=value, placements=["home hero"], batch=[PAGE, PAGE])
    assert again.json()["placements"]["home hero"]["reason"] == "rule"
    assert gateway.profile(visitor_of(first)).visits[0:1] == [0]


def test_segments_settings_are_what_analytics_next_needs(client: httpx.Client, gateway: Gateway) -> None:
    answer = client.get("/v1/projects/demo/settings", headers={"origin": "http://localhost:1"})
    segment = answer.json()["integrations"]["Segment.io"]
    assert segment["apiKey"] == "demo"
    assert segment["apiHost"] == gateway.public.removeprefix("http://") + "/v1"
    assert segment["protocol"] == "http"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:1"
    assert client.get("/v1/projects/none/settings").status_code == 404


def test_a_stranger_does_not_choose_the_scheme_that_browsers_send_to(client: httpx.Client) -> None:
    answer = client.get("/v1/projects/demo/settings", headers={"x-forwarded-proto": "https"})
    assert answer.json()["integrations"]["Segment.io"]["protocol"] == "http"
    assert answer.headers["cache-control"] == "no-store"


def test_there_are_no_redirects(client: httpx.Client) -> None:
    assert client.post("/v1/m/").status_code == 404
    assert client.get("/v1/projects/demo/settings/").status_code == 404


def test_the_key_may_be_a_user_name(client: httpx.Client) -> None:
    headers = {"authorization": "Basic " + base64.b64encode(b"demo:").decode(), "content-type": "text/plain"}
    assert client.post("/v1/p", content=b"{}", headers=headers).json()["accepted"] == 1


def test_the_cookie_keeps_a_visitor_and_is_renewed_each_visit_only(client: httpx.Client, gateway: Gateway) -> None:
    first = post(client, **PAGE)
    headers = {"cookie": cookie_of(first)}
    second = post(client, **PAGE, headers=headers)
    assert "set-cookie" not in second.headers
    assert sum(e["v"] == visitor_of(first) for e in gateway.log()) == 2
    forged = post(client, **PAGE, headers={"cookie": cookie_of(first)[:-2] + "xx"})
    assert visitor_of(forged) != visitor_of(first), "a forged cookie is a new visitor, never an error"


def test_claims_are_written_and_never_read_back(client: httpx.Client, gateway: Gateway) -> None:
    claim = {"userId": "u-claimed", "sec": 1}
    headers = {"sec-fetch-site": "cross-site", "origin": "http://localhost:1"}
    for _ in range(3):
        answer = post(client, **PAGE, **claim, headers=headers)
        assert "set-cookie" not in answer.headers
    asked = post(client, "/v1/decide", headers=headers, placements=["home hero"], batch=[{**PAGE, **claim}])
    body = asked.json()
    assert body["placements"]["home hero"]["reason"] == "claim"
    assert body["placements"]["home hero"]["block"] == "welcome"
    assert "visitor" not in body
    assert sum(e["v"].startswith("c:") and e["e"].get("userId") == "u-claimed" for e in gateway.log()) == 4


def test_without_consent_nothing_is_written(client: httpx.Client, gateway: Gateway) -> None:
    with gateway.store() as store:
        before = sorted(store.scan_iter("*"))
        answer = post(client, "/v1/decide", consent=["ads"], placements=["home hero"], batch=[PAGE])
        assert sorted(store.scan_iter("*")) == before
    body = answer.json()
    assert (body["accepted"], body["dropped"]) == (0, 1)
    assert body["placements"]["home hero"]["reason"] == "no_consent"
    assert "set-cookie" not in answer.headers
    assert "visitor" not in body


def test_analytics_alone_keeps_a_profile_that_no_decision_reads(client: httpx.Client) -> None:
    first = post(client, **PAGE, consent=["analytics"])
    headers = {"cookie": cookie_of(first)}
    answer = post(client, "/v1/decide", headers=headers, batch=[PAGE, PAGE], placements=["home hero"])
    assert answer.json()["accepted"] == 2
    assert answer.json()["placements"]["home hero"]["reason"] == "no_consent", "the stored choice holds"
    granted = post(client, "/v1/decide", headers=headers, consent=["personalization"], placements=["home hero"])
    assert granted.json()["placements"]["home hero"]["reason"] == "rule"


def test_a_withdrawal_leaves_only_the_tombstone(client: httpx.Client, gateway: Gateway) -> None:
    first = post(client, **PAGE, messageId="w-1")
    visitor = visitor_of(first)
    headers = {"cookie": cookie_of(first)}
    assert post(client, **PAGE, headers=headers, messageId="w-2").json()["accepted"] == 1
    answer = post(client, **PAGE, headers=headers, consent=[])
    assert (answer.json()["accepted"], answer.json()["dropped"]) == (0, 1)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    profile = gateway.profile(visitor)
    assert profile.erased > 0
    assert not profile.matchers
    assert not profile.visits
    eventually(lambda: not any(e["v"] == visitor for e in gateway.log()), 10)
    with gateway.store() as store:
        left = [key for key in store.scan_iter("*") if visitor.removeprefix("a:").encode() in key]
        assert len(left) == 1, "only the tombstone"
        assert store.ttl(left[0]) > 4 * 365 * 86_400
        assert not list(store.scan_iter("*:erasing"))


def test_reactions_come_back_with_the_token(client: httpx.Client, gateway: Gateway) -> None:
    first = post(client, **PAGE)
    headers = {"cookie": cookie_of(first)}
    shown = post(client, "/v1/decide", headers=headers, batch=[PAGE, PAGE, PAGE], placements=["home hero"]).json()
    hero = shown["placements"]["home hero"]
    assert hero["block"] == "book a demo"

    def react(name: str, token: str) -> None:
        event = {"event": f"Content {name}", "properties": {"decision": token}}
        assert post(client, "/v1/track", headers=headers, **event).json()["accepted"] == 1

    react("Shown", hero["decision"])
    react("Dismissed", hero["decision"] + "forged")
    again = post(client, "/v1/decide", headers=headers, placements=["home hero"]).json()
    assert again["placements"]["home hero"]["block"] == "book a demo", "a forged token has no effect"
    react("Dismissed", hero["decision"])
    rested = post(client, "/v1/decide", headers=headers, placements=["home hero"]).json()
    assert rested["placements"]["home hero"]["block"] == "comparison guide"
    receipts = [e["receipt"] for e in gateway.log() if e["v"] == visitor_of(first) and "receipt" in e]
    assert [(r["placement"], r["block"], r["same"]) for r in receipts] == [("home hero", "book a demo", True)]
    assert gateway.profile(visitor_of(first)).blocks["book a demo"][0][0] == 1


def test_a_decision_without_events_writes_nothing(client: httpx.Client, gateway: Gateway) -> None:
    with gateway.store() as store:
        before = store.dbsize()
        answer = post(client, "/v1/decide", placements=["home hero", "nope"])
        assert store.dbsize() == before
    body = answer.json()
    assert body["placements"]["home hero"]["reason"] == "fallback"
    assert body["placements"]["nope"] == {
        "decision": None, "block": None, "content": None, "variant": None, "reason": "unknown",
    }  # fmt: skip
    assert body["visitor"]["returning"] is False
    assert body["degraded"] is False


def test_receipts_need_the_admin_token(client: httpx.Client, gateway: Gateway) -> None:
    asked = {"placements": ["home hero"]}
    # Only who sits at this machine may see the demo's reasons without the token: no proxy, no other name for it.
    for header in ({"x-forwarded-for": "192.0.2.1"}, {"via": "1.1 proxy"}, {"host": "rebound.example:80"}):
        assert post(client, "/v1/decide?explain=1", **asked, headers=header).status_code == 401
    explained = post(client, "/v1/decide?explain=1", **asked).json()["explanation"]
    assert {score["name"] for score in explained["scores"]} >= {"engagement", "fit"}
    assert explained["facts"]["company"] == {}
    assert explained["profile"]["traits"] == {}
    token = (gateway.data / "secrets.toml").read_text("utf-8").partition('admin_token = "')[2].partition('"')[0]
    answer = post(client, "/v1/decide?explain=1", **asked, headers={"authorization": f"Bearer {token}"})
    receipt = answer.json()["placements"]["home hero"]["receipt"]
    assert [c["outcome"] for c in receipt].count("won") == 1
    assert all(c["why"] for c in receipt)


def test_a_reset_lets_go_of_the_visitor(client: httpx.Client, gateway: Gateway) -> None:
    first = post(client, messageId="before the reset", properties={"path": "/demo/"})
    old = visitor_of(first)
    after = {**PAGE, "messageId": "after the reset", "userId": "u-1"}
    second = post(client, "/v1/batch", reset=True, context={"credentials": True}, batch=[after])
    new = visitor_of(second)
    assert (second.json()["accepted"], old != new) == (1, True)
    assert [e["m"] for e in gateway.log() if e["v"] == new] == ["after the reset"]
    assert "Max-Age=0" in post(client, "/v1/batch", reset=True, batch=[]).headers["set-cookie"]


def test_an_empty_id_is_an_absent_one(client: httpx.Client) -> None:
    answer = post(client, "/v1/track", event="Looked", userId="", anonymousId="a-1", messageId="empty user id")
    assert answer.json()["accepted"] == 1
    assert post(client, "/v1/group", groupId="").status_code == 400


def test_rudderstacks_browser_library_finds_a_source(client: httpx.Client) -> None:
    source = client.get("/sourceConfig/?writeKey=demo&v=3.34.1").json()["source"]
    assert (source["enabled"], source["config"], source["destinations"]) == (True, {}, [])
    assert client.get("/sourceConfig/?writeKey=other").status_code == 404


def test_the_sdk_and_the_demo_are_served(client: httpx.Client) -> None:
    sdk = client.get("/tuttu.js", headers={"origin": "http://localhost:9"})
    assert sdk.headers["content-type"].startswith("text/javascript")
    assert sdk.headers["content-encoding"] == "gzip"
    assert sdk.headers["access-control-allow-origin"] == "http://localhost:9"
    assert client.get("/tuttu.js", headers={"if-none-match": sdk.headers["etag"]}).status_code == 304
    assert (
        "access-control-allow-origin" not in client.get("/tuttu.js", headers={"origin": "https://evil.example"}).headers
    )
    assert client.get("/").headers["location"] == "/demo/"
    page = client.get("/demo/hinnoittelu/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert '<html lang="fi">' in page.text
    assert client.get("/demo/nope").status_code == 404


def test_a_site_of_ones_own_serves_no_demo(tmp_path: Path) -> None:
    (tmp_path / "tuttu.toml").write_text('[[site]]\nkey = "demo"\n')
    with (
        Gateway(tmp_path / "data", "--config", str(tmp_path / "tuttu.toml")) as own,
        httpx.Client(base_url=own.public, timeout=10) as client,
    ):
        assert client.get("/demo/").status_code == 404
        assert client.get("/tuttu.js").status_code == 200
        assert post(client, "/v1/decide?explain=1", placements=["x"]).status_code == 401


def test_liveness_readiness_and_metrics(client: httpx.Client, gateway: Gateway) -> None:
    assert client.get("/live").status_code == 200
    assert httpx.get(f"{gateway.internal}/live").status_code == 200
    assert httpx.get(f"{gateway.internal}/ready").json() == {"ready": True, "reasons": [], "notes": []}
    metrics = gateway.metrics()
    outcomes = sum(n for key, n in metrics.items() if key[0] == "tuttu_events_total")
    assert metrics[("tuttu_events_received_total",)] == outcomes
    assert client.get("/metrics").status_code == 404, "metrics stay on the internal port"
