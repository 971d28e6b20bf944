"""Is somebody there, and is the way to them safe: liveness, HTTPS, the certificate, the clock, what must be closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gateway.doctor.asking import Answer, Silence, ask
from gateway.doctor.finding import Finding
from gateway.doctor.target import Target, on_this_machine

_DAY_S = 86_400
_SOON_DAYS = 14
_SKEW_S = 60


def reachable(target: Target) -> tuple[Finding, Answer | None]:
    """Return whether the gateway answers at this address, and what it said if it was the gateway."""
    try:
        answer = ask("GET", f"{target.url}/live")
    except Silence as silence:
        return Finding("reachable", "bad", str(silence), "see whether the web server runs and passes the path on"), None
    if answer.status == 200 and answer.json().get("live") is True:
        return Finding("reachable", "good", f"{target.url}/live answers"), answer
    if 300 <= answer.status < 400:
        seen = f"{target.url}/live sends elsewhere: {answer.status} to {answer.one('location')[:200]}"
        return Finding("reachable", "bad", seen, "name the final address: clients take a redirect for a delivery"), None
    seen = f"{target.url}/live answers {answer.status}: {answer.text()[:80]}"
    advice = "the web server must pass the path on and take the prefix off, see docs/deploy.md"
    return Finding("reachable", "bad", seen, advice), None


def https(target: Target) -> Iterator[Finding]:
    """Yield whether browsers will keep the cookie, and where plain http leads."""
    if target.parts.scheme == "http":
        if on_this_machine(target.host):
            yield Finding("https", "good", "plain http, which is enough on this very machine")
        else:
            advice = "serve it by https: browsers drop the cookie, which is Secure, and others read along"
            yield Finding("https", "bad", "plain http", advice)
        return
    yield Finding("https", "good", "the connection is encrypted, the certificate valid")
    if target.parts.port not in (None, 443):
        return  # nobody knows which port would be its http
    try:
        answer = ask("GET", f"http://{target.parts.netloc}{target.parts.path}/live")
    except Silence:
        yield Finding("redirect", "good", "nothing answers by plain http")
        return
    if 300 <= answer.status < 400 and answer.one("location").startswith("https://"):
        yield Finding("redirect", "good", "plain http leads to https")
    else:
        seen = f"plain http answers {answer.status} and does not lead to https"
        yield Finding("redirect", "warning", seen, "redirect it: a page opened by http is a visitor without a cookie")


def certificate(answer: Answer, now_s: float) -> Iterator[Finding]:
    """Yield how long the certificate holds, if there is one."""
    if answer.certified_until is None:
        return
    days = int((answer.certified_until - now_s) // _DAY_S)
    seen = (
        f"the certificate holds for {days} days, until {datetime.fromtimestamp(answer.certified_until, UTC):%Y-%m-%d}"
    )
    if days < _SOON_DAYS:
        yield Finding("certificate", "warning", seen, "renew it, and see why that did not happen by itself")
    else:
        yield Finding("certificate", "good", seen)


def clock(answer: Answer, now_s: float) -> Iterator[Finding]:
    """Yield how far the server's clock is from this one, by its Date header."""
    try:
        skew = parsedate_to_datetime(answer.one("date")).timestamp() - now_s
    except ValueError:
        yield Finding("clock", "open", "the answer has no Date", "compare the server's `date -u` with your own")
        return
    if abs(skew) > _SKEW_S:
        seen = f"the server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this one"
        yield Finding("clock", "warning", seen, "let both take the time from the network: events are dated by it")
    else:
        yield Finding("clock", "good", f"the server's clock is within {_SKEW_S} s of this one")


def closed(target: Target) -> Iterator[Finding]:
    """Yield whether the internal port's paths are open to the world."""
    try:
        answer = ask("GET", f"{target.url}/metrics")
    except Silence as silence:
        yield Finding("internal paths", "open", f"/metrics: {silence}", "try again")
        return
    if answer.status == 200 and b"tuttu_" in answer.body:
        advice = "pass on the public port alone: the internal one tells how many visitors you have"
        yield Finding("internal paths", "bad", "/metrics can be read from here", advice)
    else:
        yield Finding("internal paths", "good", "/metrics cannot be read from here")
