"""An alias: the document of a browser, or of an older id, whose history went into a known person's profile.

It stands where the profile stood, so whoever looks for that visitor finds out whose profile to use. Until the merge is
finished it carries the history as it was then; a merge is finished when the person's `aliases` name the alias with its
time or a later one. An alias that is not younger than its person's erasure is void: the browser starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from personalize import documents
from personalize.merge import MergePlan, merge
from personalize.profiles import Profile

MOST_ALIASES = 64
"""Browsers and older ids of one person; about 2 KB of the profile's 16."""

MOST_OLDER_IDS = 15
"""Ids that a person had before: each may be one more step on the way from a browser to its person."""


@dataclass(slots=True)
class Alias:
    """Whose history went where: `to` is `k:<id>`, `at` the moment (ms) that makes this link unlike any other.

    `erased` is what the visitor had erased before: events up to then stay out, whoever owns them now. `renewed` is the
    day number on which the document was last written.
    """

    to: str
    at: int
    erased: int = 0
    snapshot: Profile | None = None
    renewed: int = 0
    revision: str = ""


def encode(alias: Alias, revision: str) -> bytes:
    """Return the document of an alias under a new revision."""
    table: dict[str, Any] = {"r": revision, "f": documents.FORMAT, "to": alias.to, "at": alias.at, "n": alias.renewed}
    if alias.erased:
        table["x"] = alias.erased
    if alias.snapshot is not None:
        table["of"] = documents.table_of(alias.snapshot)
    return orjson.dumps(table)


def decode(document: bytes) -> Profile | Alias:
    """Return the profile or the alias in a document; raises JSONDecodeError for what no release has written."""
    table = orjson.loads(document)
    if "to" not in table:
        return documents.of_table(table)
    snapshot = documents.of_table({"r": "", **table["of"]}) if "of" in table else None
    return Alias(table["to"], table["at"], table.get("x", 0), snapshot, table.get("n", 0), table["r"])


def holds(profile: Profile, name: str, at: int) -> bool:
    """Tell whether the link of this name and moment, or a later one, has already been settled with the person."""
    return abs(profile.aliases.get(name, 0)) >= at


def void_until(name: str, at: int, person: Profile) -> int:
    """Return until when (ms) a link is void: its person was erased later, or let it go; 0 for one that holds."""
    return max((t for t in (person.erased, -person.aliases.get(name, 0)) if t >= at), default=0)


def united(plan: MergePlan, person: Profile, name: str, alias: Alias, now: int) -> Profile:
    """Return the person with the alias' history, and with its name; the same person when that has happened already.

    The history's own erasure stays with the alias, and is asked for each event that comes through it: late events of
    another browser of the person must not be dropped for it.
    """
    if holds(person, name, alias.at):
        return person
    revision = person.revision
    if alias.snapshot is not None:
        snapshot = alias.snapshot.copy()
        snapshot.erased = 0
        person = merge(plan, person, snapshot, now)
        person.revision = revision
    else:
        person = person.copy()
    person.aliases = {**person.aliases, name: alias.at}
    return person


def let_go(listed: Mapping[str, int], name: str, at: int) -> dict[str, int]:
    """Return a person's list with one browser let go at `at` (ms), and not over MOST_ALIASES that ever were."""
    released = sorted((n for n, said in listed.items() if said < 0 and n != name), key=listed.__getitem__)
    gone = set(released[MOST_ALIASES - 1 :])
    return {**{n: said for n, said in listed.items() if n not in gone}, name: -at}


def has_room(person: Profile, name: str, snapshot: Profile) -> bool:
    """Tell whether one more browser or older id may become this person's."""
    names = {n for n, at in person.aliases.items() if at > 0} | {n for n, at in snapshot.aliases.items() if at > 0}
    names.add(name)
    return len(names) <= MOST_ALIASES and sum(n.startswith("k:") for n in names) <= MOST_OLDER_IDS


def tombstone(found: Profile | Alias | None, before: int, consent: list[Any]) -> Profile:
    """Return what is left of what stood at an erased visitor's key: until when (ms) events are erased, and `consent`.

    The choice stays, or the site's default would make the visitor anew. The aliases stay until they are erased too;
    those of an older id that was just becoming somebody else's are in its snapshot.
    """
    if found is None:
        return Profile(erased=before, consent=list(consent))
    history = (found.snapshot or Profile()) if isinstance(found, Alias) else found
    return Profile(erased=max(before, found.erased), consent=list(consent), aliases=dict(history.aliases))


def is_tombstone(profile: Profile) -> bool:
    """Tell whether a profile is nothing but the note of an erasure."""
    bare = Profile(profile.revision, profile.erased, consent=profile.consent, aliases=profile.aliases)
    return bool(profile.erased) and profile == bare
