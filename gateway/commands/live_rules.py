"""The rules that a site has, for commands without a gateway: those that were live last, else those of the settings."""

from __future__ import annotations

from pathlib import Path

from gateway.commands.rules import UsageError, load_folder
from gateway.counting import FOLDER
from gateway.last_good import read_last_good
from gateway.settings import Settings, SiteSettings
from personalize.errors import RulesInvalid
from personalize.loader import load
from personalize.plan import Plan, compile_rules


def live_plan(settings: Settings, site: SiteSettings, folder: str | None = None) -> Plan | None:
    """Return a site's rules, those of the folder where one is named; None for a site that has none.

    Raises UsageError when they have errors, or their folder cannot be read.
    """
    live = {} if folder else read_last_good(settings.data / FOLDER / site.key)
    if live:
        rules, problems = load(live)
    elif folder or site.rules:
        loaded = load_folder(Path(folder or site.rules), site.time_zone)
        rules, problems = loaded.rules, loaded.problems
    else:
        return None
    if rules is None:
        raise UsageError(f"the rules have errors, see `tuttu rules check`:\n{RulesInvalid(problems)}")
    return compile_rules(rules, site.time_zone)
