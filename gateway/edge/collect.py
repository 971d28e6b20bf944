"""Collection: Segment's paths. The answer comes after the store said yes to every event that it accepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.edge.desk import Desk
from gateway.edge.request import Header, Request, Send, answer
from gateway.envelope import UNAVAILABLE, Hit, Outcome, Rejected
from gateway.errors import BadRequest, StoreUnavailable, TooLarge
from gateway.wire import segment

BATCH_BYTES = 4_000_000
SINGLE_BYTES = 500_000

_ALL_GOOD = b'{"success":true,"accepted":1,"dropped":0,"rejected":[]}'

_BAD_USER_HASH = {
    "code": "bad_user_hash",
    "message": "userHash does not fit userId, so nobody was identified",
    "hint": "send hex(HMAC-SHA256(secret key, userId)), made by the site's server",
}

_BAD_VISITOR = {
    "code": "bad_visitor",
    "message": "visitor is no valid cookie of this site, so the call is not about any browser",
    "hint": "send the cookie's whole value as it came, or leave visitor out",
}

Handler = Callable[[Desk, Request, Send, tuple[Header, ...]], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class Payload:
    """A request's body as bytes and decoded, its raw events, and the type that the path names ("" in a batch).

    `told` asks for an answer that also tells duplicates, and drops by reason.
    """

    raw: bytes
    body: dict[str, Any]
    items: list[Any]
    kind: str
    told: bool = False


def single(kind: str) -> Handler:
    """Return the handler of a path that takes one event of this type."""

    async def handle(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        raw = await request.body(SINGLE_BYTES, desk.deadlines)
        body = segment.decode_body(raw)
        await _collect(desk, request, send, headers, Payload(raw, body, [body], kind))

    return handle


def batch(*, told: bool = False) -> Handler:
    """Return the handler of a path that takes a list of events; `told` see Payload."""

    async def handle(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        raw = await request.body(BATCH_BYTES, desk.deadlines)
        body = segment.decode_body(raw)
        items = segment.items_of(body, required=True)
        await _collect(desk, request, send, headers, Payload(raw, body, items, "", told))

    return handle


async def _collect(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...], payload: Payload) -> None:
    kind = payload.kind
    hit = desk.open(request, payload.body)
    intake = await desk.decode(hit, payload.items, payload.raw, kind)
    await desk.admit(intake)
    await desk.run(intake)
    outcomes = intake.outcomes(UNAVAILABLE)
    if not all(job.durable for job in (*intake.jobs, *intake.clicks)):
        desk.count(desk.take_back(outcomes))
        raise StoreUnavailable("neither the store nor the spool could take it", hint="send the same request again")
    bad = outcomes[0][2] if kind else None
    if bad is not None and bad.kind == "rejected":
        # A single event that is bad is the whole request's fault.
        desk.count(outcomes)
        if bad.reason == Rejected.TOO_LARGE:
            raise TooLarge(bad.message, hint="send less with it")
        raise BadRequest(bad.message, code="bad_shape", hint=f"{bad.reason}: mend the event and send it again")
    desk.count(outcomes)
    said = orjson.dumps(counted(outcomes, hit) | _told(outcomes)) if payload.told else summary(outcomes, hit)
    await answer(send, 200, said, [*headers, *desk.cookie_headers(intake)])


def counted(outcomes: list[tuple[int, str, Outcome]], hit: Hit) -> dict[str, Any]:
    """Return the part of an answer that says what became of the events, and what its sender should know."""
    said = {
        "success": True,
        "accepted": sum(outcome.accepted for _, _, outcome in outcomes),
        "dropped": sum(outcome.kind == "dropped" for _, _, outcome in outcomes),
        "rejected": [
            {"index": index, "code": outcome.reason, "message": outcome.message}
            for index, _, outcome in sorted(outcomes, key=lambda item: item[0])
            if outcome.kind == "rejected"
        ],
    }
    warnings = [_BAD_USER_HASH] * hit.doubtful + [_BAD_VISITOR] * hit.bad_visitor
    return said | {"warnings": warnings} if warnings else said


def _told(outcomes: list[tuple[int, str, Outcome]]) -> dict[str, Any]:
    """Return how many of the accepted events were duplicates, and how many were dropped for each reason."""
    dropped = Counter(str(outcome.reason) for _, _, outcome in outcomes if outcome.kind == "dropped")
    duplicates = sum(outcome.kind == "duplicate" for _, _, outcome in outcomes)
    return {"duplicates": duplicates, "dropped_because": dropped}


def summary(outcomes: list[tuple[int, str, Outcome]], hit: Hit) -> bytes:
    """Return the body of a collection's answer."""
    if len(outcomes) == 1 and outcomes[0][2].accepted and not (hit.doubtful or hit.bad_visitor):
        return _ALL_GOOD
    return orjson.dumps(counted(outcomes, hit))
