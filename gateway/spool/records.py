"""A job as a record of the spool, and back: all that the replay needs, and nothing that may not be kept.

    {"s": site, "v": "a:<id>", "p": person, "q": came with the secret key, "r": received, "a": spooled,
     "o": the site's consent, "e": [events]}
    {"s": …, "v": …, "p": …, "q": …, "r": …, "a": …, "o": …, "x": erase before, "d": when the visitor chose that}

All times are ms since 1970. An event is `{"k": type, "m": message id, "t": time, "e": what the client sent, as the log
keeps it, "f": facts, …}`; what is empty is left out. The site's consent and the visitor's choice at collection travel
with it (`o`, `c`, and its limit `l`), whatever the settings say by now; neither the raw address nor the agent's text is
in it, click ids only where `ads` are allowed.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from gateway.enrich.clicks import without_clicks
from gateway.envelope import Contact, Envelope, Hit, Site
from gateway.identity.consent import clicks_allowed, in_force
from gateway.jobs import Job
from gateway.pipeline import in_order, sent_by_client
from gateway.ports import Erasure, VisitorKey
from personalize.model import PURPOSES, Event, Facts, Shown, stamp_of
from personalize.profiles import Profile

_FACTS = tuple(Facts.__dataclass_fields__)
_SHOWN = tuple(Shown.__dataclass_fields__)
_IN_LOG = ("m", "t", "k", "b", "c", "f", "e")


class Unreplayable(Exception):
    """A record that cannot be replayed as things are; the text is a sentence that says why."""


class Kept(NamedTuple):
    """What of a job makes its record; the rest, such as the request's headers, need not be kept until then."""

    visitor: VisitorKey
    person: str
    secret: bool
    received: int
    default: frozenset[str]
    """The consent that held at the site for who had not chosen."""
    chosen: Sequence[Any]
    """The visitor's stored choice, as `Profile.consent`."""
    envelopes: Sequence[Envelope]
    erase_before: int
    decided: int


def kept_of(job: Job, profile: Profile) -> Kept:
    """Return what makes a job's record; `profile` is what is known of its visitor."""
    hit = job.hit
    return Kept(
        job.visitor,
        job.person,
        hit.secret,
        hit.received,
        hit.site.consent,
        profile.consent,
        job.envelopes,
        job.erase_before,
        job.decided,
    )


def record_of(kept: Kept, envelopes: Sequence[Envelope], now: int) -> bytes:
    """Return a record with some of a job's events, or with the erasure that it is."""
    visitor = kept.visitor
    record: dict[str, Any] = {
        "s": visitor.site,
        "v": f"{visitor.kind}:{visitor.id}",
        "p": kept.person,
        "q": kept.secret,
        "r": kept.received,
        "a": now,
        "o": in_order(kept.default),
    }
    if kept.erase_before:
        record |= {"x": kept.erase_before, "d": kept.decided}
    else:
        record["e"] = [_event_of(kept, envelope) for envelope in envelopes]
    return orjson.dumps(record)


def job_of(payload: bytes, sites: Mapping[str, Site]) -> Job:
    """Return the job of a record, as if it had just come; raises Unreplayable."""
    try:
        record = orjson.loads(payload)
        site = sites.get(record["s"])
        if site is None:
            raise Unreplayable(f'the settings have no site "{record["s"]}" any more')
        site = replace(site, consent=frozenset(record["o"]))
        hit = Hit(site=site, secret=record["q"], received=record["r"], sent_at=0, headers={}, body={}, replayed=True)
        visitor, person = _visitor_of(record), record["p"]
        if "x" in record:
            return Job(hit, visitor, [], person, erase_before=record["x"], decided=record["d"])
        envelopes = [_envelope_of(number, event, hit, visitor) for number, event in enumerate(record["e"])]
    except (ValueError, LookupError, TypeError, AttributeError) as err:
        raise Unreplayable(f"the record cannot be read ({type(err).__name__}: {err})") from err
    for envelope in envelopes:
        envelope.person = person
    return Job(hit, visitor, envelopes, person)


def erases(payload: bytes) -> bool:
    """Tell whether a record is an erasure."""
    try:
        return b'"x":' in payload and "x" in orjson.loads(payload)
    except (ValueError, TypeError):
        return False


def erasure_in(payload: bytes) -> Erasure | None:
    """Return what the erasure that a record is surely covers, None for events and for what cannot be read.

    What only the store knows is left to it: whether a later choice stands, and whose a browser is on which somebody
    has proved to be a person.
    """
    try:
        record = orjson.loads(payload) if b'"x":' in payload else {}
        if "x" not in record or (record["p"] and record["v"].startswith("a:")):
            return None
        return Erasure(_visitor_of(record), min(int(record["x"]), int(record["d"])))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


class Erased:
    """Which waiting events erasures cover."""

    def __init__(self, erasures: Iterable[Erasure]) -> None:
        self._before: dict[tuple[str, str], int] = {}
        for visitor, before, via in erasures:
            # A browser's own tombstone covers what came through it as well.
            at = visitor.site, via or f"{visitor.kind}:{visitor.id}"
            self._before[at] = max(before, self._before.get(at, 0))

    def before(self, record: Mapping[str, Any]) -> int:
        """Return until when (ms) a record's events are erased, 0 for none."""
        site = record["s"]
        person = self.of_person(site, record["p"]) if record["p"] else 0
        return max(self._before.get((site, record["v"]), 0), person)

    def of_person(self, site: str, person: str) -> int:
        """Return until when (ms) a person's events are erased, 0 for none."""
        return self._before.get((site, f"k:{person}"), 0)


def without_erased(payload: bytes, erased: Erased) -> bytes | None:
    """Return a record without what erasures cover: the same bytes when that is nothing, None when nothing stays.

    An event by an erased contact's link stays with its browser, and names the contact no longer.
    """
    try:
        record = orjson.loads(payload)
        if "e" not in record:
            return payload
        before = erased.before(record)
        kept = [event for event in record["e"] if event["t"] > before and not 0 < event.get("y", 0) <= before]
        named = [event for event in kept if "o" in event and event["t"] <= erased.of_person(record["s"], event["o"][0])]
    except (ValueError, LookupError, TypeError, AttributeError):
        return payload
    for event in named:
        del event["o"]
    if len(kept) == len(record["e"]) and not named:
        return payload
    return orjson.dumps({**record, "e": kept}) if kept else None


def entries_in(payload: bytes, visitors: Collection[VisitorKey]) -> list[bytes]:
    """Return a record's events of these visitors as entries of the log, but for what only the replay finds out."""
    try:
        record = orjson.loads(payload)
        visitor, person = _visitor_of(record), VisitorKey(record["s"], "k", record["p"])
        if visitor not in visitors and person not in visitors:
            return []
        return [
            orjson.dumps({n: record[n] for n in ("s", "v", "r")} | {n: event[n] for n in _IN_LOG if n in event})
            for event in record.get("e", ())
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def set_aside(payload: bytes) -> tuple[str, bytes]:
    """Return why a record was set aside, and the record itself; raises ValueError and LookupError."""
    found = orjson.loads(payload)
    return str(found["why"]), b64decode(found["record"])


def _visitor_of(record: Mapping[str, Any]) -> VisitorKey:
    kind, _, id_ = record["v"].partition(":")
    return VisitorKey(record["s"], kind, id_)


def _event_of(kept: Kept, envelope: Envelope) -> orjson.Fragment:
    event, shown = envelope.event, envelope.event.shown
    record: dict[str, Any] = {
        "k": event.type,
        "m": event.message_id,
        "t": event.time,
        "e": sent_by_client(envelope),
        "f": {name: value for name in _FACTS if (value := getattr(event.facts, name))},
        "n": event.name,
        "h": event.path,
        "u": event.user_id,
        "g": event.group_id,
        "b": event.browser,
        "i": envelope.anonymous_id,
        "y": envelope.client_time,
        "c": None if envelope.signal is None else in_order(envelope.signal),
        "l": None if envelope.limit == PURPOSES else in_order(envelope.limit),
        "w": shown and [getattr(shown, name) for name in _SHOWN],
        "o": envelope.contact and list(envelope.contact),
    }
    text = orjson.dumps({name: value for name, value in record.items() if value or value == ()})
    known = Profile(consent=list(kept.chosen))
    consent = in_force(envelope.signal, known, kept.default, event.time, envelope.limit)
    return orjson.Fragment(without_clicks(text, ads=clicks_allowed(consent)))


def _envelope_of(number: int, record: Mapping[str, Any], hit: Hit, visitor: VisitorKey) -> Envelope:
    raw, message_id, time = record.get("e", {}), record["m"], record["t"]
    fingerprint = blake2b(message_id.encode(), digest_size=6).digest()
    signal = None if record.get("c") is None else frozenset(record["c"])
    contact = Contact(*record["o"]) if record.get("o") else None
    event = Event(
        type=record["k"],
        message_id=message_id,
        time=time,
        stamp=stamp_of(time, int.from_bytes(fingerprint[:3], "big")),
        name=record.get("n", ""),
        path=record.get("h", ""),
        user_id=record.get("u", ""),
        group_id=record.get("g", ""),
        properties=raw.get("properties") or {},
        traits=raw.get("traits") or {},
        facts=Facts(**record.get("f", {})),
        vouched=hit.secret,
        browser=record.get("b", False),
        shown=Shown(*record["w"]) if record.get("w") else None,
        consent=None if signal is None or visitor.kind == "g" else in_order(signal),
        contact=(time, contact.id, contact.expires) if contact is not None and visitor.kind == "a" else (),
    )
    return Envelope(
        number,
        raw,
        event,
        fingerprint,
        record.get("i", ""),
        record.get("y", 0),
        signal=signal,
        limit=PURPOSES if record.get("l") is None else frozenset(record["l"]),
        contact=contact,
        visitor=visitor,
    )
