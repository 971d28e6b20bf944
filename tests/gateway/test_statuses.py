"""The table of errors in docs/wire-api.md, row by row: each way in which a hot path comes to a status.

What only a real connection can do (headers that are late or too large, too many connections) is in
tests/integration/test_connections.py, under the same codes.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.gateway.app import App, running
from tests.gateway.making import site

DOCS = Path(__file__).parents[2] / "docs" / "wire-api.md"
ORIGIN = "https://www.example.com"
SINGLES = ["/v1/track", "/v1/page", "/v1/screen", "/v1/identify", "/v1/group", "/v1/alias"]
SHORT = ["/v1/t", "/v1/p", "/v1/s", "/v1/i", "/v1/g", "/v1/a"]
BATCHES = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"]
HOT = [*SINGLES, *SHORT, *BATCHES, "/v1/decide"]
ELSEWHERE = {(408, "too_slow"), (431, "too_large"), (503, "unavailable")}
"""What tests/integration/test_connections.py also reaches, over real connections."""

GZIP = {"content-encoding": "gzip"}
EVENT = {"event": "e", "userId": "u", "groupId": "g", "previousId": "p", "type": "track"}
Act = Callable[[App], Awaitable[None]]


def body_for(path: str, **more: Any) -> dict[str, Any]:
    """Return a good body for a path."""
    if path in BATCHES or path == "/v1/decide":
        return {"writeKey": "demo", "batch": [EVENT], "placements": ["home hero"], **more}
    return {"writeKey": "demo", **EVENT, **more}


def good(path: str, **more: Any) -> bytes:
    return orjson.dumps(body_for(path, **more))


async def nothing(_app: App) -> None:
    """Leave the gateway as it is."""


async def down(app: App) -> None:
    app.store.down = True


@dataclass(frozen=True)
class Case:
    """A request and what it is answered."""

    name: str
    path: str
    status: int
    code: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    before: Act = nothing
    settings: dict[str, Any] = field(default_factory=dict)
    spool: bool = False
    method: str = "POST"


def _cases() -> list[Case]:
    found = []
    for path in HOT:
        fits = 4_000_000 if path in BATCHES or path == "/v1/decide" else 500_000
        body = good(path)
        found += [
            Case("good", path, 200, "", body),
            Case("text/plain", path, 200, "", body, {"content-type": "text/plain"}),
            Case("gzip", path, 200, "", gzip.compress(body), GZIP),
            Case("spooled", path, 200, "", body, before=down, spool=True),
            Case("no JSON", path, 400, "bad_json", b"{"),
            Case("empty", path, 400, "bad_json", b""),
            Case("no UTF-8", path, 400, "bad_encoding", b'{"a":"\xff"}'),
            Case("no object", path, 400, "bad_shape", b"[]"),
            Case("consent is no list", path, 400, "bad_shape", good(path, consent="all")),
            Case("broken gzip", path, 400, "bad_encoding", body, GZIP),
            Case("cut gzip", path, 400, "bad_encoding", gzip.compress(body)[:-4], GZIP),
            Case("unknown key in the body", path, 401, "bad_write_key", good(path, writeKey="other")),
            Case("no key", path, 401, "bad_write_key", good(path, writeKey=None)),
            Case("unknown key as Basic name", path, 401, "bad_write_key", body, {"authorization": "Basic eDo="}),
            Case("unknown Bearer key", path, 401, "bad_write_key", body, {"authorization": "Bearer x"}),
            Case("unknown X-Write-Key", path, 401, "bad_write_key", body, {"x-write-key": "x"}),
            Case("unknown key in the query", path, 401, "bad_write_key", body, query="writeKey=x"),
            Case("unlisted origin", path, 403, "origin_not_allowed", body, {"origin": "https://evil.example"}),
            Case("null origin", path, 403, "origin_not_allowed", body, {"origin": "null"}),
            Case("another site's", path, 403, "origin_not_allowed", good(path, writeKey="two"), {"origin": ORIGIN}),
            Case(
                "secret key in a browser",
                path,
                403,
                "secret_key_in_browser",
                good(path, writeKey="a secret key"),
                {"origin": ORIGIN},
            ),
            Case("too large", path, 413, "too_large", body + b" " * fits),
            Case(
                "too large unzipped",
                path,
                413,
                "too_large",
                gzip.compress(body + b" " * fits),
                GZIP,
            ),
            Case("declared too large", path, 413, "too_large", body, {"content-length": str(fits + 1)}),
            Case("brotli", path, 415, "bad_content_encoding", body, {"content-encoding": "br"}),
            Case("zipped twice", path, 415, "bad_content_encoding", body, {"content-encoding": "gzip, gzip"}),
        ]
        if path != "/v1/decide":
            found += [
                Case("store away, no spool", path, 503, "unavailable", body, before=down),
                Case("store away, spool full", path, 503, "unavailable", body, before=down, spool=True,
                     settings={"spool_free_bytes": 1 << 60}),
            ]  # fmt: skip
    for path in SINGLES + SHORT:
        found += [
            Case("a bad event", path, 400, "bad_shape", good(path, userId="undefined")),
            Case("an event over 32 KB", path, 413, "too_large", good(path, properties={"x": "y" * 33_000})),
        ]
    for path in BATCHES:
        found += [
            Case("no list", path, 400, "bad_shape", b'{"writeKey":"demo"}'),
            Case("only bad events", path, 200, "", good(path, batch=[{}, 5, {"type": "track", "event": ""}])),
            Case("one over 32 KB", path, 200, "", good(path, batch=[{**EVENT, "properties": {"x": "y" * 33_000}}])),
        ]
    decide, delete = "/v1/decide", "/v1/privacy/delete"
    withdrawal = good(decide, consent=[], userId="u", userHash="")
    return [
        *found,
        Case("store away", decide, 200, "", good(decide), before=down),
        Case("no placements", decide, 400, "bad_shape", good(decide, placements=[])),
        Case("explained without the token", decide, 401, "bad_admin_token", good(decide), query="explain=1"),
        Case("a withdrawal nobody can keep", decide, 503, "unavailable", withdrawal, {"cookie": "<cookie>"},
             before=down),
        Case("a withdrawal nobody can keep", "/v1/page", 503, "unavailable", good("/v1/page", consent=[]),
             {"cookie": "<cookie>"}, before=down),
        Case("links with the write key", "/v1/links", 403, "secret_key_wanted", b'{"writeKey":"demo","links":[]}'),
        Case("a claim's data", delete, 403, "not_verified", b'{"writeKey":"demo","userId":"u"}'),
        Case("deletion, store away", delete, 503, "unavailable", b'{"writeKey":"demo"}', {"cookie": "<cookie>"},
             before=down),
        Case("nothing there", "/v1/nothing", 404, "not_found", b"{}"),
        Case("a link that is none", "/v1/go/x", 404, "bad_link", method="GET"),
        Case("another method", "/v1/projects/demo/settings", 405, "method_not_allowed", b"{}"),
        *(Case("another method", path, 405, "method_not_allowed", method="GET") for path in HOT),
    ]  # fmt: skip


CASES = _cases()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.path} {case.name}" for case in CASES])
async def test_a_row_of_the_table(case: Case, tmp_path: Path) -> None:
    sites = [site(), site(key="two", secret_key="second", origins=("https://two.example",))]  # noqa: S106 - a test's
    async with running(sites=sites, spool=tmp_path / "spool" if case.spool else None, **case.settings) as app:
        cookie = (await app.post(messageId="before")).headers["set-cookie"].partition(";")[0]
        received = app.counted("events_received")
        await case.before(app)
        headers = {name: cookie if value == "<cookie>" else value for name, value in case.headers.items()}
        found = await app.http.request(case.method, f"{case.path}?{case.query}", content=case.body, headers=headers)
        assert found.status_code == case.status, found.text
        said = found.json()
        if case.status == 200:
            assert said["success"] is True
            assert (
                said["accepted"] + said["dropped"] + len(said["rejected"]) == app.counted("events_received") - received
            )
        elif case.code != "bad_link":
            assert said["code"] == case.code
            assert set(said) == {"code", "message", "hint"}
            assert said["message"]
        assert ("retry-after" in found.headers) == (case.status in (429, 503))
        assert ("allow" in found.headers) == (case.status == 405)
        assert app.counted("events_received") == sum(app.outcomes().values())
        if case.code == "secret_key_in_browser":
            assert found.headers["access-control-allow-origin"] == ORIGIN


async def test_hits_over_the_limit_are_429_and_their_events_rejected() -> None:
    async with running(rate_limit=1) as app:
        statuses = [(await app.post(messageId=f"m{n}")).status_code for n in range(12)]
        assert statuses.count(429) >= 1
        refused = await app.post("/v1/batch", headers={"origin": ORIGIN}, batch=[EVENT, EVENT])
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["access-control-expose-headers"] == "Retry-After"
        assert app.outcomes()["rejected"] == statuses.count(429) + 2
        assert app.counted("events_received") == sum(app.outcomes().values())


async def test_a_body_that_stops_coming_is_408() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"writeKey":'
        await asyncio.sleep(30)

    async with running(body_deadline_s=0.1) as app:
        for path in HOT:
            found = await app.http.post(path, content=slowly())
            assert (found.status_code, found.json()["code"]) == (408, "too_slow"), path


async def test_a_fault_of_ours_is_500_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as app:
        monkeypatch.setattr(app.gateway.visitors, "submit", None)
        found = await app.post(messageId="m")
        assert (found.status_code, found.json()["code"]) == (500, "internal")
        assert "NoneType" not in found.text


async def test_each_documented_error_has_a_case() -> None:
    table = DOCS.read_text("utf-8").partition("## Errors")[2]
    documented = {
        (int(status), code)
        for line in re.findall(r"^\| (.+?) \| (.+?) \|", table, re.MULTILINE)
        for status in re.findall(r"\d{3}", line[0])
        for code in re.findall(r"`(\w+)`", line[1])
    }
    played = {(case.status, case.code) for case in CASES if case.status != 200}
    played |= {(429, "rate_limited"), (408, "too_slow"), (500, "internal")} | ELSEWHERE
    # 404 and 405 share a row of which each code belongs to one of the two.
    documented -= {(405, "not_found"), (405, "bad_link"), (404, "method_not_allowed")}
    assert documented == played


def test_no_answer_is_what_some_clients_send_again() -> None:
    """202 and 204 are resent by some of Segment's libraries (protocols.md)."""
    assert {case.status for case in CASES}.isdisjoint({202, 204})
