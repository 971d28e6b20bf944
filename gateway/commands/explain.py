"""`tuttu explain VISITOR`: why a real visitor of a running installation sees what they see. It only reads.

Exit codes: 0 good, 1 no such visitor or no store, 2 usage (no such site or placement, no rules).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from gateway.app import clock
from gateway.commands.live_rules import live_plan
from gateway.commands.rules import GOOD, USAGE, Subparsers, UsageError
from gateway.commands.rules_explain import add_options
from gateway.commands.showing import asked_placements, show, show_json
from gateway.counting import FOLDER, Counting
from gateway.edge.explaining import known_of
from gateway.errors import StartupError
from gateway.identity.consent import allows_reading, in_force
from gateway.identity.visitor import COOKIE, company_key, hashed
from gateway.ports import VisitorKey
from gateway.settings import Settings, SiteSettings, load_settings
from gateway.store import keys
from gateway.store.address import parse_address
from gateway.store.folder import socket_path
from personalize.aliases import MOST_OLDER_IDS, Alias, united
from personalize.counters import KEPT_DAYS
from personalize.document_check import Unreadable, checked
from personalize.explain import as_data, explain_in
from personalize.explain_text import Line, explained_lines
from personalize.language import ENGLISH, LANGUAGES
from personalize.model import Context
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.recognized import contact_of, deciding
from personalize.suggest import quoted, unknown
from personalize.syntax import Behaviour
from personalize.view import View, without_request

COULD_NOT = 1
_TIMEOUT_S = 5


class _NotFound(Exception):
    """There is nothing to explain; the message is a whole sentence."""


@dataclass(slots=True, frozen=True)
class _Found:
    """A visitor as stored, the rules of their site, and what is kept about their company itself."""

    key: VisitorKey
    profile: Profile
    plan: Plan
    company: Mapping[str, Any] = field(default_factory=dict)


def add_parser(commands: Subparsers) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser("explain", help="say why a visitor of a running gateway sees what they see")
    parser.add_argument(
        "visitor",
        metavar="VISITOR",
        help=f"the value of the cookie {COOKIE}, or its part up to the dot; or known:USER-ID",
    )
    parser.add_argument("--site", metavar="KEY", help="the visitor's site (default: the first one)")
    parser.add_argument("--data", metavar="DIR", help="the gateway's data folder (data)")
    parser.add_argument("--redis", metavar="URL", help="the store, where it is not the embedded one")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")
    parser.add_argument("--rules", metavar="DIR", help="other rules than those that are live")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain a visitor, and return the exit code."""
    config = args.config or (Path("tuttu.toml") if Path("tuttu.toml").exists() else None)
    try:
        settings = load_settings(config, os.environ, {"data": args.data, "redis": args.redis})
        site = _site(settings, args.site)
        plan = _plan(settings, site, args.rules)
        key = visitor_key(site.key, args.visitor)
        counting = Counting(settings.data / FOLDER / site.key)
        found = _Found(*_person(settings, key, plan), plan)
        found = replace(found, company=_company(settings, found))
        _show(args, site, found, counting, _contact(settings, found))
    except UsageError as error:
        return _refused(str(error), USAGE)
    except _NotFound as error:
        return _refused(str(error), COULD_NOT)
    except StartupError as error:
        return _refused(f"{error} {error.hint}".rstrip(), COULD_NOT)
    return GOOD


def visitor_key(site: str, text: str) -> VisitorKey:
    """Return whom a text on the command line names: a cookie, `known:<user id>`, or `a:…` and `k:…` as in the log.

    Raises UsageError for bytes that are no text.
    """
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise UsageError("the visitor's name is not written in UTF-8; a cookie's value and a user id are")
    kind, colon, rest = text.partition(":")
    if colon and kind == "known":
        return VisitorKey(site, "k", hashed(site, "u", rest))
    if colon and kind in {"a", "k"}:
        return VisitorKey(site, kind, rest)
    return VisitorKey(site, "a", text.rpartition("=")[2].partition(".")[0])


def _site(settings: Settings, key: str | None) -> SiteSettings:
    sites = {site.key: site for site in settings.site}
    if key is None:
        return settings.site[0]
    if key not in sites:
        raise UsageError(unknown(key, list(sites), f"there is no site {quoted(key)}"))
    return sites[key]


def _plan(settings: Settings, site: SiteSettings, folder: str | None) -> Plan:
    """Return the rules: those of the folder that was named, else those that are live, else the settings'."""
    plan = live_plan(settings, site, folder)
    if plan is None:
        raise UsageError(
            f"the site {quoted(site.key)} has no rules yet; name their folder with --rules DIR, or the gateway's "
            "settings with --config FILE"
        )
    return plan


def _person(settings: Settings, key: VisitorKey, plan: Plan) -> tuple[VisitorKey, Profile]:
    """Return whose profile holds for a visitor, and the profile: the person's whose browser this is, or their own.

    Raises _NotFound with what to do, StartupError for an address that is none.
    """
    found = _stored(settings, key)
    brought = []
    for _ in range(MOST_OLDER_IDS + 2):
        if isinstance(found, Profile):
            break
        brought.append((f"{key.kind}:{key.id}", found))
        key = VisitorKey(key.site, *found.to.split(":", 1))
        found = _stored(settings, key)
    else:
        raise _NotFound("the visitor's aliases lead in a circle")
    for name, alias in brought:  # what a merge under way has not yet brought there
        found = united(plan, found, name, alias, clock())
    if found.erased and not (found.visits or found.matchers or found.traits or found.seen):
        raise _NotFound("the visitor was erased, and only the note of it is left")
    return key, found


def _stored(settings: Settings, key: VisitorKey) -> Profile | Alias:
    folder = settings.data / "store"
    url = settings.redis or f"unix://{quote(str(socket_path(folder)))}"
    where = str(parse_address(url)) if settings.redis else str(folder)
    name = keys.visitor_name(key)
    client = redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )
    stored_at = keys.profile_prefix(keys.partition_of(name.encode())) + name
    try:
        with client:
            document = client.get(stored_at)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            raise _NotFound(
                f"the store at {where} has no profile under the key {stored_at} but something else"
            ) from error
        raise _NotFound(f"the store at {where} does not let the profile be read: {error}") from error
    except (RedisError, OSError) as error:
        todo = "" if settings.redis else "; the gateway starts it: is it running, and is this its --data folder?"
        raise _NotFound(f"no store answers at {where} ({error}){todo}") from error
    if not isinstance(document, bytes):
        raise _NotFound(
            f"the site {quoted(key.site)} has no such visitor; ids are told apart by case, and whoever never consented "
            "or was away for more than 400 days has no profile"
        )
    try:
        return checked(document)
    except Unreadable as error:
        raise _NotFound(f"the stored profile cannot be read: {error}") from error


def _contact(settings: Settings, found: _Found) -> Profile | None:
    """Return the profile of the contact as whom an e-mail's link has recognized a browser, None without one."""
    contact = contact_of(found.profile, clock()) if found.key.kind == "a" else ""
    try:
        return _person(settings, VisitorKey(found.key.site, "k", contact), found.plan)[1] if contact else None
    except _NotFound:
        return None


def _company(settings: Settings, found: _Found) -> Mapping[str, Any]:
    """Return what is kept about the company into which the site's server has put the visitor."""
    if not found.profile.member:
        return {}
    try:
        stored = _stored(settings, company_key(found.key.site, found.profile.member[1]))
    except _NotFound:
        return {}
    return stored.trait_values() if isinstance(stored, Profile) else {}


def counted_since(plan: Plan, profile: Profile, counting: Counting, now: int) -> dict[str, list[Behaviour]]:
    """Return what began to be counted after the visitor's first visit and within the kept days, by ISO day."""
    found: dict[str, list[Behaviour]] = {}
    earliest = max(profile.first_visit, now - KEPT_DAYS * 86_400_000)
    for matcher, behaviour in plan.matchers.behaviours.items():
        count = counting.counts.get(matcher)
        if count and count.since.timestamp() * 1000 > earliest:
            bare = behaviour.model_copy(update=dict.fromkeys(("at_least", "at_most", "across", "within")))
            found.setdefault(str(count.since.date()), []).append(bare)
    return dict(sorted(found.items()))


def _show(
    args: argparse.Namespace, site: SiteSettings, found: _Found, counting: Counting, contact: Profile | None
) -> None:
    now, profile, language = clock(), found.profile, LANGUAGES[args.language]
    consent = in_force(None, profile, frozenset(site.consent), now)
    known = found.key.kind == "k"
    if not known and allows_reading(consent):
        profile, known = deciding(found.plan, profile, contact, now)
    seen = without_request(profile, known=known)
    context = Context(seen.facts, consent, seen.known, "" if allows_reading(consent) else "no_consent", found.company)
    view = View(found.plan, profile, context, now)
    placements = asked_placements(found.plan, args.placement)
    asked = [p.name for p in found.plan.placements.values()] if placements is None else placements
    explanation = explain_in(view, found.plan, asked)
    name = f"{found.key.kind}:{found.key.id}"
    late = counted_since(found.plan, profile, counting, now)
    if args.format == "json":
        since = {ENGLISH.condition(behaviour): day for day, those in late.items() for behaviour in those}
        data: Mapping[str, object] = as_data(explanation, language) | known_of(view) | {"counting_since": since}
        show_json({"visitor": name, "site": site.key, "explanation": data})
        return
    heading, *lines = explained_lines(explanation, language)
    counts = (Line(0, "detail", language.counting(day, those)) for day, those in late.items())
    show([Line(0, "title", language.of_visitor(name, found.plan.version)), heading, *counts, *lines])


def _refused(why: str, code: int) -> int:
    sys.stderr.write(f"tuttu explain: {why}\n")
    return code
