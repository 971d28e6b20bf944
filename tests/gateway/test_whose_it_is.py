"""What is whose where persons, browsers and interrupted steps meet in one request: nothing reaches the wrong person."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.identity.verified import user_hash
from gateway.ports import Committed, Stored, Write
from personalize.aliases import MOST_ALIASES, let_go
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway.app import running
from tests.gateway.people import ALL, SECRET, Browser, from_server, known, person, seen, stored

NOTHING = {"categoryPreferences": {"analytics": False, "personalization": False}}


def proof(user_id: str) -> str:
    return user_hash(SECRET, user_id)


@pytest.mark.parametrize("name", ["undefined", "null", "0", 0, "guest", " Anonymous ", ""])
async def test_nobody_is_the_person_whom_a_placeholder_at_the_top_of_a_body_names(name: Any) -> None:
    async with running() as app:
        browsers = [Browser(), Browser()]
        for browser in browsers:
            await browser.view(app)
            body = {"visitor": browser.cookie.partition("=")[2], "userId": name, "placements": ["home hero"]}
            answer = await from_server(app, "/v1/decide", batch=[{"type": "track", "event": "x"}], **body)
            assert answer.json()["accepted"] == 1
            await browser.send(app, "/v1/batch", userId=name, userHash=proof(str(name)), batch=[{"type": "page"}])
        assert all(isinstance(stored(app.store, browser.key), Profile) for browser in browsers)
        assert {key.kind for key in app.store.documents} == {"a"}


@pytest.mark.parametrize("said", [{"consent": [], "userHash": proof("bob")}, {"context": {"consent": NOTHING}}])
async def test_a_proven_persons_refusal_on_somebody_elses_browser_erases_only_who_refused(said: dict[str, Any]) -> None:
    async with running() as app:
        mine, shared = Browser(), Browser()
        await mine.log_in(app, "bob")
        await shared.view(app)
        await shared.log_in(app, "ann")
        body = {"userId": "bob", **said}
        if "context" in body:
            body["context"] = {"userHash": proof("bob"), **body["context"]}
        await shared.send(app, "/v1/identify", **body)
        assert (person(app.store, "ann").erased, seen(person(app.store, "ann"))) == (0, 1)
        assert person(app.store, "bob").erased > 0
        assert shared.cookie == "", "and the browser is nobody's"


@pytest.mark.parametrize("where", ["request", "event"])
async def test_a_refusal_that_follows_a_proof_in_a_batch_is_that_persons(where: str) -> None:
    async with running() as app:
        mine, shared = Browser(), Browser()
        await mine.log_in(app, "bob")
        await shared.log_in(app, "ann")
        identify = {"type": "identify", "userId": "bob", "context": {"userHash": proof("bob")}}
        page = {"type": "page"} if where == "request" else {"type": "page", "context": {"consent": NOTHING}}
        body: dict[str, Any] = {"consent": []} if where == "request" else {}
        await shared.send(app, "/v1/batch", batch=[identify, page], **body)
        assert person(app.store, "ann").erased == 0
        assert person(app.store, "bob").erased > 0


async def test_a_refusal_with_a_proof_in_the_context_is_the_persons_without_a_cookie_too() -> None:
    async with running() as app:
        browser, elsewhere = Browser(), Browser()
        await browser.log_in(app, "ann")
        for given in ("0" * 64, proof("bob"), proof("ann")):
            assert person(app.store, "ann").erased == 0
            await elsewhere.send(app, "/v1/identify", userId="ann", context={"userHash": given, "consent": NOTHING})
        assert person(app.store, "ann").erased > 0


async def test_an_anonymous_browsers_refusal_with_a_proof_erases_both_and_merges_nothing() -> None:
    async with running() as app:
        phone, browser = Browser(), Browser()
        await phone.log_in(app, "ann")
        await browser.view(app)
        key = browser.key
        await browser.log_in(app, "ann", consent=[])
        left = stored(app.store, key)
        assert isinstance(left, Profile)
        assert left.erased > 0
        assert person(app.store, "ann").erased > 0


async def test_what_follows_a_proof_in_a_batch_is_that_persons() -> None:
    async with running() as app:
        browser = Browser()
        await browser.log_in(app, "ann")
        identify = {"type": "identify", "userId": "bob", "context": {"userHash": proof("bob")}}
        page = {"type": "page", "properties": {"path": "/hinnoittelu"}}
        await browser.send(app, "/v1/batch", batch=[page, identify, page | {"userId": "bob"}, page])
        assert (seen(person(app.store, "ann")), seen(person(app.store, "bob"))) == (1, 2)


async def test_a_claim_beside_a_proof_without_a_cookie_stays_a_claim() -> None:
    async with running() as app:
        batch = [
            {"type": "identify", "userId": "ann", "userHash": proof("ann")},
            {"type": "track", "event": "x", "userId": "bob"},
            {"type": "track", "event": "x", "anonymousId": "somebody"},
        ]
        await app.post("/v1/batch", batch=batch)
        assert sorted(key.kind for key in app.store.documents) == ["c", "c", "k"]


async def test_a_decision_is_about_the_person_who_was_proved_last() -> None:
    async with running() as app:
        laptop, shared = Browser(), Browser()
        for _ in range(2):
            await laptop.view(app)
        await laptop.log_in(app, "ann", traits={"first_name": "Ann"})
        await shared.view(app, "/muu")
        batch = [{"type": "identify", "userId": name, "userHash": proof(name)} for name in ("ann", "bob")]
        answer = await shared.ask(app, batch=batch)
        assert answer["placements"]["home hero"]["block"] == "welcome"
        assert stored(app.store, shared.key).to == f"k:{known('bob').id}", "the cookie is bob's"  # type: ignore[union-attr]


class Fragile(FakeStore):
    """A store that refuses every write after so many."""

    writes_left = 1_000

    async def commit(self, write: Write) -> Committed | Stored:
        if self.writes_left == 0:
            raise StoreUnavailable("the test wants it so")
        self.writes_left -= 1
        return await super().commit(write)


async def test_an_older_id_still_reaches_its_person_when_its_rename_was_interrupted() -> None:
    for later in ("server", "browser"):
        store = Fragile()
        async with running(store) as app:
            browser = Browser()
            await browser.log_in(app, "eve")
            for name in ("old", "new"):
                await from_server(app, "/v1/identify", userId=name, traits={name: 1})
            store.writes_left = 1
            answer = await from_server(app, "/v1/alias", userId="new", previousId="old")
            assert answer.status_code == 503
            store.writes_left = 1_000
            if later == "server":
                answer = await from_server(app, "/v1/track", userId="old", event="x")
            else:
                answer = await browser.log_in(app, "old")
            assert answer.json()["accepted"] == 1
            assert person(store, "new").trait_values() == {"old": 1, "new": 1}


async def test_browsers_that_were_let_go_fill_a_persons_document_only_to_a_bound() -> None:
    listed = {f"a:{n}": n + 1 for n in range(3)}
    for n in range(200):
        listed = let_go(listed, f"a:x{n}", 1_000 + n)
    assert {name for name, at in listed.items() if at > 0} == {"a:0", "a:1", "a:2"}
    assert {name for name, at in listed.items() if at < 0} == {f"a:x{n}" for n in range(200 - MOST_ALIASES, 200)}
    async with running() as app:
        for _ in range(MOST_ALIASES + 5):
            browser = Browser()
            await browser.log_in(app, "ann", consent=ALL)
            assert (await browser.send(app, "/v1/privacy/delete")).status_code == 200
        assert len(person(app.store, "ann").aliases) == MOST_ALIASES
