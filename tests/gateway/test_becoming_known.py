from __future__ import annotations

import time
from itertools import count, pairwise
from typing import Any

import orjson
import pytest

from gateway.identity.verified import user_hash
from gateway.ports import VisitorKey
from personalize.aliases import MOST_ALIASES, MOST_OLDER_IDS, Alias
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway.app import running
from tests.gateway.making import site
from tests.gateway.people import SECRET, Browser, from_server, known, person, seen, stored


@pytest.fixture(autouse=True)
def _no_two_moments_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = count(int(time.time() * 1000))
    monkeypatch.setattr("gateway.app.clock", lambda: next(moments))


async def test_what_a_browser_did_before_logging_in_is_the_persons_afterwards() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        anonymous = browser.id
        assert (await browser.log_in(app, "u-1", traits={"plan": "pro"})).json()["accepted"] == 1
        assert browser.id == anonymous, "the cookie stays"
        await browser.view(app)
        profile = person(app.store, "u-1")
        assert seen(profile) == 2
        assert profile.trait_values() == {"plan": "pro"}
        alias = stored(app.store, browser.key)
        assert isinstance(alias, Alias)
        assert alias.snapshot is None, "the third step"
        assert browser.key not in app.store.marks
        assert profile.aliases == {f"a:{anonymous}": alias.at}
        assert (await browser.ask(app))["placements"]["home hero"]["block"] == "book a demo"


async def test_neither_a_merge_that_is_over_nor_one_without_a_history_leaves_work_behind() -> None:
    async with running() as app:
        with_history = Browser()
        await with_history.view(app)
        for browser in (with_history, Browser()):
            await browser.log_in(app, "u-1")
            await browser.log_in(app, "u-2")
        assert await app.store.merging() == []


async def test_an_aliased_browsers_hit_costs_one_call_to_the_store() -> None:
    async with running() as app:
        browser = Browser()
        await browser.log_in(app, "u-1")
        await browser.view(app)
        reads, writes = app.store.reads, len(app.store.writes)
        await browser.view(app)
        assert (app.store.reads - reads, len(app.store.writes) - writes) == (0, 1)
        await browser.ask(app)
        assert (app.store.reads - reads, len(app.store.writes) - writes) == (1, 1)


async def test_several_devices_are_one_person_and_caps_and_rests_hold_on_all() -> None:
    async with running() as app:
        laptop, phone = Browser(), Browser()
        for browser in (laptop, phone):
            await browser.view(app)
        await laptop.view(app)
        shown = await laptop.ask(app)
        decision = shown["placements"]["home hero"]
        assert decision["block"] == "book a demo"
        await laptop.log_in(app, "u-1")
        dismissed = {"decision": decision["decision"]}
        await laptop.send(app, "/v1/track", event="Content Dismissed", properties=dismissed)
        await phone.log_in(app, "u-1")
        assert seen(person(app.store, "u-1")) == 3
        assert (await phone.ask(app))["placements"]["home hero"]["block"] == "welcome", "dismissed on the laptop"


async def test_a_message_that_is_sent_again_after_the_merge_has_no_second_effect() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app, messageId="m1")
        await browser.log_in(app, "u-1", messageId="m2")
        await browser.view(app, messageId="m1")
        await browser.log_in(app, "u-1", messageId="m2")
        assert seen(person(app.store, "u-1")) == 1
        assert app.outcomes() == {"stored": 2, "duplicate": 2}


async def test_a_claimed_user_id_merges_nothing() -> None:
    async with running() as app:
        victim, browser = Browser(), Browser()
        await victim.view(app)
        await victim.log_in(app, "u-1")
        for body in ({}, {"userHash": "0" * 64}, {"userHash": 7}, {"context": {"userHash": "f" * 64}}):
            await browser.send(app, "/v1/identify", userId="u-1", traits={"plan": "mine"}, **body)
        await browser.send(app, "/v1/alias", userId="u-1", previousId="x")
        assert seen(person(app.store, "u-1")) == 1
        assert person(app.store, "u-1").trait_values() == {}
        assert isinstance(stored(app.store, browser.key), Profile)
        assert app.counted("bad_user_hashes") == 3


async def test_the_sites_server_says_who_its_visitor_is_and_relays_the_cookie() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        value = browser.cookie.partition("=")[2]
        await from_server(app, "/v1/identify", visitor=value, userId="u-1", traits={"plan": "pro"})
        assert seen(person(app.store, "u-1")) == 1
        await browser.view(app)
        assert seen(person(app.store, "u-1")) == 2


async def test_another_person_on_a_browser_starts_a_new_cookie_and_merges_nothing() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        await browser.log_in(app, "u-1")
        first = browser.id
        await browser.log_in(app, "u-2")
        assert browser.id != first
        await browser.view(app, "/muu")
        assert (seen(person(app.store, "u-1")), seen(person(app.store, "u-2"))) == (1, 0)
        assert set(person(app.store, "u-2").aliases) == {f"a:{browser.id}"}
        assert (await browser.ask(app))["placements"]["home hero"]["block"] == "welcome"


async def test_after_a_reset_the_browser_is_nobodys() -> None:
    async with running() as app:
        browser = Browser()
        await browser.log_in(app, "u-1")
        await browser.log_out(app)
        assert browser.cookie == ""
        await browser.view(app)
        assert seen(person(app.store, "u-1")) == 0
        assert isinstance(stored(app.store, browser.key), Profile)


async def test_a_verified_person_is_read_without_a_cookie_too() -> None:
    async with running() as app:
        browser = Browser()
        for _ in range(2):
            await browser.view(app)
        await browser.log_in(app, "u-1")
        body: dict[str, Any] = {"writeKey": SECRET, "userId": "u-1", "placements": ["home hero"]}
        writes = len(app.store.writes)
        answer = (await app.post("/v1/decide", **body)).json()
        assert answer["placements"]["home hero"]["block"] == "book a demo"
        assert len(app.store.writes) == writes


async def test_an_older_id_becomes_the_new_one_by_the_servers_alias_alone() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        await browser.log_in(app, "old")
        answer = await from_server(app, "/v1/alias", userId="new", previousId="old")
        assert answer.json()["accepted"] == 1
        await browser.view(app)
        assert seen(person(app.store, "new")) == 2
        assert isinstance(stored(app.store, known("old")), Alias)
        alias = stored(app.store, browser.key)
        assert isinstance(alias, Alias)
        assert alias.to == f"k:{known('new').id}", "the way is shortened when it is taken"
        await browser.log_in(app, "old")
        assert person(app.store, "new").aliases.keys() == {f"a:{browser.id}", f"k:{known('old').id}"}, "one person"
        again = await from_server(app, "/v1/alias", userId="other", previousId="old")
        assert again.status_code == 400
        assert "another person" in again.text


@pytest.mark.parametrize("ids", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b", "a"]])
async def test_older_ids_never_lead_in_a_circle(ids: list[str]) -> None:
    async with running() as app:
        for name in set(ids):
            await from_server(app, "/v1/identify", userId=name, traits={name: 1})
        for older, newer in pairwise(ids):
            await from_server(app, "/v1/alias", userId=newer, previousId=older)
        answer = await from_server(app, "/v1/identify", userId=ids[0], traits={"z": 1})
        assert answer.json()["accepted"] == 1
        profiles = [p for name in set(ids) if isinstance(p := stored(app.store, known(name)), Profile)]
        assert [p.trait_values().keys() for p in profiles] == [{*ids, "z"}]


async def test_older_ids_are_bounded_with_a_clear_answer() -> None:
    async with running() as app:
        browser = Browser()
        await browser.log_in(app, "id-0")
        answers = []
        for n in range(MOST_OLDER_IDS + 3):
            answer = await from_server(app, "/v1/alias", userId=f"id-{n + 1}", previousId=f"id-{n}")
            answers.append(answer.status_code)
        assert answers == [200] * MOST_OLDER_IDS + [400] + [200] * 2, "after the refusal another chain begins"
        await browser.view(app)
        assert seen(person(app.store, f"id-{MOST_OLDER_IDS}")) == 1


async def test_a_persons_browsers_are_bounded_and_one_more_still_reaches_the_person() -> None:
    async with running() as app:
        for n in range(MOST_ALIASES + 2):
            browser = Browser()
            at = f"2026-11-21T10:{n // 60:02}:{n % 60:02}Z"
            await browser.log_in(app, "u-1", messageId=f"m{n}", timestamp=at, traits={"n": n})
        assert len(person(app.store, "u-1").aliases) == MOST_ALIASES
        assert person(app.store, "u-1").trait_values() == {"n": MOST_ALIASES + 1}
        assert app.counted("links_refused") == 2


async def test_a_person_who_withdrew_gets_no_history_from_a_browser_that_did_not() -> None:
    async with running() as app:
        first, second = Browser(), Browser()
        await first.log_in(app, "u-1", consent=["analytics", "personalization"])
        await second.view(app)
        await first.view(app, consent=[])
        assert first.cookie == ""
        await second.log_in(app, "u-1")
        left = person(app.store, "u-1")
        assert (left.erased > 0, left.matchers, left.visits) == (True, {}, [])
        assert isinstance(stored(app.store, second.key), Profile)


async def test_a_withdrawal_on_a_linked_browser_erases_the_person_and_names_whom_else() -> None:
    async with running() as app:
        laptop, phone = Browser(), Browser()
        for browser in (laptop, phone):
            await browser.view(app)
            await browser.log_in(app, "u-1")
        await laptop.view(app, consent=[])
        left = person(app.store, "u-1")
        assert (left.consent[1], left.matchers) == ([], {})
        assert len(left.aliases) == 2, "for the sweep, which erases what is stored under them"
        await phone.view(app)
        assert seen(person(app.store, "u-1")) == 0
        void = stored(app.store, phone.key)
        assert isinstance(void, Profile)
        assert void.erased == left.erased
        assert void.matchers == {}


async def test_a_stale_memory_of_an_alias_is_found_out_with_the_same_call() -> None:
    store = FakeStore()
    async with running(store) as one, running(store) as two:
        browser = Browser()
        await browser.view(one)
        await browser.log_in(one, "u-1")
        for app in (one, two):
            await browser.view(app)
        laptop = Browser(browser.cookie)
        await laptop.view(one, consent=[])
        await browser.view(two, consent=["analytics"])
        assert seen(person(store, "u-1")) == 0, "the person's erasure holds in the other worker's memory as well"
        again = stored(store, browser.key)
        assert isinstance(again, Profile)
        assert (seen(again), again.consent[1]) == (1, ["analytics"])


async def test_late_events_from_before_a_browsers_own_erasure_stay_out_of_the_person() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        cookie = browser.cookie
        await browser.view(app, consent=[])
        browser.cookie = cookie
        await browser.view(app, "/muu", consent=["analytics", "personalization"])
        await browser.log_in(app, "u-1")
        erased = stored(app.store, browser.key)
        assert isinstance(erased, Alias)
        assert erased.erased > 0
        before = "2026-11-20T00:00:00Z"
        answer = await browser.view(app, timestamp=before, sentAt=before)
        assert answer.json()["dropped"] == 1
        assert person(app.store, "u-1").erased == 0, "another browser's late events are welcome"


async def test_the_log_says_by_which_browser_an_event_of_a_person_came() -> None:
    async with running() as app:
        browser = Browser()
        await browser.log_in(app, "u-1")
        (entry,) = (orjson.loads(e) for e in app.store.log(known("u-1")))
        assert (entry["v"], entry["w"]) == (f"k:{known('u-1').id}", f"a:{browser.id}")


async def test_two_sites_persons_of_one_name_are_two() -> None:
    sites = [site(), site(key="other", secret_key="its own")]  # noqa: S106 - a test's key
    async with running(sites=sites) as app:
        browser = Browser()
        await browser.view(app)
        elsewhere = Browser(browser.cookie)
        proof = user_hash("its own", "u-1")
        await elsewhere.view(app, writeKey="other", userId="u-1", userHash=proof)
        await browser.log_in(app, "u-1")
        assert seen(person(app.store, "u-1")) == 1
        theirs = stored(app.store, known("u-1", "other"))
        assert isinstance(theirs, Profile)
        assert theirs.aliases.keys() == {f"a:{elsewhere.id}"}
        assert VisitorKey("other", "a", browser.id) not in app.store.documents


async def test_a_bad_proof_is_told_in_the_answer() -> None:
    async with running() as app:
        answer = await Browser().send(app, "/v1/identify", userId="u-1", userHash="0" * 64)
        assert answer.json()["warnings"] == [
            {"code": "bad_user_hash", "message": "userHash does not fit userId, so nobody was identified",
             "hint": "send hex(HMAC-SHA256(secret key, userId)), made by the site's server"}
        ]  # fmt: skip
        answer = await Browser().send(app, "/v1/identify", userId="u-1")
        assert "warnings" not in answer.json()


async def test_a_visitor_that_is_no_cookie_of_the_site_is_told_to_its_server() -> None:
    async with running() as app:
        for path in ("/v1/identify", "/v1/decide"):
            body = {"userId": "u-1", "placements": ["home hero"]}
            told = (await from_server(app, path, visitor="made-up", **body)).json()
            assert [warning["code"] for warning in told["warnings"]] == ["bad_visitor"]
            assert "warnings" not in (await from_server(app, path, visitor="", **body)).json()


async def test_a_proven_persons_refusal_erases_the_person_without_a_cookie_too() -> None:
    async with running() as app:
        browser = Browser()
        await browser.view(app)
        await browser.log_in(app, "u-1")
        stranger = Browser()
        await stranger.log_in(app, "u-1", consent=[], userHash="0" * 64)
        assert person(app.store, "u-1").erased == 0
        await stranger.log_in(app, "u-1", consent=[])
        assert person(app.store, "u-1").erased > 0


async def test_a_proven_persons_stored_choice_counts_where_the_site_has_no_default() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        first, second = Browser(), Browser()
        await first.log_in(app, "u-1", consent=["analytics", "personalization"])
        assert (await second.view(app)).json()["dropped"] == 1
        assert (await second.log_in(app, "u-1")).json()["accepted"] == 1
        assert (await second.log_in(app, "u-2")).json()["dropped"] == 1
        assert stored(app.store, known("u-2")) == Profile()


async def test_large_profiles_fill_the_memory_of_a_worker_only_to_a_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.visitors.CACHED_BYTES", 20_000)
    async with running() as app:
        for n in range(40):
            traits = {f"t{m}": "x" * 900 for m in range(n % 4)}
            await from_server(app, "/v1/identify", userId=f"u-{n}", traits=traits)
        visitors = app.gateway.visitors
        held = visitors._cache.values()
        assert 5 < len(held) < 40
        assert sum(each.size for each in held) == visitors._cached_bytes <= 20_000
