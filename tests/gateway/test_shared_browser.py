"""One browser, two people: in every order of logging in and out, neither sees the other's content, nothing merges."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from gateway.identity.verified import user_hash
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running
from tests.gateway.making import plan, site
from tests.gateway.people import SECRET, Browser, person

RULES = """
placements:
  - placement: home hero
    blocks:
      - {block: for ann, when: [{owns: ann*}], content: {title: "{{ first_name | nobody }}"}}
      - {block: for bob, when: [{owns: bob*}], content: {title: "{{ first_name | nobody }}"}}
      - {block: for all, content: {title: "{{ first_name | nobody }}"}}
"""
SITE = site(plan=plan(RULES))
ORDERS = list(product(["ann", "bob", "out"], repeat=4))


async def shown(browser: Browser, app: App, **body: Any) -> tuple[str, str]:
    hero = (await browser.ask(app, **body))["placements"]["home hero"]
    return hero["block"], hero["content"]["title"]


async def use(app: App, order: tuple[str, ...], *, proves: bool) -> None:
    """Let people take turns; `proves` tells whether the page sends the proof with every call, or at the login only."""
    browser, who = Browser(), ""
    for number, turn in enumerate(order):
        if turn == "out":
            await browser.log_out(app)
            who = ""
        else:
            who = turn
            await browser.log_in(app, who, traits={"firstName": who})
        proof = {"userId": who, "userHash": user_hash(SECRET, who)} if proves and who else {}
        thing = {"product": f"{who} thing {number}"} if who else {}
        await browser.send(app, "/v1/track", event="Order Completed", properties=thing, **proof)
        expected = (f"for {who}", who) if who else ("for all", "nobody")
        assert await shown(browser, app, **proof) == expected, (order, number)


@pytest.mark.parametrize("proves", [False, True])
async def test_neither_sees_the_others_content_and_nothing_merges(proves: bool) -> None:  # noqa: FBT001 - a parameter
    for order in ORDERS:
        store = FakeStore()
        async with running(store, [SITE]) as app:
            await use(app, order, proves=proves)
            for who in ("ann", "bob"):
                profile = person(store, who)
                bought = {f"{who} thing {n}" for n, turn in enumerate(order) if turn == who}
                assert set(profile.owns) == bought, order
                assert profile.trait_values() == ({"firstName": who} if bought else {})
            assert not person(store, "ann").aliases.keys() & person(store, "bob").aliases.keys()


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
