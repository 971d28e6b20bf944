"""What the recipient of an e-mail is noted to have done, and what a recognized browser's decision takes from them.

The events are the gateway's own and go to the contact's profile. None opens a visit, and none carries anything of the
request that caused it: whoever holds a link can cause its click, so a click tells which link, and nothing of a browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from gateway.envelope import Envelope, Hit, Site
from gateway.identity.consent import allows_reading, in_force
from gateway.jobs import Job
from gateway.pipeline import purposes
from gateway.ports import VisitorKey
from gateway.visitors import Visitors
from personalize.model import Event, stamp_of
from personalize.profiles import Profile
from personalize.recognized import contact_of

SENT, OPENED, CLICKED = "Email Sent", "Email Opened", "Email Link Clicked"


@dataclass(slots=True, frozen=True)
class Noted:
    """An event to note on a contact: `id` is that of the contact, `message_id` makes it count once.

    `because_of` is when the link was made that it tells of (ms), 0 without one: it must not outlive an erasure.
    """

    id: str
    name: str
    message_id: str
    time: int
    properties: Mapping[str, str]
    because_of: int = 0


def job_of(hit: Hit, noted: Sequence[Noted]) -> Job:
    """Return the job that notes events on one contact; `hit` is one of `contact_hit`."""
    return Job(hit, VisitorKey(hit.site.key, "k", noted[0].id), [_envelope(n, each) for n, each in enumerate(noted)])


def contact_hit(site: Site, received: int, consent: frozenset[str] | None = None) -> Hit:
    """Return a hit for what the gateway itself notes or reads, with nothing of a request in it.

    The contact's stored choice is in force, else `consent`, by default the site's.
    """
    at = site if consent is None else replace(site, consent=consent)
    return Hit(site=at, secret=False, received=received, sent_at=0, headers={}, body={})


def click_jobs(hit: Hit, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs for the clicks that a hit's page views tell of, once the page views themselves are settled.

    A page view that was not taken (no consent, erased, too hot) tells of none. A retry makes the same click again, so
    that one which the store did not take is not lost. For a contact who has not chosen, the browser's consent holds.
    """
    clicks: dict[tuple[str, frozenset[str]], Job] = {}
    """Each once: a batch may hold the same page view thousands of times."""
    for job in jobs:
        for envelope in job.envelopes:
            contact, event = envelope.contact, envelope.event
            if contact is None or not job.done or envelope.outcome is None or not envelope.outcome.accepted:
                continue
            digest = blake2b(":".join(job.visitor).encode(), digest_size=9, person=b"click").hexdigest()
            name = f"click-{contact.link}-{digest}"
            consent = purposes(hit, envelope, job.profile or Profile())
            if (name, consent) in clicks:
                continue
            properties = {"message": contact.message, "path": contact.path, "link": contact.link}
            noted = Noted(contact.id, CLICKED, name, event.time, properties, contact.made)
            click = job_of(contact_hit(hit.site, hit.received, consent), [noted])
            click.envelopes[0].limit = envelope.limit  # Sec-GPC says no for the contact as well
            clicks[name, consent] = click
    return list(clicks.values())


async def read_contact(visitors: Visitors, hit: Hit, reader: Job, clicks: Sequence[Job]) -> Profile | None:
    """Return the profile of the contact as whom the reader's browser is recognized; None for nobody, or without one."""
    profile = reader.profile
    contact = contact_of(profile, hit.received) if reader.at.kind == "a" else ""
    if not contact or not allows_reading(in_force(hit.signal, profile, hit.site.consent, hit.received)):
        return None
    key = VisitorKey(hit.site.key, "k", contact)
    job = next((click for click in clicks if click.visitor == key and click.done), None)
    if job is None:
        job = Job(contact_hit(hit.site, hit.received), key, [])
        await visitors.submit(job)
    return job.profile if job.done else None


def _envelope(number: int, noted: Noted) -> Envelope:
    fingerprint = blake2b(noted.message_id.encode(), digest_size=6).digest()
    event = Event(
        type="track",
        message_id=noted.message_id,
        time=noted.time,
        stamp=stamp_of(noted.time, int.from_bytes(fingerprint[:3], "big")),
        name=noted.name,
        properties=noted.properties,
    )
    return Envelope(
        number, {"event": noted.name, "properties": noted.properties}, event, fingerprint, "", noted.because_of
    )
