"""The way of an event, as two lists of steps. A `put_` step adds something, a `drop_` step may end the event.

ARRIVAL runs once, when the event comes in: what it is, whose it is, what it reacts to. APPLICATION runs on the
visitor's profile, again after every lost race: each event ends in exactly one outcome. Neither list does I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Any

import orjson

from gateway.enrich import enriched
from gateway.enrich.clicks import clicks_of, traits_without_clicks, without_clicks
from gateway.envelope import DUPLICATE, ERASED, NO_CONSENT, STORED, TOO_HOT, Envelope, Hit, Outcome
from gateway.identity.consent import allows_profile, allows_reading, clicks_allowed, in_force
from gateway.identity.links import recognition_in
from gateway.identity.tokens import Tokens
from gateway.identity.visitor import about_company, company_key, hashed, visitor_of
from gateway.ports import VisitorKey
from personalize.decide import decide
from personalize.marks import Marks
from personalize.model import Context, Event
from personalize.profiles import REACTIONS, Profile, fold, fold_company
from personalize.receipts import packed
from personalize.recognized import contact_of
from personalize.stages import nothing_later, with_stage

BREATH = 10
"""Events of a large batch after which others have a turn, of which each of their requests needs several."""

REACTION_NAMES = frozenset({"content shown", *REACTIONS})

_KEPT = ("event", "name", "category", "properties", "traits", "userId", "anonymousId", "groupId", "previousId")
_CONTEXT_LEFT_OUT = frozenset(
    {"ip", "userAgent", "userAgentData", "credentials", "traits", "consent", "consentManagement", "userHash"}
)
"""The raw address is used for look-ups and then dropped; what the agent says is in the facts, consent in `c`."""


# -- arrival ---------------------------------------------------------------------------------------------------------


def put_visitor(hit: Hit, envelope: Envelope, _tokens: Tokens) -> Outcome | None:
    """Settle whose event it is; reject one that names nobody."""
    if hit.secret and envelope.event.type == "alias":
        # The site's server renames a person: the older id's history goes to the new one.
        envelope.visitor = VisitorKey(hit.site.key, "k", hashed(hit.site.key, "u", str(envelope.raw["previousId"])))
        return None
    if hit.minted:
        envelope.visitor = VisitorKey(hit.site.key, "a", hit.minted)
        return None
    if about_company(hit, envelope.event, envelope.anonymous_id):
        envelope.visitor = company_key(hit.site.key, envelope.event.group_id)
        return None
    found = visitor_of(hit, envelope.event.user_id, envelope.anonymous_id, envelope.person)
    if isinstance(found, Outcome):
        return found
    envelope.visitor = found
    return None


def put_facts(hit: Hit, envelope: Envelope, _tokens: Tokens) -> Outcome | None:
    """Add agent, language, page, campaign, place and company; a bot never browses."""
    event = envelope.event
    event.facts = enriched(hit, envelope.raw.get("context") or {}, event.properties)
    if event.facts.bot:
        event.browser = False
    return None


def put_consent(_hit: Hit, envelope: Envelope, _tokens: Tokens) -> Outcome | None:
    """Let the choice that came with the event travel with it; what only limits is no choice."""
    if envelope.signal is not None and not _is_company(envelope.visitor):
        envelope.event.consent = in_order(envelope.signal)
    return None


def put_shown(hit: Hit, envelope: Envelope, tokens: Tokens) -> Outcome | None:
    """Read the decision token of a reaction to content; without a valid one the event has no effect on caps."""
    event, key = envelope.event, envelope.visitor
    if event.type == "track" and event.name.lower() in REACTION_NAMES and key is not None:
        token = event.properties.get("decision")
        if isinstance(token, str) and key.kind != "c":
            # A decision made for the person, rather than for the browser, is bound to the person's id.
            event.shown = tokens.read(hit.site.key, key.id, token) or (
                tokens.read(hit.site.key, envelope.person, token) if envelope.person else None
            )
    return None


def put_contact(hit: Hit, envelope: Envelope, tokens: Tokens) -> Outcome | None:
    """Recognize a browser's page view that came by an e-mail's link.

    Not what a site's server says it has served: mail scanners ask for pages too, and few run what stands in them.
    """
    event, key = envelope.event, envelope.visitor
    if event.type != "page" or not event.browser or hit.secret or key is None:
        return None
    token = recognition_in(event.properties, envelope.raw.get("context") or {})
    contact = tokens.links.recognized(hit.site.key, token, hit.received) if token else None
    if contact is not None:
        envelope.contact = contact
        if key.kind == "a":  # a claim is never read back
            event.contact = (event.time, contact.id, contact.expires)
    return None


ARRIVAL: tuple[Callable[[Hit, Envelope, Tokens], Outcome | None], ...] = (
    put_visitor,
    put_facts,
    put_consent,
    put_shown,
    put_contact,
)


def arrive(hit: Hit, envelopes: Sequence[Envelope], tokens: Tokens) -> Iterator[None]:
    """Run ARRIVAL on a hit's events; an event that ends here has its outcome afterwards. Yields when others may go."""
    for number, envelope in enumerate(envelopes, 1):
        if number % BREATH == 0:
            yield
        for step in ARRIVAL:
            outcome = step(hit, envelope, tokens)
            if outcome is not None:
                envelope.outcome = outcome
                break


# -- application -----------------------------------------------------------------------------------------------------


_FACTS = ("country", "region", "city", "language", "device", "browser", "os", "bot", "campaign", "source", "medium")
_FACT_VALUES = attrgetter(*_FACTS)
_COMPANY = ("name", "domain", "type", "source")


@lru_cache(64)
def in_order(purposes: frozenset[str]) -> tuple[str, ...]:
    """Return purposes as they are written down."""
    return tuple(sorted(purposes))


@dataclass(slots=True)
class Round:
    """One attempt to add events to one visitor: what it builds on, and what it would write."""

    visitor: VisitorKey
    profile: Profile
    marks: Marks
    now: int
    room: float
    """How many more events the visitor's token bucket lets through."""
    fingerprints: dict[bytes, None] = field(default_factory=dict)
    """The messages that this round marks, in order."""
    entries: list[bytes] = field(default_factory=list)
    consent: frozenset[str] = frozenset()
    floor: int = 0
    """Until when (ms) the hit's visitor had events erased before becoming this person."""
    through: str = ""
    """The browser by whose alias the hit came, as `a:<id>`."""

    def apply(self, hit: Hit, envelopes: Sequence[Envelope], *, floor: int = 0, through: str = "") -> Iterator[None]:
        """Run one hit's events through APPLICATION; every envelope has its outcome at the end.

        Yields when others may go.
        """
        self.floor, self.through = floor, through
        forward_only = hit.plan.stages.forward_only and not _is_company(self.visitor)
        stored = None
        for number, envelope in enumerate(envelopes, 1):
            if number % BREATH == 0:
                yield
            envelope.outcome = STORED
            for step in APPLICATION:
                outcome = step(self, hit, envelope)
                if outcome is not None:
                    envelope.outcome = outcome
                    break
            else:
                stored = envelope.event
                if forward_only and nothing_later(hit.plan, self.profile, stored.time):
                    self._note_stage(hit, stored, stored.time)
        if forward_only and stored is not None:
            self._note_stage(hit, stored, self.now)

    def is_known(self, at: int) -> bool:
        """Tell whether the visitor is a known person, or recognized as one at that time (ms)."""
        return self.visitor.kind == "k" or contact_of(self.profile, at) != ""

    def _note_stage(self, hit: Hit, event: Event, now: int) -> None:
        """Note the stage that the visitor has reached with an event, as of `now`."""
        # A server's event does not say where its visitor is; then they are where they were last seen.
        facts = event.facts if event.browser else self.profile.last_seen()
        context = Context(facts, self.consent, known=self.is_known(now))
        self.profile = with_stage(hit.plan, self.profile, context, now)


def purposes(hit: Hit, envelope: Envelope, profile: Profile) -> frozenset[str]:
    """Return the purposes in force for an event of a visitor."""
    return in_force(envelope.signal, profile, hit.site.consent, envelope.event.time, envelope.limit)


def _is_company(visitor: VisitorKey | None) -> bool:
    return visitor is not None and visitor.kind == "g"


def drop_no_consent(r: Round, hit: Hit, envelope: Envelope) -> Outcome | None:
    """Keep nothing without analytics and without personalization; a company is no person and allows nothing."""
    if r.visitor.kind == "g":
        return None
    r.consent = purposes(hit, envelope, r.profile)
    return None if allows_profile(r.consent) else NO_CONSENT


def drop_erased(r: Round, _hit: Hit, envelope: Envelope) -> Outcome | None:
    """Keep out what lies before an erasure, however late it comes, by our clock or by the client's own."""
    return ERASED if is_erased(envelope, max(r.profile.erased, r.floor)) else None


def is_erased(envelope: Envelope, erased: int) -> bool:
    """Tell whether an event lies at or before an erasure (ms, 0 for none)."""
    return erased > 0 and (envelope.event.time <= erased or 0 < envelope.client_time <= erased)


def drop_duplicate(r: Round, _hit: Hit, envelope: Envelope) -> Outcome | None:
    """Give a message its effect only once."""
    known = envelope.fingerprint in r.marks or envelope.fingerprint in r.fingerprints
    return DUPLICATE if known else None


def drop_too_hot(r: Round, hit: Hit, _envelope: Envelope) -> Outcome | None:
    """Hold one visitor under the write key to a token bucket; what is replayed was held to it when it came."""
    if hit.secret or hit.replayed:
        return None
    if r.room < 1:
        return TOO_HOT
    r.room -= 1
    return None


def put_clicks(r: Round, _hit: Hit, envelope: Envelope) -> Outcome | None:
    """Read the click ids from the page's address, if this visitor allows ads for this event."""
    event = envelope.event
    allowed = event.browser and clicks_allowed(r.consent)
    event.clicks = clicks_of(envelope.raw.get("context") or {}, event.properties) if allowed else {}
    return None


def put_entry(r: Round, hit: Hit, envelope: Envelope) -> Outcome | None:
    """Add the event to the log; a showing brings its receipt, worked out on the profile just before it."""
    entry = _entry(r, hit, envelope)
    shown = envelope.event.shown
    if shown is not None and envelope.event.name.lower() == "content shown":
        entry["receipt"] = _receipt(r, hit, envelope)
    if (envelope.event.contact or r.profile.contact) and (contact := _recognized_as(r, envelope.event)):
        entry["p"] = f"k:{contact}"
    r.entries.append(without_clicks(orjson.dumps(entry), ads=clicks_allowed(r.consent)))
    return None


def put_fold(r: Round, hit: Hit, envelope: Envelope) -> Outcome | None:
    """Fold the event into the profile and mark its message."""
    event = envelope.event
    if event.contact and r.visitor.kind != "a":
        event = replace(event, contact=())  # who has proved who they are is not recognized as somebody else
    if event.traits:
        traits = traits_without_clicks(event.traits, ads=clicks_allowed(r.consent))
        event = event if traits is event.traits else replace(event, traits=traits)
    r.profile = fold_company(r.profile, event) if r.visitor.kind == "g" else fold(hit.plan, r.profile, event, r.now)
    r.fingerprints[envelope.fingerprint] = None
    return None


APPLICATION: tuple[Callable[[Round, Hit, Envelope], Outcome | None], ...] = (
    drop_no_consent,
    drop_erased,
    drop_duplicate,
    drop_too_hot,
    put_clicks,
    put_entry,
    put_fold,
)


def sent_by_client(envelope: Envelope) -> dict[str, Any]:
    """Return what is kept, under Segment's names, of what the client sent."""
    raw, traits = envelope.raw, envelope.event.traits
    sent = {name: raw[name] for name in _KEPT if raw.get(name) is not None}
    if traits:
        sent["traits"] = traits  # also those that came in the context
    context = raw.get("context")
    if context:
        sent["context"] = {name: value for name, value in context.items() if name not in _CONTEXT_LEFT_OUT}
    return sent


def _recognized_as(r: Round, event: Event) -> str:
    """Return the id of the contact as whom the browser is recognized with this event, "" for nobody."""
    if r.visitor.kind != "a":
        return ""
    return str(event.contact[1]) if event.contact else contact_of(r.profile, event.time)


def _entry(r: Round, hit: Hit, envelope: Envelope) -> dict[str, Any]:
    """Return the log entry: short keys for what the gateway established, Segment's own for what the client sent."""
    event = envelope.event
    values = _FACT_VALUES(event.facts)
    facts: dict[str, Any] = dict(compress(zip(_FACTS, values, strict=True), values))
    company = event.facts.company
    if "name" in company:  # without one it is the visitor's access provider, which tells sales nothing
        facts["company"] = {name: company[name] for name in _COMPANY if name in company}
    through = {"w": r.through} if r.through else {}
    return {
        "s": hit.site.key,
        "v": f"{r.visitor.kind}:{r.visitor.id}",
        **through,
        "m": event.message_id,
        "t": event.time,
        "r": hit.received,
        "k": event.type,
        "b": event.browser,
        "c": in_order(r.consent),
        "f": facts,
        "e": sent_by_client(envelope),
    }


def _receipt(r: Round, hit: Hit, envelope: Envelope) -> dict[str, Any]:
    shown = envelope.event.shown
    if shown is None:  # the caller checked; this keeps the types honest
        return {}
    plan = hit.plan
    reads = allows_reading(r.consent)
    facts, known = envelope.event.facts, r.is_known(r.now)
    context = Context(facts, r.consent, known=known, unread="" if reads else "no_consent")
    decision = decide(plan, r.profile if reads else None, context, [shown.placement], r.now, explain=True)[0]
    return {
        "placement": shown.placement,
        "block": shown.block,
        "plan": shown.plan_version,
        "reason": shown.reason,
        "decided": shown.decided,
        "now": {"block": decision.block, "plan": plan.version},
        "same": decision.block == shown.block and plan.version == shown.plan_version,
        "candidates": packed(decision.receipt),
    }
