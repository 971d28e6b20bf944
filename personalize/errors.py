"""What can be wrong with a site's rules, and the errors that the core raises.

    RulesError              anything wrong with a rule set
    ├── RulesInvalid        the files do not make a rule set; carries every problem that was found
    └── ParserMissing       PyYAML was installed without libyaml
    ValueError
    └── PhraseError         one text is not the phrase that is wanted (personalize.values)

A Problem is a value, not an exception: loading goes on after one, so that a writer sees all of them in one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(slots=True, frozen=True)
class Problem:
    """One thing wrong in one place: a sentence for the rule's writer. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    level: Level = "error"

    @classmethod
    def at(cls, where: str, message: str, level: Level = "error") -> Problem:
        """Return a problem at a position that is written as file:line:column."""
        file, line, column = where.rsplit(":", 2)
        return cls(file, int(line), int(column), message, level)

    @property
    def where(self) -> str:
        """The position as file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        note = "" if self.level == "error" else "warning: "
        return f"{self.where}: {note}{self.message}"


class RulesError(Exception):
    """Something is wrong with a rule set."""


class RulesInvalid(RulesError):
    """The files do not make a rule set; `problems` holds everything that was found, its text one line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ParserMissing(RulesError):
    """PyYAML was installed without libyaml; its own parser refuses valid files, so that it is no replacement."""
