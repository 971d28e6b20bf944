"""From the text of rule files to one checked RuleSet: every problem of every file in one run.

Files come in any order and hold any of the top-level words. This file does no I/O: names and contents come in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from personalize import fields as f
from personalize import likes, lint, names
from personalize.errors import Problem
from personalize.slips import typographic
from personalize.suggest import quoted
from personalize.syntax import (
    Case,
    Inactive,
    Interest,
    Placement,
    RuleSet,
    Score,
    Segment,
    Stage,
    Temperature,
)
from personalize.syntax_reserved import Experiment, Holdout, Trigger
from personalize.words import Names, Problems, Reading, TooManyProblems, Words
from personalize.yaml_nodes import MAX_PROBLEMS, Items, Map, Node, Room, Text, compose

SECTIONS: dict[str, type[Words]] = {
    "scores": Score,
    "interests": Interest,
    "segments": Segment,
    "stages": Stage,
    "temperatures": Temperature,
    "placements": Placement,
    "experiments": Experiment,
    "triggers": Trigger,
    "tests": Case,
}
"""The top-level words that hold lists, and what their items are; `holdout` holds one map."""

KINDS = frozenset({model.declares for model in SECTIONS.values()} | {"block"})

ONCE = ("stages", "temperatures", "holdout", "stages move")
"""Their items have an order, or there is only one, so they cannot be spread over files."""

MOVES = ("both ways", "forward only")
"""How `stages move`: by what holds now, or only ever up the list, as most CRMs expect it."""

MAX_SEARCHED = 50_000
"""The size of a file that could not be read in which names are searched for; with a larger one, all are in doubt."""

Item = TypeVar("Item", bound=Words)


@dataclass(slots=True)
class _Run:
    """One loading of all files; `places` tells where a word was that may stand only once."""

    problems: Problems = field(default_factory=Problems)
    names: Names = field(default_factory=Names)
    room: Room = field(default_factory=Room)
    items: dict[str, list[Words]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    places: dict[str, Text] = field(default_factory=dict)
    forward_only: bool = False
    broken: dict[str, Problem] = field(default_factory=dict)
    """What kept each file that could not be read from being read."""

    def read_file(self, file: str, source: str | bytes) -> None:
        """Read one file."""
        root, problems, complete = compose(file, source, self.room)
        for problem in problems:
            self.problems.add(problem)
        if not complete:
            # Whatever the rest of the file names may be used elsewhere.
            text = _folded(source) if len(source) <= MAX_SEARCHED and not self.room.full else ""
            self.failed.update(word for word in SECTIONS if word in text or not text)
            if text:
                self.names.unread[file] = text
                self.broken[file] = problems[-1]
            else:
                self.names.lost.update(KINDS)
        elif isinstance(root, Map):
            for text, message in typographic(root):
                self.problems.report(text.where, message, "warning")
            self.read_sections(root)
        elif root:  # "---" alone is an empty text
            self.problems.report(root.where, "a file starts with a word such as segments: or placements:")

    def read_sections(self, root: Map) -> None:
        """Read every top-level word of one file."""
        words = (*SECTIONS, "holdout", "stages move")
        for word, value in self.reading().settle(root, words, "a rule file").items():
            self.read_once(word)
            if word == "holdout":
                self.read_item(Holdout, word, value)
            elif word == "stages move":
                self.read_move(value)
            elif isinstance(value, Items):
                for item in value:
                    self.read_item(SECTIONS[word], word, item)
            else:
                self.problems.report(value.where, f'a list is wanted here: each item of {word} after "- "')
                self.lose(word)

    def read_once(self, word: Text) -> None:
        """Report a second place of a word whose items cannot be spread over files."""
        if word not in ONCE:
            return
        if first := self.places.get(word):
            message = f"{quoted(word)} stands in {first.where} already; it stands in one place of all files"
            self.problems.report(word.where, message)
            self.failed.add(str(word))
        self.places[str(word)] = word

    def read_move(self, value: Node) -> None:
        """Read how stages move."""
        reading = self.reading()
        with suppress(PydanticCustomError):  # it has been reported
            self.forward_only = f.choice(f.text_of(value, reading), MOVES, reading) == "forward only"

    def read_item(self, model: type[Words], word: str, item: Node) -> None:
        """Read one item of a list."""
        begun = len(self.names.references)
        try:
            read = model.model_validate(item, context=self.reading())
        except ValidationError as error:
            self.failed.add(word)
            for detail in error.errors(include_url=False, include_input=False):
                if detail["type"] != "reported":
                    path = ".".join(map(str, detail["loc"]))
                    self.problems.report(item.where, f"{model.thing} cannot be read: {path}: {detail['msg']}")
        else:
            self.items.setdefault(word, []).append(read)
        if word != "tests":
            self.names.used.update((used.kind, used.name) for used in self.names.references[begun:])

    def reading(self) -> Reading:
        """Return what the validators of one item share."""
        return Reading(self.problems, self.names)

    def lose(self, word: str) -> None:
        """Note that a section could not be read, so that nobody misses its names."""
        self.failed.add(word)
        self.names.lost.add(SECTIONS[word].declares if word in SECTIONS else "")

    def finish(self, digest: str, today: date | None) -> RuleSet:
        """Check what only shows once all files are read, and return the rule set."""
        names.check(self.names, self.problems)
        for file in self.names.doubted:
            problem = self.broken[file]
            message = f"{problem.message}; names that may be declared in this file are checked once it can be read"
            self.problems.found[problem.where] = replace(problem, message=message)
        cases = self.section("tests", Case)
        rules = RuleSet.model_construct(
            scores=self.section("scores", Score),
            interests=self.section("interests", Interest),
            segments=self.section("segments", Segment),
            stages=self.section("stages", Stage),
            temperatures=self.section("temperatures", Temperature),
            placements=self.section("placements", Placement),
            stages_forward_only=self.forward_only,
            inactive=self.inactive(),
            tests=likes.resolved(cases, self.problems),
            digest=digest,
        )
        experiments, triggers = self.section("experiments", Experiment), self.section("triggers", Trigger)
        written = lint.Written(rules, experiments, triggers, cases, self.names, self.failed)
        lint.check(written, today, self.problems)
        if "stages move" in self.places and not rules.stages and "stages" not in self.failed:
            self.problems.report(self.places["stages move"].where, "there are no stages that could move", "warning")
        return rules

    def section(self, word: str, model: type[Item]) -> tuple[Item, ...]:
        """Return the items of a list that could be read."""
        return tuple(item for item in self.items.get(word, ()) if isinstance(item, model))

    def inactive(self) -> tuple[Inactive, ...]:
        """Return what is read and checked but does nothing yet."""
        return (
            *(Inactive(kind="experiment", name=e.name, where=e.where) for e in self.section("experiments", Experiment)),
            *(Inactive(kind="holdout", name="holdout", where=h.where) for h in self.section("holdout", Holdout)),
            *(Inactive(kind="trigger", name=t.name, where=t.where) for t in self.section("triggers", Trigger)),
        )


def load(files: Mapping[str, str | bytes], today: date | None = None) -> tuple[RuleSet | None, list[Problem]]:
    """Return the rule set of these files (name -> content) and its problems, by file, line and column.

    `today` is the site's date; without it, nothing is said about schedules that are over. With a problem of level error
    there is no rule set. Raises ParserMissing when PyYAML lacks libyaml, else nothing.
    """
    run = _Run()
    rules: RuleSet | None = None
    cut = ""
    try:
        for file in sorted(files):
            if not run.room.full:
                run.read_file(file, files[file])
        rules = run.finish(digest_of(files), today)
    except TooManyProblems:
        cut = f"more than {MAX_PROBLEMS} errors were found; the others are not listed"
    found = sorted(run.problems.found.values(), key=lambda problem: (problem.file, problem.line, problem.column))
    valid = not cut and all(problem.level == "warning" for problem in found)
    if cut:
        found.append(replace(found[-1], message=cut, level="error"))
    elif run.problems.unlisted:
        more = f"there are {run.problems.unlisted} more warnings, which are not listed"
        found.append(replace(found[-1], message=more, level="warning"))
    return (rules if valid else None), found


def _folded(source: str | bytes) -> str:
    """Return the file's text as names are compared, or "" when its signs cannot be told."""
    try:
        text = source.decode() if isinstance(source, bytes) else source
    except UnicodeDecodeError:
        return ""
    return " ".join(text.casefold().split())


def digest_of(files: Mapping[str, str | bytes]) -> str:
    """Return a hash of all files except those in tests/: the version of the plan that they make."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(files):
        if not name.startswith("tests/"):
            source = files[name]
            content = source.encode(errors="surrogatepass") if isinstance(source, str) else source
            # Lengths keep apart what would else run together.
            digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()
