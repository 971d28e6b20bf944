"""Merges that were begun and are not over: a browser or an older id whose person does not list it yet."""

from __future__ import annotations

from gateway.ports import Merge, MergeNotes
from gateway.rights.holdings import Holding, Holdings
from personalize.aliases import Alias, holds
from personalize.profiles import Profile


class Merges:
    """Finds them by their notes; all methods raise StoreUnavailable."""

    def __init__(self, holdings: Holdings, notes: MergeNotes) -> None:
        self._holdings = holdings
        self._notes = notes

    async def under_way(self) -> list[tuple[Merge, list[Holding]]]:
        """Return the merges under way, each with the way from the visitor to the person; settle those that are over."""
        found = []
        for merge in await self._notes.merging():
            way = await self._holdings.follow(merge.visitor)
            if _is_over(merge, way):
                await self._notes.settle(merge)
            else:
                found.append((merge, way))
        return found

    async def linked(self, person: Holding) -> dict[str, int]:
        """Return a person's aliases (as `Profile.aliases`), with those whose merge is under way."""
        listed = dict(person.found.aliases) if isinstance(person.found, Profile) else {}
        for merge, way in await self.under_way():
            alias = way[0].found
            if isinstance(alias, Alias) and person.key in [held.key for held in way[1:]]:
                brought = alias.snapshot.aliases if alias.snapshot else {}
                listed |= {name: at for name, at in brought.items() if at > abs(listed.get(name, 0))}
                listed[way[0].name] = merge.at
        return listed


def _is_over(merge: Merge, way: list[Holding]) -> bool:
    """Tell whether nothing is left to do: another document stands there, or the history has arrived."""
    start, end = way[0], way[-1].found
    if not isinstance(start.found, Alias):
        return start.readable
    if start.found.at != merge.at:
        return True
    arrived = isinstance(end, Profile) and holds(end, start.name, merge.at)
    return arrived and start.found.snapshot is None
