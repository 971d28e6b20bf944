"""Random walks of people, browsers and servers over two workers and two sites: nobody ever holds what is another's.

Every event carries a marker of who is at the browser, as a trait, so profiles and log tell whose events have come to
them. Answers are never 500, and every event that came in has its one outcome.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.verified import user_hash
from gateway.rights.erasing import Eraser
from personalize import aliases
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway import app as apps
from tests.gateway.app import App, running
from tests.gateway.mails import landed, mailed
from tests.gateway.making import plan, site
from tests.gateway.people import ALL, Browser, known

NOW = 1_795_300_000_000
PEOPLE = ("ann", "bob", "eve")
SECRETS = {"demo": "a secret key", "other": "another"}
REFUSAL = {"consent": {"categoryPreferences": {"analytics": False, "personalization": False}}}
RULES = """
placements:
  - placement: home hero
    blocks: [{block: hello, content: {title: "Hello {{ first_name | friend }}"}}]
"""

DO = st.tuples(
    st.sampled_from(
        ["view", "view", "log in", "log in", "log in anew", "batch", "ask", "log out", "withdraw", "refuse",
         "refuse in context", "refuse in a batch", "delete person", "delete browser", "claim", "server", "relay",
         "rename", "click", "sweep", "together", "together"]
    ),
    st.integers(0, 1),  # the worker
    st.integers(0, 3),  # the browser; the last two are at the other site
    st.sampled_from(PEOPLE),
)  # fmt: skip
Do = tuple[str, int, int, str]


class Yielding(FakeStore):
    """A store in which others come in between any two commands."""

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        await super()._answer()


@dataclass
class Seat:
    """A browser at a site, who is at it ("" while it is nobody's), and how often it became nobody's."""

    number: int
    site: str
    browser: Browser = field(default_factory=Browser)
    owner: str = ""
    life: int = 0

    @property
    def marker(self) -> str:
        return f"{self.site}/{self.owner or f'seat {self.number} life {self.life}'}"

    def event(self, **more: Any) -> dict[str, Any]:
        return {"type": "identify", "traits": {self.marker: 1, **more}}

    def empty(self) -> None:
        self.owner, self.life = "", self.life + 1


@dataclass
class World:
    workers: list[App]
    store: FakeStore
    eraser: Eraser
    seats: list[Seat] = field(default_factory=lambda: [Seat(n, ("demo", "other")[n // 2]) for n in range(4)])
    may_hold: dict[str, set[str]] = field(default_factory=dict)
    """The markers that each person's profile may hold."""

    def take(self, seat: Seat, user: str) -> None:
        """Note that somebody has proved to be at a browser: what was nobody's is theirs."""
        if not seat.owner:
            self.theirs(seat.site, user).add(seat.marker)
        elif not self.same(seat, user):
            seat.empty()
        seat.owner = user

    def same(self, seat: Seat, user: str) -> bool:
        """Tell whether a browser is this person's by any of their ids."""
        return bool(seat.owner) and self.theirs(seat.site, seat.owner) is self.theirs(seat.site, user)

    def theirs(self, where: str, user: str) -> set[str]:
        return self.may_hold.setdefault(f"{where}/{user}", {f"{where}/{user}"})

    def names(self, seat: Seat) -> set[str]:
        """Return the names by which a browser's user may be greeted."""
        if not seat.owner:
            return {"friend"}
        return {"friend"} | {m.rpartition("/")[2] for m in self.theirs(seat.site, seat.owner)}

    def leave(self, where: str, user: str) -> None:
        """Note that a person was erased: their browsers are nobody's."""
        group = [u for u in PEOPLE if self.theirs(where, u) is self.theirs(where, user)]
        for seat in self.seats:
            if seat.site == where and seat.owner in group:
                seat.empty()


async def send(app: App, seat: Seat, path: str, /, **body: Any) -> httpx.Response:
    answer = await seat.browser.send(app, path, **{"writeKey": seat.site} | body)
    assert answer.status_code in (200, 400), answer.text
    return answer


def proof(seat: Seat, user: str) -> dict[str, str]:
    return {"userId": user, "userHash": user_hash(SECRETS[seat.site], user)}


async def log_in(w: World, app: App, seat: Seat, user: str, **more: Any) -> None:
    before = seat.browser.cookie
    marker = {f"{seat.site}/{user}": 1, "first_name": user}
    body = {**proof(seat, user), "traits": marker, **more}
    if (await send(app, seat, "/v1/identify", **body)).json().get("accepted"):
        theirs = not seat.owner or w.same(seat, user)
        assert theirs or seat.browser.cookie != before, "another person has a cookie of their own"
        w.take(seat, user)


async def act(w: World, do: Do) -> None:  # noqa: C901, PLR0912, PLR0915 - one branch for each thing that people do
    what, at, number, user = do
    app, seat = w.workers[at], w.seats[number]
    if what == "view":
        await send(app, seat, "/v1/batch", batch=[{"type": "page"}, seat.event()])
    elif what == "log in":
        await log_in(w, app, seat, user)
    elif what == "log in anew":
        await log_in(w, app, seat, user, consent=ALL)
    elif what == "batch" and seat.browser.cookie:
        before = seat.event()
        told = proof(seat, user)
        identify = {"type": "identify", "userId": user, "context": {"userHash": told["userHash"]}}
        after = {"type": "identify", "traits": {f"{seat.site}/{user}": 1}}
        batch = [before, identify, after] if seat.owner in ("", user) else [identify, after]
        if (await send(app, seat, "/v1/batch", batch=batch, consent=ALL)).json()["accepted"]:
            w.take(seat, user)
    elif what == "ask":
        names = w.names(seat)
        answer = (await send(app, seat, "/v1/decide", placements=["home hero"])).json()
        assert answer["placements"]["home hero"]["content"]["title"].removeprefix("Hello ") in names
    elif what == "log out":
        await send(app, seat, "/v1/batch", reset=True, batch=[])
        seat.empty()
    elif what == "withdraw" and seat.browser.cookie:
        await send(app, seat, "/v1/batch", consent=[], batch=[seat.event()])
        if seat.owner:
            w.leave(seat.site, seat.owner)
        seat.browser.cookie = ""
        seat.empty()
    elif what.startswith("refuse") and (seat.browser.cookie or what != "refuse in a batch"):
        told = proof(seat, user)
        said: dict[str, Any] = {**told, "consent": []}
        if what == "refuse in context":
            said = {"userId": user, "context": {"userHash": told["userHash"], **REFUSAL}}
        if what == "refuse in a batch":
            identify = {"type": "identify", "userId": user, "context": {"userHash": told["userHash"]}}
            await send(app, seat, "/v1/batch", consent=[], batch=[identify, {"type": "page"}])
        else:
            await send(app, seat, "/v1/identify", **said)
        w.leave(seat.site, user)
        seat.browser.cookie = ""
        seat.empty()
    elif what == "delete person":
        await app.post("/v1/privacy/delete", writeKey=SECRETS[seat.site], userId=user)
        w.leave(seat.site, user)
    elif what == "delete browser" and seat.browser.cookie:
        await send(app, seat, "/v1/privacy/delete")
        seat.empty()
    elif what == "claim":
        await send(app, seat, "/v1/identify", userId=user, userHash="0" * 64, traits=seat.event()["traits"])
    elif what == "server":
        traits = {f"{seat.site}/{user}": 1, "first_name": user}
        await app.post("/v1/identify", writeKey=SECRETS[seat.site], userId=user, traits=traits)
    elif what == "relay" and seat.browser.cookie:
        visitor = seat.browser.cookie.partition("=")[2]
        marker = {f"{seat.site}/{user}": 1}
        body = {"writeKey": SECRETS[seat.site], "visitor": visitor, "userId": user, "traits": marker}
        answer = await app.post("/v1/identify", **body)
        if given := answer.headers.get("set-cookie"):
            seat.browser.cookie = given.partition(";")[0]
        if answer.json()["accepted"]:
            w.take(seat, user)
    elif what == "rename":
        rename = {"writeKey": SECRETS[seat.site], "userId": "ann", "previousId": "bob"}
        answer = await app.post("/v1/alias", **rename)
        assert answer.status_code in (200, 400)
        both = w.theirs(seat.site, "ann") | w.theirs(seat.site, "bob")
        w.may_hold |= {f"{seat.site}/ann": both, f"{seat.site}/bob": both}
    elif what == "click" and seat.site == "demo":
        address = await landed(app, (await mailed(app, user))["link"])
        await send(
            app, seat, "/v1/batch", batch=[{"type": "page", "context": {"page": {"url": address}}}, seat.event()]
        )
    elif what == "sweep":
        for note in await w.store.pending():
            await w.eraser.finish(note)
            await w.store.erase(note)
    elif what == "together" and seat.browser.cookie:
        views = [send(each, seat, "/v1/identify", traits=seat.event()["traits"]) for each in w.workers * 2]
        logins = [log_in(w, app, seat, user)] if seat.owner in ("", user) else []
        await asyncio.gather(*views, *logins)


def check(w: World) -> None:
    for key, document in w.store.documents.items():
        found = aliases.decode(document)
        held = found if isinstance(found, Profile) else found.snapshot
        markers = {name for name in (held.trait_values() if held else {}) if "/" in name}
        assert {m.partition("/")[0] for m in markers} <= {key.site}, "two sites have met"
        if key.kind == "k" and isinstance(found, Profile):
            user = next(u for u in PEOPLE if known(u, key.site) == key)
            assert markers <= w.theirs(key.site, user)
        if key.kind == "a":
            lives = {m for m in markers if "seat" in m}
            assert len(lives) <= 1, "two lives of a browser have met"
            assert markers == lives, "what is a person's is not in a browser"
    people = {f"{s}/k:{known(u, s).id}": w.theirs(s, u) for s in SECRETS for u in PEOPLE}
    for entry in map(orjson.loads, w.store.logged()):
        sent = {name for name in entry["e"].get("traits", {}) if "/" in name}
        owner = people.get(f"{entry['s']}/{entry['v']}")
        assert owner is None or sent <= owner
    for worker in w.workers:
        assert worker.counted("events_received") == sum(worker.outcomes().values())


async def walk(todo: list[Do]) -> None:
    store = Yielding()
    sites = [
        site(key=key, secret_key=secret, plan=PLAN, link_targets=("https://www.example.com/",))
        for key, secret in SECRETS.items()
    ]
    async with running(store, sites) as one, running(store, sites) as two:
        w = World([one, two], store, apps.rights_in(store).eraser)
        for do in todo:
            await act(w, do)
        check(w)


PLAN = plan(RULES)


@pytest.fixture(autouse=True)
def _a_clock_that_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [NOW]

    def clock() -> int:
        moment[0] += 1
        return moment[0]

    monkeypatch.setattr("gateway.app.clock", clock)
    monkeypatch.setattr("tests.gateway.app.clock", clock)


@settings(max_examples=60, deadline=None)
@given(st.lists(DO, min_size=3, max_size=25))
def test_nobody_ever_holds_what_is_another_persons(todo: list[Do]) -> None:
    asyncio.run(walk(todo))
