"""`tuttu links make|show`: links for e-mails that recognize whoever comes by them, and what such a link says.

Exit codes: 0 good, 1 some rows or the token are not good, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from gateway.app import clock
from gateway.commands.link_rows import RowsUnreadable, read_rows
from gateway.commands.rules import Subparsers, UsageError
from gateway.edge.minting import BadLink, Mint
from gateway.errors import StartupError
from gateway.fetch.progress import Advance, Progress
from gateway.identity.links import Link, Links, lifetime_ms, recognition_in
from gateway.secrets import load_secrets
from gateway.settings import Settings, SiteSettings, load_settings
from personalize.link_targets import is_listed
from personalize.suggest import quoted, unknown

GOOD, BAD, USAGE = 0, 1, 2

_WORTH_A_BAR = 1_000_000
"""A file of so many bytes takes long enough that somebody wants to see how far it is."""
_EVERY = 1_000


def add_parser(commands: Subparsers) -> None:
    """Add `links` and its two verbs to the command line."""
    verbs = commands.add_parser("links", help="make links for e-mails, and say what one of them says").add_subparsers(
        dest="verb", required=True, metavar="make|show"
    )
    parser = verbs.add_parser("make", help="add a link and a pixel to each row of a CSV file")
    parser.add_argument("file", nargs="?", metavar="CSV", type=Path, help="people, with a column userId")
    parser.add_argument("--user", metavar="ID", help="one person, instead of a file")
    parser.add_argument("--base", required=True, metavar="URL", help="where browsers find the gateway")
    parser.add_argument("--target", required=True, metavar="URL", help="the page that the link leads to")
    parser.add_argument("--message", required=True, metavar="NAME", help="the mailing's name, as rules will say it")
    parser.add_argument("--expires", default="30d", metavar="TIME", help="how long it recognizes (30d; at most 400d)")
    parser.add_argument("--column", metavar="NAME", help="the column with the user ids (userId)")
    _add_common(parser)
    parser = verbs.add_parser("show", help="say what a token says, and whether it holds")
    parser.add_argument("token", metavar="TOKEN", help="a token, or a whole address that has one in it")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", metavar="KEY", help="the site (the first one)")
    parser.add_argument("--data", metavar="DIR", help="the gateway's data folder (data)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run one verb, and return the exit code."""
    config = args.config or (Path("tuttu.toml") if Path("tuttu.toml").exists() else None)
    try:
        settings = load_settings(config, os.environ, {"data": args.data})
        links = _links(settings)
        return _make(args, settings, links) if args.verb == "make" else _show(args, settings, links)
    except UsageError as error:
        return _say(args, str(error), USAGE)
    except (RowsUnreadable, StartupError) as error:
        return _say(args, str(error), BAD)


def _links(settings: Settings) -> Links:
    """Return what signs with the gateway's own keys; raises StartupError where there are none yet."""
    file = settings.data / "secrets.toml"
    if not file.exists():
        # Keys that are made here would be another's: no gateway would take the links.
        raise StartupError(f"{file}: there is no such file; start the gateway once, or name its folder with --data")
    return Links(load_secrets(settings.data, []).cookie_keys)


def _site(settings: Settings, key: str | None) -> SiteSettings:
    sites = {site.key: site for site in settings.site}
    if key is not None and key not in sites:
        raise UsageError(unknown(key, list(sites), f"there is no site {quoted(key)}"))
    return settings.site[0] if key is None else sites[key]


# -- make ------------------------------------------------------------------------------------------------------------


def _make(args: argparse.Namespace, settings: Settings, links: Links) -> int:
    if (args.file is None) == (args.user is None):
        raise UsageError("name either a CSV file or one person with --user")
    if any("\ud800" <= sign <= "\udfff" for sign in args.user or ""):
        raise UsageError("the user id is not written in UTF-8")
    site = _site(settings, args.site)
    try:
        times = clock(), lifetime_ms(args.expires)
        mint = Mint(links, site.key, site.allowed_targets(), args.base)
        mint.make("somebody", args.target, args.message, *times)  # what is wrong for all is said once
    except BadLink as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise UsageError(f"--expires {quoted(args.expires)}: {error}") from error
    if args.user is not None:
        try:
            made = mint.make(args.user, args.target, args.message, *times)
        except BadLink as error:
            raise UsageError(str(error)) from error
        sys.stdout.write(f"link   {made.url}\npixel  {made.pixel}\n")
        return GOOD
    return _make_all(args, mint, times)


def _make_all(args: argparse.Namespace, mint: Mint, times: tuple[int, int]) -> int:
    """Write the file with two more columns, row by row; a row without a link keeps its place."""
    good = bad = 0
    header, rows = read_rows(args.file, args.column)
    sys.stdout.flush()
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")  # CSV is UTF-8 wherever it goes
    try:
        with _progress(args.file) as advance:
            writer = csv.writer(out, delimiter=header.delimiter, lineterminator="\n")
            writer.writerow([*header.cells, "link", "pixel"])
            for row in rows:
                # So that the two stand below their names also where a row is shorter than the first.
                cells = row.cells + [""] * (len(header.cells) - len(row.cells))
                try:
                    made = mint.make(row.value(), args.target, args.message, *times)
                    writer.writerow([*cells, made.url, made.pixel])
                    good += 1
                except BadLink as error:
                    sys.stderr.write(f"{args.file}:{row.line}:{row.column()}: {error}\n")
                    writer.writerow([*cells, "", ""])
                    bad += 1
                if (good + bad) % _EVERY == 0:
                    advance(row.read)
            advance(args.file.stat().st_size)
    finally:
        out.flush()
        out.detach()
    sys.stderr.write(f"{good:,} links{f', {bad:,} rows without one' if bad else ''}\n")
    return BAD if bad else GOOD


def _progress(file: Path) -> AbstractContextManager[Advance]:
    size = file.stat().st_size
    return Progress().step("links", size, "MB") if size >= _WORTH_A_BAR else nullcontext(_no_bar)


def _no_bar(_done: int) -> None:
    """Show nothing: the file is short."""


# -- show ------------------------------------------------------------------------------------------------------------


def _show(args: argparse.Namespace, settings: Settings, links: Links) -> int:
    now = clock()
    kind, link = _read(links, settings, args.token, now)
    if link is None:
        return _say(args, "no key of this gateway has signed this token, or it was changed or cut off", BAD)
    site = next((site for site in settings.site if site.key == link.site), None)
    if site is None:
        verdict = f"no: there is no site {quoted(link.site)} here any more"
    elif now >= link.expires:
        verdict = "no: it has expired" + ("; it leads there, but recognizes nobody" if kind == "link" else "")
    elif kind == "link" and not is_listed(link.target, site.allowed_targets()):
        verdict = 'no: its target is not below the site\'s "link_targets" any more'
    else:
        verdict = "yes"
    rows = {
        "kind": kind,
        "site": link.site,
        "contact": f"k:{link.contact}",
        "message": link.message,
        "target": link.target or "none",
        "made": _when(link.made),
        "expires": _when(link.expires),
        "id": link.id,
        "valid": verdict,
    }
    sys.stdout.writelines(f"{name:8}{value}\n" for name, value in rows.items())
    return GOOD if verdict == "yes" else BAD


def _read(links: Links, settings: Settings, text: str, now: int) -> tuple[str, Link | None]:
    """Return which kind of token a text has in it, and what that says."""
    token = text.rpartition("/")[2].removesuffix(".gif")
    if found := links.read(token):
        return "link", found
    if found := links.read_pixel(token):
        return "pixel", found
    token = recognition_in({"url": text}, {}) or text
    for site in settings.site:
        if contact := links.recognized(site.key, token, now):
            link = Link(
                site.key, contact.id, contact.message, contact.path, contact.made, contact.expires, contact.link
            )
            return "recognition", link
    return "", None


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _say(args: argparse.Namespace, sentence: str, code: int) -> int:
    sys.stderr.write(f"tuttu links {args.verb}: {sentence}\n")
    return code
