"""What banners, contexts and headers say, read as purposes; and what becomes of batches in which events disagree."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.banners import BANNERS, NOTHING, Said, said_in_context, said_in_cookies, together
from gateway.identity.consent import in_force
from gateway.identity.verified import user_hash
from gateway.settings import CONSENT_CATEGORIES, CONSENT_COOKIES, purposes_by_category
from personalize import documents
from personalize.model import PURPOSES
from personalize.profiles import Profile
from tests.gateway.app import App, running
from tests.gateway.making import NOW, site
from tests.gateway.people import ALL, SECRET, Browser, from_server, known, person

BUILT_IN = purposes_by_category(CONSENT_CATEGORIES)
IUBENDA = purposes_by_category({"necessary": ("1", "2"), "personalization": ("3",), "analytics": ("4",), "ads": ("5",)})
IDS = st.sampled_from(["C0001", "c0002", "C0003", "C0004", "C9", "statistics", "Functional", "necessary", "ä"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | IDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(IDS, inner, max_size=3),
    max_leaves=6,
)


def chosen(*purposes: str) -> Said:
    return Said(frozenset(purposes), PURPOSES)


def limited(*gone: str) -> Said:
    return Said(None, PURPOSES - set(gone))


def management(allowed: Any = None, denied: Any = None, **more: Any) -> dict[str, Any]:
    given = {"allowedConsentIds": allowed, "deniedConsentIds": denied, **more}
    return {"consentManagement": {name: value for name, value in given.items() if value is not None}}


@pytest.mark.parametrize(
    ("preferences", "said"),
    [
        ({"Analytics": True, "Advertising": False}, chosen("analytics")),
        ({"ANALYTICS": True, "Functional": True, "Advertising": True}, chosen("analytics", "personalization", "ads")),
        ({"Analytics": True, "Performance": False}, chosen()),
        ({"Analytics": False, "Other": True}, chosen()),
        ({"Advertising": False}, limited("ads")),
        ({"Advertising": True}, NOTHING),
        ({"Other": False}, NOTHING),
        ({"Necessary": True}, NOTHING),
        ({}, NOTHING),
        ({"Analytics": "no", "Functional": 0}, NOTHING),
        (["Analytics"], NOTHING),
    ],
)
def test_segments_categories(preferences: Any, said: Said) -> None:
    assert said_in_context({"consent": {"categoryPreferences": preferences}}, BUILT_IN) == said


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (management(["C0001", "C0002"], ["C0003", "C0004"], provider="oneTrust"), chosen("analytics")),
        (management(["analytics"], ["behavioral_advertising"], provider="ketch"), chosen("analytics")),
        (management(["C0002"], ["performance"], resolutionStrategy="and"), chosen()),
        (management(["C0002"], ["performance"], resolutionStrategy="or"), chosen("analytics")),
        (management({"C0002": "Performance"}, {"C0003": "Functional"}), chosen("analytics")),
        (management(["C0001", "C0002"]), chosen("analytics")),
        (management(["C0001"]), chosen()),
        (management(["C0001", "tracking"]), NOTHING),
        (management(["C0001", "tracking"], []), NOTHING),
        (management([], []), NOTHING),
        (management([], ["C0002"]), chosen()),
        (management(None, ["C0002"]), limited("analytics")),
        (management(None, ["C0002", "C0003"]), chosen()),
        (management(None, ["C0004"]), limited("ads")),
        (management("C0002", "C0003"), NOTHING),
        (management([5, None], [{}]), NOTHING),
        ({"consentManagement": []}, NOTHING),
        (
            management(["C0002"], ["C0003"]) | {"consent": {"categoryPreferences": {"analytics": False}}},
            chosen(),
        ),
    ],
)
def test_rudderstacks_ids(context: Any, said: Said) -> None:
    assert said_in_context(context, BUILT_IN) == said


def test_iubendas_numbers_mean_what_the_site_says() -> None:
    context = management(["1", "2", "4"], ["3", "5"], provider="iubenda", resolutionStrategy="and")
    assert said_in_context(context, IUBENDA) == chosen("analytics")
    assert said_in_context(context, BUILT_IN) == NOTHING


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("OptanonConsent=groups=C0002%3A1%2CC0003%3A0; OptanonAlertBoxClosed=2026", chosen("analytics")),
        ("OptanonConsent=a=1&groups=C0002%3A1%2CC0003%3A0&b=2", limited("personalization")),
        ("OptanonConsent=groups=C0002:1&AwaitingReconsent=true; OptanonAlertBoxClosed=2026", NOTHING),
        ("OptanonConsent=a=1&mygroups=C0002%3A0; OptanonAlertBoxClosed=2026", NOTHING),
        ("NotOptanonConsent=groups=C0002%3A0; OptanonAlertBoxClosed=2026", NOTHING),
        ("CookieConsent={stamp:%27-1%27%2Cstatistics:true%2Cmarketing:false%2Cver:1}", chosen("analytics")),
        ("CookieConsent=-1", NOTHING),
        ("CookieConsent=0", Said(None, frozenset())),
        ("CookieConsent=true", NOTHING),
        ("cc_cookie=%7B%22categories%22%3A%5B%22analytics%22%5D%7D", chosen("analytics")),
        ("cc_cookie=%7B%22categories%22%3A%5B%5D%7D", NOTHING),
        ("cc_cookie=%7B%22categories", NOTHING),
        ("cc_cookie=%5B%5D", NOTHING),
        ("cc_cookie=%7B%22categories%22%3A%7B%22necessary%22%3A1%7D%7D", NOTHING),
        ("", NOTHING),
    ],
)
def test_banners_cookies(header: str, said: Said) -> None:
    assert said_in_cookies(header.encode(), CONSENT_COOKIES, BUILT_IN) == said
    assert said_in_cookies(header.encode(), (), BUILT_IN) == NOTHING


def test_every_banner_of_the_settings_can_be_read() -> None:
    assert tuple(BANNERS) == CONSENT_COOKIES


@given(JSON, JSON, JSON, JSON)
def test_any_context_says_something_or_nothing(one: Any, two: Any, three: Any, four: Any) -> None:
    for context in ({"consent": one, "consentManagement": two}, management(one, two, resolutionStrategy=three)):
        assert said_in_context(context, BUILT_IN).limit <= PURPOSES
    said = said_in_context(management(one, two) | {"consent": {"categoryPreferences": four}}, BUILT_IN)
    assert said.signal is None or said.signal <= PURPOSES


@given(st.text(max_size=40), st.sampled_from(["OptanonConsent", "CookieConsent", "cc_cookie"]))
def test_any_cookie_says_something_or_nothing(text: str, name: str) -> None:
    header = f"OptanonAlertBoxClosed=1; {name}={text}".encode()
    assert said_in_cookies(header, CONSENT_COOKIES, BUILT_IN).limit <= PURPOSES


SAID = st.builds(
    Said, st.none() | st.frozensets(st.sampled_from(sorted(PURPOSES))), st.frozensets(st.sampled_from(sorted(PURPOSES)))
)


@given(SAID, SAID, SAID, st.frozensets(st.sampled_from(sorted(PURPOSES))))
def test_more_sources_never_allow_more(one: Said, two: Said, three: Said, default: frozenset[str]) -> None:
    assert together(one, two) == together(two, one)
    assert together(together(one, two), three) == together(one, together(two, three))
    assert together(one, NOTHING) == one
    both = together(one, two)
    if one.signal is not None:
        before, after = (in_force(said.signal, None, default, NOW, said.limit) for said in (one, both))
        assert after <= before
    stored = Profile(consent=[NOW + 1, ["analytics"]])
    assert in_force(both.signal, stored, default, NOW, both.limit) <= {"analytics"}


# -- batches ---------------------------------------------------------------------------------------------------------


def page(number: int, at: int, **categories: bool) -> dict[str, Any]:
    """Return a page view so many minutes ago, with Segment's categories if there are any."""
    moment = datetime.now(UTC) - timedelta(minutes=at)
    context = {"consent": {"categoryPreferences": categories}} if categories else {}
    return {"type": "page", "messageId": f"m{number}", "timestamp": moment.isoformat(), "context": context}


async def visitor(app: App) -> dict[str, str]:
    """Return the Cookie header of a visitor who allowed analytics a day ago."""
    event = page(0, 24 * 60, Analytics=True)
    answer = await app.post("/v1/batch", batch=[event], sentAt=datetime.now(UTC).isoformat())
    assert answer.json()["accepted"] == 1
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def sent(app: App, headers: dict[str, str], *batch: dict[str, Any], **body: Any) -> tuple[int, int]:
    answer = await app.post(
        "/v1/batch", headers=headers, batch=list(batch), sentAt=datetime.now(UTC).isoformat(), **body
    )
    said = answer.json()
    return said["accepted"], said["dropped"]


async def test_the_latest_choice_of_a_batch_decides_about_the_withdrawal() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        headers = await visitor(app)
        refused, agreed = page(1, 30, Analytics=False), page(2, 20, Analytics=True)
        silent = page(3, 10)
        assert await sent(app, headers, agreed, refused, silent) == (2, 1), "agreed last, in whatever order they stand"
        assert not any(write.erase_before for write in app.store.writes)
        refused_last = page(5, 5, Analytics=False)
        assert await sent(app, headers, page(4, 7, Analytics=True), refused_last, page(6, 1)) == (0, 3)
        assert app.store.writes[-1].erase_before
        assert len(app.store.documents) == 1
        (tombstone,) = map(documents.decode, app.store.documents.values())
        assert tombstone.consent[1] == []


async def test_of_two_choices_at_the_same_moment_only_what_both_allow_holds() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        headers = await visitor(app)
        one, other = page(1, 5, Analytics=True), page(2, 5, Functional=True)
        other["timestamp"] = one["timestamp"]
        assert await sent(app, headers, one, other) == (0, 2)
        assert app.store.writes[-1].erase_before


async def test_each_person_of_a_servers_batch_has_a_choice_of_their_own() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        batch = [
            {**page(1, 3, Analytics=True), "userId": "u1"},
            {**page(2, 2, Analytics=False), "userId": "u2"},
            {**page(3, 1), "userId": "u3"},
        ]
        assert await sent(app, {}, *batch, writeKey="a secret key") == (1, 2)
        assert len(app.store.documents) == 1, "nothing of those who did not agree"
        assert await sent(app, {}, {**page(4, 0), "userId": "u1"}, writeKey="a secret key") == (1, 0)


async def test_the_requests_own_choice_holds_for_each_of_its_events() -> None:
    async with running() as app:
        batch = [page(1, 3, Analytics=True, Functional=True), page(2, 2, Functional=True)]
        assert await sent(app, {}, *batch, consent=["analytics"]) == (1, 1)
        (entry,) = [orjson.loads(entry) for write in app.store.writes for entry in write.entries]
        assert (entry["m"], entry["c"]) == ("m1", ["analytics"])


async def test_an_event_of_a_batch_may_have_a_list_of_its_own_and_a_bad_one_rejects_that_event_alone() -> None:
    async with running() as app:
        lists = (["analytics"], [], None, "analytics", ["analytic"])
        batch = [{"type": "page", "userId": f"u{n}", "consent": given} for n, given in enumerate(lists)]
        answer = (await app.post("/v1/batch", batch=batch, writeKey="a secret key")).json()
        assert (answer["accepted"], answer["dropped"]) == (2, 1)
        assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(3, "bad_event"), (4, "bad_event")]
        assert '"consent" names none of' in answer["rejected"][1]["message"]
        entries = [orjson.loads(entry) for write in app.store.writes for entry in write.entries]
        assert {e["e"]["userId"]: e["c"] for e in entries} == {
            "u0": ["analytics"],
            "u2": ["analytics", "personalization"],
        }
        assert all("consent" not in e["e"] for e in entries)


async def test_who_proves_it_in_the_event_withdraws_for_themselves_alone() -> None:
    """As Segment's and RudderStack's libraries say it, on a browser that is somebody else's."""
    async with running(sites=[site(consent=frozenset())]) as app:
        owner = Browser()
        await owner.view(app, consent=ALL)
        await owner.log_in(app, "owner")
        assert await from_server(app, "/v1/page", userId="bo", consent=ALL)
        before = app.store.documents[known("owner")]
        proof = {"userHash": user_hash(SECRET, "bo")}
        refusal = {"consent": {"categoryPreferences": {"Analytics": False}}} | proof
        answer = await owner.send(
            app, "/v1/batch", batch=[{"type": "track", "event": "x", "userId": "bo", "context": refusal}]
        )
        assert answer.json()["dropped"] == 1
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert person(app.store, "bo").erased
        assert app.store.documents[known("owner")] == before


async def test_gpc_is_not_stored_as_a_choice() -> None:
    async with running() as app:
        first = await app.post(headers={"sec-gpc": "1"}, consent=["analytics", "ads"], messageId="a")
        assert first.json()["accepted"] == 1
        (profile,) = map(documents.decode, app.store.documents.values())
        assert profile.consent[1] == ["ads", "analytics"]
        entries = [orjson.loads(entry) for write in app.store.writes for entry in write.entries]
        assert [entry["c"] for entry in entries] == [["analytics"]]


async def test_a_trait_tells_of_other_purposes_and_never_of_the_gateways_own() -> None:
    async with running(sites=[site(consent=frozenset({"analytics"}))]) as app:
        traits = {"consent": ["email", "personalization", "ads"]}
        first = await app.post("/v1/identify", userId="u", traits=traits, context={"credentials": True})
        headers = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        answer = await app.post("/v1/decide", headers=headers, placements=["home hero"])
        assert answer.json()["placements"]["home hero"]["reason"] == "no_consent"
        (profile,) = map(documents.decode, app.store.documents.values())
        assert profile.consent == []
        assert profile.trait_values()["consent"] == traits["consent"]


async def test_requests_without_contexts_and_cookies_are_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Said:
        raise AssertionError

    monkeypatch.setattr("gateway.identity.consent.said_in_context", fail)
    monkeypatch.setattr("gateway.identity.consent.said_in_cookies", fail)
    async with running() as app:
        await asyncio.gather(*(app.post(messageId=f"m{n}", context={"locale": "fi"}) for n in range(3)))
        assert app.outcomes() == {"stored": 3}
