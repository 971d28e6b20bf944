"""How far an import has come, in a file beside the table, so that it can go on after whatever stopped it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.crm.errors import ImportRefused, Problem
from gateway.durable import replace_file

FORMAT = 1
MOST_REJECTED = 1_000
"""Events that the gateway did not take and that are remembered by their line; more are only counted."""


@dataclass(slots=True)
class Progress:
    """What has been answered so far; `done` is the number of the last row of which all before were answered too."""

    digest: str
    mapping: str
    now: int
    """When the import began (ms): the time of rows that have none of their own, also after it went on."""
    done: int = 0
    done_line: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """Events by what became of them: stored, duplicate, rejected, and the reasons of those that were dropped."""
    rejected: list[Problem] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, answer: dict[str, Any], lines: list[int]) -> list[Problem]:
        """Add a batch's answer; `lines` has the line of each event's row. Return what the gateway did not take."""
        duplicates = int(answer.get("duplicates", 0))
        self.events["stored"] += int(answer["accepted"]) - duplicates
        self.events["duplicate"] += duplicates
        because = answer.get("dropped_because") or ({"dropped": answer["dropped"]} if answer["dropped"] else {})
        for reason, number in because.items():
            self.events[f"dropped {reason}"] += int(number)
        problems = [
            Problem(lines[event["index"]], 1, "", f"the gateway refused it as {event['code']}: {event['message']}")
            for event in answer["rejected"]
        ]
        self.events["rejected"] += len(problems)
        self.rejected += problems[: max(0, MOST_REJECTED - len(self.rejected))]
        return problems

    def save(self, path: Path) -> None:
        """Write it, at once and durably; raises ImportRefused."""
        table = {name: getattr(self, name) for name in self.__slots__ if name not in ("events", "rejected")}
        table |= {"format": FORMAT, "events": dict(self.events)}
        table["rejected"] = [[p.line, p.message] for p in self.rejected]
        try:
            replace_file(path, orjson.dumps(table))
        except OSError as err:
            raise ImportRefused(
                f"{path}: how far the import is cannot be written: {err.strerror}; put the file where you may write"
            ) from err


def load(path: Path) -> Progress | None:
    """Return what is written, None when there is nothing; raises ImportRefused."""
    try:
        table = orjson.loads(path.read_bytes())
        if table.pop("format") != FORMAT:
            raise ImportRefused(f"{path}: another release wrote it; import without --resume")
        table["events"] = Counter(table["events"])
        table["rejected"] = [Problem(line, 1, "", message) for line, message in table["rejected"]]
        return Progress(**table)
    except FileNotFoundError:
        return None
    except OSError as err:
        raise ImportRefused(f"{path}: it cannot be read: {err.strerror}") from err
    except (ValueError, TypeError, LookupError, AttributeError) as err:
        raise ImportRefused(f"{path}: this is no progress of an import; import without --resume") from err
