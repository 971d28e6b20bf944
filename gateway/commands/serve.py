"""`tuttu serve`: run the gateway."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from gateway.app import clock
from gateway.errors import StartupError
from gateway.networks.data import FOLDER
from gateway.networks.manifest import stamp_of
from gateway.networks.own_list import read_own_list
from gateway.rules_watch import RulesWatch
from gateway.secrets import load_secrets
from gateway.settings import Settings, load_settings
from gateway.supervisor import Supervisor
from personalize.errors import RulesError

log = logging.getLogger("tuttu")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser("serve", help="run the gateway", description="Run the gateway until Ctrl-C.")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="public port (8080); 0 chooses free ones")
    parser.add_argument("--workers", type=int, help="worker processes (1)")
    parser.add_argument("--data", metavar="DIR", help="folder for everything that is written (data)")
    parser.add_argument("--rules", metavar="DIR", help="folder with the site's rules; goes before the settings file")
    parser.add_argument(
        "--redis", metavar="URL", help="use this store (redis://, rediss://, unix://), not the embedded"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (tuttu.toml, if there is one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop; 0 after a clean end, 1 when the gateway cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    flags = {name: getattr(args, name) for name in ("host", "port", "workers", "data", "rules", "redis")}
    config = args.config or (Path("tuttu.toml") if Path("tuttu.toml").exists() else None)
    try:
        settings = load_settings(config, os.environ, flags)
        secrets = load_secrets(settings.data, [site.key for site in settings.site])
        _check_company_lists(settings)
        rules = RulesWatch(settings, clock)
        _say_what_is_there(settings)
        asyncio.run(Supervisor(settings, secrets, rules).run())
    except (StartupError, RulesError) as err:
        hint = err.hint if isinstance(err, StartupError) else ""
        print(err, hint, sep="\n" if hint else "", file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return 1
    return 0


def _check_company_lists(settings: Settings) -> None:
    """Raise OwnListInvalid, with every problem of the list, before anything is started with a broken one."""
    for site in settings.site:
        if site.companies:
            read_own_list(Path(site.companies))


def _say_what_is_there(settings: Settings) -> None:
    """Tell a newcomer where to look, and what would make it better."""
    gateway = settings.gateway
    if settings.demo and gateway.port:
        log.info("the demo site: http://%s:%d/demo/", gateway.host, gateway.port)
    if stamp_of(settings.data / FOLDER) is None:
        log.info("places and companies are unknown; `tuttu data fetch --data %s` brings the data", settings.data)
