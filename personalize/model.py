"""What the core talks about: an event, the facts of a request, the facts of a decision.

Times are integers: milliseconds since 1970 UTC unless a name says otherwise. Texts are "" where a client sent nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

EventType = Literal["track", "page", "screen", "identify", "group", "alias"]
Reason = Literal["rule", "best_score", "fallback", "no_consent", "degraded", "claim", "unknown"]

PURPOSES = frozenset({"analytics", "personalization", "ads"})
"""The consent purposes that the gateway itself knows; `email`, `sms` and others are data for the rules."""


def stamp_of(time: int, fingerprint: int) -> int:
    """Return a moment (ms) and the low 22 bits of a message's fingerprint as one comparable 63-bit integer."""
    return (time << 22) | (fingerprint & 0x3FFFFF)


def time_of(stamp: int) -> int:
    """Return the moment (ms) of a stamp."""
    return stamp >> 22


@dataclass(slots=True)
class Facts:
    """What one request says about its visitor. The names are the rule language's attribute words.

    Rules have no words for the last three: `term` and `content` of the campaign, and `came_from`, host and path of the
    page outside of the site that led here.
    """

    country: str = ""
    region: str = ""
    city: str = ""
    language: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    campaign: str = ""
    source: str = ""
    medium: str = ""
    referrer: str = ""
    page: str = ""
    bot: str = ""
    company: Mapping[str, Any] = field(default_factory=dict)
    term: str = ""
    content: str = ""
    came_from: str = ""


@dataclass(slots=True)
class Shown:
    """A verified decision token: which block the visitor was given where, so that a reaction can be counted."""

    placement: str
    block: str
    variant: str
    plan_version: str
    decided: int
    reason: str


@dataclass(slots=True)
class Event:
    """One decoded and validated event of Segment's spec, with what the gateway established about it.

    `stamp` is the time and a tie-breaker from the message id in one integer (see `stamp_of`), so that the order of
    arrival never matters. `browser` says whether the event may open or extend a visit.
    """

    type: EventType
    message_id: str
    time: int
    stamp: int
    name: str = ""
    path: str = ""
    user_id: str = ""
    group_id: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    browser: bool = False
    shown: Shown | None = None
    vouched: bool = False
    """Whether the site's own server says so, with the secret key."""
    consent: Sequence[str] | None = None
    """The visitor's choice that this event carries (already sorted), or None when it carries none."""
    contact: Sequence[Any] = ()
    """Whom an e-mail's link names as the one who came: `(time ms, id of the contact, until ms)`; empty without one."""
    clicks: Mapping[str, str] = field(default_factory=dict)
    """Click ids by kind (see `clicks`); none unless `ads` is in force for this event."""


@dataclass(slots=True)
class Context:
    """What `decide` may use besides the profile.

    `consent` holds the purposes in force for this request. `unread` names why the profile was not read, if it was not;
    it then replaces the reasons rule, best_score and fallback.
    """

    facts: Facts
    consent: frozenset[str] = frozenset()
    known: bool = False
    unread: Literal["", "no_consent", "degraded", "claim"] = ""
    company: Mapping[str, Any] = field(default_factory=dict)
    """What is kept about the visitor's company itself."""
