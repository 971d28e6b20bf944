"""One browser, two people: in every order of logging in and out, neither sees the other's content, nothing merges."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest

from gateway.identity.verified import user_hash
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running
from tests.gateway.making import plan, site
from tests.gateway.people import SECRET, Browser, from_server, person

RULES = """
placements:
  - placement: home hero
    blocks:
      - {block: for ann, when: [{owns: ann*}], content: {title: "{{ first_name | nobody }}"}}
      - {block: for bob, when: [{owns: bob*}], content: {title: "{{ first_name | nobody }}"}}
      - {block: for all, content: {title: "{{ first_name | nobody }}"}}
"""
SITE = site(plan=plan(RULES))
ORDERS = [
    order for order in product(["ann", "bob", "out"], repeat=4) if all(one != next_ for one, next_ in pairwise(order))
] + [("ann", "out", "bob", "out", "ann"), ("ann", "ann", "bob", "bob", "ann")]


async def shown(browser: Browser, app: App, **body: Any) -> tuple[str, str]:
    hero = (await browser.ask(app, **body))["placements"]["home hero"]
    return hero["block"], hero["content"]["title"]


async def log_in(browser: Browser, app: App, who: str, how: str) -> None:
    proof = {"userId": who, "userHash": user_hash(SECRET, who)}
    identify = {"type": "identify", "traits": {"firstName": who}, **proof}
    if how == "as the sdk does":  # one request brings what was before, who it is now, and the question
        before = {"type": "page", "properties": {"path": "/"}}
        assert await shown(browser, app, batch=[before, identify]) in ((f"for {who}", who), ("for all", who))
    elif how == "by the server":
        value = browser.cookie.partition("=")[2]
        answer = await from_server(app, "/v1/identify", **identify, visitor=value or None)
        given = answer.headers.get("set-cookie", "")  # which the server relays
        browser.cookie = given.partition(";")[0] or browser.cookie
    else:
        await browser.log_in(app, who, traits={"firstName": who})


async def use(app: App, order: tuple[str, ...], how: str) -> None:
    """Let people take turns; how they are identified differs."""
    browser, who = Browser(), ""
    for number, turn in enumerate(order):
        if turn == "out":
            await browser.log_out(app)
            who = ""
        else:
            who = turn
            if not browser.cookie:
                await browser.view(app, "/")
            await log_in(browser, app, who, how)
        always = how == "with every call" and who
        proof = {"userId": who, "userHash": user_hash(SECRET, who)} if always else {}
        thing = {"product": f"{who} thing {number}"} if who else {}
        await browser.send(app, "/v1/track", event="Order Completed", properties=thing, **proof)
        expected = (f"for {who}", who) if who else ("for all", "nobody")
        assert await shown(browser, app, **proof) == expected, (order, number)


@pytest.mark.parametrize("how", ["once", "with every call", "as the sdk does", "by the server"])
async def test_neither_sees_the_others_content_and_nothing_merges(how: str) -> None:
    for order in ORDERS:
        store = FakeStore()
        async with running(store, [SITE]) as app:
            await use(app, order, how)
            for who in ("ann", "bob"):
                profile = person(store, who)
                bought = {f"{who} thing {n}" for n, turn in enumerate(order) if turn == who}
                assert set(profile.owns) == bought, order
                assert profile.trait_values() == ({"firstName": who} if bought else {})
            assert not person(store, "ann").aliases.keys() & person(store, "bob").aliases.keys()


async def test_what_follows_the_proof_in_its_request_and_names_the_same_id_is_the_new_persons() -> None:
    async with running(sites=[SITE]) as app:
        browser = Browser()
        await browser.view(app, "/")
        await browser.log_in(app, "ann")
        proof = {"userId": "bob", "context": {"userHash": user_hash(SECRET, "bob")}}
        bought = {"type": "track", "event": "Order Completed", "userId": "bob", "properties": {"product": "bob's"}}
        await browser.ask(app, batch=[{"type": "identify", **proof}, bought])
        assert set(person(app.store, "ann").owns) == set()
        assert set(person(app.store, "bob").owns) == {"bob's"}
        # An id that nobody has proved in this request stays a claim on whoever's browser it is.
        await browser.send(app, "/v1/batch", batch=[{"type": "identify", **proof}, {**bought, "userId": "ann"}])
        assert set(person(app.store, "ann").owns) == set()


async def test_what_somebody_did_before_logging_in_goes_to_the_first_who_does() -> None:
    async with running(sites=[SITE]) as app:
        browser = Browser()
        await browser.send(app, "/v1/track", event="Order Completed", properties={"product": "before"})
        await browser.log_in(app, "ann")
        await browser.log_out(app)
        await browser.send(app, "/v1/track", event="Order Completed", properties={"product": "between"})
        await browser.log_in(app, "bob")
        assert set(person(app.store, "ann").owns) == {"before"}
        assert set(person(app.store, "bob").owns) == {"between"}
