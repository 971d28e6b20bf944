"""What an attacker makes of e-mail links: changed, planted, forwarded, forged; nobody gets more than a click."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import clock
from gateway.identity.links import DAY_MS, Links, recognition_in
from tests.gateway.app import running
from tests.gateway.mails import (
    CHROME,
    LINKS,
    TARGET,
    browser_key,
    contact_key,
    entries,
    landed,
    link,
    mail_site,
    mailed,
    person,
    profile,
    view,
)
from tests.gateway.making import site


async def test_a_planted_link_gives_the_attacker_one_click_and_nothing_of_the_victim() -> None:
    async with running(sites=[mail_site()]) as app:
        victim = await view(app, "https://www.example.com/secret-1")
        await app.post("/v1/identify", headers={"cookie": victim}, traits={"email": "victim@example.com"})
        before = profile(app, browser_key(victim))
        await view(app, await landed(app, (await mailed(app, "mallory"))["link"]), victim, properties={"path": "/mine"})
        await view(app, "https://www.example.com/secret-2", victim)
        (click,) = entries(app, contact_key("mallory"))
        text = orjson.dumps(click).decode()
        assert not any(word in text for word in ("secret", "victim", "/mine", "Linux", browser_key(victim).id))
        contact = profile(app, contact_key("mallory"))
        assert (contact.traits, contact.visits, contact.seen, contact.consent) == ([], [], [], [])
        after = profile(app, browser_key(victim))
        assert (after.traits, after.first_visit) == (before.traits, before.first_visit)


async def test_a_forwarded_link_recognizes_the_second_person_and_shows_no_trait_of_the_contact() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", traits={"first_name": "Ann", "email": "ann@example.com"})
        before = profile(app, contact_key("ann"))
        address = await landed(app, (await mailed(app))["link"])
        cookie = await view(app, address)
        headers = {"cookie": cookie, "user-agent": CHROME}
        answer = await app.post("/v1/decide", headers=headers, placements=["hero"], context={"page": {"url": address}})
        assert answer.json()["placements"]["hero"]["block"] == "pro"
        assert "Ann" not in answer.text
        assert "ann@example.com" not in answer.text
        after = profile(app, contact_key("ann"))
        assert (after.traits, after.user, after.visits) == (before.traits, before.user, before.visits)
        assert profile(app, browser_key(cookie)).traits == []


async def test_withdrawal_in_a_recognized_browser_erases_the_browser_alone() -> None:
    async with running(sites=[mail_site()]) as app:
        await person(app, "ann", traits={"first_name": "Ann"})
        cookie = await view(app, await landed(app, (await mailed(app))["link"]))
        await app.post(headers={"cookie": cookie}, consent=[])
        assert profile(app, browser_key(cookie)).erased
        assert not profile(app, contact_key("ann")).erased
        assert len(entries(app, contact_key("ann"))) == 2


def tampered(token: str, **fields: Any) -> str:
    """Return a token with other fields and the signature that it had."""
    payload, _, signature = token.partition(".")
    values = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    at = {"site": 0, "contact": 1, "message": 2, "expires": 4, "target": 6}
    for name, value in fields.items():
        values[at[name]] = value
    return f"{base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip('=')}.{signature}"


GOOD = LINKS.link(link())
PIXEL = LINKS.pixel(link())
FORGED = {
    "target": tampered(GOOD, target="https://evil.example/"),
    "contact": tampered(GOOD, contact=contact_key("bob").id),
    "site": tampered(GOOD, site="other"),
    "expiry": tampered(GOOD, expires=4_000_000_000),
    "made-up key": Links(["z" * 32]).link(link()),
    "a pixel": PIXEL,
    "a recognition": LINKS.recognition(link(), clock()),
    "truncated": GOOD[:-1],
    "without signature": GOOD.partition(".")[0],
    "longer": GOOD + "A",
    "twice": GOOD + GOOD,
    "braces": "{p17}:v:demo",
    "newline": f"{GOOD[:40]}%0A{GOOD[40:]}",
    "header": "x%0D%0ALocation:%20https://evil.example",
    "10 KB": "A" * 10_240 + GOOD[-26:],
    "dots": "..%2e..",
    "bytes": "%FF%FE%00",
    "ä": "%C3%A4" + GOOD,
    "unlisted target": LINKS.link(link(target="https://evil.example/")),
    "a target that lost its place": LINKS.link(link(target="https://old.example.com/")),
    "unknown site": LINKS.link(link(site="gone")),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
async def test_a_forged_link_leads_nowhere(token: str) -> None:
    async with running(sites=[mail_site(), site(key="other", secret_key="another")]) as app:  # noqa: S106 - no secret
        answer = await app.http.get(f"/v1/go/{token}")
        assert answer.status_code == 404
        assert "location" not in answer.headers
        assert answer.json()["hint"]
        await app.http.get(f"/v1/open/{token}.gif")
        assert bool(app.store.documents) is (token == PIXEL)
    async with running(sites=[mail_site()], link_fallback="https://www.example.com/lost") as app:
        answer = await app.http.get(f"/v1/go/{token}")
        assert answer.headers.get("location", "https://www.example.com/lost") == "https://www.example.com/lost"


async def test_an_expired_link_still_leads_there_and_recognizes_nobody() -> None:
    async with running(sites=[mail_site()]) as app:
        old = link(expires=clock() - 1000)
        answer = await app.http.get(f"/v1/go/{LINKS.link(old)}")
        assert answer.headers["location"] == TARGET
        await view(app, f"https://www.example.com/?tuttu={LINKS.recognition(old, clock())}")
        assert all(key.kind == "a" and not profile(app, key).contact for key in app.store.documents)


RECOGNITION = LINKS.recognition(link(), clock())


@pytest.mark.parametrize(
    "token",
    [
        tampered(RECOGNITION, contact=contact_key("bob").id),
        tampered(RECOGNITION, site="other"),
        RECOGNITION[:-1],
        Links(["z" * 32]).recognition(link(), clock()),
        LINKS.recognition(link(site="other"), clock()),
        LINKS.recognition(link(), clock() - DAY_MS - 1000),
        GOOD,
        LINKS.pixel(link()),
        "{p17}",
        "%0A",
        "A" * 10_240,
    ],
)
async def test_a_forged_stale_or_foreign_recognition_is_none(token: str) -> None:
    async with running(sites=[mail_site()]) as app:
        await view(app, f"https://www.example.com/?tuttu={token}")
        assert all(key.kind == "a" and not profile(app, key).contact for key in app.store.documents)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_token_or_nothing(text: str) -> None:
    assert LINKS.read(text) is None
    assert LINKS.read_pixel(text) is None
    assert LINKS.recognized("demo", text, clock()) is None
    assert recognition_in({"url": f"https://a?tuttu={text}"}, {"page": text}) != "x&"


def test_links_of_an_older_key_still_hold() -> None:
    assert Links(["new" * 10, "k" * 32]).read(GOOD) == LINKS.read(GOOD)
