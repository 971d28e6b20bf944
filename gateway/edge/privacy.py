"""Export and deletion on the public port: who may ask for whom.

    a browser by its cookie               what that browser did
    userId with userHash                  the whole person
    the secret key with userId,           the whole person, what was claimed under an anonymousId,
      anonymousId or visitor                or what that browser did

A client that only claims an id learns nothing, not even whether there is anybody: it is refused before the store is
asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson
from redis.exceptions import RedisError

from gateway.edge.collect import Handler
from gateway.edge.desk import Desk
from gateway.edge.request import Header, Request, Send, answer
from gateway.envelope import Hit
from gateway.errors import BadRequest, RateLimited, Refused, StoreUnavailable
from gateway.identity.verified import proves
from gateway.rights.requests import Rights, Subject, browser, claimed, person
from gateway.wire import segment

BODY_BYTES = 20_000
MOST_AT_ONCE = 2
"""Requests that a worker works on; each may read a good part of the log."""
MOST_WAITING = 8

_HINT = (
    "a browser asks by its cookie for what it did itself, so leave userId and anonymousId out; for the whole person "
    "send userId with userHash, the hex HMAC-SHA256 of the userId under the site's secret key, or let the site's "
    "server ask with the secret key"
)


def privacy_paths(rights: Rights) -> dict[str, Handler]:
    """Return the handlers of the two paths."""
    gate = Gate()

    async def export(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        hit, subject = await _opened(desk, request)
        async with gate.passed():
            found = await rights.export(subject, hit.plan)
        await answer(send, 200, orjson.dumps({"success": True, **found}), headers)

    async def delete(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        hit, subject = await _opened(desk, request)
        async with gate.passed():
            report = await rights.delete(subject, hit.plan.calendar)
        desk.telemetry.count(("erasures", subject.word))
        # The browser that asked is somebody new from here on, also when the whole person went.
        cookie = desk.cookie_removal(hit) if hit.visitor_id else []
        await answer(send, 200, orjson.dumps({"success": True, **report}), [*headers, *cookie])

    return {"/v1/privacy/export": export, "/v1/privacy/delete": delete}


async def rights_report(rights: Rights | None, name: str) -> dict[str, Any] | None:
    """Return a deletion's report, None where there is none; raises StoreUnavailable."""
    if rights is None:
        return None
    with store_errors():
        return await rights.report(name)


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn what the log's own client raises into StoreUnavailable."""
    try:
        yield
    except (RedisError, OSError) as err:
        raise StoreUnavailable("the store did not answer", hint="send the same request again") from err


class Gate:
    """Lets few requests through at once and refuses more than a few that wait, with 429."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for a turn; raises RateLimited, and StoreUnavailable for what fails inside."""
        if self._waiting >= MOST_WAITING:
            raise RateLimited("many visitors ask for their data right now", hint="send it again in some seconds")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            with store_errors():
                yield
        finally:
            self._turns.release()


async def _opened(desk: Desk, request: Request) -> tuple[Hit, Subject]:
    """Return the request as a hit, and whom it may be about; raises Refused or BadRequest."""
    body = segment.decode_body(await request.body(BODY_BYTES, desk.deadlines))
    hit = desk.open(request, body)
    return hit, _subject_for_servers(hit) if hit.secret else _subject_for_browsers(hit)


def _subject_for_servers(hit: Hit) -> Subject:
    given = [name for name in ("userId", "anonymousId", "visitor") if hit.body.get(name)]
    if len(given) != 1:
        raise BadRequest(
            f"the request names {' and '.join(given) or 'nobody'}", hint="send one of userId, anonymousId and visitor"
        )
    site, value = hit.site.key, _text(hit.body, given[0])
    if given[0] == "userId":
        return person(site, value)
    if given[0] == "anonymousId":
        return claimed(site, value)
    if not hit.visitor_id:
        raise BadRequest("visitor is no valid cookie of this site", hint="send the cookie's whole value as it came")
    return browser(site, hit.visitor_id)


def _subject_for_browsers(hit: Hit) -> Subject:
    site, body = hit.site, hit.body
    if body.get("userId"):
        user_id = _text(body, "userId")
        if not proves(site, user_id, body.get("userHash")):
            raise Refused("the userId is only claimed", code="not_verified", hint=_HINT)
        return person(site.key, user_id)
    if body.get("anonymousId") or not hit.visitor_id:
        raise Refused("the request proves nobody", code="not_verified", hint=_HINT)
    return browser(site.key, hit.visitor_id)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body[name]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # as collection reads it
    if not isinstance(value, str):
        raise BadRequest(f"{name} is not a text", hint=f'send "{name}": "…"')
    return value
