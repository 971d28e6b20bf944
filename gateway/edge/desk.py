"""What collection and decision have in common: open a request as a hit, hand its events to the visitors, count.

The order is the promise: origin and key are checked before anything has an effect, consent before anything is kept, and
outcomes are counted once, as they are answered.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.companies import Companies
from gateway.edge.body_memory import BodyMemory
from gateway.edge.contacts import click_jobs
from gateway.edge.cookie_answer import cookie_headers, removal_headers
from gateway.edge.cors import Cors
from gateway.edge.deadlines import Deadlines
from gateway.edge.intake import Intake
from gateway.edge.notices import Notices
from gateway.edge.rate_limit import RateLimit
from gateway.edge.request import Header, Request, Scope
from gateway.enrich.address import TrustedProxies
from gateway.envelope import NO_CONSENT, RATE_LIMITED, UNAVAILABLE, BadEvent, Envelope, Hit, Outcome, Rejected, Site
from gateway.errors import BadRequest, RateLimited, Refused
from gateway.identity.consent import allows_profile, in_force, last_choice, put_event_signals, put_signals
from gateway.identity.tokens import Tokens
from gateway.identity.verified import person_of, put_later_events, settle_person
from gateway.identity.visitor import (
    Cookies,
    about_company,
    claims_of,
    may_be_new,
    new_visitor_id,
    visitor_of,
)
from gateway.jobs import MOST_EVENTS, Job
from gateway.pipeline import BREATH, REACTION_NAMES, arrive
from gateway.ports import VisitorKey
from gateway.settings import GatewaySettings
from gateway.spool.spool import Spool
from gateway.telemetry import Telemetry
from gateway.visitors import Visitors
from gateway.wire import segment
from gateway.wire.times import parse_time

log = logging.getLogger("tuttu")

_AT_ONCE = 10
"""Visitors of one batch that are worked on before other requests get a turn, and whose calls leave together."""

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+){1,8}")
"""Path segments of unreserved characters (RFC 3986, section 2.3)."""

_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip"})
"""Headers that no browser sends; those of Cloudflare (`cf-…`) and `x-forwarded-…` stand for themselves."""


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
        spool: Spool | None = None,
    ) -> None:
        self._demo = demo
        self.spool = spool
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
        self.body_memory = BodyMemory(settings.body_memory)
        self._rate = RateLimit(settings.rate_limit) if settings.rate_limit else None
        self._cookies = cookies
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._by_write_key = {site.key: site for site in sites}
        self.take_secret_keys()

    def site(self, write_key: str) -> Site | None:
        """Return the site of a write key."""
        return self._by_write_key.get(write_key)

    def take_secret_keys(self) -> None:
        """Know the sites by the secret keys that they have now."""
        self._by_secret_key = {key: site for site in self._by_write_key.values() for key in site.secret_keys}

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
                    hint='send it as "writeKey" in the body, or as Basic user name; write keys stand in tuttu.toml, '
                    "secret keys in secrets.toml in the data folder",
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
        )
        put_signals(hit)
        if segment.bad_id("userId", body.get("userId")) is None:  # nobody is the person "undefined"
            settle_person(hit)
        if body.get("reset") is True:
            hit.reset = True  # whoever it was has gone; what comes with this request is about somebody new
            hit.other_cookie = self._cookies.found(site, headers.get(b"cookie", b"")).other
            return hit
        if secret:
            self._put_named(hit, body.get("visitor"))
        elif cookie := headers.get(b"cookie"):
            found = self._cookies.found(site, cookie)
            hit.visitor_id, hit.stale_cookie, hit.other_cookie = found.visitor_id, found.stale, found.other
            if found.bad and not found.visitor_id:
                self.telemetry.count(("bad_cookies",))
        return hit

    def _put_named(self, hit: Hit, value: Any) -> None:
        """Take the visitor from the cookie value that the site's server passed on."""
        if isinstance(value, str) and value:
            hit.visitor_id = self._cookies.visitor_id(hit.site, value)
            if hit.visitor_id:
                hit.stale_cookie = self._cookies.is_old(value)
            else:
                hit.bad_visitor = True
                self.telemetry.count(("bad_cookies",))

    async def decode(self, hit: Hit, items: Sequence[Any], raw: bytes, kind: str) -> Intake:
        """Return the hit's events, each good or bad on its own; raises RateLimited, with all of them counted."""
        if self._rate is not None and not hit.secret and (after_s := self._rate.retry_after_s(hit.address)):
            self.count([(index, "", RATE_LIMITED) for index in range(len(items))])
            raise RateLimited("too many requests come from this address", hint="slow down", retry_after_s=after_s)
        walk = segment.suspicious(raw)
        oversized = segment.oversized(items, len(raw))
        intake = Intake(hit, [], [])
        for index, item in enumerate(items):
            if index % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            found = segment.too_large(index) if index in oversized else _decoded(item, index, kind, hit, walk=walk)
            if isinstance(found, Envelope):
                found = _with_signals(hit, found)
            if isinstance(found, BadEvent):
                intake.bad.append(found)
            else:
                intake.envelopes.append(found)
                if found.clamped:
                    self.telemetry.count(("times_clamped",))
        return intake

    async def admit(self, intake: Intake) -> None:
        """Settle consent and identity, and group the events by visitor into jobs."""
        hit = intake.hit
        intake.choice, intake.chosen = last_choice(hit, intake.envelopes)
        for envelope in intake.envelopes:
            envelope.person = person_of(hit, envelope)
        put_later_events(hit, intake.envelopes)
        withdrawal = _withdrawal(intake)
        envelopes = []
        for envelope in intake.envelopes:
            if not withdrawal and _may_collect(hit, envelope):
                envelopes.append(envelope)
            else:
                envelope.outcome = NO_CONSENT
        if withdrawal:
            intake.jobs = withdrawal
            return
        if not hit.visitor_id and _becomes_new(hit, envelopes):
            hit.minted = new_visitor_id()
            put_later_events(hit, envelopes)
        for _ in arrive(hit, envelopes, self.tokens):
            await asyncio.sleep(0)
        if hit.doubtful:
            self.telemetry.count(("bad_user_hashes",))
        intake.jobs = list(self._jobs(hit, envelopes))

    def _jobs(self, hit: Hit, envelopes: Sequence[Envelope]) -> Iterator[Job]:
        groups: dict[tuple[VisitorKey, str], list[Envelope]] = {}
        for envelope in envelopes:
            if envelope.visitor is not None and envelope.outcome is None:
                groups.setdefault((envelope.visitor, envelope.person), []).append(envelope)
                if _has_bad_token(envelope):
                    self.telemetry.count(("bad_tokens",))
        for (visitor, person), group in groups.items():
            for first in range(0, len(group), MOST_EVENTS):
                yield Job(hit, visitor, group[first : first + MOST_EVENTS], person)

    async def run(self, intake: Intake) -> None:
        """Bring all jobs to the visitors, or else to the spool; what is not durable afterwards was taken by neither."""
        jobs = intake.jobs
        if len(jobs) == 1:
            await self.visitors.submit(jobs[0])
        else:
            for first in range(0, len(jobs), _AT_ONCE):
                some = jobs[first : first + _AT_ONCE]
                await asyncio.gather(*map(self.visitors.submit, some))
                if not all(job.done for job in some):
                    break  # the store is away: the others must not wait for each visitor
        if [job for job in jobs if not job.done]:
            await self.keep(jobs)
        intake.clicks = click_jobs(intake.hit, jobs)  # of what is spooled, the replay makes them
        if intake.clicks:
            await self.note(intake.clicks)

    async def keep(self, jobs: Sequence[Job]) -> None:
        """Spool what the store did not take; without a spool, or with a full one, the jobs stay as they are."""
        if self.spool is not None:
            await self.spool.keep(jobs, self.visitors.remembered)

    async def note(self, jobs: Sequence[Job]) -> None:
        """Bring events that the gateway itself made to the visitors, and count them, for no answer does."""
        await asyncio.gather(*(self.visitors.submit(job) for job in jobs))
        if not all(job.done for job in jobs):
            await self.keep(jobs)
        for job in jobs:
            self.count([(0, "", outcome) for outcome in job.outcomes(UNAVAILABLE)])

    def cookie_headers(self, intake: Intake, reader: Job | None = None) -> list[Header]:
        """Return the Set-Cookie headers that the answer needs; `reader` is the job of a decision without events."""
        return cookie_headers(self._cookies, intake, reader)

    def cookie_removal(self, hit: Hit) -> list[Header]:
        """Return the Set-Cookie headers that take the visitor's cookie away."""
        return removal_headers(self._cookies, hit)

    def decision_visitor(self, hit: Hit) -> VisitorKey | None:
        """Return whose profile a decision may be about: a verified person's, the cookie's, or a claim (kind `c`)."""
        if hit.person:
            return VisitorKey(hit.site.key, "k", hit.person)
        if hit.minted:
            return VisitorKey(hit.site.key, "a", hit.minted)
        user_id, anonymous_id = hit.body.get("userId"), hit.body.get("anonymousId")
        found = visitor_of(hit, str(user_id) if user_id else "", str(anonymous_id) if anonymous_id else "", "")
        return found if isinstance(found, VisitorKey) else None

    def count(self, outcomes: Sequence[tuple[int, str, Outcome]]) -> None:
        """Count a hit's events by the outcomes that it is answered with."""
        count = self.telemetry.count
        count(("events_received",), len(outcomes))
        for _, _, outcome in outcomes:
            count(outcome.key)

    def take_back(self, outcomes: Sequence[tuple[int, str, Outcome]]) -> list[tuple[int, str, Outcome]]:
        """Return the outcomes of a request that is answered 503: the client sends all of it again.

        What of another visitor's in the same batch is durable is counted as late; its retry will be a duplicate.
        """
        if stored := sum(outcome.kind in ("stored", "spooled") for _, _, outcome in outcomes):
            self.telemetry.count(("events_late",), stored)
        return [(index, message_id, UNAVAILABLE) for index, message_id, _ in outcomes]


def _withdrawal(intake: Intake) -> list[Job]:
    """Return the jobs of a refusal: the cookie's visitor goes, and the person who proved to have refused.

    A cookie's visitor who is another person's by now has refused nothing, and stays.
    """
    hit = intake.hit
    if intake.choice is None or allows_profile(intake.choice):
        return []
    choices = [envelope for envelope in intake.envelopes if envelope.signal is not None]
    person = max(choices, key=lambda e: (e.event.time, e.index)).person if choices else hit.person
    found = [VisitorKey(hit.site.key, "a", hit.visitor_id)] if hit.visitor_id else []
    if person and (hit.visitor_id or not hit.secret):
        found.append(VisitorKey(hit.site.key, "k", person))
    return [Job(hit, key, [], person, erase_before=hit.received, decided=intake.chosen) for key in found]


def _becomes_new(hit: Hit, envelopes: Sequence[Envelope]) -> bool:
    """Tell whether a request without a visitor is one by now."""
    if all(about_company(hit, e.event, e.anonymous_id) for e in envelopes):
        return False  # or there are no events at all
    return may_be_new(hit, claims=claims_of(hit, envelopes))


def _may_collect(hit: Hit, envelope: Envelope) -> bool:
    """Tell whether an event may reach a profile, as far as that can be told without reading one."""
    if about_company(hit, envelope.event, envelope.anonymous_id):
        return True  # a company is no person; whoever allows what, it is kept
    if envelope.signal is None and (hit.visitor_id or hit.secret or envelope.person):
        return allows_profile(envelope.limit)  # a stored choice may stand; it is read with the profile
    return allows_profile(in_force(envelope.signal, None, hit.site.consent, hit.received, envelope.limit))


def _decoded(item: Any, index: int, kind: str, hit: Hit, *, walk: bool) -> Envelope | BadEvent:
    """Decode one event; one that breaks the decoder is a fault of ours, but must not take its batch along."""
    try:
        return segment.decode_event(item, index, kind, hit, walk=walk)
    except Exception:
        log.exception("an event could not be decoded")
        return BadEvent(index, Outcome("rejected", Rejected.BAD_EVENT, "the event could not be read"))


def _with_signals(hit: Hit, envelope: Envelope) -> Envelope | BadEvent:
    try:
        put_event_signals(hit, envelope)
    except BadRequest as err:
        return BadEvent(envelope.index, Outcome("rejected", Rejected.BAD_EVENT, f"{err.message}: {err.hint}"))
    return envelope


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
