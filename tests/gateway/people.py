"""Browsers and the site's server, as they reach a gateway in this process; people who log in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from gateway.identity.verified import user_hash
from gateway.identity.visitor import hashed
from gateway.ports import VisitorKey
from personalize import aliases
from personalize.aliases import Alias
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway.app import App

SECRET = "a secret key"  # noqa: S105 - the key of the tests' site
ALL = ["analytics", "personalization"]


def known(user_id: str, site: str = "demo") -> VisitorKey:
    return VisitorKey(site, "k", hashed(site, "u", user_id))


def stored(store: FakeStore, key: VisitorKey) -> Profile | Alias:
    document = store.documents.get(key)
    return aliases.decode(document) if document is not None else Profile()


def person(store: FakeStore, user_id: str) -> Profile:
    found = stored(store, known(user_id))
    assert isinstance(found, Profile)
    return found


def seen(profile: Profile) -> int:
    """Return how many views of the price page a profile counts (the rules of `making` have one matcher)."""
    return sum(row[0] for row in profile.matchers.values())


@dataclass
class Browser:
    """A browser with its cookie. Every call may go to another worker."""

    cookie: str = ""
    number: int = 0

    @property
    def id(self) -> str:
        return self.cookie.partition("=")[2].partition(".")[0]

    @property
    def key(self) -> VisitorKey:
        return VisitorKey("demo", "a", self.id)

    async def send(self, app: App, path: str, /, **body: Any) -> httpx.Response:
        headers = {"sec-fetch-site": "same-origin", **({"cookie": self.cookie} if self.cookie else {})}
        answer = await app.post(path, headers=headers, **body)
        given = answer.headers.get("set-cookie", "")
        if given:
            self.cookie = "" if "Max-Age=0" in given else given.partition(";")[0]
        return answer

    async def view(self, app: App, path: str = "/hinnoittelu", **body: Any) -> httpx.Response:
        return await self.send(app, "/v1/page", properties={"path": path}, **body)

    async def log_in(self, app: App, user_id: str, **body: Any) -> httpx.Response:
        proof = user_hash(SECRET, user_id)
        return await self.send(app, "/v1/identify", **({"userId": user_id, "userHash": proof} | body))

    async def log_out(self, app: App) -> httpx.Response:
        return await self.send(app, "/v1/batch", reset=True, batch=[])

    async def ask(self, app: App, **body: Any) -> dict[str, Any]:
        answer = await self.send(app, "/v1/decide", placements=["home hero"], **body)
        found: dict[str, Any] = answer.json()
        return found


async def from_server(app: App, path: str, /, **body: Any) -> httpx.Response:
    return await app.post(path, **({"writeKey": SECRET} | body))
