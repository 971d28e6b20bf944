"""From the text of rule files to one checked RuleSet: every problem of every file in one run.

Files come in any order and hold any of the top-level words. This file does no I/O: names and contents come in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import ValidationError

from personalize import likes, lint, names
from personalize.errors import Problem
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
from personalize.words import MAX_PROBLEMS, Names, Problems, Reading, TooManyProblems, Words
from personalize.yaml_nodes import Items, Map, Node, Text, compose

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

ONCE = ("stages", "temperatures", "holdout")
"""Their items have an order, or there is only one, so they cannot be spread over files."""

Item = TypeVar("Item", bound=Words)


@dataclass(slots=True)
class _Run:
    """One loading of all files; `places` tells where a word was that may stand only once."""

    problems: Problems = field(default_factory=Problems)
    names: Names = field(default_factory=Names)
    items: dict[str, list[Words]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    places: dict[str, Text] = field(default_factory=dict)

    def read_file(self, file: str, source: str | bytes) -> None:
        """Read one file."""
        root, problems, complete = compose(file, source)
        for problem in problems:
            self.problems.add(problem)
        if not complete:
            # Whatever the rest of the file names may be used elsewhere.
            self.names.lost.update(KINDS)
            self.failed.update(SECTIONS)
        elif isinstance(root, Map):
            self.read_sections(root)
        elif root:  # "---" alone is an empty text
            self.problems.report(root.where, "a file starts with a word such as segments: or placements:")

    def read_sections(self, root: Map) -> None:
        """Read every top-level word of one file."""
        words = (*SECTIONS, "holdout")
        for word, value in self.reading().settle(root, words, "a rule file").items():
            self.read_once(word)
            if word == "holdout":
                self.read_item(Holdout, word, value)
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
            message = f"{quoted(word)} stands in {first.where} already; its order counts, so it stands in one place"
            self.problems.report(word.where, message)
            self.failed.add(str(word))
        self.places[str(word)] = word

    def read_item(self, model: type[Words], word: str, item: Node) -> None:
        """Read one item of a list."""
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

    def reading(self) -> Reading:
        """Return what the validators of one item share."""
        return Reading(self.problems, self.names)

    def lose(self, word: str) -> None:
        """Note that a section could not be read, so that nobody misses its names."""
        self.failed.add(word)
        self.names.lost.add(SECTIONS[word].declares if word in SECTIONS else "")

    def finish(self, digest: str) -> RuleSet:
        """Check what only shows once all files are read, and return the rule set."""
        names.check(self.names, self.problems)
        rules = RuleSet.model_construct(
            scores=self.section("scores", Score),
            interests=self.section("interests", Interest),
            segments=self.section("segments", Segment),
            stages=self.section("stages", Stage),
            temperatures=self.section("temperatures", Temperature),
            placements=self.section("placements", Placement),
            inactive=self.inactive(),
            tests=likes.resolved(self.section("tests", Case), self.problems),
            digest=digest,
        )
        lint.check(rules, self.failed, self.problems)
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


def load(files: Mapping[str, str | bytes]) -> tuple[RuleSet | None, list[Problem]]:
    """Return the rule set of these files (name -> content) and its problems, by file, line and column.

    With a problem of level error there is no rule set. Raises ParserMissing when PyYAML lacks libyaml, else nothing.
    """
    run = _Run()
    rules: RuleSet | None = None
    cut = ""
    try:
        for file in sorted(files):
            run.read_file(file, files[file])
        rules = run.finish(digest_of(files))
    except TooManyProblems:
        cut = f"more than {MAX_PROBLEMS} problems were found; the others are not listed"
    found = sorted(run.problems.found.values(), key=lambda problem: (problem.file, problem.line, problem.column))
    valid = not cut and all(problem.level == "warning" for problem in found)
    if cut:
        found.append(replace(found[-1], message=cut, level="error"))
    return (rules if valid else None), found


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
