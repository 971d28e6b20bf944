"""Since when each matcher counts: what happened before, or while no rule named it, is not in any count.

A small file for each site in the data folder, `<data>/rules/<site>/counting.json`, written by the parent whenever
rules go live. A matcher that no rules have named for UNNAMED_DAYS has left the profiles: it starts at zero when it
comes back.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import orjson

from gateway.durable import replace_file
from personalize.profiles import UNNAMED_DAYS

log = logging.getLogger("tuttu")

FOLDER = "rules"
"""The folder inside the data folder that holds one folder for each site."""

_NAME = "counting.json"


def counting_since(data: Path, site: str) -> dict[str, date]:
    """Return the site's day since which each matcher (by its id) counts, as far as the data folder tells."""
    return {matcher: count.since.date() for matcher, count in Counting(data / FOLDER / site).counts.items()}


@dataclass(slots=True, frozen=True)
class Count:
    """When counting began, in the site's time zone, and since when no rules name the matcher any more."""

    since: datetime
    unnamed: datetime | None = None


class Counting:
    """The counts of one site, from its folder of rule data; `fresh` when nothing was kept there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.counts = _read(folder / _NAME)
        self.fresh = not self.counts

    def name(self, matchers: Collection[str], now: datetime) -> list[str]:
        """Note what the rules name from now on; return the matchers that start at zero, sorted."""
        kept = {m: c for m, c in self.counts.items() if not _has_left(c, now)}
        self.counts = {m: Count(c.since, None if m in matchers else c.unnamed or now) for m, c in kept.items()}
        starting = sorted(set(matchers) - kept.keys())
        self.counts |= {matcher: Count(now) for matcher in starting}
        return starting

    def write(self) -> None:
        """Write down what is known; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        rows = {
            matcher: {"since": count.since} | ({"unnamed": count.unnamed} if count.unnamed else {})
            for matcher, count in sorted(self.counts.items())
        }
        replace_file(self._folder / _NAME, orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def _has_left(count: Count, now: datetime) -> bool:
    return count.unnamed is not None and (now.date() - count.unnamed.date()).days >= UNNAMED_DAYS


def _read(path: Path) -> dict[str, Count]:
    try:
        rows = orjson.loads(path.read_bytes())
        return {
            matcher: Count(
                datetime.fromisoformat(row["since"]),
                datetime.fromisoformat(row["unnamed"]) if "unnamed" in row else None,
            )
            for matcher, row in rows.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as err:
        log.warning("%s cannot be read, so everything seems to count from now on: %s", path, err)
        return {}
