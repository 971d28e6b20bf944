"""Do requests and answers pass unchanged through what stands in between: names, caches, limits on bodies."""

from __future__ import annotations

import gzip
import json
import secrets as random
from collections.abc import Iterator

from gateway.doctor.asking import Answer, Silence, ask
from gateway.doctor.finding import Finding
from gateway.doctor.target import Target

_LARGE = 1_500_000
"""Over the limit that nginx has by default (1 MB), under the gateway's own."""
_HEADER_HELP = "add the proxy's address to trusted_proxies, and let it send X-Forwarded-Proto and X-Forwarded-Prefix"


def forwarded(target: Target) -> Iterator[Finding]:
    """Yield whether the write key is known, and whether the gateway knows the address that browsers use.

    It says itself what it takes for its address, to Segment's clients. That it knows `https` is also the sign that it
    believes the proxy in front, and with that the visitor's address: it speaks no https itself.
    """
    if not target.write_key:
        yield Finding("write key", "open", "no write key was given", "add --write-key KEY to see more")
        return
    try:
        answer = ask("GET", f"{target.url}/v1/projects/{target.write_key}/settings")
    except Silence as silence:
        yield Finding("write key", "bad", str(silence), "see why some paths answer and others do not")
        return
    if answer.status == 404 and answer.json().get("code") == "bad_write_key":
        yield Finding("write key", "bad", "the gateway does not know it", 'the keys stand in tuttu.toml: key = "…"')
        return
    segment = answer.json().get("integrations", {})
    segment = segment.get("Segment.io", {}) if isinstance(segment, dict) else {}
    if answer.status != 200 or not isinstance(segment, dict) or "apiHost" not in segment:
        advice = "the proxy must pass on everything below the path"
        yield Finding(
            "write key", "bad", f"its settings are not to be had: {answer.status} {answer.text()[:80]}", advice
        )
        return
    yield Finding("write key", "good", "the gateway knows it")
    yield from _names(target, str(segment["apiHost"]), str(segment.get("protocol")))


def _names(target: Target, address: str, scheme: str) -> Iterator[Finding]:
    parts = target.parts
    if scheme == parts.scheme:
        believed = "; so it believes the proxy in front" if scheme == "https" else ""
        yield Finding("scheme", "good", f"the gateway knows that browsers use {scheme}{believed}")
    else:
        seen = f"the gateway thinks that browsers use {scheme[:20]}"
        yield Finding("scheme", "bad", seen, f"{_HEADER_HELP}; every visitor may seem to have the proxy's address")
    host, slash, path = address.partition("/")
    wanted = f"{parts.path}/v1".removeprefix("/")
    if host == parts.netloc:
        yield Finding("forwarded host", "good", f"the gateway knows its host: {host}")
    else:
        seen = f'the gateway thinks that its host is "{host[:100]}"'
        advice = "let the proxy pass on the Host header (nginx: proxy_set_header Host $http_host)"
        yield Finding("forwarded host", "bad", seen, f"{advice}: own pages are known by it")
    if path == wanted:
        yield Finding("prefix", "good", f"the gateway knows its path: {parts.path or '/'}")
    else:
        said = slash + path.removesuffix("v1").rstrip("/")
        yield Finding("prefix", "bad", f'the gateway thinks that its path is "{said[:100]}"', _HEADER_HELP)


def caching(target: Target) -> Iterator[Finding]:
    """Yield whether a cache keeps answers: by their headers, and by one that another question would have to change."""
    # A query that nobody has asked before: what another answer was kept for would hide it.
    url = f"{target.url}/v1/projects/{target.write_key or '-'}/settings?asked={random.token_hex(8)}"
    try:
        answers = [ask("GET", url, headers) for headers in ({"Origin": target.page}, {}, {"Origin": target.page})]
    except Silence as silence:
        yield Finding("cache", "open", str(silence), "try again")
        return
    signs = sorted({sign for answer in answers for sign in _signs(answer)})
    if answers[1].all("access-control-allow-origin"):
        signs.append("an answer was meant for another page")
    advice = "let the CDN or proxy pass everything below the path, uncached: visitors would get others' answers"
    if signs:
        yield Finding("cache", "bad", f"a cache answers: {'; '.join(signs)[:200]}", advice)
    elif any("no-store" not in answer.listed("cache-control") for answer in answers):
        seen = f'Cache-Control: no-store does not arrive; it is "{answers[0].one("cache-control")[:80]}"'
        yield Finding("cache", "bad", seen, "let the proxy leave Cache-Control as it is: caches obey it")
    else:
        yield Finding("cache", "good", "no sign of one, and Cache-Control: no-store arrives")


def _signs(answer: Answer) -> Iterator[str]:
    age = answer.one("age")
    if age.isdigit() and int(age) > 0:
        yield f"Age: {age[:20]}"
    for name in ("x-cache", "cf-cache-status", "x-cache-status", "x-proxy-cache", "cache-status"):
        value = answer.one(name)
        if "hit" in value.lower():
            yield f"{name}: {value[:60]}"


def bodies(target: Target) -> Iterator[Finding]:
    """Yield whether large and zipped bodies arrive. They hold no event, so nothing is written."""
    body = {"writeKey": target.write_key, "batch": []}
    url = f"{target.url}/v1/batch"
    for check, sent, headers, advice in (
        (
            "large bodies",
            json.dumps({**body, "filler": "x" * _LARGE}).encode(),
            {},
            "let the proxy take up to 5 MB (nginx: client_max_body_size 5m), or large batches are lost",
        ),
        (
            "zipped bodies",
            gzip.compress(json.dumps(body).encode()),
            {"Content-Encoding": "gzip"},
            "let the proxy leave bodies and Content-Encoding as they are: server SDKs send gzip",
        ),
    ):
        try:
            answer = ask("POST", url, {"Content-Type": "application/json", **headers}, sent)
            seen = f"{answer.status} {answer.text()[:80]}"
        except Silence as silence:
            answer, seen = None, str(silence)
        if answer is not None and (answer.status == 200 or answer.json().get("code") == "bad_write_key"):
            size = f" ({_LARGE / 1_000_000} MB)" if check == "large bodies" else ""
            yield Finding(check, "good", f"they arrive{size}")
        else:
            yield Finding(check, "warning", f"they do not arrive: {seen}", advice)
