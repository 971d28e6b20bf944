"""`tuttu privacy export|delete`: a visitor's rights for whoever runs the gateway, without HTTP.

Exit codes: 0 good, 1 could not or not confirmed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from gateway.app import clock, rights_over
from gateway.commands.opened import (
    COULD_NOT,
    GOOD,
    USAGE,
    add_store_options,
    opened_store,
    refused,
    say,
    settings_of,
)
from gateway.commands.showing import show_json
from gateway.counting import FOLDER
from gateway.erasure import Sweep
from gateway.errors import GatewayError
from gateway.last_good import read_last_good
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Subject, browser, claimed, company, named, person
from gateway.settings import Settings, SiteSettings
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import FOLDER as SPOOL
from gateway.store.log import RedisLog
from personalize.loader import load
from personalize.plan import Plan, compile_rules, empty_plan
from personalize.suggest import quoted, unknown


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `privacy` and its two verbs."""
    verbs = commands.add_parser("privacy", help="export or delete what is held about a visitor").add_subparsers(
        required=True, metavar="export|delete"
    )
    for verb, text in (
        ("export", "write everything that is held about a visitor to standard output, as JSON"),
        ("delete", "erase a visitor for good, and write the report to standard output, as JSON"),
    ):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("--site", metavar="KEY", required=True, help="the visitor's site")
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--user", metavar="ID", help="the whole person with this userId")
        whom.add_argument("--visitor", metavar="COOKIE", help="what the browser with this cookie, or its id, did")
        whom.add_argument("--anonymous", metavar="ID", help="what was claimed under this anonymousId")
        whom.add_argument("--company", metavar="ID", help="what your server told about the company with this groupId")
        whom.add_argument("--key", metavar="KEY", help="whoever the log calls this: a:…, k:…, c:… or g:…")
        add_store_options(parser)
        if verb == "delete":
            parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.set_defaults(run=_run, delete=verb == "delete")


def _run(args: argparse.Namespace) -> int:
    command = f"tuttu privacy {'delete' if args.delete else 'export'}"
    try:
        settings = settings_of(args)
        sites = {site.key: site for site in settings.site}
        if args.site not in sites:
            say(f"{command}: {unknown(args.site, list(sites), f'there is no site {quoted(args.site)}')}")
            return USAGE
        subject = _subject(args)
        if subject is None:
            say(f"{command}: {quoted(args.key)} is no key; write a:…, k:…, c:… or g:… as the log does")
            return USAGE
        if args.delete and not (args.yes or _confirmed(subject)):
            say(f"{command}: nothing was deleted; --yes deletes without asking")
            return COULD_NOT
        found = asyncio.run(_done(settings, sites[args.site], subject, delete=args.delete))
    except (GatewayError, RedisError, OSError) as err:
        return refused(command, err)
    show_json(found)
    return GOOD


def _subject(args: argparse.Namespace) -> Subject | None:
    if args.user is not None:
        return person(args.site, args.user)
    if args.anonymous is not None:
        return claimed(args.site, args.anonymous)
    if args.company is not None:
        return company(args.site, args.company)
    if args.key is not None:
        return named(args.site, args.key)
    return browser(args.site, args.visitor.rpartition("=")[2].partition(".")[0])


def _confirmed(subject: Subject) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"Erase this {subject.word} of site {subject.key.site} for good? Write yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


async def _done(settings: Settings, site: SiteSettings, subject: Subject, *, delete: bool) -> dict[str, Any]:
    plan = _plan(settings, site)
    async with opened_store(settings) as store:
        rights = rights_over(store.profiles, store.client, settings.data)
        if not delete:
            return await rights.export(subject, plan)
        report = await rights.delete(subject, plan.calendar)
        # Swept here as well, for no gateway may be running; twice, because finishing may leave notes of its own.
        waiting = partial(erase_what_waits, settings.data / SPOOL)
        ledger = Ledger(settings.data)
        sweep = Sweep(RedisLog(store.client), rights.eraser, ledger, clock, erase_what_waits=waiting)
        await sweep.once()
        await sweep.once()
        return await rights.report(report["report"]) or report


def _plan(settings: Settings, site: SiteSettings) -> Plan:
    """Return the rules that were live last, which put the counts into words; without any an empty plan."""
    rules, _ = load(read_last_good(settings.data / FOLDER / site.key))
    return compile_rules(rules, site.time_zone) if rules else empty_plan(site.time_zone)
