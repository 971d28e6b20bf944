"""A gateway with two sites in which the same people have the same ids, and what an attacker may ask of it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from gateway.identity.verified import user_hash
from gateway.identity.visitor import hashed
from tests.gateway.mails import CHROME
from tests.integration.process import Gateway

RULES = """
placements:
  - placement: hero
    blocks:
      - {block: hello, when: [{visitor is: known}], content: {title: "Hello {{ first_name | friend }}"}}
      - {block: again, when: [{viewed: /prices, at least: 2 times, within: 30 days}], content: {title: again}}
      - {block: welcome, content: {title: hello}}
"""
SITES = ("demo", "other")
SETTINGS = "".join(
    f"""
[[site]]
key = "{site}"
origins = ["https://www.example.com"]
consent = ["analytics", "personalization"]
rules = "rules"
"""
    for site in SITES
)


@dataclass
class Held:
    """All that the store holds: documents and marks by key, log entries by their text, the rest as it is."""

    keys: dict[str, Any] = field(default_factory=dict)
    log: list[bytes] = field(default_factory=list)


@dataclass
class Town:
    """The gateway, its secrets, and the cookie values of the people who live in it, by (site, name)."""

    gateway: Gateway
    secrets: dict[str, str]
    cookies: dict[tuple[str, str], str] = field(default_factory=dict)
    client: httpx.Client = field(init=False)
    """One that makes a connection for each request, so that either worker may get it."""

    def __post_init__(self) -> None:
        alone = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(base_url=self.gateway.public, timeout=10, limits=alone)

    def post(
        self, path: str, /, key: str = "demo", cookie: str = "", headers: Any = None, **body: Any
    ) -> httpx.Response:
        sent = {"user-agent": CHROME, **(headers or {})}
        if cookie:
            sent["cookie"] = cookie if "=" in cookie else f"__Host-tuttu_id={cookie}"
        text = orjson.dumps({"writeKey": key, **body} if key else body)
        return self.client.post(path, content=text, headers=sent)

    def serve(self, path: str, /, site: str = "demo", **body: Any) -> httpx.Response:
        """Send as the site's server."""
        return self.post(path, key=self.secrets[site], **body)

    def proof(self, user_id: str, site: str = "demo") -> str:
        return user_hash(self.secrets[site], user_id)

    def arrive(self, name: str, site: str = "demo", **body: Any) -> str:
        """Let somebody come with a new browser; return the cookie's value."""
        answer = self.post("/v1/page", key=site, properties={"path": "/prices"}, **body)
        self.cookies[site, name] = cookie_of(answer)
        return self.cookies[site, name]

    def settle(self, name: str, site: str = "demo") -> None:
        """Let somebody come and prove who they are, with a secret of their own."""
        cookie = self.arrive(name, site)
        traits = {"first_name": f"{name}-of-{site}", "email": f"{name}@{site}.example"}
        proof = self.proof(name, site)
        answer = self.post("/v1/identify", key=site, cookie=cookie, userId=name, userHash=proof, traits=traits)
        assert answer.json()["accepted"] == 1

    def held(self) -> Held:
        """Return all that the store holds."""
        found = Held()
        with self.gateway.store() as store:
            for key in sorted(store.scan_iter(count=10_000)):
                name, kind = key.decode(), store.type(key)
                if kind == b"stream":
                    found.log += [fields[b"e"] for _, fields in store.xrange(key)]
                elif kind == b"string":
                    value = store.get(key)
                    found.keys[name] = orjson.loads(value) if ":v:" in name else value
                else:
                    found.keys[name] = store.dump(key)
        return found

    @contextmanager
    def nobody_else_touched(self, *mine: str) -> Iterator[None]:
        """Compare all keys before and after: only what is named (`<kind>:<id>`), claims and new visitors may change.

        Nothing new may lead to somebody who was there, or hold anything of them; no log entry may go or be theirs.
        """
        before = self.held()
        yield
        after = self.held()
        others = {name: value for name, value in before.keys.items() if not _is_of(name, mine)}
        assert {name: after.keys.get(name) for name in others} == others
        gone = [orjson.loads(entry) for entry in set(before.log) - set(after.log)]
        assert all(_is_of(f"{entry['s']}:{entry['v']}", mine) for entry in gone)
        people = {name.partition(":v:")[2] for name in others if ":v:" in name}
        new = [value for name, value in after.keys.items() if name not in before.keys and isinstance(value, dict)]
        for value in new:
            assert value.get("to", "") in ("", *mine), "an alias of somebody"
        for entry in map(orjson.loads, set(after.log) - set(before.log)):
            named = {f"{entry['s']}:{entry[part]}" for part in "vwp" if part in entry}
            assert not named & people
            assert not {name for name in named if _is_of(name, ()) and ":c:" not in name}

    @contextmanager
    def nothing_touched(self) -> Iterator[None]:
        """Compare all that is held before and after."""
        before = self.held()
        yield
        assert self.held() == before


def _is_of(name: str, mine: tuple[str, ...]) -> bool:
    """Tell whether a key is a claim's, which anybody may write, or one of those that are named."""
    return ":c:" in name or name.endswith(mine)


def cookie_of(answer: httpx.Response) -> str:
    """Return the cookie's value that an answer gives, "" for none."""
    given = answer.headers.get("set-cookie", "")
    return "" if "Max-Age=0" in given else given.partition(";")[0].partition("=")[2]


def browser(cookie: str) -> str:
    """Return a browser's name as the log has it."""
    return f"a:{cookie.partition('.')[0]}"


def known(user_id: str, site: str = "demo") -> str:
    """Return a person's name as the log has it."""
    return f"k:{hashed(site, 'u', user_id)}"
