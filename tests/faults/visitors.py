"""The visitors that the fault suite's client plays, and the requests that they send, as the real clients would.

This file knows nothing of the gateway's code: it sends what docs/wire-api.md says.
"""

from __future__ import annotations

import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Any

COOKIE = "__Host-tuttu_id"
PEOPLE = 12
"""Known persons of the browsers that become known; fewer than browsers, so several become the same person."""

SHARES = {
    "track": 58,
    "batch": 9,
    "decide": 16,
    "ask": 5,  # a decision without events
    "identify": 2,
    "server": 4,
    "newcomer": 3,
    "repeat": 3,  # a message that was accepted already
}
"""How often each kind of request is sent."""


@dataclass(slots=True)
class Visitor:
    """One visitor: a browser with a cookie, a claim (`anonymousId`), or a person who proves who they are."""

    number: int
    cookie: str = ""
    anonymous_id: str = ""
    user_id: str = ""
    user_hash: str = ""

    def identity(self) -> dict[str, str]:
        """Return the fields of an event that say whose it is."""
        fields = {"anonymousId": self.anonymous_id, "userId": self.user_id, "userHash": self.user_hash}
        return {name: value for name, value in fields.items() if value}


@dataclass(slots=True)
class Order:
    """A request to be sent: its path and body, the ids of its messages in order, and whose it is (None: nobody's)."""

    kind: str
    path: str
    body: bytes
    ids: list[str]
    visitor: Visitor | None = None
    tries: int = 0
    left: list[str] = field(default_factory=list)
    """The messages that have not been accepted yet."""

    def __post_init__(self) -> None:
        self.left = list(self.ids)


class Cast:
    """All visitors, and what they send next; the same for the same seed as long as the answers are the same."""

    def __init__(self, rng: random.Random, secret_key: str, visitors: int) -> None:
        self._rng = rng
        self._secret = secret_key
        self._sent = 0
        self.accepted: list[Order] = []
        """Some requests that were accepted whole, to be repeated."""
        browsers = visitors * 5 // 10
        self.browsers: list[Visitor] = []
        self._newcomers = browsers
        self._others = [
            *(Visitor(n, anonymous_id=f"claim-{n}") for n in range(browsers, visitors * 8 // 10)),
            *(self._person(n) for n in range(visitors * 8 // 10, visitors)),
        ]

    def user_hash(self, user_id: str) -> str:
        """Return the proof that the site's server makes for a person who is logged in."""
        return hmac.digest(self._secret.encode(), user_id.encode(), "sha256").hex()

    def first_hits(self) -> list[Order]:
        """Return the first hits of the browsers that shall have their cookies before anything goes wrong."""
        return [self._newcomer() for _ in range(self._newcomers)]

    def next(self) -> Order:
        """Return what is sent next."""
        kind = self._rng.choices([*SHARES], [*SHARES.values()])[0]
        if kind == "repeat" and self.accepted:
            order = self._rng.choice(self.accepted)
            return Order("repeat", order.path, order.body, order.ids, order.visitor)
        made = {"server": self._server, "newcomer": self._newcomer, "identify": self._identify}.get(kind)
        return made() if made else self._ordinary(kind)

    def _ordinary(self, kind: str) -> Order:
        visitor = self._anybody()
        if kind in ("track", "repeat"):
            event = self._hit(visitor)
            return Order("track", "/v1/track", _json({"writeKey": "demo", **event}), [event["messageId"]], visitor)
        events = [] if kind == "ask" else [self._hit(visitor) for _ in range(1 if kind == "decide" else 4)]
        body: dict[str, Any] = {"writeKey": "demo", "batch": events, **visitor.identity()}
        ids = [event["messageId"] for event in events]
        if kind == "batch":
            return Order(kind, "/v1/batch", _json(body), ids, visitor)
        body |= {"placements": ["home hero"], "context": {"page": {"url": "https://www.example.com/"}}}
        return Order(kind, "/v1/decide", _json(body), ids, visitor)

    def _anybody(self) -> Visitor:
        if self.browsers and self._rng.random() < 0.6:
            return self._rng.choice(self.browsers)
        return self._rng.choice(self._others)

    def _newcomer(self) -> Order:
        event = {"type": "track", "event": "Hit", "messageId": self._id("new")}
        return Order("newcomer", "/v1/track", _json({"writeKey": "demo", **event}), [event["messageId"]])

    def _identify(self) -> Order:
        """Let a browser become known: its history goes to the person's."""
        visitor = self._rng.choice(self.browsers) if self.browsers else self._others[0]
        if not visitor.user_id and visitor.cookie:
            visitor.user_id = f"member-{self._rng.randrange(PEOPLE)}"
            visitor.user_hash = self.user_hash(visitor.user_id)
        body = {"writeKey": "demo", "messageId": self._id("id"), **visitor.identity()}
        return Order("identify", "/v1/identify", _json(body), [body["messageId"]], visitor)

    def _server(self) -> Order:
        events = [
            {"type": "track", "event": "Hit", "messageId": self._id("srv"), "userId": f"customer-{n}"}
            for n in self._rng.sample(range(40), 3)
        ]
        return Order(
            "server",
            "/v1/batch",
            _json({"writeKey": self._secret, "batch": events}),
            [str(e["messageId"]) for e in events],
        )

    def _person(self, number: int) -> Visitor:
        user_id = f"person-{number}"
        return Visitor(number, user_id=user_id, user_hash=self.user_hash(user_id))

    def _hit(self, visitor: Visitor) -> dict[str, Any]:
        return {"type": "track", "event": "Hit", "messageId": self._id("hit"), **visitor.identity()}

    def _id(self, kind: str) -> str:
        self._sent += 1
        return f"{kind}-{self._sent}"


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
