"""The end of a gateway under load: every request that was sent has its whole answer or was refused at connect."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.store.embedded import EmbeddedStore
from tests.integration.process import Gateway, alive, eventually
from tests.integration.sockets import Raw, post

CLIENTS = 40
DELAY = {"TUTTU_DRAIN_DELAY_S": "0.6"}


class Load:
    """Keep-alive clients that send page views until nobody lets them in any more."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self.outcomes: Counter[str] = Counter()
        self.stored: list[str] = []

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._client(number, end) for number in range(CLIENTS)))

    async def _client(self, number: int, end: float) -> None:
        sent = 0
        while time.monotonic() < end:
            try:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            except ConnectionError:
                self.outcomes["refused"] += 1
                return
            goes_on = True
            while goes_on and time.monotonic() < end and not reader.at_eof():
                sent += 1
                goes_on = await self._ask(reader, writer, f"{number}-{sent}")
                await asyncio.sleep(0.005)
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> bool:
        try:
            writer.write(
                post({"writeKey": "demo", "messageId": name, "anonymousId": name, "properties": {"path": "/"}})
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            await reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError) as err:
            self.outcomes[f"cut off: {err!r}"] += 1
            return False
        self.outcomes[head.split()[1]] += 1
        if " 200 " in head.partition("\r\n")[0] + " ":
            self.stored.append(name)
        return "connection: close" not in head


async def messages(data: Path) -> set[str]:
    """Return the message ids in the store of a gateway that has ended."""
    store = EmbeddedStore(data / "store", on_event=print)
    await store.start()
    try:
        return {entry["m"] for entry in await asyncio.to_thread(Gateway(data).log)}
    finally:
        await store.stop()


def test_no_request_is_lost_under_load_when_a_worker_or_the_gateway_is_told_to_stop(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", "--workers", "2", env={"TUTTU_DRAIN_DELAY_S": "2"}) as gateway:
        load = Load(gateway.public)
        before = gateway.worker_pids()
        answers: list[int] = []

        async def during() -> None:
            running = asyncio.create_task(load.run(30))
            await asyncio.sleep(0.3)
            os.kill(before[0], signal.SIGTERM)
            await asyncio.to_thread(eventually, lambda: not alive(before[0]), 10)
            await asyncio.to_thread(eventually, lambda: gateway.metrics()[("tuttu_workers",)] == 2, 10)
            assert load.outcomes.keys() == {"200"}
            async with httpx.AsyncClient(timeout=10) as http:
                await http.get(f"{gateway.public}/live")
                os.kill(gateway.pid, signal.SIGTERM)
                await asyncio.sleep(0.1)
                urls = (f"{gateway.public}/live", f"{gateway.internal}/ready", f"{gateway.internal}/live")
                answers.extend([(await http.get(url)).status_code for url in urls])
            await running

        asyncio.run(during())
        gateway.ended(within=10)
        assert gateway.exit_code == 0
        assert "Traceback" not in gateway.errors()
    assert answers == [200, 503, 200]
    assert load.outcomes.keys() == {"200", "refused"}
    assert load.outcomes["refused"] == CLIENTS
    assert len(load.stored) > 10 * CLIENTS
    assert asyncio.run(messages(tmp_path / "data")) >= set(load.stored)


def test_a_slow_request_is_finished_and_idle_connections_are_closed_at_the_end_of_the_delay(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", env=DELAY) as gateway, Raw(gateway.public) as idle, Raw(gateway.public) as slow:
        whole = post({"writeKey": "demo", "properties": {"path": "/"}})
        slow.send(whole[:-5])
        assert idle.send(post({"writeKey": "demo"})).answer() is not None
        time.sleep(0.1)
        start = time.monotonic()
        os.kill(gateway.pid, signal.SIGTERM)
        with Raw(gateway.public) as late:
            time.sleep(0.1)
            answer = late.send(post({"writeKey": "demo"})).answer()
            assert answer is not None
            assert answer.headers["connection"] == "close"
            assert late.closed()
        assert idle.closed()
        assert time.monotonic() - start >= 0.6
        assert httpx.get(f"{gateway.internal}/ready").json()["reasons"] == ["the gateway is stopping"]
        with pytest.raises(ConnectionError):
            Raw(gateway.public)
        answer = slow.send(whole[-5:]).answer()
        assert answer is not None
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        gateway.ended(within=10)
        assert gateway.exit_code == 0


def test_pipelined_requests_that_were_received_are_all_answered(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", env={"TUTTU_DRAIN_DELAY_S": "30"}) as gateway, Raw(gateway.public) as raw:
        os.kill(gateway.pid, signal.SIGTERM)
        eventually(lambda: httpx.get(f"{gateway.public}/live").headers.get("connection") == "close", 5)
        answers = raw.send(post({"writeKey": "demo"}) * 10).answers()
        assert [answer.status for answer in answers] == [200] * 10
        assert ["connection" in answer.headers for answer in answers] == [False] * 9 + [True]
        start = time.monotonic()
        os.kill(gateway.pid, signal.SIGTERM)
        gateway.ended(within=10)
        assert gateway.exit_code == 0
        assert time.monotonic() - start < 5, "a second signal skips the delay"


def test_ctrl_c_has_no_delay_and_what_is_not_done_in_time_is_told_so(tmp_path: Path) -> None:
    env = {"TUTTU_DRAIN_DELAY_S": "30", "TUTTU_DRAIN_S": "0.3"}
    with Gateway(tmp_path / "data", env=env) as gateway, Raw(gateway.public) as slow:
        slow.send(post({"writeKey": "demo"})[:-5])
        time.sleep(0.1)
        os.kill(gateway.pid, signal.SIGINT)
        answer = slow.answer()
        assert answer is not None
        assert (answer.status, answer.code) == (503, "unavailable")
        gateway.ended(within=10)
        assert gateway.exit_code == 0
        assert "Traceback" not in gateway.errors()
