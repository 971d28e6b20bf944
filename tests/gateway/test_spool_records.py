"""A job that waited in the spool has the effect that it would have had at once: the same log, the same profiles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway.app
import gateway.edge.desk
import gateway.edge.links
from gateway.envelope import Envelope, Site
from gateway.identity.verified import user_hash
from gateway.jobs import Job
from gateway.networks.lookups import Lookups
from gateway.networks.own_list import read_own_list
from gateway.ports import Erasure, VisitorKey
from gateway.spool.records import Erased, Unreplayable, erasure_in, job_of, kept_of, record_of, without_erased
from gateway.spool.segments import Record, listed, waiting
from gateway.wire.segment import decode_event
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway import mails
from tests.gateway.app import App, running
from tests.gateway.making import NOW, hit, plan, site

SECRET = "a secret key"  # noqa: S105 - the key of the tests' site
CHROME = mails.CHROME
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADS = "?utm_campaign=autumn&utm_source=news&utm_medium=mail&utm_term=a&utm_content=b&gclid=G1&fbclid=F1"
COMPANIES = "cidr,company,domain,type\n203.0.113.0/24,Acme Oy,acme.fi,business\n"
RULES = (
    mails.RULES
    + """
segments:
  - segment: pricing intent
    when: [{viewed: /hinnoittelu*, at least: 2 times, within: 30 days}]
  - segment: buyer
    when: [{did: Ordered, where: {total: at least 100}}]
"""
)

SITES = {"demo": site()}

Away = Callable[[], None]
Story = Callable[[App, Away], Awaitable[None]]


class Browser:
    """A browser with its cookie, which it is given also while the store is away."""

    def __init__(self, app: App, **headers: str) -> None:
        self.app = app
        self.headers = {"user-agent": CHROME, "sec-fetch-site": "same-origin", **headers}
        self.cookie = ""

    async def send(self, path: str, /, **body: Any) -> httpx.Response:
        headers = {**self.headers, **({"cookie": self.cookie} if self.cookie else {})}
        answer = await self.app.post(path, headers, **body)
        assert answer.status_code == 200, answer.text
        self.cookie = answer.headers.get("set-cookie", self.cookie).partition(";")[0]
        return answer


async def server(app: App, path: str, /, **body: Any) -> None:
    answer = await app.post(path, writeKey=SECRET, **body)
    assert answer.status_code == 200, answer.text


async def a_new_browser(app: App, away: Away) -> None:
    away()
    browser = Browser(app, **{"accept-language": "fi-FI,fi;q=0.9", "x-forwarded-for": "203.0.113.7"})
    page = {"url": "https://www.example.com/hinnoittelu" + ADS, "referrer": "https://search.example/?q=crm"}
    for n in range(3):
        await browser.send("/v1/page", messageId=f"p{n}", context={"page": page, "locale": "fi-FI"})
    await browser.send("/v1/track", messageId="t1", event="Ordered", properties={"total": 120, "sku": "ä\u0000"})


async def a_returning_browser(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/hinnoittelu"})
    away()
    await browser.send("/v1/page", messageId="p1", properties={"path": "/hinnoittelu"})
    await browser.send("/v1/screen", messageId="s1", name="Price list", timestamp="2026-11-20T10:00:00Z")
    await browser.send("/v1/identify", messageId="i1", traits={"first_name": "Aino", "gclid": "G"}, userId="claimed")
    await browser.send("/v1/group", messageId="g1", groupId="acme", traits={"plan": "gold"})
    await browser.send("/v1/track", messageId="t1", event="Ordered", properties={"total": 99})


async def every_type_in_a_batch(app: App, away: Away) -> None:
    away()
    batch = [
        {"type": "page", "messageId": "1", "anonymousId": "x", "name": "Home", "category": "Docs"},
        {"type": "screen", "messageId": "2", "anonymousId": "x", "name": "Start"},
        {"type": "track", "messageId": "3", "anonymousId": "y", "event": "Seen", "properties": {"n": [1, {"a": None}]}},
        {"type": "identify", "messageId": "4", "userId": "u1", "traits": {"email": "a@example.com"}},
        {"type": "group", "messageId": "5", "userId": "u1", "groupId": "acme", "traits": {"size": 5}},
        {"type": "alias", "messageId": "6", "userId": "u1", "previousId": "u0"},
        {"type": "track", "messageId": "3", "anonymousId": "y", "event": "Seen"},
    ]
    await app.post("/v1/batch", {"user-agent": CHROME}, batch=batch, sentAt="2026-11-22T09:00:00Z")


async def real_clients(app: App, away: Away) -> None:
    away()
    python = {"library": {"name": "analytics-python", "version": "2.3.3"}, "ip": "203.0.113.9"}
    rudder = {
        "library": {"name": "RudderLabs JavaScript SDK", "version": "3.30.2"},
        "app": {"name": "shop"}, "os": {"name": ""}, "screen": {"width": 1920, "density": 1.5}, "sessionId": 17,
        "traits": {"plan": "gold"}, "userAgent": CHROME, "timezone": "GMT+0200", "campaign": {"name": "autumn"},
        "page": {"path": "/hinnoittelu", "url": "https://www.example.com/hinnoittelu?gclid=x", "referrer": "$direct"},
    }  # fmt: skip
    await app.post(
        "/v1/batch",
        {"user-agent": "python-requests/2.32", "content-type": "application/json"},
        sentAt="2026-11-22T09:59:58.000Z",
        batch=[
            {"type": "identify", "userId": "u9", "messageId": "py1", "timestamp": "2026-11-22T09:59:57.123Z",
             "integrations": {}, "anonymousId": None, "context": python, "traits": {"name": "Aino", "age": 41}},
            {"type": "track", "userId": "u9", "messageId": "py2", "timestamp": "2026-11-22T09:59:57.124Z",
             "integrations": {}, "event": "Ordered", "context": python, "properties": {"total": 250.5}},
        ],
    )  # fmt: skip
    event = {"channel": "web", "context": rudder, "type": "page", "messageId": "r1", "anonymousId": "r-1", "name": None,
             "originalTimestamp": "2026-11-22T09:59:00.000Z", "integrations": {"All": True},
             "properties": {"name": "", "path": "/hinnoittelu", "url": "https://www.example.com/hinnoittelu?gclid=x"},
             "event": None, "userId": ""}  # fmt: skip
    await app.post("/v1/batch", {"user-agent": CHROME}, batch=[event])


async def consent_signals(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", consent=["analytics"])
    away()
    await browser.send("/v1/page", messageId="p1", consent=["analytics", "ads"], context={"page": {"url": "/a" + ADS}})
    await browser.send("/v1/page", messageId="p2", context={"page": {"url": "https://www.example.com/b" + ADS}})
    other = Browser(app, **{"sec-gpc": "1"})
    await other.send("/v1/page", messageId="p3", consent=["analytics", "ads"], properties={"url": "/c" + ADS})
    third = Browser(app, dnt="1")
    await third.send("/v1/page", messageId="p4", properties={"url": "/d" + ADS})
    await third.send("/v1/page", messageId="p5", consent=[])


async def a_proven_person(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/hinnoittelu"})
    await server(app, "/v1/identify", messageId="s0", userId="ann", traits={"plan": "gold"})
    away()
    await browser.send("/v1/page", messageId="p1", properties={"path": "/hinnoittelu"})
    await browser.send("/v1/identify", messageId="i1", userId="ann", userHash=user_hash("ann", SECRET))
    await browser.send("/v1/page", messageId="p2", properties={"path": "/hinnoittelu"})


async def a_site_s_server(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/hinnoittelu"})
    value = browser.cookie.partition("=")[2]
    away()
    await server(app, "/v1/identify", messageId="s1", userId="bob", traits={"owns": ["Pro"]})
    await server(app, "/v1/track", messageId="s2", userId="bob", event="Ordered", properties={"total": 500})
    await server(app, "/v1/track", messageId="s3", userId="bob", event="Old", timestamp="2023-01-01T00:00:00Z")
    await server(app, "/v1/identify", messageId="s4", userId="bob", visitor=value)
    await server(app, "/v1/alias", messageId="s5", userId="bob", previousId="bobby")
    await server(app, "/v1/page", messageId="s6", visitor=value, properties={"path": "/hinnoittelu"})


async def a_company(app: App, away: Away) -> None:
    away()
    await server(app, "/v1/group", messageId="g1", groupId="acme", traits={"name": "Acme", "seats": 40})
    await server(app, "/v1/group", messageId="g2", groupId="acme", userId="bob", traits={"seats": 41})


async def content_shown_and_clicked(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/"})
    answer = await browser.send("/v1/decide", placements=["hero"], batch=[])
    token = answer.json()["placements"]["hero"]["decision"]
    away()
    await browser.send("/v1/track", messageId="c1", event="Content Shown", properties={"decision": token})
    await browser.send("/v1/track", messageId="c2", event="Content Clicked", properties={"decision": token})
    await browser.send("/v1/track", messageId="c3", event="Content Clicked", properties={"decision": "forged"})


async def events_of_a_decision(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/hinnoittelu"})
    away()
    batch = [{"type": "page", "messageId": "p1", "properties": {"path": "/hinnoittelu"}}]
    answer = await browser.send("/v1/decide", placements=["hero"], batch=batch)
    assert (answer.json()["accepted"], answer.json()["retry"]) == (1, [])


async def bots(app: App, away: Away) -> None:
    away()
    browser = Browser(app, **{"user-agent": BOT})
    await browser.send("/v1/page", messageId="b1", properties={"path": "/hinnoittelu"})


async def an_email_s_click(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0")
    await server(app, "/v1/identify", messageId="s1", userId="ann", traits={"first_name": "Ann"})
    address = await mails.landed(app, (await mails.mailed(app))["link"])
    away()
    context = {"page": {"url": address}, "credentials": True}
    await browser.send("/v1/page", messageId="p1", context=context)
    await browser.send("/v1/page", messageId="p2", context={"page": {"url": "https://www.example.com/next"}})


async def a_withdrawal(app: App, away: Away) -> None:
    browser = Browser(app)
    await browser.send("/v1/page", messageId="p0", properties={"path": "/hinnoittelu"})
    away()
    await browser.send("/v1/page", messageId="p1", properties={"path": "/hinnoittelu"})
    await browser.send("/v1/identify", consent=[], messageId="w1")


STORIES: list[Story] = [
    a_new_browser, a_returning_browser, every_type_in_a_batch, real_clients, consent_signals, a_proven_person,
    a_site_s_server, a_company, content_shown_and_clicked, events_of_a_decision, bots, an_email_s_click, a_withdrawal,
]  # fmt: skip


def sites(folder: Path) -> list[Site]:
    companies = folder / "companies.csv"
    companies.write_text(COMPANIES, "utf-8")
    lookups = Lookups(None, read_own_list(companies))
    return [site(plan=plan(RULES), link_targets=("https://www.example.com/",), lookups=lookups)]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the clock stand, and make ids that are the same in each run; what it returns begins another run."""

    def begin() -> None:
        numbers = count()
        for place in (gateway.app, mails):
            monkeypatch.setattr(place, "clock", lambda: NOW)
        monkeypatch.setattr(gateway.edge.desk, "new_visitor_id", lambda: f"visitor-{next(numbers):012d}")
        monkeypatch.setattr("gateway.identity.links.secrets.token_urlsafe", lambda _: "a-link-id-12")

    return begin


def contents(store: FakeStore) -> tuple[Any, ...]:
    """Return all that is stored, without the revisions, which are unique to each write."""
    documents = {key: {**orjson.loads(text), "r": ""} for key, text in store.documents.items()}
    log = sorted((orjson.loads(entry) for entry in store.logged()), key=lambda entry: (entry["m"], entry["v"]))
    marks = {key: {packed[at : at + 6] for at in range(0, len(packed), 8)} for key, packed in store.marks.items()}
    return documents, log, marks


async def swept(app: App) -> None:
    """Take away the log entries of who was erased; of what waited they never came."""
    for note in await app.store.pending():
        await app.store.erase(note)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_what_waited_has_the_same_effect(story: Story, tmp_path: Path, still: Callable[[], None]) -> None:
    given = {"trusted_proxies": ["127.0.0.1"]}
    still()
    async with running(sites=sites(tmp_path), **given) as app:
        await story(app, lambda: None)
        await swept(app)
        at_once = contents(app.store)

    still()
    async with running(sites=sites(tmp_path), spool=tmp_path / "spool", **given) as app:

        def away() -> None:
            app.store.down = True

        await story(app, away)
        assert app.outcomes().get("spooled", 0) or story is a_withdrawal
        assert app.counted("events_received") == sum(app.outcomes().values())
        app.store.down = False
        await app.replay.once()
        await swept(app)
        assert contents(app.store) == at_once
        assert listed(tmp_path / "spool") == []


async def test_nothing_that_may_not_be_kept_is_in_a_record(tmp_path: Path) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        browser = Browser(app, **{"x-forwarded-for": "203.0.113.7"})
        page = {"url": "https://www.example.com/a" + ADS}
        context = {"page": page, "ip": "203.0.113.7", "userAgent": CHROME, "userHash": "abc", "traits": {"gclid": "T"}}
        await browser.send("/v1/page", messageId="p1", context=context, properties=page)
        (payload,) = [one.payload for path in listed(tmp_path) for one in waiting(path) if isinstance(one, Record)]
        for secret in (b"203.0.113", b"Mozilla", b"gclid", b"fbclid", b"G1", b"F1", b"abc"):
            assert secret not in payload
        assert b"utm_campaign=autumn" in payload


@pytest.mark.parametrize("consent", [[], None])
async def test_nobody_who_allows_nothing_is_spooled(tmp_path: Path, consent: list[str] | None) -> None:
    async with running(sites=[site(consent=frozenset())], spool=tmp_path) as app:
        app.store.down = True
        answer = await app.post(messageId="p1", anonymousId="x", **({} if consent is None else {"consent": consent}))
        assert answer.json()["accepted"] == 0
        assert app.outcomes().get("spooled", 0) == 0
        assert listed(tmp_path) == []


# -- records that cannot be replayed, and erasures ---------------------------------------------------------------------


KEYS = st.sampled_from("svpqraexdkmtfcow")
JSON = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=3) | st.sampled_from(["demo", "a:x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=9),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | JSON.map(orjson.dumps))
def test_any_payload_is_a_job_or_a_sentence(payload: bytes) -> None:
    with suppress(Unreplayable):
        job_of(payload, SITES)
    erasure_in(payload)
    without_erased(payload, Erased([Erasure(VisitorKey("demo", "a", "x"), NOW)]))


def record(**fields: Any) -> bytes:
    event = {"k": "page", "m": "m1", "t": NOW}
    return orjson.dumps(
        {"s": "demo", "v": "a:x", "p": "", "q": False, "r": NOW, "a": NOW, "o": [], "e": [event]} | fields
    )


def test_a_record_of_a_site_that_went_says_so() -> None:
    with pytest.raises(Unreplayable, match='no site "shop"'):
        job_of(record(s="shop"), SITES)


@pytest.mark.parametrize("after", [frozenset(), frozenset({"analytics", "personalization", "ads"})])
async def test_the_site_s_consent_at_collection_travels_with_the_record(tmp_path: Path, after: frozenset[str]) -> None:
    async with running(spool=tmp_path) as app:
        app.store.down = True
        await app.post(messageId="m1", anonymousId="x")
    async with running(sites=[site(consent=after)], spool=tmp_path) as app:
        await app.replay.once()
        (entry,) = map(orjson.loads, app.store.logged())
        assert entry["c"] == ["analytics", "personalization"]


def test_the_client_s_own_clock_and_its_id_travel_with_the_record() -> None:
    found = hit()
    raw = {"type": "page", "messageId": "m", "anonymousId": "x", "timestamp": "2026-11-20T10:00:00Z"}
    envelope = decode_event(raw, 0, "", found, walk=True)
    assert isinstance(envelope, Envelope)
    kept = kept_of(Job(found, VisitorKey("demo", "c", "x"), [envelope]), Profile())
    payload = record_of(kept, [envelope], NOW)
    (again,) = job_of(payload, SITES).envelopes
    assert (again.client_time, again.anonymous_id) == (envelope.client_time, "x")
    assert again.client_time


@pytest.mark.parametrize(
    ("erasure", "fields", "kept"),
    [
        (Erasure(VisitorKey("demo", "a", "x"), NOW - 1), {}, 1),
        (Erasure(VisitorKey("demo", "a", "x"), NOW), {}, 0),
        (Erasure(VisitorKey("demo", "a", "y"), NOW), {}, 1),
        (Erasure(VisitorKey("shop", "a", "x"), NOW), {}, 1),
        (Erasure(VisitorKey("demo", "k", "ann"), NOW), {"p": "ann"}, 0),
        (Erasure(VisitorKey("demo", "k", "ann"), NOW), {}, 1),
        (Erasure(VisitorKey("demo", "k", "ann"), NOW, "a:x"), {"p": "ann"}, 0),
        (Erasure(VisitorKey("demo", "k", "ann"), NOW, "a:y"), {"p": "ann"}, 1),
    ],
)
def test_an_erasure_takes_whom_it_is_about_out_of_a_record(erasure: Erasure, fields: Any, kept: int) -> None:
    payload = record(**fields)
    assert without_erased(payload, Erased([erasure])) == (payload if kept else None)


def test_an_erasure_by_the_clients_own_clock_and_only_of_what_lies_before() -> None:
    events = [{"k": "page", "m": str(n), "t": NOW + n, "y": NOW - n} for n in (0, 1)]
    events.append({"k": "page", "m": "2", "t": NOW + 2})
    left = without_erased(record(e=events), Erased([Erasure(VisitorKey("demo", "a", "x"), NOW)]))
    assert left is not None
    assert [event["m"] for event in orjson.loads(left)["e"]] == ["2"]
