"""One site's rules in the parent: what is live, what was refused and why, and since when what they name counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
    """By id, in the files' order: in the rules' own words, and the file:line:column that names it first."""


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why a rule folder did not go live: its problems, or one sentence where it is not about a place in a file."""

    at: datetime
    error: RulesError

    @property
    def sentences(self) -> list[str]:
        """The reasons, one sentence each; what they quote from a file must not look like a line of ours in the log."""
        found = self.error.problems if isinstance(self.error, RulesInvalid) else (self.error,)
        return ["\\n".join(str(one).splitlines()) for one in found]


class SiteRules:
    """The rules of one site that has a rule folder. `clock` returns ms since 1970.

    Reads the folder; when it is bad, takes the last good rules of the data folder; raises RulesError without any.
    """

    def __init__(self, site: SiteSettings, data: Path, clock: Callable[[], int]) -> None:
        self.key = site.key
        self.folder = Path(site.rules)
        self.refused: Refusal | None = None
        self.silent = False
        """The folder has not answered for a while, as when a network volume is away."""
        self.restless = False
        """The folder changes all the time, so it is read although it is not still."""
        self.unkept = ""
        """Why what is live could not be written down for a restart, as a sentence; "" when it was."""
        self.stamp: Stamp = stamp_of(self.folder)
        """The folder as it was when it was last looked into."""
        self._zone = site.time_zone
        self._kept = data / FOLDER / site.key
        self._clock = clock
        self._counting = Counting(self._kept)
        try:
            found = self.load(read_rules(self.folder))
        except RulesError as error:
            found = self._last_good(error)
            self.refuse(error, found.version)
        self.live, self.since = found, self._now()
        self._announce("is live")
        self.keep()

    def load(self, files: Mapping[str, bytes | str]) -> Live:
        """Return what rule files make, checked and tested; changes nothing. Raises RulesError."""
        return _summary(check(files, self._zone))

    def take(self, found: Live) -> None:
        """Let rules that all workers have by now be the live ones."""
        before, self.live, self.since, self.refused = self.live, found, self._now(), None
        self._announce(f"is live (was {before.version})")
        self._miss_tests(before)

    def take_same(self, found: Live) -> bool:
        """Take a folder whose version is live already; return whether anything beside it changed."""
        before, refused = self.live, self.refused
        changed = found.files != before.files
        self.live, self.refused = found, None
        if changed or refused or not self.restless:
            what = "is good again" if refused else "has other tests" if changed else "holds the same rules"
            log.info(
                "rules of site %s: the folder %s; %s; version %s stays live",
                self.key, what, _passing(found.counts), found.version,
            )  # fmt: skip
        self._miss_tests(before)
        return changed

    def refuse(self, error: RulesError, stays: str = "", *, again: bool = False) -> None:
        """Keep what is live and say why; what is only tried `again` is not said twice in the log."""
        refusal = Refusal(self._now(), error)
        sentences = refusal.sentences
        if again and self.refused and self.refused.sentences == sentences:
            return
        self.refused = refusal
        log.error("rules of site %s refused; version %s stays live:", self.key, stays or self.live.version)
        for sentence in sentences[:_MOST_LOGGED]:
            log.error("  %s", sentence)
        if len(sentences) > _MOST_LOGGED:
            log.error("  and %d more: `tuttu rules check %s`", len(sentences) - _MOST_LOGGED, self.folder)

    def keep(self) -> None:
        """Write down what is live, for a restart, and since when it counts; a disk that is full stops no rules."""
        errors = []
        last_good = partial(keep_last_good, self._kept, self.live.version, self.live.files)
        for write in (last_good, self._counting.write):
            try:
                write()
            except OSError as err:
                errors.append(str(err))
        before, self.unkept = self.unkept, "; ".join(dict.fromkeys(errors))
        if self.unkept and self.unkept != before:
            log.error("%s", self._lost())

    def notes(self) -> list[str]:
        """Return what somebody should see to, one sentence each: above all why the folder's are not live."""
        found = []
        if self.refused is not None:
            first, *others = self.refused.sentences
            more = f" (and {len(others)} more)" if others else ""
            at = self.refused.at.isoformat(" ", "seconds")
            live = f"version {self.live.version} stays live"
            found.append(f"rules of site {self.key} refused at {at}, {live}: {first}{more}")
        if self.silent:
            found.append(f"rules of site {self.key}: the folder {self.folder} does not answer; what is live stays")
        if self.restless:
            found.append(
                f"rules of site {self.key}: the folder {self.folder} changes all the time; "
                "what it holds is taken when two reads of it give the same"
            )
        if self.unkept:
            found.append(self._lost())
        return found

    def _lost(self) -> str:
        return (
            f"rules of site {self.key}: version {self.live.version} is live but cannot be kept in {self._kept}, "
            f"so a restart with a bad folder and `tuttu explain` would take older rules: {self.unkept}"
        )

    def _miss_tests(self, before: Live) -> None:
        """Say it when there are no tests any more: a folder that went may have taken them along."""
        if (had := before.counts["tests"]) and not self.live.counts["tests"]:
            log.warning("rules of site %s: no tests any more; before: %s", self.key, phrasing.amount(had, "test"))

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
            return self.load(files)
        except RulesError as kept:  # an older release took them; the folder is what the operator can mend
            log.error("the last good rules of site %s, kept in %s, are refused: %s", self.key, self._kept, kept)  # noqa: TRY400 - the text is all
            raise error from None

    def _announce(self, what: str) -> None:
        """Say what is live by now, and what of it starts to count."""
        live = self.live
        new = set(self._counting.name(live.matchers.keys(), self.since))
        starting = [found for matcher, found in live.matchers.items() if matcher in new]
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
        matchers={
            matcher: (_words(behaviour), behaviour.where)
            for matcher, behaviour in sorted(plan.matchers.behaviours.items(), key=lambda item: _place(item[1]))
        },
    )


def _place(behaviour: Behaviour) -> tuple[str, int, int]:
    where = Problem.at(behaviour.where, "")
    return where.file, where.line, where.column


def _words(behaviour: Behaviour) -> str:
    """Return what is counted: `viewed /hinnoittelu*`, without how often and within what time."""
    text = f"{behaviour.head} {phrasing.one_of(behaviour.names)}"
    return f"{text} where {phrasing.tests(behaviour.properties)}" if behaviour.properties else text


def _passing(counts: Mapping[str, int]) -> str:
    tests = counts["tests"]
    return f"{phrasing.amount(tests, 'test')} {'passes' if tests == 1 else 'pass'}" if tests else "no tests"
