"""The composition root of a worker: settings in, one ASGI application out. Nothing else wires things together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.companies import Companies
from gateway.edge.contacts import click_jobs
from gateway.edge.cors import Cors
from gateway.edge.desk import Desk
from gateway.edge.hot import FrontDoor
from gateway.edge.privacy import privacy_paths
from gateway.edge.privacy_admin import PlanOf
from gateway.edge.site_routes import site_routes
from gateway.enrich.agent import agent_of
from gateway.envelope import Hit, Site
from gateway.erasure import FinishMerge
from gateway.identity.signing import Keys
from gateway.identity.tokens import Tokens
from gateway.identity.visitor import Cookies
from gateway.jobs import Job
from gateway.networks.data import Networks
from gateway.networks.errors import OwnListInvalid
from gateway.networks.lookups import Lookups
from gateway.networks.own_list import OwnList, read_own_list
from gateway.ports import ProfileStore, VisitorKey
from gateway.reload import unpacked
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Rights, Stores
from gateway.settings import Settings, SiteSettings, purposes_by_category
from gateway.spool.erasing import waiting_of
from gateway.spool.records import Kept, record_of
from gateway.spool.replay import Replay
from gateway.spool.segments import FOLDER as SPOOL
from gateway.spool.spool import Limits, Spool
from gateway.spool.tail import Tail
from gateway.store.log import RedisLog
from gateway.store.merges import RedisMerges
from gateway.store.reports import RedisReports
from gateway.telemetry import Telemetry
from gateway.visitors import Visitors
from personalize.decide import decide
from personalize.model import Context, Facts
from personalize.plan import Plan, empty_plan

log = logging.getLogger("tuttu")

_AT_ONCE = 200
"""Jobs that are made records before hits get a turn."""

_A_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def clock() -> int:
    """Return the time in ms since 1970 UTC: the one place where the gateway reads it."""
    return time.time_ns() // 1_000_000


def sites_of(
    settings: Settings,
    secret_keys: Mapping[str, str],
    rules: Mapping[str, str],
    networks: Networks | None = None,
    old_secret_keys: Mapping[str, Sequence[str]] | None = None,
) -> list[Site]:
    """Return the sites with their rules, which come packed from the parent; `networks` knows addresses."""
    old = old_secret_keys or {}
    return [
        Site(
            key=site.key,
            secret_key=secret_keys[site.key],
            old_secret_keys=tuple(old.get(site.key, ())),
            origins=site.origins,
            cookie_domain=site.cookie_domain,
            consent=frozenset(site.consent),
            consent_categories=purposes_by_category(site.consent_categories),
            consent_cookies=site.consent_cookies,
            link_targets=site.allowed_targets(),
            plan=unpacked(rules[site.key], site.time_zone) if site.key in rules else empty_plan(site.time_zone),
            lookups=Lookups(networks, own_list_of(site)),
        )
        for site in settings.site
    ]


def rights_over(profiles: ProfileStore, client: Redis, data: Path) -> Rights:
    """Return the visitors' rights over a store and a data folder; the client is for the log, without decoding."""
    redis_log = RedisLog(client)
    stores = Stores(profiles, redis_log, redis_log, RedisMerges(client), RedisReports(client))
    return Rights(stores, clock, Ledger(data), partial(waiting_of, data / SPOOL))


def merge_finisher(profiles: ProfileStore, plan_of: PlanOf, patience_ms: int) -> FinishMerge:
    """Return what takes a hit without events the way of a half-done merge; nothing for a site that there is not."""
    visitors = Visitors(profiles, Telemetry(), cached=0, patience_ms=patience_ms, clock=clock)

    async def finish(key: VisitorKey) -> None:
        plan = await plan_of(key.site)
        if plan is not None:
            site = Site(key.site, secret_key="", origins=(), cookie_domain="", consent=frozenset(), plan=plan)
            hit = Hit(site, secret=False, received=clock(), sent_at=0, headers={}, body={})
            await visitors.submit(Job(hit, key, []))

    return finish


def own_list_of(site: SiteSettings) -> OwnList:
    """Return the site's own list of companies, an empty one without, or when it was broken after the start."""
    try:
        return read_own_list(Path(site.companies)) if site.companies else OwnList()
    except OwnListInvalid as err:
        log.error("site %s goes without its own list of companies: %s", site.key, err)  # noqa: TRY400 - the text is all
        return OwnList()


class Gateway:
    """One worker's gateway over a store: its application, and the numbers it reports.

    Without `rights` it serves no exports and deletions. `spool` is the folder for what the store does not take; without
    it such hits are answered 503.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the composition root names each part
        self,
        settings: Settings,
        sites: Sequence[Site],
        cookie_keys: Sequence[str],
        admin_token: str,
        store: ProfileStore,
        rights: Rights | None = None,
        spool: Path | None = None,
    ) -> None:
        self._sites = {site.key: site for site in sites}
        self._keys = Keys(cookie_keys)
        self.telemetry = Telemetry()
        self._store = store
        self._settings = settings.gateway
        self._ledger = Ledger(settings.data)
        limits = Limits(settings.gateway.spool_max_bytes, settings.gateway.spool_free_bytes)
        self.spool = Spool(spool, limits, self.telemetry, clock) if spool is not None else None
        self._tail = Tail()
        self._resending: set[asyncio.Task[None]] = set()
        self.visitors = Visitors(
            store,
            self.telemetry,
            cached=settings.gateway.cached_visitors,
            patience_ms=settings.gateway.store_deadline_ms,
            clock=clock,
            tail=self._tail,
            durable=settings.gateway.durability != "store",
        )
        self.companies = Companies(store, cached=settings.gateway.cached_visitors // 4, clock=clock)
        self._desk = Desk(
            sites=sites,
            settings=settings.gateway,
            visitors=self.visitors,
            cookies=Cookies(self._keys),
            tokens=Tokens(self._keys),
            companies=self.companies,
            cors=Cors(sites),
            telemetry=self.telemetry,
            clock=clock,
            admin_token=admin_token,
            demo=settings.demo,
            spool=self.spool,
        )
        self.application = FrontDoor(
            self._desk,
            site_routes(self._desk, rights, demo=settings.demo),
            privacy_paths(rights) if rights is not None else {},
        )

    def warm_up(self) -> None:
        """Do once what is slow the first time, so that it does not fall on the first visitor of a page.

        The table of user agents takes a quarter of a second to be built, five times what a decision has.
        """
        agent_of(_A_BROWSER)
        for site in self._sites.values():
            _warm_up(site.plan)

    def prepare(self, site: str, rules: str) -> Plan:
        """Return the plan of a site's new rules, as the parent has packed them; may run in a thread."""
        plan = unpacked(rules, self._sites[site].plan.calendar.zone)
        _warm_up(plan)
        return plan

    def go_live(self, site: str, plan: Plan) -> None:
        """Let every hit of a site that is opened from now on be decided by this plan."""
        self._sites[site].plan = plan

    def prepare_keys(self, keys: Mapping[str, Any]) -> Callable[[], None]:
        """Accept new keys beside those in force; what is returned lets the new ones sign, and those left out go."""
        self._keys.verify_also(keys["cookie_keys"])
        listed = {name: (keys["secret_keys"][name], *keys["old_secret_keys"].get(name, ())) for name in self._sites}
        for name, site in self._sites.items():
            site.old_secret_keys = tuple(dict.fromkeys((*site.old_secret_keys, *listed[name])))
        self._desk.take_secret_keys()

        def go() -> None:
            self._keys.replace(keys["cookie_keys"])
            for name, site in self._sites.items():
                site.secret_key, *old = listed[name]
                site.old_secret_keys = tuple(old)
            self._desk.take_secret_keys()

        return go

    def replay(self, folder: Path) -> Replay:
        """Return what brings the spool's segments to the store."""

        async def follow(job: Job) -> None:
            clicks = click_jobs(job.hit, [job])
            if clicks:
                await self._desk.note(clicks)

        async def seal() -> None:
            if self.spool is not None:
                await self.spool.seal()

        self._replay = Replay(
            folder,
            self._sites,
            submit=self.visitors.submit,
            follow=follow,
            probe=self._store.probe,
            seal=seal,
            most_age_s=3600 * self._settings.spool_max_age_h,
            telemetry=self.telemetry,
            clock=clock,
            erasures=lambda: [line.erasure for line in self._ledger.read()],
        )
        return self._replay

    def store_lost(self) -> None:
        """Send again what the store has taken last, once it is back: it may have lost that."""
        task = asyncio.create_task(self._resend(self._tail.taken()))
        self._resending.add(task)
        task.add_done_callback(self._resending.discard)

    async def _resend(self, taken: Sequence[Kept]) -> None:
        """Spool acknowledged events and erasures, or keep them in memory where that is not possible."""
        for first in range(0, len(taken), _AT_ONCE):
            payloads = []
            for kept in taken[first : first + _AT_ONCE]:
                envelopes = [e for e in kept.envelopes if e.outcome is not None and e.outcome.accepted]
                if envelopes or kept.erase_before:
                    payloads.append(record_of(kept, envelopes, clock()))
                    self.telemetry.count(("resent",), len(envelopes))
            await asyncio.sleep(0)
            try:
                if self.spool is None:
                    raise OSError("there is no spool")  # noqa: TRY301 - the same as a spool that takes nothing
                await self.spool.put(payloads)
            except OSError:
                self._replay.remember(payloads)

    def forget(self, visitor: VisitorKey) -> None:
        """Keep nothing of a visitor who was erased in memory; the store is asked again should they come back."""
        self.visitors.forget(visitor)
        self.companies.forget(visitor)

    def report(self) -> dict[str, object]:
        """Return the worker's numbers for the parent."""
        self.telemetry.gauges["cached_profiles"] = len(self.visitors)
        return self.telemetry.snapshot()


def _warm_up(plan: Plan) -> None:
    decide(plan, None, Context(Facts()), list(plan.placements), clock())
