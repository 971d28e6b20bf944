"""One site's rules in the parent: what is live, what was refused and why, and since when what they name counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.counting import FOLDER, Counting
from gateway.last_good import keep_last_good, read_last_good
from gateway.reload import Checked, Stamp, check, pack, read_rules, stamp_of
from gateway.settings import SiteSettings
from personalize import phrasing
from personalize.errors import Problem, RulesError, RulesInvalid
from personalize.syntax import Behaviour

log = logging.getLogger("tuttu")

_MOST_LOGGED = 20
"""Problems, or matchers that start counting, that the log names one by one; GET /rules has them all."""


@dataclass(slots=True, frozen=True)
class Live:
    """Rules that are live, or are about to be. `packed` is what workers get, `matchers` maps ids to what they count."""

    version: str
    packed: str
    files: Mapping[str, str]
    counts: Mapping[str, int]
    inactive: tuple[str, ...]
    warnings: tuple[Problem, ...]
    matchers: Mapping[str, tuple[str, str]]
    """By id: in the rules' own words, and the file:line:column that names it first."""


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why a rule folder did not go live: its problems, or one sentence where it is not about a place in a file."""

    at: datetime
    error: RulesError

    @property
    def sentences(self) -> list[str]:
        """The reasons, one sentence each."""
        return str(self.error).splitlines()


class SiteRules:
    """The rules of one site that has a rule folder. `clock` returns ms since 1970.

    Reads the folder; when it is bad, takes the last good rules of the data folder; raises RulesError without any.
    """

    def __init__(self, site: SiteSettings, data: Path, clock: Callable[[], int]) -> None:
        self.key = site.key
        self.folder = Path(site.rules)
        self.refused: Refusal | None = None
        self.stamp: Stamp = stamp_of(self.folder)
        """The folder as it was when it was last looked into."""
        self._zone = site.time_zone
        self._kept = data / FOLDER / site.key
        self._clock = clock
        self._counting = Counting(self._kept)
        try:
            found = self.load()
        except RulesError as error:
            found = self._last_good(error)
            self.refuse(error, found.version)
        self.live, self.since = found, self._now()
        self._announce("is live")
        self.keep()

    def load(self) -> Live:
        """Return what the folder holds now, checked and tested; changes nothing. Raises RulesError."""
        return _summary(check(read_rules(self.folder), self._zone))

    def take(self, found: Live) -> None:
        """Let rules that all workers have by now be the live ones."""
        before, self.live, self.since, self.refused = self.live, found, self._now(), None
        self._announce(f"is live (was {before.version})")

    def take_same(self, found: Live) -> bool:
        """Take a folder whose version is live already; return whether anything beside it changed."""
        changed = found.files != self.live.files
        what = "is good again" if self.refused else "has other tests" if changed else "holds the same rules"
        self.live, self.refused = found, None
        log.info(
            "rules of site %s: the folder %s; %s; version %s stays live",
            self.key, what, _passing(found.counts), found.version,
        )  # fmt: skip
        return changed

    def refuse(self, error: RulesError, stays: str = "") -> None:
        """Keep what is live and say why."""
        self.refused = Refusal(self._now(), error)
        sentences = self.refused.sentences
        log.error("rules of site %s refused; version %s stays live:", self.key, stays or self.live.version)
        for sentence in sentences[:_MOST_LOGGED]:
            log.error("  %s", sentence)
        if len(sentences) > _MOST_LOGGED:
            log.error("  and %d more: `tuttu rules check %s`", len(sentences) - _MOST_LOGGED, self.folder)

    def keep(self) -> None:
        """Write down what is live, for a restart, and since when it counts; a disk that is full stops no rules."""
        try:
            keep_last_good(self._kept, self.live.version, self.live.files)
            self._counting.write()
        except OSError as err:
            log.error("the live rules of site %s cannot be kept for a restart: %s", self.key, err)  # noqa: TRY400 - the text is all

    def note(self) -> str:
        """Return why the folder's rules are not the live ones, "" when they are."""
        if self.refused is None:
            return ""
        first, *others = self.refused.sentences
        more = f" (and {len(others)} more)" if others else ""
        at = self.refused.at.isoformat(" ", "seconds")
        return f"rules of site {self.key} refused at {at}, version {self.live.version} stays live: {first}{more}"

    def report(self) -> dict[str, Any]:
        """Return all that there is to know, for GET /rules."""
        live, refused = self.live, self.refused
        return {
            "folder": str(self.folder),
            "version": live.version,
            "live_since": self.since,
            "files": sorted(live.files),
            "counts": live.counts,
            "inactive": live.inactive,
            "warnings": live.warnings,
            "refused": None
            if refused is None
            else {
                "at": refused.at,
                "problems": refused.error.problems
                if isinstance(refused.error, RulesInvalid)
                else [{"message": str(refused.error)}],
            },
            "matchers": [
                {"id": matcher, "what": words, "where": where, "since": self._counting.counts[matcher].since}
                for matcher, (words, where) in live.matchers.items()
            ],
        }

    def _last_good(self, error: RulesError) -> Live:
        files = read_last_good(self._kept)
        if not files:
            raise error
        try:
            return _summary(check(files, self._zone))
        except RulesError:  # an older release took them; the folder is what the operator can mend
            raise error from None

    def _announce(self, what: str) -> None:
        """Say what is live by now, and what of it starts to count."""
        live = self.live
        starting = [live.matchers[matcher] for matcher in self._counting.name(live.matchers.keys(), self.since)]
        text = "; counting begins now" if starting else ""
        if starting and not self._counting.fresh:
            named = [f"{what} ({where})" for what, where in starting[:_MOST_LOGGED]]
            if len(starting) > _MOST_LOGGED:
                named.append(f"and {len(starting) - _MOST_LOGGED} more")
            verb = "starts" if len(starting) == 1 else "start"
            text = f"; {phrasing.amount(len(starting), 'thing')} {verb} counting now: {', '.join(named)}"
        self._counting.fresh = False
        listed = ", ".join(phrasing.amount(n, name[:-1]) for name, n in live.counts.items() if n and name != "tests")
        log.info(
            "rules of site %s: version %s %s: %s; %s%s",
            self.key, live.version, what, listed or "nothing to show yet", _passing(live.counts), text,
        )  # fmt: skip
        if live.warnings:
            warnings = phrasing.amount(len(live.warnings), "warning")
            log.info("rules of site %s: %s; `tuttu rules check %s` shows them", self.key, warnings, self.folder)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() // 1000, ZoneInfo(self._zone))


def _summary(checked: Checked) -> Live:
    rules, plan = checked.rules, checked.plan
    sections = {
        "scores": rules.scores,
        "interests": rules.interests,
        "segments": rules.segments,
        "placements": rules.placements,
        "tests": rules.tests,
    }
    return Live(
        version=plan.version,
        packed=pack(rules),
        files=checked.files,
        counts={name: len(items) for name, items in sections.items()},
        inactive=plan.inactive,
        warnings=checked.warnings,
        matchers={matcher: (_words(b), b.where) for matcher, b in plan.matchers.behaviours.items()},
    )


def _words(behaviour: Behaviour) -> str:
    """Return what is counted: `viewed /hinnoittelu*`, without how often and within what time."""
    text = f"{behaviour.head} {phrasing.one_of(behaviour.names)}"
    return f"{text} where {phrasing.tests(behaviour.properties)}" if behaviour.properties else text


def _passing(counts: Mapping[str, int]) -> str:
    tests = counts["tests"]
    return f"{phrasing.amount(tests, 'test')} {'passes' if tests == 1 else 'pass'}" if tests else "no tests"
