"""Deleting what waits or was set aside: said before how much of whom, and never what a process has in hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.app import clock
from gateway.commands.opened import COULD_NOT, GOOD, say
from gateway.commands.rules import UsageError
from gateway.commands.spool_show import clean, counted
from gateway.errors import StartupError
from gateway.spool.looking import Segment, segment_at, sites_of
from gateway.spool.segments import ASIDE, SUFFIX, claimed, listed, made_at
from personalize.suggest import quoted, unknown


@dataclass(slots=True, frozen=True)
class Order:
    """What to delete: segments by name, all that was set aside, or those begun more than so many ms ago."""

    names: tuple[str, ...] = ()
    aside: bool = False
    older_than: int | None = None


def drop(folder: Path, order: Order, *, sure: bool) -> int:
    """Delete segments, and return the exit code; raises UsageError, StartupError and OSError."""
    found = list(_chosen(folder, order))
    if not found:
        sys.stdout.write(f"There is nothing of that in {folder}.\n")
        return GOOD
    for segment in found:
        if segment.locked:
            raise StartupError(
                f"{segment.path.name} is being written or replayed by a running process, and nothing was deleted.",
                hint="Stop the gateway first, or wait until it has replayed it.",
            )
    say(_loss(found))
    if not (sure or _confirmed()):
        say("tuttu spool drop: nothing was deleted; --yes deletes without asking")
        return COULD_NOT
    return _deleted(found)


def _chosen(folder: Path, order: Order) -> Iterator[Segment]:
    paths = [*listed(folder), *listed(folder, ASIDE)]
    if order.aside:
        paths = [path for path in paths if path.suffix == ASIDE]
    elif order.older_than is not None:
        before = clock() - order.older_than
        paths = [path for path in paths if path.suffix == SUFFIX and 0 < made_at(path) < before]
    else:
        paths = list(dict.fromkeys(_named(name, paths, folder) for name in order.names))
    return filter(None, map(segment_at, paths))


def _named(name: str, paths: Sequence[Path], folder: Path) -> Path:
    wanted = Path(name).name
    for path in paths:
        if wanted in (path.name, path.stem):
            return path
    names = [path.name for path in paths]
    raise UsageError(unknown(wanted, names, f"there is no segment {quoted(wanted)} in {folder}"))


def _loss(segments: Sequence[Segment]) -> str:
    of = [
        f"{events:,} of site {clean(key)}" + (f" with {erasures:,} erasures" if erasures else "")
        for key, events, erasures, _ in sites_of(segments)
    ]
    text = f"{counted(segments)} will be lost for good" + (f": {', '.join(of)}." if of else ".")
    if any(one.erasures for one in segments):
        text += " The erasures are visitors' own wishes, and will not be fulfilled."
    for one in segments:
        if not one.readable:
            text += f" Nobody knows what is in {one.path.name}, which another version wrote."
    return text


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Delete them? Write yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _deleted(segments: Sequence[Segment]) -> int:
    gone: list[Segment] = []
    kept = []
    for segment in segments:
        claim = claimed(segment.path)
        if claim is not None:
            with claim:
                claim.remove()
            gone.append(segment)
        elif segment.path.exists():
            kept.append(segment.path.name)
    number = "1 segment was" if len(gone) == 1 else f"{len(gone):,} segments were"
    sys.stdout.write(f"{number} deleted, with {counted(gone)}.\n")
    for name in kept:
        say(f"tuttu spool drop: {name} is in use by now and was left alone")
    return COULD_NOT if kept else GOOD
