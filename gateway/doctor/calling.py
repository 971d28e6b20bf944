"""What a page's calls get: the cookie with all that protects it, and CORS.

Nothing is written by these requests. The cookie is seen in the answer to an empty batch with `"reset": true`, which
takes the cookie away with the same name and attributes that give it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.doctor.asking import Answer, Silence, ask
from gateway.doctor.finding import Finding
from gateway.doctor.target import Target
from gateway.identity.visitor import COOKIE, COOKIE_AGE_S

STRANGER = "https://tuttu-doctor.invalid"
_AS_IT_IS = "let the proxy leave Set-Cookie as it is"


def calls(target: Target) -> Iterator[Finding]:
    """Yield what a call from the page's origin gets."""
    body = {"writeKey": target.write_key, "batch": [], "reset": True}
    try:
        answer = ask("POST", f"{target.url}/v1/batch", {"Origin": target.page, "Content-Type": "text/plain"}, body)
    except Silence as silence:
        yield Finding("calls", "bad", str(silence), "the proxy must let POST through")
        return
    code = answer.json().get("code")
    if code == "origin_not_allowed":
        advice = f'add "{target.page}" to the site\'s origins in tuttu.toml, or name another with --page'
        yield Finding("origin", "bad", f"the gateway refuses pages of {target.page}", advice)
        return
    if answer.status == 200:
        yield Finding("origin", "good", f"pages of {target.page} may call")
        yield from cookie(target, answer)
    elif code != "bad_write_key":  # said already, where the key is looked at
        seen = f"a call is answered {answer.status}: {answer.text()[:80]}"
        yield Finding("origin", "bad", seen, "the proxy must pass POST, Origin and the body on as they are")
    yield _actual(target, answer)
    yield from _preflight(target)


def cookie(target: Target, answer: Answer) -> Iterator[Finding]:
    """Yield what the cookie in an answer lacks."""
    given = [value for value in answer.all("set-cookie") if COOKIE in value.partition("=")[0]]
    if not given:
        advice = f"{_AS_IT_IS}; without it every hit is a new visitor"
        yield Finding("cookie", "bad", "no visitor cookie arrives", advice)
        return
    name, attributes = _parsed(given[0])
    faults = list(_faults(target, name, attributes))
    if len(given) > 1:
        faults.append(("warning", f"it arrives {len(given)} times"))
    if faults:
        level = "bad" if any(level == "bad" for level, _ in faults) else "warning"
        seen = f"{name}: {'; '.join(fault for _, fault in faults)}"
        yield Finding("cookie", "bad" if level == "bad" else "warning", seen, _AS_IT_IS)
    else:
        scope = "bound to the very host" if name.startswith("__Host-") else f"for {attributes['domain']}"
        yield Finding("cookie", "good", f"{name}: Secure, HttpOnly, SameSite=Lax, Path=/, {scope}")


def lifetime(answer: Answer) -> Finding:
    """Return how long browsers are to keep the cookie that an answer gives."""
    _, attributes = _parsed(next(value for value in answer.all("set-cookie") if COOKIE in value))
    age = attributes.get("max-age", "")
    if age == str(COOKIE_AGE_S):
        return Finding("cookie lifetime", "good", f"{COOKIE_AGE_S // 86_400} days")
    return Finding("cookie lifetime", "warning", f'Max-Age is "{age[:20]}", not {COOKIE_AGE_S}', _AS_IT_IS)


def strangers(target: Target) -> Iterator[Finding]:
    """Yield whether pages that no site lists are kept out: those of another site, and those without an origin."""
    for check, origin in (("unlisted origin", STRANGER), ("origin null", "null")):
        try:
            answer = ask(
                "POST", f"{target.url}/v1/batch", {"Origin": origin, "Content-Type": "text/plain"}, {"batch": []}
            )
        except Silence as silence:
            yield Finding(check, "open", str(silence), "try again")
            continue
        allowed = answer.one("access-control-allow-origin")
        if allowed in (origin, "*"):
            seen = f"pages of {origin} may read answers: Access-Control-Allow-Origin: {allowed}"
            yield Finding(check, "bad", seen, "take the CORS headers out of the proxy: the gateway sends its own")
        elif answer.json().get("code") != "origin_not_allowed":
            seen = f"a call from {origin} was not refused but answered {answer.status}"
            yield Finding(check, "bad", seen, "let the proxy pass the Origin header on")
        else:
            yield Finding(check, "good", f"a call from {origin} is refused")


def _actual(target: Target, answer: Answer) -> Finding:
    allowed = answer.all("access-control-allow-origin")
    faults = []
    if allowed != [target.page]:
        faults.append(f"Access-Control-Allow-Origin is {_said(allowed)}, not {target.page}")
    if answer.all("access-control-allow-credentials") != ["true"]:
        faults.append("Access-Control-Allow-Credentials: true does not arrive once")
    if "origin" not in answer.listed("vary"):
        faults.append("Vary: Origin does not arrive")
    if "retry-after" not in answer.listed("access-control-expose-headers"):
        faults.append("Access-Control-Expose-Headers: Retry-After does not arrive")
    return _cors(target, "cors", faults)


def _preflight(target: Target) -> Iterator[Finding]:
    headers = {
        "Origin": target.page,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    try:
        answer = ask("OPTIONS", f"{target.url}/v1/batch", headers)
    except Silence as silence:
        yield _cors(target, "preflight", [str(silence)])
        return
    faults = [] if 200 <= answer.status < 300 else [f"OPTIONS is answered {answer.status}"]
    allowed = answer.all("access-control-allow-origin")
    if allowed != [target.page]:
        faults.append(f"Access-Control-Allow-Origin is {_said(allowed)}, not {target.page}")
    if answer.all("access-control-allow-credentials") != ["true"]:
        faults.append("Access-Control-Allow-Credentials: true does not arrive once")
    if "content-type" not in answer.listed("access-control-allow-headers"):
        faults.append("Access-Control-Allow-Headers does not name Content-Type")
    yield _cors(target, "preflight", faults)


def _cors(target: Target, check: str, faults: list[str]) -> Finding:
    if not faults:
        return Finding(check, "good", f"pages of {target.page} can read the answers")
    advice = "let the proxy pass Origin, OPTIONS and all Access-Control headers, and add none of its own"
    if target.same_origin:
        return Finding(check, "warning", "; ".join(faults), f"{advice}; pages of this very origin do without")
    return Finding(check, "bad", "; ".join(faults), advice)


def _said(values: list[str]) -> str:
    return f'"{", ".join(values)[:120]}"' if values else "missing"


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    """Return a Set-Cookie's name, and its attributes by lower-case name."""
    first, *rest = value.split(";")
    pairs = (part.strip().partition("=") for part in rest)
    return first.partition("=")[0].strip(), {name.lower(): text for name, _, text in pairs}


def _faults(target: Target, name: str, attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
    if "secure" not in attributes:
        yield "bad", "Secure is missing"
    if "httponly" not in attributes:
        yield "bad", "HttpOnly is missing, so any script of the page can read it"
    if attributes.get("samesite", "").lower() != "lax":
        yield "warning", f'SameSite is "{attributes.get("samesite", "")[:20]}", not Lax'
    if attributes.get("path") != "/":
        yield "bad", f'Path is "{attributes.get("path", "")[:60]}", not /'
    domain = attributes.get("domain", "").lower().removeprefix(".")
    if name.startswith("__Host-"):
        if domain:
            yield "bad", "it has a Domain, which browsers refuse with __Host-"
    elif not domain:
        yield "warning", f"the name is {name}, without __Host- and without a Domain"
    else:
        for host in {target.host, target.page_host}:
            if host != domain and not host.endswith(f".{domain}"):
                yield "bad", f"its Domain {domain[:100]} does not cover {host}"
