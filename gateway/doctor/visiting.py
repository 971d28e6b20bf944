"""A visit that is made and erased again: the one thing that a doctor writes, and only when asked to.

The page view makes a visitor and brings the cookie; the same cookie with an empty consent then erases that visitor.
What stays is a mark that somebody was erased there, and two in the counters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.doctor.asking import Answer, Silence, ask
from gateway.doctor.calling import lifetime
from gateway.doctor.finding import Finding
from gateway.doctor.target import Target
from gateway.identity.visitor import COOKIE


def visit(target: Target) -> Iterator[Finding]:
    """Yield whether a visitor gets a cookie, is known by it, and can withdraw."""
    try:
        first = _page(target, ["analytics"])
        given = [value for value in first.all("set-cookie") if COOKIE in value.partition("=")[0]]
        if first.json().get("accepted") != 1 or not given:
            seen = f"a page view got {first.status} {first.text()[:80]}, {'a' if given else 'no'} cookie"
            yield Finding("visit", "bad", seen, "see the log and /ready of the gateway")
            return
        yield lifetime(first)
        second = _page(target, [], given[0].partition(";")[0])
    except Silence as silence:
        yield Finding("visit", "bad", str(silence), "see the log and /ready of the gateway")
        return
    if any("max-age=0" in value.lower() for value in second.all("set-cookie")):
        yield Finding("visit", "good", "a visitor was made, known by the cookie, and erased")
    else:
        advice = "let the proxy pass the Cookie header on: every hit is a new visitor without it"
        yield Finding("visit", "bad", "the cookie that was given is not known again", advice)


def _page(target: Target, consent: list[str], cookie: str = "") -> Answer:
    body: dict[str, Any] = {"writeKey": target.write_key, "consent": consent, "properties": {"path": "/tuttu-doctor"}}
    headers = {"Origin": target.page, "Content-Type": "text/plain"} | ({"Cookie": cookie} if cookie else {})
    return ask("POST", f"{target.url}/v1/page", headers, body)
