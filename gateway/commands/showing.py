"""How explanations reach the reader of a command: JSON, plain lines, or coloured lines that fit the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from gateway.commands.rules import UsageError
from personalize.explain_text import Line
from personalize.plan import Plan
from personalize.suggest import quoted, unknown

_NARROWEST = 40
_FURTHER = 4
_STYLES = {
    "title": "bold",
    "head": "bold cyan",
    "won": "green",
    "lost": "",
    "plus": "",
    "minus": "red",
    "warning": "yellow",
    "detail": "dim",
    "gap": "",
}


def show(lines: Iterable[Line]) -> None:
    """Write lines to standard output: with colours and wrapped at its width on a terminal, else as they are."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    console = Console(highlight=False, no_color=bool(os.environ.get("NO_COLOR")))
    console.width = max(console.width, _NARROWEST)
    for line in map(Line.visible, lines):
        text = Text(line.text, _STYLES[line.role])
        if line.where:
            text.append(f"  ({line.where})", "not bold dim")
        if line.role == "gap":
            console.print()
        # What does not fit goes on further in, so that no visitor's text can look like a line of its own.
        indent = 2 * line.depth
        for number, part in enumerate(text.wrap(console, console.width - indent - _FURTHER)):
            part.rstrip()
            console.print(Padding(part, (0, 0, 0, indent + (_FURTHER if number else 0)), expand=False))


def show_json(value: Any) -> None:
    """Write a value as JSON, which is UTF-8 wherever it goes."""
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def asked_placements(plan: Plan, name: str) -> Sequence[str] | None:
    """Return the placements to explain, None for all; raises UsageError for one that the rules do not have."""
    if not name:
        return None
    found = plan.placements.get(name.lower())
    if found is None:
        names = [placement.name for placement in plan.placements.values()]
        raise UsageError(unknown(name, names, f"there is no placement {quoted(name)}"))
    return [found.name]
