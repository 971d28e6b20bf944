"""New rules on their way from the parent to the workers: all of them swap, or none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import SimpleNamespace
from typing import Any

import pytest

import gateway.readiness
import gateway.supervisor
from gateway.control import Line, NotTaken, open_line
from gateway.rules_watch import RulesWatch
from gateway.running_worker import RunningWorker
from gateway.secrets import Secrets
from gateway.settings import load_settings
from gateway.supervisor import Supervisor
from gateway.worker import _answer
from tests.gateway.making import plan, site


@pytest.fixture
def supervisor() -> Supervisor:
    settings = load_settings(None, {}, {"workers": 2})
    return Supervisor(settings, Secrets(("k" * 32,), "p", "t", {"demo": "s"}), RulesWatch(settings, lambda: 0))


async def worker(supervisor: Supervisor, number: int) -> Line:
    """Let the supervisor know one more worker, and return that worker's end of the line."""
    ours, theirs = socket.socketpair()
    process: Any = SimpleNamespace(pid=7)
    known = RunningWorker(number, process, await open_line(ours), asyncio.Event(), asyncio.Event())
    supervisor._workers[number] = known
    return await open_line(theirs)


async def test_nobody_swaps_when_one_worker_cannot(supervisor: Supervisor) -> None:
    lines = [await worker(supervisor, number) for number in (0, 1)]
    listening = [asyncio.create_task(supervisor._listen(known)) for known in supervisor._workers.values()]
    before = supervisor._packed
    rolling = asyncio.create_task(supervisor._roll_out("demo", "new rules"))
    orders = [await line.hear() for line in lines]
    assert orders == [{"prepare": 1, "site": "demo", "rules": "new rules"}] * 2
    await lines[0].say({"prepared": 1})
    await lines[1].say({"prepared": 1, "error": "MemoryError: "})
    with pytest.raises(NotTaken, match="worker 1 could not take them: MemoryError"):
        await rolling
    assert supervisor._packed == before
    rolling = asyncio.create_task(supervisor._roll_out("demo", "newer rules"))
    for line in lines:
        assert await line.hear() == {"prepare": 2, "site": "demo", "rules": "newer rules"}  # no go before
        await line.say({"prepared": 2})
    await rolling
    assert [await line.hear() for line in lines] == [{"go": 2}] * 2
    assert supervisor._packed == {"demo": "newer rules"}
    for line in (*lines, *(known.line for known in supervisor._workers.values())):
        line.close()
    await asyncio.gather(*listening)


async def test_a_worker_that_comes_in_the_middle_is_waited_for(supervisor: Supervisor) -> None:
    first = await worker(supervisor, 0)
    rolling = asyncio.create_task(supervisor._roll_out("demo", "new rules"))
    assert (await first.hear() or {})["prepare"] == 1
    supervisor._workers[0].prepared = 1
    await asyncio.sleep(0.05)
    assert not rolling.done()
    second = await worker(supervisor, 1)
    assert (await second.hear() or {})["prepare"] == 1
    supervisor._workers[1].prepared = 1
    await rolling
    assert [await line.hear() for line in (first, second)] == [{"go": 1}] * 2
    for line in (first, second, *(known.line for known in supervisor._workers.values())):
        line.close()


async def test_a_worker_that_stands_still_holds_up_rules_but_no_metrics_and_fills_no_line(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.supervisor, "PREPARED_WITHIN_S", 0.05)
    monkeypatch.setattr(gateway.supervisor, "_REPORT_WITHIN_S", 0.05)
    monkeypatch.setattr(gateway.readiness, "_SILENT_S", 0.1)
    lines = [await worker(supervisor, number) for number in (0, 1)]
    well, stopped = supervisor._workers.values()
    for known in (well, stopped):
        known.ready.set()
        known.heard = asyncio.get_running_loop().time()
    rules = "x" * 5_000_000  # more than the line holds
    for number in (1, 2, 3):
        well.sent = well.prepared = number  # it has answered
        with pytest.raises(NotTaken, match=r"worker 1 \(process 7\) had not taken them within 0.05 s"):
            await supervisor._roll_out("demo", rules)
    for _ in range(30):
        async with asyncio.timeout(5):
            await supervisor._telemetry()
    waiting = stopped.line.writer.transport.get_write_buffer_size()
    assert waiting < 1.1 * len(rules)
    (note,) = [note for note in supervisor._readiness().notes if note.startswith("worker 1 ")]
    assert note.startswith("worker 1 (process 7) has said nothing for ")
    # It goes on: the order that it has is answered, and the next one reaches it.
    well.sent = well.prepared = 4
    listening = asyncio.create_task(supervisor._listen(stopped))
    monkeypatch.setattr(gateway.supervisor, "PREPARED_WITHIN_S", 20)
    rolling = asyncio.create_task(supervisor._roll_out("demo", "new rules"))
    heard: list[Any] = []
    while len(orders := [message for message in heard if "prepare" in message]) < 2:
        heard.append(message := await lines[1].hear() or {})
        if "prepare" in message:
            await lines[1].say({"prepared": message["prepare"]})
    assert [(order["prepare"], len(order["rules"])) for order in orders] == [(1, len(rules)), (4, 9)]
    assert len(heard) < 20
    await rolling
    listening.cancel()
    for line in (*lines, well.line, stopped.line):
        line.close()


async def test_a_worker_prepares_aside_and_swaps_only_what_it_was_told_to() -> None:
    old, new = plan(), plan("placements: [{placement: home hero, blocks: [{block: new, content: {a: b}}]}]")
    shop = site(plan=old)
    ours, theirs = socket.socketpair()
    parent, line = await open_line(ours), await open_line(theirs)

    def prepare(_site: str, rules: str) -> Any:
        if rules == "broken":
            raise ValueError("no rules")
        return new

    worker_gateway: Any = SimpleNamespace(prepare=prepare, go_live=lambda _site, found: setattr(shop, "plan", found))
    collector: Any = SimpleNamespace(resting=contextlib.nullcontext, tidy_soon=lambda: None)
    answering = asyncio.create_task(_answer(line, worker_gateway, collector, dict))
    await parent.say({"prepare": 1, "site": "demo", "rules": "broken"})
    assert await parent.hear() == {"prepared": 1, "error": "ValueError: no rules"}
    await parent.say({"go": 1})
    await parent.say({"prepare": 2, "site": "demo", "rules": "good"})
    assert await parent.hear() == {"prepared": 2}
    assert shop.plan is old
    await parent.say({"go": 2})
    await parent.say({"prepare": 3, "site": "demo", "rules": "broken"})
    assert (await parent.hear() or {})["prepared"] == 3
    assert shop.plan is new
    parent.close()
    await answering
    line.close()


async def test_a_line_carries_more_than_its_buffer_holds() -> None:
    ours, theirs = socket.socketpair()
    parent, child = await open_line(ours), await open_line(theirs)
    rules = "x" * 20_000_000
    saying = asyncio.create_task(parent.say({"rules": rules}))
    assert await child.hear() == {"rules": rules}
    await saying
    parent.post({"cut": "off"})
    parent.close()
    assert await child.hear() == {"cut": "off"}
    assert await child.hear() is None
    child.close()
