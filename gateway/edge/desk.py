"""What collection and decision have in common: open a request as a hit, hand its events to the visitors, count.

The order is the promise: origin and key are checked before anything has an effect, consent before anything is kept, and
outcomes are counted once, as they are answered.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.companies import Companies
from gateway.edge.cors import Cors
from gateway.edge.deadlines import Deadlines
from gateway.edge.notices import Notices
from gateway.edge.request import Header, Request, Scope
from gateway.enrich.address import TrustedProxies
from gateway.envelope import NO_CONSENT, TOO_LATE, UNAVAILABLE, BadEvent, Envelope, Hit, Outcome, Rejected, Site
from gateway.errors import Refused
from gateway.identity.consent import allows_profile, in_force, signal_of
from gateway.identity.tokens import Tokens
from gateway.identity.visitor import (
    Cookies,
    about_company,
    claims_of,
    cookie_in,
    cookie_name,
    may_be_new,
    new_visitor_id,
    visitor_of,
)
from gateway.pipeline import REACTION_NAMES, arrive
from gateway.ports import VisitorKey
from gateway.settings import GatewaySettings
from gateway.telemetry import Telemetry
from gateway.visitors import Job, Visitors
from gateway.wire import segment
from gateway.wire.times import parse_time

log = logging.getLogger("tuttu")

_BREATH = 200
"""Events that are decoded before other requests get a turn."""

_AT_ONCE = 10
"""Visitors of one batch that are worked on before other requests get a turn, and whose calls leave together."""

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+){1,8}")
"""Path segments of unreserved characters (RFC 3986, section 2.3)."""

_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip"})
"""Headers that no browser sends; those of Cloudflare (`cf-…`) and `x-forwarded-…` stand for themselves."""


@dataclass(slots=True)
class Intake:
    """A hit with its events on their way; `jobs` hold one visitor's events each, or one erasure."""

    hit: Hit
    envelopes: list[Envelope]
    bad: list[BadEvent]
    jobs: list[Job] = field(default_factory=list)

    @property
    def withdrawal(self) -> Job | None:
        """The erasure that the hit asks for, which is then its only job."""
        return self.jobs[0] if self.jobs and self.jobs[0].erase_before else None

    def outcomes(self, waiting: Outcome) -> list[tuple[int, str, Outcome]]:
        """Return (position, message id, outcome) of every event; `waiting` stands for those without an answer."""
        undone = {id(e) for job in self.jobs if not job.done for e in job.envelopes}
        found = [
            (e.index, e.event.message_id, waiting if id(e) in undone or e.outcome is None else e.outcome)
            for e in self.envelopes
        ]
        return found + [(b.index, "", b.outcome) for b in self.bad]


class Desk:
    """Opens hits and brings them to the visitors. `clock` returns ms since 1970 UTC."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        *,
        sites: Sequence[Site],
        settings: GatewaySettings,
        visitors: Visitors,
        companies: Companies,
        cookies: Cookies,
        tokens: Tokens,
        cors: Cors,
        telemetry: Telemetry,
        clock: Callable[[], int],
        admin_token: str,
        demo: bool = False,
    ) -> None:
        self._demo = demo
        self._admin = b"Bearer " + admin_token.encode()
        self.settings = settings
        self.cors = cors
        self.tokens = tokens
        self.telemetry = telemetry
        self.clock = clock
        self.visitors = visitors
        self.companies = companies
        self.notices = Notices()
        self.deadlines = Deadlines(settings.body_deadline_s)
        self._cookies = cookies
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._by_write_key = {site.key: site for site in sites}
        self._by_secret_key = {site.secret_key: site for site in sites}

    def site(self, write_key: str) -> Site | None:
        """Return the site of a write key."""
        return self._by_write_key.get(write_key)

    def scheme(self, scope: Scope) -> str:
        """Return http or https, as the browser sees it; a trusted proxy may say so."""
        said = self._forwarded(scope, b"x-forwarded-proto")
        return said if said in ("http", "https") else str(scope["scheme"])

    def prefix(self, scope: Scope) -> str:
        """Return the path that browsers find the gateway below, such as "/t", as a trusted proxy says; else ""."""
        said = self._forwarded(scope, b"x-forwarded-prefix").rstrip("/")
        return said if _PREFIX.fullmatch(said) else ""

    def _forwarded(self, scope: Scope, header: bytes) -> str:
        client = scope.get("client")
        if client and self._proxies.trusts(client[0]):
            return next((value.decode("latin-1") for name, value in scope["headers"] if name == header), "")
        return ""

    def is_admin(self, request: Request) -> bool:
        """Tell whether the request carries the admin token."""
        authorization = request.headers.get(b"authorization")
        return authorization is not None and hmac.compare_digest(authorization, self._admin)

    def is_demo_on_this_machine(self, request: Request) -> bool:
        """Tell whether somebody at this very machine looks at the built-in demo, who may see why without the token.

        The peer and the host that was asked for must both be loopback (a foreign name may point here: DNS
        rebinding), and no proxy may stand in between, or the whole world would look as if it were here. A proxy that
        adds no header at all and asks for a loopback host cannot be told from somebody here.
        """
        if not self._demo:
            return False
        client = request.scope.get("client")
        headers = request.headers
        host = headers.get(b"host", b"").rpartition(b":")[0]
        return (
            client is not None
            and client[0] in ("127.0.0.1", "::1")
            and host in (b"127.0.0.1", b"localhost", b"[::1]")
            and not any(name in _OF_PROXIES or name.startswith((b"x-forwarded-", b"cf-")) for name in headers)
        )

    def open(self, request: Request, body: dict[str, Any]) -> Hit:
        """Return the hit that a request is; raises Refused or BadRequest before anything has had an effect."""
        headers = request.headers
        origin = headers.get(b"origin")
        if self.is_admin(request):
            headers = {**headers, b"authorization": b""}  # the key then stands elsewhere
        key = segment.write_key_of(headers, request.query, body)
        site = self._by_write_key.get(key)
        secret = site is None
        if site is None:
            site = self._by_secret_key.get(key) if key else None
            if site is None:
                raise Refused(
                    "the write key is not known here" if key else "the request names no write key",
                    hint='send it as "writeKey" in the body, or as Basic user name; the keys stand in tuttu.toml',
                )
            if origin is not None:
                raise Refused(
                    "the secret key came with an Origin header, so it was in a browser",
                    code="secret_key_in_browser",
                    hint="use the write key in browsers, and make a new secret key",
                )
        self.cors.check_site(site, origin)
        client = request.scope.get("client")
        peer = client[0] if client else ""
        hit = Hit(
            site=site,
            secret=secret,
            received=self.clock(),
            sent_at=parse_time(body.get("sentAt")),
            headers=headers,
            body=body,
            address=self._proxies.client(peer, request.forwarded_for()),
            signal=signal_of(body),
        )
        if body.get("reset") is True:
            hit.reset = True  # whoever it was has gone; what comes with this request is about somebody new
            return hit
        value = body.get("visitor") if secret else cookie_in(headers.get(b"cookie", b""), cookie_name(site).encode())
        if isinstance(value, str) and value:
            hit.visitor_id = self._cookies.visitor_id(site, value)
            if not hit.visitor_id:
                self.telemetry.count(("bad_cookies",))
        return hit

    async def decode(self, hit: Hit, items: Sequence[Any], raw: bytes, kind: str) -> Intake:
        """Return the hit's events, each good or bad on its own."""
        walk = segment.suspicious(raw)
        oversized = segment.oversized(items, len(raw))
        intake = Intake(hit, [], [])
        for index, item in enumerate(items):
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            found = segment.too_large(index) if index in oversized else _decoded(item, index, kind, hit, walk=walk)
            if isinstance(found, BadEvent):
                intake.bad.append(found)
            else:
                intake.envelopes.append(found)
                if found.clamped:
                    self.telemetry.count(("times_clamped",))
        return intake

    def admit(self, intake: Intake) -> None:
        """Settle consent and identity, and group the events by visitor into jobs."""
        hit, envelopes = intake.hit, intake.envelopes
        if not self._may_collect(hit):
            for envelope in envelopes:
                envelope.outcome = NO_CONSENT
            if hit.signal is not None and hit.visitor_id:
                collected = max((e.event.time for e in envelopes), default=hit.received)
                key = VisitorKey(hit.site.key, "a", hit.visitor_id)
                intake.jobs = [Job(hit, key, [], erase_before=hit.received, decided=collected)]
            return
        of_people = [e for e in envelopes if not about_company(hit, e.event, e.anonymous_id)]
        if of_people and not hit.visitor_id and may_be_new(hit, claims=claims_of(hit, envelopes)):
            hit.minted = new_visitor_id()
        arrive(hit, envelopes, self.tokens)
        groups: dict[VisitorKey, list[Envelope]] = {}
        for envelope in envelopes:
            if envelope.visitor is not None and envelope.outcome is None:
                groups.setdefault(envelope.visitor, []).append(envelope)
                if _has_bad_token(envelope):
                    self.telemetry.count(("bad_tokens",))
        intake.jobs = [Job(hit, visitor, group) for visitor, group in groups.items()]

    def _may_collect(self, hit: Hit) -> bool:
        """Tell whether the hit may reach a profile, as far as that can be told without reading one."""
        if hit.signal is None and (hit.visitor_id or hit.secret):
            return True  # a stored choice may stand; it is read with the profile
        return allows_profile(in_force(hit.signal, None, hit.site.consent, hit.received))

    async def run(self, intake: Intake) -> None:
        """Bring all jobs to the visitors; each is done, or the store has failed it, afterwards."""
        jobs = intake.jobs
        if len(jobs) == 1:
            await self.visitors.submit(jobs[0])
            return
        for first in range(0, len(jobs), _AT_ONCE):
            some = jobs[first : first + _AT_ONCE]
            await asyncio.gather(*map(self.visitors.submit, some))
            if not all(job.done for job in some):
                return  # the store is away: the whole request will be sent again, and must not wait for each visitor

    def cookie_headers(self, intake: Intake) -> list[Header]:
        """Return the Set-Cookie header that the answer needs: a new cookie, a renewed one, or its removal."""
        hit = intake.hit
        for job in intake.jobs:
            if job.erase_before:
                return [(b"set-cookie", self._cookies.expired(hit.site))] if job.erased else []
            if job.visitor.kind != "a":
                continue
            # A new visitor whose decision did not wait for the store: the retry must be the same one.
            open_yet = bool(hit.minted) and not job.done
            if open_yet or (job.done and (job.opened_visit or hit.minted) and _kept(job)):
                return [(b"set-cookie", self._cookies.header(hit.site, job.visitor.id))]
        return [(b"set-cookie", self._cookies.expired(hit.site))] if hit.reset else []

    def decision_visitor(self, hit: Hit) -> VisitorKey | None:
        """Return whose profile a decision may be about: the cookie's, a verified person's, or a claim (kind `c`)."""
        if hit.minted:
            return VisitorKey(hit.site.key, "a", hit.minted)
        user_id, anonymous_id = hit.body.get("userId"), hit.body.get("anonymousId")
        found = visitor_of(hit, str(user_id) if user_id else "", str(anonymous_id) if anonymous_id else "")
        return found if isinstance(found, VisitorKey) else None

    def count(self, outcomes: Sequence[tuple[int, str, Outcome]]) -> None:
        """Count a hit's events by the outcomes that it is answered with."""
        count = self.telemetry.count
        count(("events_received",), len(outcomes))
        for _, _, outcome in outcomes:
            count(outcome.key)

    def take_back(self, outcomes: Sequence[tuple[int, str, Outcome]]) -> list[tuple[int, str, Outcome]]:
        """Return the outcomes of a request that is answered 503: the client sends all of it again.

        What another visitor's job in the same batch has stored is counted as late; its retry will be a duplicate.
        """
        if stored := sum(outcome.kind == "stored" for _, _, outcome in outcomes):
            self.telemetry.count(("events_late",), stored)
        return [(index, message_id, UNAVAILABLE) for index, message_id, _ in outcomes]


def _decoded(item: Any, index: int, kind: str, hit: Hit, *, walk: bool) -> Envelope | BadEvent:
    """Decode one event; one that breaks the decoder is a fault of ours, but must not take its batch along."""
    try:
        return segment.decode_event(item, index, kind, hit, walk=walk)
    except Exception:
        log.exception("an event could not be decoded")
        return BadEvent(index, Outcome("rejected", Rejected.BAD_EVENT, "the event could not be read"))


def late(outcomes: Sequence[tuple[int, str, Outcome]]) -> list[str]:
    """Return the message ids that the client is to send again after a decision at its deadline."""
    return [message_id for _, message_id, outcome in outcomes if outcome is TOO_LATE]


def _kept(job: Job) -> bool:
    return any(e.outcome is not None and e.outcome.accepted for e in job.envelopes)


def _has_bad_token(envelope: Envelope) -> bool:
    event = envelope.event
    return (
        event.shown is None
        and event.type == "track"
        and event.name.lower() in REACTION_NAMES
        and "decision" in event.properties
        and envelope.visitor is not None
        and envelope.visitor.kind != "c"
    )
