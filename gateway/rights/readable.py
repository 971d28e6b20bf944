"""A profile, an alias and a log entry in words: full names, times in ISO 8601 in the site's time zone.

Nothing that is stored is left out but as whom an e-mail's link recognized a browser: whoever sits there may not be the
one. What this release does not know stands under `other` as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import orjson

from personalize import counters
from personalize.calendar import Calendar, date_of
from personalize.language import ENGLISH
from personalize.model import time_of
from personalize.plan import Plan
from personalize.profiles import Profile
from personalize.touches import touch_in

_BARE: Mapping[str, Any] = dict.fromkeys(("at_least", "at_most", "across", "within"))
_SEEN = ("country", "region", "city", "language", "device", "browser", "os")
HANDLED = frozenset(
    {
        "revision", "erased", "first_visit", "floor", "visits", "matchers", "unnamed", "traits", "owns", "consent",
        "company", "user", "seen", "blocks", "furthest", "aliases", "unknown", "overflow", "first", "last", "clicks",
        "contact", "member", "ads_refused",
    }
)  # fmt: skip
"""Fields of a profile that have words of their own here, or (aliases) stand elsewhere in an export."""

_ENTRY = {
    "s": "site",
    "v": "profile",
    "w": "through",
    "m": "message_id",
    "t": "time",
    "r": "received",
    "k": "type",
    "b": "browsing",
    "c": "consent",
    "f": "facts",
    "e": "sent",
}


def time_text(calendar: Calendar, ms: int) -> str | None:
    """Return a time (ms) as local ISO 8601 with its offset, None for none."""
    return calendar.local(ms).isoformat(timespec="milliseconds") if ms > 0 else None


def readable_profile(profile: Profile, plan: Plan) -> dict[str, Any]:
    """Return a profile in words; parts that are empty are left out."""
    calendar = plan.calendar

    def at(ms: int) -> str | None:
        return time_text(calendar, ms)

    found: dict[str, Any] = {
        "erased_up_to": at(profile.erased),
        "first_visit": at(profile.first_visit),
        "visits": _visits(profile, calendar),
        "counts": [_count(matcher, row, plan) for matcher, row in profile.matchers.items()],
        "counts_complete_from": str(date_of(profile.floor + 1)) if profile.floor else None,
        "traits": [{"set": at(time_of(stamp)), "values": values} for stamp, values in profile.traits],
        "owned": {product: at(ms) for product, ms in profile.owns.items()},
        "consent": {"chosen": at(profile.consent[0]), "allows": profile.consent[1]} if profile.consent else None,
        "company": _group(profile.company, calendar),
        "user_id": {"claimed": at(time_of(profile.user[0])), "id": profile.user[1]} if profile.user else None,
        "last_seen": _seen(profile.seen, calendar),
        "blocks": {name: _history(history, calendar) for name, history in profile.blocks.items()},
        "furthest_stage": {"stage": profile.furthest[0], "reached": at(profile.furthest[1])}
        if profile.furthest
        else None,
        "first_touch": _touch(profile.first, calendar),
        "last_touch": _touch(profile.last, calendar),
        "click_ids": {kind: {"set": at(time_of(stamp)), "id": id_} for kind, (stamp, id_) in profile.clicks.items()},
        "ads_refused": at(profile.ads_refused),
        "recognized_by_email": _recognition(profile.contact, calendar),
        "company_by_server": _group([*profile.member, {}], calendar) if profile.member else None,
        "no_longer_counted_since": {matcher: str(date_of(day)) for matcher, day in profile.unnamed.items()},
        "other": {
            f.name: value for f in fields(profile) if f.name not in HANDLED and (value := getattr(profile, f.name))
        }
        | profile.unknown,
    }
    return {name: value for name, value in found.items() if value}


def readable_alias(name: str, at: int, calendar: Calendar) -> dict[str, Any]:
    """Return one line of a person's list of aliases; `at` is negative for one that was let go."""
    return {"key": name, "released" if at < 0 else "linked": time_text(calendar, abs(at))}


def readable_entry(entry: bytes, calendar: Calendar) -> dict[str, Any]:
    """Return a log entry in words."""
    found = {_ENTRY.get(name, name): value for name, value in orjson.loads(entry).items()}
    if found.pop("p", None):
        found["recognized_by_a_link"] = True
    for name in ("time", "received"):
        if isinstance(found.get(name), int):
            found[name] = time_text(calendar, found[name])
    return found


def _visits(profile: Profile, calendar: Calendar) -> dict[str, Any] | None:
    if not profile.visits:
        return None
    older, older_end, *spans = profile.visits
    found: dict[str, Any] = {
        "recent": [
            {"from": time_text(calendar, 1000 * first), "to": time_text(calendar, 1000 * last)}
            for first, last in zip(spans[::2], spans[1::2], strict=True)
        ]
    }
    if older:
        found |= {"older": older, "older_ended": time_text(calendar, 1000 * older_end)}
    return found


def _count(matcher: str, row: counters.Row, plan: Plan) -> dict[str, Any]:
    behaviour = plan.matchers.behaviours.get(matcher)
    what = ENGLISH.condition(behaviour.model_copy(update=_BARE)) if behaviour else "what no rule names any more"
    return {"id": matcher, "what": what, "times": row[0], "by_day": _days(row)}


def _days(row: counters.Row) -> dict[str, int]:
    return {str(date_of(day)): count for day, count in counters.days(row)}


def _group(company: list[Any], calendar: Calendar) -> dict[str, Any] | None:
    if not company:
        return None
    stamp, group_id, attributes = company
    return {"set": time_text(calendar, time_of(stamp)), "group_id": group_id, "attributes": attributes}


def _seen(seen: list[Any], calendar: Calendar) -> dict[str, Any] | None:
    if not seen:
        return None
    facts = {name: value for name, value in zip(_SEEN, seen[1:], strict=False) if value}
    return {"time": time_text(calendar, time_of(seen[0])), **facts}


def _touch(row: list[Any], calendar: Calendar) -> dict[str, Any] | None:
    if not row:
        return None
    touch = touch_in(row)
    facts = {name: value for name, value in touch._asdict().items() if value and name != "stamp"}
    return {"time": time_text(calendar, touch.time), **facts}


def _recognition(contact: list[Any], calendar: Calendar) -> dict[str, Any] | None:
    if not contact:
        return None
    since, _, until = contact
    return {"time": time_text(calendar, since), "until": time_text(calendar, until)}


def _history(history: list[Any], calendar: Calendar) -> dict[str, Any]:
    reactions = zip(("last_click", "last_dismissal", "last_conversion"), history[1:], strict=False)
    found = {name: time_text(calendar, ms) for name, ms in reactions if ms}
    return {"shown": history[0][0], "by_day": _days(history[0]), **found}
