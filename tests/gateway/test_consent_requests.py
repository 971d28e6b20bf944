"""Every row of the table of other requests in docs/consent.md: e-mail links, companies, a server's calls, reset."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.app import clock
from gateway.identity.verified import user_hash
from gateway.identity.visitor import Cookies, hashed
from gateway.ports import VisitorKey
from tests.gateway import consent_rows
from tests.gateway.consent_bench import COOKIE, KEY, LINKS, TARGET, Bench, mailed, opened
from tests.gateway.consent_rows import DASH, Other, purposes
from tests.gateway.making import site

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = consent_rows.others()
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    sites = {
        row.site: site(
            key=row.site,
            secret_key=f"secret {row.site}",
            consent=purposes(row.default),
            link_targets=("https://www.example.com/",),
        )
        for row in ROWS
    }
    async with opened(tmp_path_factory.mktemp("consent"), sites.values()) as running:
        yield running


class Asker:
    """Who sends a row's request, and whom it is about."""

    def __init__(self, bench: Bench, row: Other) -> None:
        self._bench, self._row = bench, row
        self._http = bench.spoolless if row.store == "off" else bench.http
        self._site = bench.sites[row.site]
        self._user = f"user-{row.id}"
        self._browser = f"browser-{row.id}"
        self._cookie = f"{COOKIE}={Cookies([KEY]).value(self._site, self._browser)}"
        kind, id_ = ("g", self._user) if "company's" in row.request else ("k", self._user)
        self.subject = f"v:{row.site}:{kind}:{hashed(row.site, 'g' if kind == 'g' else 'u', id_)}"

    async def prepare(self) -> None:
        """Let the row's stored choice be made: the person's, by a proof, or the browser's."""
        if self._row.stored == DASH:
            return
        withdrawn = self._row.stored == "withdrawn"
        choices = [["analytics"], []] if withdrawn else [sorted(purposes(self._row.stored))]
        for number, choice in enumerate(choices):
            event = {"messageId": f"{self._row.id}-{number}", "consent": choice, **self._proof()}
            answer = await self._post("/v1/page", event, headers=self._headers())
            assert (answer.status_code, answer.json()["accepted"]) == (200, int(bool(choice)))
        if self._row.store == "down":
            self._bench.gateway.forget(VisitorKey(*self.subject.split(":")[1:]))

    async def ask(self) -> httpx.Response:
        """Send the row's request."""
        request, _, said = self._row.request.partition(", SDK: ")
        consent = {"consent": sorted(purposes(said))} if said else {}
        link = mailed(self._site.key, self._user)
        page = {"url": f"{TARGET}?tuttu={LINKS.recognition(link, clock())}"}
        mail = {"userId": self._user, "target": TARGET, "message": "autumn", "sent": True}
        sent: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "a GET of an e-mail's link": lambda: self._get(f"/v1/go/{LINKS.link(link)}"),
            "an e-mail's pixel": lambda: self._get(f"/v1/open/{LINKS.pixel(link)}.gif"),
            "a page view by an e-mail's link": lambda: self._post("/v1/page", {"context": {"page": page}, **consent}),
            "a mail noted as sent": lambda: self._serve("/v1/links", base="https://www.example.com/t", links=[mail]),
            "a company's attributes": lambda: self._serve("/v1/group", groupId=self._user, traits={"a": 1}, **consent),
            "a person put into a company": lambda: self._serve("/v1/group", groupId="g", userId=self._user),
            "an older id renamed": lambda: self._serve("/v1/alias", previousId=self._user, userId=f"new-{self._user}"),
            "reset with a cookie": lambda: self._post("/v1/batch", {"batch": [], "reset": True}, self._headers()),
        }
        return await sent[request]()

    def _headers(self) -> dict[str, str]:
        if "reset" in self._row.request:
            return {"sec-fetch-site": "same-origin", "cookie": self._cookie}
        return {"sec-fetch-site": "cross-site"}

    def _proof(self) -> dict[str, str]:
        if "reset" in self._row.request:
            return {}
        return {"userId": self._user, "userHash": user_hash(self._site.secret_key, self._user)}

    async def _get(self, path: str) -> httpx.Response:
        return await self._http.get(path, headers={"user-agent": AGENT})

    async def _serve(self, path: str, **body: Any) -> httpx.Response:
        return await self._http.post(path, json={"writeKey": self._site.secret_key, **body})

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        headers = {"user-agent": AGENT, **(headers or {})}
        return await self._http.post(path, json={"writeKey": self._site.key, **body}, headers=headers)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_a_row_of_the_table_of_other_requests(bench: Bench, row: Other) -> None:
    asker = Asker(bench, row)
    await asker.prepare()
    before = await bench.kept(row.store)
    if row.store != "up":
        await bench.take_down()
    try:
        answer = await asker.ask()
    finally:
        if row.store != "up":
            await bench.bring_up()
            await bench.replayed()
    _assert_answered(row, answer)
    after = await bench.kept(row.store)
    if row.kept == "no":
        assert after == before
        return
    theirs = [{k: v for k, v in keys.items() if k.endswith(asker.subject)} for keys, _ in (before, after)]
    assert (theirs[0] != theirs[1]) == (row.kept == "yes")
    assert before != after


def _assert_answered(row: Other, answer: httpx.Response) -> None:
    if row.answer in ("accepted", "no_consent"):
        assert answer.status_code == 200
        assert answer.json()["accepted"] == int(row.answer == "accepted")
        assert answer.json()["dropped"] == int(row.answer == "no_consent")
    else:
        assert answer.status_code == int(row.answer)
    if row.kept == "no" and "reset" not in row.request:
        assert "set-cookie" not in answer.headers
