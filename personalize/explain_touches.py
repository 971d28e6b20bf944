"""First and last touch as data for explanations; the sentences stand with the languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from personalize.touches import Touch, touch_in
from personalize.view import View


@dataclass(slots=True, frozen=True)
class TouchExplained:
    """A touch with when it was (the site's local time) and the kinds of the click ids that came with it."""

    which: Literal["first", "last"]
    touch: Touch
    when: str
    clicks: tuple[str, ...]

    @property
    def campaign(self) -> str:
        """The campaign in short: its name, then what else is known of it, in brackets."""
        name, *rest = (part for part in self.touch[3:] if part)
        return f"{name} ({', '.join(rest)})" if rest else name

    @property
    def has_campaign(self) -> bool:
        """Whether anything is known of a campaign."""
        return any(self.touch[3:])


def explained_touches(view: View) -> Iterator[TouchExplained]:
    """Yield the first and the last touch, as far as the profile has them."""
    profile = view.profile
    rows: tuple[tuple[Literal["first", "last"], list[Any]], ...] = (("first", profile.first), ("last", profile.last))
    for which, row in rows:
        if row:
            clicks = tuple(kind for kind, click in profile.clicks.items() if click[0] == row[0])
            yield TouchExplained(which, touch_in(row), view.plan.calendar.text(touch_in(row).time), clicks)


def touch_data(one: TouchExplained) -> dict[str, Any]:
    """Return a touch as JSON holds it; `time` is ms since 1970 UTC, `clicks` the kinds of click ids."""
    touch = one.touch
    return {
        "which": one.which,
        "time": touch.time,
        "when": one.when,
        "landing": touch.landing,
        "referrer": touch.referrer,
        "campaign": touch.campaign,
        "source": touch.source,
        "medium": touch.medium,
        "term": touch.term,
        "content": touch.content,
        "clicks": one.clicks,
    }
