"""`tuttu keys show|rotate|add|promote|drop`: the keys that sign cookies, and the secret keys of sites' servers.

They change the file `secrets.toml` and nothing else; a running gateway takes the new keys by itself. No command shows
a key, only its id. Exit codes: 0 good, 1 could not or would lose visitors, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.app import clock
from gateway.commands.showing import show_json
from gateway.errors import KeysRefused, StartupError
from gateway.ring import LIFE, Ring, RingKey, added, expired, promoted, rotated, without
from gateway.secrets import FILE, SecretsFile, changing_secrets
from personalize.suggest import listed, quoted

GOOD, COULD_NOT, USAGE = 0, 1, 2

_TAKEN = "A running gateway takes this within seconds; its metric tuttu_cookie_key_info says when."


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys` and its verbs to the command line."""
    verbs = commands.add_parser("keys", help="rotate the keys that sign cookies, and sites' secret keys")
    subparsers = verbs.add_subparsers(required=True, metavar="show|rotate|add|promote|drop")

    def verb(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser = subparsers.add_parser(name, help=text, description=text)
        parser.add_argument("--data", metavar="DIR", help="folder with secrets.toml (data)")
        parser.set_defaults(run=lambda args: _told(run, args))
        return parser

    verb("show", "list the keys: ids and times, never the keys", _show).add_argument(
        "--json", action="store_true", help="answer in JSON"
    )
    verb("rotate", "make a new key that signs; old ones go on verifying", _rotate).add_argument(
        "--secret", metavar="SITE", help="rotate this site's secret key instead of the cookie key"
    )
    verb("add", "make a new key that only verifies, to be copied to other gateways before it signs", _add)
    verb("promote", "let a key that was added sign", _promote).add_argument(
        "id", nargs="?", default="", help="its id; without one: the key that was added last"
    )
    parser = verb("drop", "take out a key that no longer signs", _drop)
    parser.add_argument("id", nargs="?", default="", help="its id; write -- before one that begins with -")
    parser.add_argument(
        "--older-than", metavar="DAYS", type=_days, help="all that stopped to sign so long ago, as 400d"
    )
    parser.add_argument("--yes", action="store_true", help="even if visitors are lost by it")


def _told(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    if not (_folder(args) / FILE).exists():
        sys.stderr.write(f"tuttu keys: there is no {FILE} in {_folder(args)}; name the folder with --data\n")
        return COULD_NOT
    try:
        return run(args)
    except (KeysRefused, StartupError) as err:
        sys.stderr.write(f"tuttu keys: {err.message}{f'; {err.hint}' if err.hint else ''}\n")
        return COULD_NOT


def _show(args: argparse.Namespace) -> int:
    file = SecretsFile(_folder(args))
    rings = {"cookie_keys": file.cookie_ring(), **{f"site {s}": file.secret_ring(s) for s in file.sites()}}
    rows = {name: [_row(ring, key, cookies=name == "cookie_keys") for key in ring] for name, ring in rings.items()}
    if args.json:
        cookie_keys = rows.pop("cookie_keys")
        sites = {name.removeprefix("site "): found for name, found in rows.items()}
        show_json({"cookie_keys": cookie_keys, "secret_keys": sites})
        return GOOD
    for name, found in rows.items():
        _write(f"{name.replace('_', ' ')}{'' if name == 'cookie_keys' else ', secret keys'}")
        table = [("id", "use", "made", "until", "may go"), *(_texts(row) for row in found)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        _write(*("  " + "  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table))
    return GOOD


def _rotate(args: argparse.Namespace) -> int:
    with changing_secrets(_folder(args)) as file:
        if args.secret is not None:
            ring = file.secret_ring(args.secret)
            if not ring:
                return _wrong(f"no site {quoted(args.secret)} has a secret key; there are {listed(file.sites())}")
            ring = rotated(ring, _now())
            file.put_secret_ring(args.secret, ring)
        else:
            ring = _changed(file, lambda ring: rotated(ring, _now()))
    if args.secret is not None:
        _write(
            f"The secret key {ring[0].id} is new, {listed(key.id for key in ring[1:])} goes on to be accepted.",
            f"It stands in {file.path} under [site.{args.secret}]. Bring it to the site's servers; when all have it:",
            f"  tuttu keys drop {ring[1].id}",
        )
    else:
        _write(f"The new key {ring[0].id} signs; still accepted: {listed(key.id for key in ring[1:])}. {_TAKEN}")
    return GOOD


def _add(args: argparse.Namespace) -> int:
    with changing_secrets(_folder(args)) as file:
        ring = _changed(file, lambda ring: added(ring, _now()))
    _write(
        f"The new key {ring[1].id} verifies and does not sign yet. {_TAKEN}",
        f"Copy {file.path} to the other gateways. When all have taken it: tuttu keys promote {ring[1].id}",
    )
    return GOOD


def _promote(args: argparse.Namespace) -> int:
    with changing_secrets(_folder(args)) as file:
        ring = _changed(file, lambda ring: promoted(ring, args.id, _now()))
    _write(f"The key {ring[0].id} signs; still accepted: {listed(key.id for key in ring[1:])}. {_TAKEN}")
    return GOOD


def _drop(args: argparse.Namespace) -> int:
    if bool(args.id) == (args.older_than is not None):
        return _wrong("say which: an ID, or --older-than 400d")
    now = _now()
    with changing_secrets(_folder(args)) as file:
        cookies = file.cookie_ring()
        names = [args.id] if args.id else list(expired(cookies, now, args.older_than))
        for name in names:
            site = next((s for s in file.sites() if name in [key.id for key in file.secret_ring(s)]), None)
            if site is not None and name not in [key.id for key in cookies]:
                ring = file.secret_ring(site)
                if name == ring[0].id:
                    return _wrong(f"{name} is the key that site {site} has; `tuttu keys rotate --secret {site}` first")
                file.put_secret_ring(site, without(ring, name, now, sure=True))
            else:
                cookies = without(cookies, name, now, sure=args.yes)
        if names and cookies != file.cookie_ring():
            file.put_cookie_ring(cookies)
    _write(f"{listed(names)} {'is' if len(names) == 1 else 'are'} gone. {_TAKEN}" if names else "No key is that old.")
    return GOOD


def _changed(file: SecretsFile, change: Callable[[Ring], Ring]) -> Ring:
    """Change the cookie keys of the file, and return them."""
    ring = change(file.cookie_ring())
    file.put_cookie_ring(ring)
    return ring


def _row(ring: Ring, key: RingKey, *, cookies: bool) -> dict[str, Any]:
    first = key is ring[0]
    use = ("signs" if cookies else "newest") if first else ("verifies" if cookies else "accepted")
    if not first and key.never_signed:
        use = "waits"
    return {
        "id": key.id,
        "use": use,
        "made": key.made,
        "until": key.until,
        "may_go": key.may_go_at if cookies and not first else None,
    }


def _texts(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a row as it is shown: a day with its age, or why there is none."""
    now = _now()

    def day(time: datetime | None, otherwise: str) -> str:
        return f"{time:%Y-%m-%d} ({(now - time).days} days ago)" if time else otherwise

    may_go = row["may_go"]
    going = "" if may_go is None else "now" if may_go <= now else f"{may_go:%Y-%m-%d}"
    never = row["use"] in ("signs", "newest", "waits")
    return row["id"], row["use"], day(row["made"], "unknown"), "" if never else day(row["until"], "unknown"), going


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})\s*(?:d|days?)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no number of days; write {LIFE.days}d")
    return timedelta(days=int(found[1]))


def _folder(args: argparse.Namespace) -> Path:
    return Path(args.data or os.environ.get("TUTTU_DATA") or "data")


def _now() -> datetime:
    return datetime.fromtimestamp(clock() // 1000, UTC)


def _wrong(sentence: str) -> int:
    sys.stderr.write(f"tuttu keys: {sentence}\n")
    return USAGE


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
