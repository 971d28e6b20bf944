"""`tuttu spool show|replay|drop`: what waits on disk for the store, and what was set aside.

Exit codes: 0 good, 1 could not or not confirmed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from redis.exceptions import RedisError

from gateway.app import clock
from gateway.commands.opened import COULD_NOT, GOOD, USAGE, add_store_options, refused, say, settings_of
from gateway.commands.rules import UsageError
from gateway.commands.showing import show_json
from gateway.commands.spool_drop import Order, drop
from gateway.commands.spool_replay import replay
from gateway.commands.spool_show import as_data, tables
from gateway.errors import GatewayError, StartupError
from gateway.settings import Settings
from gateway.spool.looking import look
from gateway.spool.segments import FOLDER

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `spool` and its verbs."""
    verbs = commands.add_parser("spool", help="show, replay or drop the hits that wait for the store").add_subparsers(
        required=True, metavar="show|replay|drop"
    )
    parser = verbs.add_parser("show", help="say what waits and what was set aside; changes nothing")
    _add_folder(parser)
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument(
        "--records", metavar="N", type=_number, default=0, help="also the first N records, with their ids"
    )
    parser.set_defaults(run=_told("show", _show))

    parser = verbs.add_parser("replay", help="bring to the store what waits, or wait until a running gateway has")
    parser.add_argument("--aside", action="store_true", help="first let what was set aside wait again")
    add_store_options(parser)
    parser.set_defaults(run=_told("replay", _replay))

    parser = verbs.add_parser("drop", help="delete what waits or was set aside, for good")
    parser.add_argument("segments", metavar="SEGMENT", nargs="*", help="segments, named as `show` does")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--aside", action="store_true", help="all that was set aside")
    which.add_argument("--older-than", metavar="AGE", type=_age, help="segments begun so long ago, as 30m, 12h or 3d")
    _add_folder(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=_told("drop", _drop))


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", help="the gateway's data folder (data)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")
    parser.set_defaults(redis=None)


def _told(verb: str, run: Callable[[argparse.Namespace, Settings, Path], int]) -> Callable[[argparse.Namespace], int]:
    """Return what runs a verb on the spool's folder, and says in a sentence why it could not."""
    command = f"tuttu spool {verb}"

    def told(args: argparse.Namespace) -> int:
        try:
            settings = settings_of(args)
            return run(args, settings, _folder(settings))
        except UsageError as err:
            refused(command, err)
            return USAGE
        except PermissionError as err:
            hint = "run it as the user that the gateway runs as"
            return refused(command, StartupError(f"{err.filename}: {err.strerror}", hint=hint))
        except OSError as err:
            return refused(command, StartupError(f"{err.filename}: {err.strerror}") if err.filename else err)
        except (GatewayError, RedisError) as err:
            return refused(command, err)
        except KeyboardInterrupt:
            say(f"\n{command}: interrupted; what is left waits")
            return COULD_NOT

    return told


def _folder(settings: Settings) -> Path:
    """Return the spool's folder; raises StartupError when the data folder, or this one, cannot be one."""
    if not settings.data.is_dir():
        raise StartupError(f"There is no folder {settings.data}.", hint="Name the gateway's with --data DIR.")
    folder = settings.data / FOLDER
    if folder.exists() and not folder.is_dir():
        raise StartupError(f"{folder} is no folder.", hint="Move it away; the gateway makes the folder itself.")
    return folder


def _show(args: argparse.Namespace, settings: Settings, folder: Path) -> int:
    seen = look(folder, args.records)
    if args.json:
        show_json(as_data(seen, folder, clock(), settings.gateway.spool_max_bytes))
    elif seen.waiting or seen.aside:
        tables(seen, folder, clock(), settings.gateway)
    else:
        sys.stdout.write(f"Nothing waits in {folder}, and nothing was set aside.\n")
    return GOOD


def _replay(args: argparse.Namespace, settings: Settings, folder: Path) -> int:
    return replay(settings, folder, aside=args.aside)


def _drop(args: argparse.Namespace, _settings: Settings, folder: Path) -> int:
    if bool(args.segments) + args.aside + (args.older_than is not None) != 1:
        raise UsageError("say what to delete: --aside, --older-than 12h, or SEGMENTs as `tuttu spool show` names them")
    return drop(folder, Order(tuple(args.segments), args.aside, args.older_than), sure=args.yes)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is no number of records, such as 20')
    return int(text)


def _age(text: str) -> int:
    """Return an age in ms."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no age; write it as 30m, 12h or 3d')
    return int(found[1]) * _UNITS[found[2]] * 1000
