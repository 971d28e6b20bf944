"""An event on its way through the gateway: the event, the facts of its request, and the one outcome it ends in.

Every decoded event ends in exactly one outcome, the one that is answered: stored, spooled, duplicate, dropped(reason)
or rejected(reason). The reasons are closed sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from gateway.networks.lookups import Lookups
from gateway.ports import VisitorKey
from gateway.settings import CONSENT_CATEGORIES, CONSENT_COOKIES, purposes_by_category
from personalize.model import PURPOSES, Event
from personalize.plan import Plan


class Dropped(StrEnum):
    """Why a good event was let go on purpose; it is not to be sent again."""

    NO_CONSENT = "no_consent"
    ERASED = "erased"
    TOO_HOT = "too_hot"


class Rejected(StrEnum):
    """Why an event was not taken: it is bad, or (unavailable, too_late) it is to be sent again."""

    BAD_EVENT = "bad_event"
    MISSING_ID = "missing_id"
    PLACEHOLDER_ID = "placeholder_id"
    FORBIDDEN_KEY = "forbidden_key"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    TOO_LATE = "too_late"


@dataclass(slots=True, frozen=True)
class Outcome:
    """What became of an event; `key` is its counter."""

    kind: Literal["stored", "spooled", "duplicate", "dropped", "rejected"]
    reason: str = ""
    message: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The counter of this outcome, see telemetry.COUNTERS."""
        return ("events", self.kind, self.reason)

    @property
    def accepted(self) -> bool:
        """Whether the event is durable: stored, spooled, or was already there."""
        return self.kind in ("stored", "spooled", "duplicate")


STORED = Outcome("stored")
SPOOLED = Outcome("spooled")
DUPLICATE = Outcome("duplicate")
NO_CONSENT = Outcome("dropped", Dropped.NO_CONSENT)
ERASED = Outcome("dropped", Dropped.ERASED)
TOO_HOT = Outcome("dropped", Dropped.TOO_HOT)
NOT_YOURS = Outcome(
    "rejected", Rejected.BAD_EVENT, '"previousId" is another person\'s already, and what was merged cannot be parted'
)
TOO_MANY_IDS = Outcome("rejected", Rejected.BAD_EVENT, "the person has as many older ids and browsers as can be kept")
UNAVAILABLE = Outcome("rejected", Rejected.UNAVAILABLE, "the store did not answer; send it again")
TOO_LATE = Outcome("rejected", Rejected.TOO_LATE, "the store did not answer in time; send it again")


@dataclass(slots=True)
class Site:
    """One website at run time: its keys, its list of origins, its rules.

    A reload replaces `plan`, a rotation the secret keys.
    """

    key: str
    secret_key: str
    origins: tuple[str, ...]
    cookie_domain: str
    consent: frozenset[str]
    plan: Plan
    link_targets: tuple[str, ...] = ()
    """Where links of e-mails may lead: normal addresses, see `personalize.link_targets`."""
    lookups: Lookups = field(default_factory=Lookups)
    """What an address tells to this site; nothing unless the worker has data or the site a list."""
    consent_categories: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: purposes_by_category(CONSENT_CATEGORIES)
    )
    """The purposes of a consent banner's categories, by id in lower case; none of one that is always allowed."""
    consent_cookies: tuple[str, ...] = CONSENT_COOKIES
    """The consent banners whose cookies are read."""
    old_secret_keys: tuple[str, ...] = ()
    """Secret keys from before the last rotation, which are accepted as well until they are dropped."""

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Every secret key that is accepted, the newest first: what proves the site's own server."""
        return (self.secret_key, *self.old_secret_keys)


@dataclass(slots=True)
class Hit:
    """One request and what is known about all of its events. Times are ms; `signal` is None when it carries none."""

    site: Site
    secret: bool
    received: int
    sent_at: int
    headers: Mapping[bytes, bytes]
    body: Mapping[str, Any]
    address: str = ""
    visitor_id: str = ""
    """The id of a valid cookie, or of the cookie that the site's server passed on."""
    person: str = ""
    """The id (kind `k`) of the person who proved with this request to be its visitor."""
    doubtful: bool = False
    """Whether a `userHash` came that does not fit its user id."""
    bad_visitor: bool = False
    """Whether the site's server passed on what is no valid cookie."""
    stale_cookie: bool = False
    """Whether that cookie is valid but needs to be renewed: an older key signed it, or it has the site's other name."""
    other_cookie: bool = False
    """Whether a cookie came under the name that the site's other setting gives it."""
    reset: bool = False
    """Whether the browser lets go of the visitor that its cookie names."""
    minted: str = ""
    """The id of the visitor that this request newly became; its answer brings the cookie."""
    signal: frozenset[str] | None = None
    limit: frozenset[str] = PURPOSES
    """The most that may be in force for this request, which is no choice: see `gateway/identity/consent.py`."""
    replayed: bool = False
    """Whether it was answered long ago, and waited in the spool since: no cookie can be given any more."""
    plan: Plan = field(init=False)
    """The site's plan when the hit was opened: one hit knows one plan, also when a reload swaps it meanwhile."""

    def __post_init__(self) -> None:
        self.plan = self.site.plan


class Contact(NamedTuple):
    """Whom an e-mail's link names as the one who came: the id of a known person, and what the link says.

    `path` is that of the link's target, `link` its own id, `made` (ms) when that was made; `expires` (ms) is how long
    the recognition holds.
    """

    id: str
    message: str
    path: str
    link: str
    made: int
    expires: int


@dataclass(slots=True)
class Envelope:
    """One event of a hit. `raw` is what the client sent; `fingerprint` are 6 bytes of its message id's hash."""

    index: int
    raw: Mapping[str, Any]
    event: Event
    fingerprint: bytes
    anonymous_id: str = ""
    client_time: int = 0
    """When it happened by the client's own clock (ms); 0 when it did not say."""
    clamped: bool = False
    signal: frozenset[str] | None = None
    """What the visitor chose, as this event and its request say; None when neither does."""
    limit: frozenset[str] = PURPOSES
    contact: Contact | None = None
    visitor: VisitorKey | None = None
    person: str = ""
    """The id (kind `k`) of the person who proved to be the visitor."""
    outcome: Outcome | None = None


@dataclass(slots=True)
class BadEvent:
    """An event that could not be read: where it stood in the batch and why."""

    index: int
    outcome: Outcome
