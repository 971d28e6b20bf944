"""What a site's server tells about companies and people: kept where it belongs, used by decisions, never a visit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.app import clock
from gateway.companies import OLDEST_MS, Companies
from gateway.errors import StoreUnavailable
from gateway.identity.visitor import company_key, hashed
from gateway.ports import VisitorKey, Write
from personalize import documents
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway.app import App, running
from tests.gateway.making import plan, site

SECRET = "a secret key"  # noqa: S105 - the one of the tests' own site
ACME = company_key("demo", "acme")
AINO = VisitorKey("demo", "k", hashed("demo", "u", "aino"))
RULES = """
placements:
  - placement: hero
    blocks:
      - {block: back, when: [{visitor is: returning}], content: {title: Back}}
      - {block: big, when: [{company: {employees: at least 100}}], content: {title: "{{ company.name | Hello }}"}}
      - {block: any, content: {title: Any}}
segments:
  - segment: buyer
    when: [{did: order completed}]
  - segment: owner
    when: [{owns: insight pro}]
"""


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with running(sites=[site(plan=plan(RULES))]) as running_app:
        yield running_app


def group(**fields: Any) -> dict[str, Any]:
    return {"type": "group", "groupId": "acme", "traits": {"name": "Acme Oy", "employees": 250}, **fields}


async def told(app: App, *events: dict[str, Any], key: str = SECRET, path: str = "/v1/import", **body: Any) -> Any:
    answer = await app.post(path, writeKey=key, batch=list(events), **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def profile(app: App, key: VisitorKey) -> Profile:
    return documents.decode(app.store.documents[key])


async def hero(app: App, user: str = "aino", key: str = SECRET, **body: Any) -> str:
    answer = await app.post("/v1/decide", writeKey=key, userId=user, placements=["hero"], **body)
    await asyncio.sleep(0)  # what the decision did not wait for
    return str(answer.json()["placements"]["hero"]["block"])


async def test_a_group_call_of_the_server_that_names_nobody_is_the_companys_own(app: App) -> None:
    said = await told(app, group(messageId="1"), group(messageId="1"))
    assert (said["accepted"], said["duplicates"], said["dropped_because"]) == (2, 1, {})
    assert list(app.store.documents) == [ACME]
    kept = profile(app, ACME)
    assert kept.trait_values() == {"name": "Acme Oy", "employees": 250}
    assert (kept.visits, kept.matchers, kept.consent, kept.user) == ([], {}, [], [])


async def test_a_companys_attributes_stay_until_a_later_call_names_them(app: App) -> None:
    await told(app, group(timestamp="2026-01-02T00:00:00Z"))
    await told(app, group(timestamp="2026-01-01T00:00:00Z", traits={"employees": 3, "industry": "forestry"}))
    await told(app, group(timestamp="2026-01-03T00:00:00Z", traits={"name": None}))
    assert profile(app, ACME).trait_values() == {"employees": 250, "industry": "forestry"}


@pytest.mark.parametrize("event", [group(userId="aino"), group(anonymousId="x")])
async def test_a_group_call_that_names_a_person_stays_with_the_person(app: App, event: dict[str, Any]) -> None:
    await told(app, event)
    assert ACME not in app.store.documents
    (key,) = app.store.documents
    assert profile(app, key).company[1:] == ["acme", {"name": "Acme Oy", "employees": 250}]


async def test_under_the_write_key_nobody_can_write_a_company(app: App) -> None:
    said = await told(app, group(), {"type": "identify", "anonymousId": "x"}, key="demo")
    assert [problem["code"] for problem in said["rejected"]] == ["missing_id"]
    await app.post("/v1/group", **group())
    assert not [key for key in app.store.documents if key.kind == "g"]


async def test_a_company_needs_no_consent_and_a_person_does() -> None:
    async with running(sites=[site(consent=frozenset())]) as app:
        said = await told(app, group(), {"type": "identify", "userId": "aino", "traits": {"plan": "pro"}})
        assert (said["accepted"], said["dropped"], said["dropped_because"]) == (1, 1, {"no_consent": 1})
        assert list(app.store.documents) == [ACME]


async def test_a_new_visitors_group_call_in_a_page_that_the_server_renders_is_theirs(app: App) -> None:
    await told(app, {"type": "page"}, group())
    assert [key.kind for key in app.store.documents] == ["a"]


async def test_a_decision_about_a_company_alone_is_about_nobody(app: App) -> None:
    answer = await app.post("/v1/decide", writeKey=SECRET, batch=[group()], placements=["hero"])
    hero = answer.json()["placements"]["hero"]
    assert (hero["block"], hero["decision"]) == ("any", None)
    assert answer.json()["accepted"] == 1
    assert list(app.store.documents) == [ACME]


async def test_whom_the_server_put_into_a_company_sees_its_attributes_from_the_second_decision_on(app: App) -> None:
    await told(app, group(), group(userId="aino", traits={}))
    assert await hero(app) == "any"
    assert await hero(app) == "big"


async def test_who_only_claims_to_belong_to_a_company_sees_nothing_of_it(app: App) -> None:
    await told(app, group())
    app.http.headers["sec-fetch-site"] = "same-origin"
    first = await app.post("/v1/group", **group(traits={}))
    app.http.headers["cookie"] = first.headers["set-cookie"].partition(";")[0]
    assert [await hero(app, key="demo") for _ in range(3)] == ["any"] * 3


async def test_an_import_opens_no_visit_and_makes_nobody_returning(app: App) -> None:
    bought = {
        "type": "track", "event": "Order Completed", "userId": "aino",
        "properties": {"products": [{"name": "Insight Pro"}]},
    }  # fmt: skip
    long_ago = clock() - 4 * 365 * 86_400_000
    for days in (0, 1, 100, 4 * 365):
        await told(app, {**bought, "timestamp": clock() - days * 86_400_000})
    await told(app, {**bought, "timestamp": clock() - 6 * 366 * 86_400_000})
    aino = profile(app, AINO)
    assert (aino.visits, aino.first_visit, aino.seen) == ([], 0, [])
    ((total, _, newest, gap, older),) = aino.matchers.values()
    assert (total, newest, gap, older) == (5, 1, 1, 1)  # what is older than 90 days only adds to the total
    assert aino.owned() == ["Insight Pro"]
    assert aino.owns["Insight Pro"] > long_ago
    assert app.counted("times_clamped") == 1  # six years ago
    assert await hero(app) == "any"


class AwayStore(FakeStore):
    """A store that does not answer, and counts how often it was asked."""

    asked = 0

    async def read(self, visitor: VisitorKey, revision: str) -> Any:
        self.asked += 1
        raise StoreUnavailable("away")


async def test_a_batch_of_many_people_does_not_wait_for_each_of_them_when_the_store_is_away() -> None:
    store = AwayStore()
    async with running(store, [site()]) as app:
        people = [{"type": "identify", "userId": f"u{n}"} for n in range(200)]
        answer = await app.post("/v1/import", writeKey=SECRET, batch=people)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert store.asked <= 20


class SlowStore(FakeStore):
    """A store whose reads wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked = 0

    async def read(self, visitor: VisitorKey, revision: str) -> Any:
        self.asked += 1
        await self.gate.wait()
        return await super().read(visitor, revision)


def employee(number: int = 0) -> tuple[VisitorKey, Profile]:
    return VisitorKey("demo", "k", str(number)), Profile(member=[1, f"company {number}"])


async def filled(store: FakeStore, companies: int) -> None:
    for number in range(companies):
        found = Profile("r", traits=[[1, {"number": number}]])
        key = company_key("demo", f"company {number}")
        await store.commit(Write(key, "", documents.encode(found, "r"), 60, b"", []))


async def test_a_company_is_read_once_at_a_time_and_never_waited_for() -> None:
    store = SlowStore()
    await filled(store, 1)
    companies = Companies(store, cached=10, clock=clock)
    for _ in range(5):
        assert companies.attributes(*employee()) == {}
        await asyncio.sleep(0)
    assert store.asked == 1
    store.gate.set()
    await asyncio.sleep(0.01)
    assert companies.attributes(*employee()) == {"number": 0}


async def test_attributes_are_read_again_in_time_and_not_used_when_they_are_old() -> None:
    store, now = FakeStore(), [clock()]
    await filled(store, 1)
    companies = Companies(store, cached=10, clock=lambda: now[0])
    visitor, member = employee()
    companies.attributes(visitor, member)
    await asyncio.sleep(0.01)
    now[0] += OLDEST_MS - 1000
    assert companies.attributes(visitor, member) == {"number": 0}
    await asyncio.sleep(0.01)  # it has been read again meanwhile
    now[0] += OLDEST_MS - 1000
    assert companies.attributes(visitor, member) == {"number": 0}
    store.down = True
    await asyncio.sleep(0.01)
    now[0] += OLDEST_MS + 1000
    assert companies.attributes(visitor, member) == {}
    store.down = False
    await asyncio.sleep(0.01)
    now[0] += 2_000
    companies.expect(visitor)  # known from before, so its company is read beside the profile
    await asyncio.sleep(0.01)
    assert companies.attributes(visitor, member) == {"number": 0}


async def test_however_many_companies_come_memory_is_bounded_and_those_used_last_stay() -> None:
    store = FakeStore()
    await filled(store, 100)
    companies = Companies(store, cached=10, clock=clock)
    for number in range(100):
        companies.attributes(*employee(number))
        companies.attributes(*employee(0))
        await asyncio.sleep(0.001)
    assert len(companies) == 10
    assert len(companies._company_of) <= 20
    assert companies.attributes(*employee(0)) == {"number": 0}
    assert companies.attributes(*employee(99)) == {"number": 99}


async def test_a_store_that_is_away_is_asked_once_a_second_and_harms_nobody() -> None:
    store, now = AwayStore(), [clock()]
    companies = Companies(store, cached=10, clock=lambda: now[0])
    for _ in range(20):
        assert companies.attributes(*employee()) == {}
        await asyncio.sleep(0)
        now[0] += 200
    assert store.asked == 4
