"""The Set-Cookie headers of an answer: the visitor's cookie given, renewed or taken away."""

from __future__ import annotations

import re

from gateway.edge.intake import Intake
from gateway.edge.request import Header
from gateway.envelope import Hit
from gateway.identity.consent import allows_profile, in_force
from gateway.identity.visitor import Cookies
from gateway.jobs import Job

_HOST_NAME = re.compile(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*")


def cookie_headers(cookies: Cookies, intake: Intake, reader: Job | None) -> list[Header]:
    """Return the Set-Cookie headers that the answer needs: a new cookie, a renewed one, or its removal.

    `reader` is the job that read the profile for a decision without events.
    """
    hit = intake.hit
    cookie = _cookie(cookies, intake)
    if cookie is None and reader is not None and hit.stale_cookie and _is_stored(reader):
        cookie = cookies.header(hit.site, hit.visitor_id)
    return [] if cookie is None else _alone(cookies, hit, cookie)


def removal_headers(cookies: Cookies, hit: Hit) -> list[Header]:
    """Return the Set-Cookie headers that take the visitor's cookie away, under both of its names."""
    return _alone(cookies, hit, cookies.expired(hit.site))


def _alone(cookies: Cookies, hit: Hit, cookie: bytes) -> list[Header]:
    """Return the headers that set a cookie and take away the one with the other name, if it came."""
    others = cookies.others_expired(hit.site, _host_of(hit)) if hit.other_cookie else []
    return [(b"set-cookie", value) for value in (cookie, *others)]


def _cookie(cookies: Cookies, intake: Intake) -> bytes | None:
    """Return the Set-Cookie value of the answer."""
    hit = intake.hit
    for job in intake.jobs:
        if job.cookie_id and job.done and _kept(job):
            return cookies.header(hit.site, job.cookie_id)
    for job in intake.jobs:
        if job.erase_before:
            return cookies.expired(hit.site) if job.erased else None
        if job.visitor.kind != "a":
            continue
        # A new visitor whose decision did not wait for the store: the retry must be the same one.
        open_yet = bool(hit.minted) and not job.done
        if open_yet or (job.done and (job.opened_visit or hit.minted or hit.stale_cookie) and _kept(job)):
            return cookies.header(hit.site, job.visitor.id)
    return cookies.expired(hit.site) if hit.reset else None


def _host_of(hit: Hit) -> str:
    """Return the host of the page, else the one that was asked for; "" for what is no name."""
    asked = hit.headers.get(b"origin", b"").rpartition(b"/")[2] or hit.headers.get(b"host", b"")
    host = asked.decode("latin-1").lower().partition(":")[0]
    return host if _HOST_NAME.fullmatch(host) else ""


def _is_stored(job: Job) -> bool:
    """Tell whether a job has found a visitor who still allows a cookie."""
    hit, profile = job.hit, job.profile
    return (
        job.done
        and job.visitor.kind == "a"
        and profile is not None
        and bool(profile.revision)
        and allows_profile(in_force(hit.signal, profile, hit.site.consent, hit.received))
    )


def _kept(job: Job) -> bool:
    return any(e.outcome is not None and e.outcome.accepted for e in job.envelopes)
