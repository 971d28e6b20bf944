"""E-mail links in tests: a gateway with people, mails to them, and browsers that come by these."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from gateway.app import clock
from gateway.envelope import Site
from gateway.identity.links import DAY_MS, Link, Links
from gateway.identity.visitor import hashed
from gateway.ports import VisitorKey
from personalize import documents
from personalize.profiles import Profile
from tests.gateway.app import App
from tests.gateway.making import plan, site

KEYS = ["k" * 32]
LINKS = Links(KEYS)
BASE = "https://www.example.com/t"
TARGET = "https://www.example.com/offer?a=1#top"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
SCANNERS = (
    "",
    "Mozilla/5.0",
    CHROME,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 SafeLinks",
    "python-requests/2.32.0",
)
RULES = """
placements:
  - placement: hero
    blocks:
      - block: pro
        not for owners of: Pro
        when: [{visitor is: known}]
        content: {title: "Pro for {{ first_name | you }}"}
      - block: webinar
        rest after dismiss: 14 days
        when: [{visitor is: known}]
        content: {title: webinar}
      - block: demo
        rest after convert: 30 days
        converts when: {did: Demo Booked}
        when: [{visitor is: known}]
        content: {title: demo}
      - {block: welcome, content: {title: hello}}
"""


def mail_site(**fields: Any) -> Site:
    return site(**({"link_targets": ("https://www.example.com/",), "plan": plan(RULES)} | fields))


def contact_key(user: str, site_key: str = "demo") -> VisitorKey:
    return VisitorKey(site_key, "k", hashed(site_key, "u", user))


async def mailed(app: App, user: str = "ann", **fields: Any) -> dict[str, Any]:
    """Mint one link over the wire, and return what the answer says of it."""
    link = {"userId": user, "target": TARGET, "message": "autumn", **fields}
    answer = await app.http.post("/v1/links", json={"writeKey": "a secret key", "base": BASE, "links": [link]})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["links"][0]
    return found


def path_of(url: str) -> str:
    """Return the path below which the gateway itself finds a minted address."""
    return url.removeprefix(BASE)


async def landed(app: App, url: str) -> str:
    """Follow a link, and return the address of the page that it leads to."""
    answer = await app.http.get(path_of(url))
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def recognition_of(address: str) -> str:
    return parse_qs(urlsplit(address).query).get("tuttu", [""])[0]


async def view(app: App, address: str, cookie: str = "", agent: str = CHROME, **body: Any) -> str:
    """Let a browser view a page, and return the cookie that it has then."""
    headers = {"user-agent": agent, **({"cookie": cookie} if cookie else {})}
    answer = await app.post(headers=headers, context={"page": {"url": address}, "credentials": True}, **body)
    assert answer.status_code == 200, answer.text
    return answer.headers.get("set-cookie", cookie).partition(";")[0]


def browser_key(cookie: str) -> VisitorKey:
    return VisitorKey("demo", "a", cookie.partition("=")[2].partition(".")[0])


def profile(app: App, key: VisitorKey) -> Profile:
    document = app.store.documents.get(key)
    return Profile() if document is None else documents.decode(document)


def entries(app: App, key: VisitorKey) -> list[dict[str, Any]]:
    """Return the log entries of one visitor."""
    found = [orjson.loads(entry) for entry in app.store.log(key)]
    return [entry for entry in found if entry["v"] == f"{key.kind}:{key.id}"]


async def person(app: App, user: str, kind: str = "identify", **fields: Any) -> None:
    """Say something of a person by the site's own server."""
    answer = await app.post(f"/v1/{kind}", writeKey="a secret key", userId=user, **fields)
    assert answer.status_code == 200, answer.text


async def decided(app: App, cookie: str, **body: Any) -> dict[str, Any]:
    """Return what the placement "hero" shows to a browser."""
    headers = {"cookie": cookie, "user-agent": CHROME} if cookie else {"user-agent": CHROME}
    answer = await app.post("/v1/decide", headers=headers, placements=["hero"], **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["placements"]["hero"]
    return found


def link(**fields: Any) -> Link:
    given = {
        "site": "demo",
        "contact": contact_key("ann").id,
        "message": "autumn",
        "target": TARGET,
        "made": clock(),
        "expires": clock() + DAY_MS,
        "id": "an-id",
    }
    return Link(**(given | fields))
