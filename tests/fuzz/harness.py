"""The gateway under fuzz, in this process: each request is sent as raw ASGI, and what must always hold is looked at.

Always: an answer; a status that the documentation names, never 5xx; an error as JSON with code, message and hint;
nothing on the log above a warning; as many outcomes as events were received; what is stored can be read again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.identity.tokens import Tokens
from gateway.identity.visitor import Cookies
from personalize import documents
from personalize.decide import decide
from personalize.document_check import Unreadable, checked
from personalize.model import Context, Facts
from tests.fakes.store import FakeStore
from tests.fuzz.requests import Sent
from tests.gateway.app import App, running
from tests.gateway.making import NOW, site

SECRET = "k" * 32
VISITORS = ("AAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBB")
STATUSES = frozenset({200, 204, 302, 304, 307, 400, 401, 403, 404, 405, 408, 413, 415, 429})
SLOW_S = 1.0
"""No request of the fuzzer is over 600 kB; one that takes so long of the processor found a way to make the
gateway work."""


class Broken(AssertionError):
    """What must always hold did not, for this request."""

    def __init__(self, sent: Sent, why: str) -> None:
        super().__init__(f"{why}: {sent.kind} {sent.method} {sent.path[:60]}")
        self.sent = sent
        self.why = why


class Alarms(logging.Handler):
    """Keeps what is logged above a warning."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record with its traceback."""
        self.heard.append(self.format(record))


@dataclass
class Harness:
    """A gateway over a store in memory."""

    app: App
    alarms: Alarms
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    sent: int = 0
    documents_read: int = 0

    def given_out(self) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """Return valid cookies, and texts that the gateway signs: cookie values and decision tokens."""
        demo = site()
        values = [Cookies([SECRET]).value(demo, visitor) for visitor in VISITORS]
        names = [f"__Host-tuttu_id={value}".encode() for value in values]
        return tuple(names), (*values, *_tokens())

    async def send(self, sent: Sent) -> tuple[int, bytes]:
        """Send one request and return status and body; raises Broken."""
        answer: list[dict[str, Any]] = []
        waiting = [{"type": "http.request", "body": sent.body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def take(message: dict[str, Any]) -> None:
            answer.append(message)

        began = time.thread_time()
        try:
            await self.app.gateway.application(_scope(sent), receive, take)
        except Exception as err:
            raise Broken(sent, f"raised {err!r}") from err
        took = time.thread_time() - began
        self.slowest = max(self.slowest, took)
        if self.alarms.heard:
            raise Broken(sent, f"logged {self.alarms.heard.pop()}")
        if not answer:
            raise Broken(sent, "no answer")
        status = answer[0]["status"]
        body = b"".join(message.get("body", b"") for message in answer[1:])
        self._check(sent, status, body)
        if took > SLOW_S:
            raise Broken(sent, f"took {took:.1f} s")
        return status, body

    async def send_all(self, requests: Sequence[Sent]) -> None:
        """Send requests all at once, and see afterwards that every event has its one outcome."""
        found = await asyncio.gather(*map(self.send, requests), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        if self.app.counted("events_received") != sum(self.app.outcomes().values()):
            raise Broken(requests[-1], "received is not the sum of the outcomes")
        self.sent += len(requests)

    def read_all(self, sent: Sent) -> None:
        """Read back all that is stored; raises Broken."""
        for visitor, document in self.app.store.documents.items():
            if len(document) > documents.MAX_BYTES:
                raise Broken(sent, f"a profile of {len(document)} bytes: {visitor}")
            try:
                checked(document)
            except Unreadable as err:
                raise Broken(sent, f"a profile that cannot be read, {err}: {document[:300]!r}") from err
            self.documents_read += 1
        for entry in self.app.store.logged():
            orjson.loads(entry)

    def empty(self) -> None:
        """Empty the store, as if it had been lost."""
        self.app.store.roll_back(FakeStore().snapshot())
        self.app.store.writes.clear()

    def _check(self, sent: Sent, status: int, body: bytes) -> None:
        self.statuses[status] += 1
        self.kinds[sent.kind] += 1
        if status not in STATUSES:
            raise Broken(sent, f"answered {status} {body[:200]!r}")
        if sent.method != "POST":
            return
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as err:
            raise Broken(sent, f"answered {status} with what is no JSON: {body[:200]!r}") from err
        if status >= 400 and not (answer["code"] and answer["message"] and answer["hint"]):
            raise Broken(sent, f"answered {status} without code, message and hint: {body[:200]!r}")


@asynccontextmanager
async def harness(**settings: Any) -> AsyncIterator[Harness]:
    """Run a gateway for fuzzing; keyword arguments are settings of `[gateway]`."""
    alarms = Alarms()
    logger = logging.getLogger("tuttu")
    logger.addHandler(alarms)
    level = logger.level
    try:
        store = FakeStore(log_cap=20)
        given = {"cached_visitors": 500, "trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"], **settings}
        sites = [site(link_targets=("https://www.example.com",))]
        async with running(store, sites, (SECRET,), **given) as app:
            yield Harness(app, alarms)
    finally:
        logger.removeHandler(alarms)
        logger.setLevel(level)


def _tokens() -> list[str]:
    tokens = Tokens([SECRET])
    demo = site()
    decision = decide(demo.plan, None, Context(Facts()), ["home hero"], 0)[0]
    return [tokens.make(demo.key, visitor, decision, demo.plan.version, NOW) for visitor in VISITORS]


def _scope(sent: Sent) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": sent.method,
        "path": sent.path,
        "raw_path": sent.path.encode("utf-8", "replace"),
        "root_path": "",
        "scheme": "http",
        "query_string": sent.query,
        "headers": sent.headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "extensions": {},
    }
