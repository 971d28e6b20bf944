"""A merge that dies between two steps and whose browser never comes back, with and without its person's erasure.

Erased, nothing of the person is left anywhere; not erased, the merge is finished and no count is lost. The merge and
the erasure take turns command by command, and either may die at any of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import merge_finisher
from gateway.erasure import MERGING_MS, Sweep
from gateway.errors import StoreUnavailable
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Rights, Stores, person
from personalize import aliases
from personalize.aliases import Alias
from personalize.plan import Plan
from personalize.profiles import Profile
from tests.fakes.store import FakeStore
from tests.gateway.app import running
from tests.gateway.making import plan
from tests.gateway.people import Browser, from_server, known, seen, stored

NOW = 1_795_300_000_000
PLAN = plan()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moving = Clock()
    monkeypatch.setattr("gateway.app.clock", moving)
    return moving


@dataclass
class Turns:
    """Lets one command of one actor through at a time: the actor whose turn it is, else whoever waits."""

    waiting: dict[str, list[asyncio.Future[None]]] = field(default_factory=dict)

    async def wait(self, actor: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(actor, []).append(turn)
        await turn

    async def take(self, order: Iterator[str], **actors: Coroutine[Any, Any, Any]) -> None:
        tasks = {name: asyncio.create_task(work) for name, work in actors.items()}
        while not all(task.done() for task in tasks.values()):
            ready = [name for name in tasks if self.waiting.get(name)]
            if any(not task.done() and name not in ready for name, task in tasks.items()):
                await asyncio.sleep(0)  # it is still thinking
            elif ready:
                name = next(order, ready[0])
                self.waiting[name if name in ready else ready[0]].pop(0).set_result(None)
        for task in tasks.values():
            task.result()


@dataclass
class Actor:
    """The store as one process sees it, which dies at a command: before that arrives, or just after."""

    store: FakeStore
    turns: Turns | None = None
    name: str = ""
    dies_at: int = -1
    arrives: bool = False
    commands: int = 0

    def __getattr__(self, command: str) -> Any:
        method = getattr(self.store, command)

        async def carried_out(*given: Any) -> Any:
            if self.turns is not None:
                await self.turns.wait(self.name)
            self.commands += 1
            dead = 0 < self.dies_at < self.commands
            dying = self.commands == self.dies_at
            if dead or (dying and not self.arrives):
                raise StoreUnavailable("it has died")
            found = await method(*given)
            if dying:
                raise StoreUnavailable("it has died")
            return found

        return carried_out


async def set_up(store: FakeStore, *, rename: bool) -> Browser:
    """Let ann have a phone, and a browser view pages that is nobody's yet; or bob, who is to be renamed to ann."""
    phone, browser = Browser(), Browser()
    async with running(store) as app:
        await phone.view(app, messageId="p1", category="of the phone")
        await phone.log_in(app, "ann", messageId="p2", traits={"of": "ann"})
        await phone.view(app, messageId="p3", category="of ann")
        await browser.view(app, messageId="b1", category="of the browser")
        if rename:
            await browser.log_in(app, "bob", messageId="b2", traits={"whose": "of the browser"})
            await browser.view(app, messageId="b3", category="of the browser")
    return browser


async def merges(actor: Actor, browser: Browser, *, rename: bool) -> None:
    async with running(actor) as app:  # type: ignore[arg-type]  # it has all that the fake has
        if rename:
            await from_server(app, "/v1/alias", previousId="bob", userId="ann", messageId="r1")
        else:
            await browser.log_in(app, "ann", messageId="b9")


async def erases(actor: Any, clock: Clock) -> None:
    rights = Rights(Stores(actor, actor, actor, actor, actor), clock)
    with contextlib.suppress(StoreUnavailable):
        await rights.delete(person("demo", "ann"), PLAN.calendar)


async def swept(store: FakeStore, clock: Clock) -> None:
    """Let the sweep run until nothing is left to do, a minute later."""

    async def plan_of(_site: str) -> Plan:
        return PLAN

    clock.now += MERGING_MS
    with tempfile.TemporaryDirectory() as folder:
        rights = Rights(Stores(store, store, store, store, store), clock)
        sweep = Sweep(store, rights.eraser, Ledger(Path(folder)), clock, merge_finisher(store, plan_of, 1000))
        for _ in range(6):
            await sweep.once()
            if not await store.pending() and not await store.merging():
                return
    raise AssertionError("the sweep has left something")


def hold_together(store: FakeStore) -> None:
    """Every merge is over, every alias holds, and every entry is younger than its visitor's erasure."""
    documents = {key: aliases.decode(document) for key, document in store.documents.items()}
    for key, found in documents.items():
        if isinstance(found, Alias):
            assert found.snapshot is None, key
            owner = documents[key._replace(kind="k", id=found.to[2:])]
            while isinstance(owner, Alias):
                owner = documents[key._replace(kind="k", id=owner.to[2:])]
            assert owner.aliases.get(f"{key.kind}:{key.id}") == found.at, key
            assert found.at > owner.erased
        elif found.erased:
            assert all(at > found.erased for at in found.aliases.values()), "the list went with the last of them"
    erased = {f"{key.kind}:{key.id}": found.erased for key, found in documents.items()}
    for entry in map(orjson.loads, store.logged()):
        assert entry["t"] > max(erased[entry["v"]], erased.get(entry.get("w", ""), 0)), entry


def texts(store: FakeStore) -> str:
    return "\n".join(map(repr, [*store.documents.items(), *store.logged()]))


def run(
    clock: Clock,
    *,
    rename: bool,
    merge_dies: tuple[int, bool] = (-1, False),
    erase_dies: tuple[int, bool] = (-1, False),
    order: list[str] | None = None,
    erase: bool = True,
) -> tuple[FakeStore, int]:
    """Return what is left, and how many commands the merge took; without an order the erasure comes afterwards."""
    store = FakeStore()

    async def story() -> int:
        browser = await set_up(store, rename=rename)
        turns = Turns() if order is not None else None
        merging = Actor(store, turns, "merge", *merge_dies)
        erasing = Actor(store, turns, "erase", *erase_dies)
        if turns is not None:
            both = {"merge": merges(merging, browser, rename=rename), "erase": erases(erasing, clock)}
            await turns.take(iter(order or ()), **both)
        else:
            await merges(merging, browser, rename=rename)
            if erase:
                await erases(erasing, clock)
        if erase and erase_dies[0] > 0:
            await erases(store, clock)  # whoever asked got no answer, and asks again
        await swept(store, clock)
        return merging.commands

    return store, asyncio.run(story())


@pytest.mark.parametrize("rename", [False, True], ids=["a browser", "an older id"])
@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_a_half_done_merge_is_finished_or_erased_without_its_browser(clock: Clock, rename: bool, arrives: bool) -> None:  # noqa: FBT001 - parameters
    begun = []
    at, commands = 0, 1
    while at <= commands:
        at += 1
        kept, commands = run(clock, rename=rename, merge_dies=(at, arrives), erase=False)
        hold_together(kept)
        ann, bob = stored(kept, known("ann")), stored(kept, known("bob"))
        assert isinstance(ann, Profile)
        is_hers = not isinstance(bob, Profile) if rename else len(ann.aliases) > 1
        assert seen(ann) == (2 + (2 if rename else 1) if is_hers else 2), f"a crash at command {at}"
        begun.append(is_hers)

        gone, _ = run(clock, rename=rename, merge_dies=(at, arrives))
        hold_together(gone)
        assert "of ann" not in texts(gone)
        assert "of the phone" not in texts(gone)
        assert ("of the browser" in texts(gone)) == (not is_hers), f"a crash at command {at}"
    assert set(begun) == {False, True}


CUTS = st.tuples(st.integers(-1, 14), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.booleans(), CUTS, CUTS, st.lists(st.sampled_from(["merge", "erase"]), max_size=30))
def test_a_merge_and_an_erasure_at_once_leave_nothing_of_the_person(
    rename: bool,  # noqa: FBT001 - drawn
    merge_dies: tuple[int, bool],
    erase_dies: tuple[int, bool],
    order: list[str],
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.app.clock", clock)
        left, _ = run(clock, rename=rename, merge_dies=merge_dies, erase_dies=erase_dies, order=order)
    hold_together(left)
    assert "of ann" not in texts(left)
    assert "of the phone" not in texts(left)
