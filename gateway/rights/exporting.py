"""What is held about a visitor, as one JSON document. It reads neither store nor clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.rights.finding import MOST_ENTRIES, Found
from gateway.rights.holdings import Holding
from gateway.rights.readable import readable_alias, readable_entry, readable_profile, time_text
from personalize.aliases import Alias
from personalize.marks import SIZE
from personalize.plan import Plan
from personalize.profiles import Profile

FORMAT = 1
KINDS = {"a": "browser", "k": "person", "c": "claimed", "g": "company"}

OF_A_PERSON = (
    "This browser belongs to a person. What it did since then is part of the person's counts and cannot be told apart "
    "there; ask for the whole person by userId and userHash, or let the site's server ask with the secret key."
)
_MERGING = "A browser's profile is just being added to the person's; it stands here as it was before."
_DAMAGED = "A stored document is damaged and could not be read; deletion reaches it all the same."
_CUT = "There are more log entries than one export holds; ask again for the rest after some hours."


def export_of(
    found: Found, entries: Sequence[bytes], plan: Plan, now: int, waiting: Sequence[bytes] = ()
) -> dict[str, Any]:
    """Return the export of what was found, with at most MOST_ENTRIES of the entries, and of those that wait.

    `profiles`, `aliases`, `log` and `waiting` are lists; `log_complete` tells whether all entries are there; `notes`
    are sentences. Times are ISO 8601 in the site's time zone, which the plan knows.
    """
    calendar, cut = plan.calendar, max(len(entries), len(waiting)) > MOST_ENTRIES
    profiles = [(held, profile) for held in found.held if (profile := _profile(held)) is not None]
    notes = {
        OF_A_PERSON: found.of_a_person,
        _MERGING: any(isinstance(held.found, Alias) for held, _ in profiles),
        _DAMAGED: not all(held.readable for held in found.held),
        _CUT: cut,
    }
    return {
        "format": FORMAT,
        "site": found.held[0].key.site,
        "exported": time_text(calendar, now),
        "time_zone": calendar.zone,
        "profiles": [
            {
                "key": held.name,
                "kind": KINDS.get(held.key.kind, held.key.kind),
                "messages_marked": len(held.marks) // SIZE,
                **readable_profile(profile, plan),
            }
            for held, profile in profiles
        ],
        "aliases": [readable_alias(name, at, calendar) for name, at in found.aliases.items()],
        "log": [readable_entry(entry, calendar) for entry in entries[:MOST_ENTRIES]],
        "waiting": [readable_entry(entry, calendar) for entry in waiting[:MOST_ENTRIES]],
        "log_complete": not cut,
        "notes": [note for note, holds in notes.items() if holds],
    }


def _profile(held: Holding) -> Profile | None:
    """Return the profile that is held; of an alias, the frozen one of a merge that is not finished."""
    if isinstance(held.found, Alias):
        return held.found.snapshot
    return held.found
