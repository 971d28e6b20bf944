"""Requests made of those that clients sent: with changed JSON trees, changed headers, or changed bytes.

The same seed and number make the same request. What no JSON library writes (a key twice, NaN, half a surrogate) is put
into the tree as a mark, and written for the mark afterwards.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson

from tests.fuzz.hostile_values import (
    COOKIES,
    FIELDS,
    HEADER_NAMES,
    HEADER_VALUES,
    INNER,
    LISTS,
    NUMBERS,
    RAW,
    SCALARS,
    TOKENS,
)
from tests.fuzz.requests import Headers, Sample, Sent, samples

KINDS = ("tree", "bytes", "headers", "valid")
SHARES = (0.5, 0.22, 0.18, 0.1)

_EVENT_PATHS = tuple(f"/v1/{name}" for name in (*("track", "page", "screen", "identify", "group", "alias"), *"tpsiga"))
_BATCH_PATHS = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
_OTHERS = ("/v1/decide", "/v1/links", "/v1/privacy/export", "/v1/privacy/delete")
_PATHS = (*_EVENT_PATHS, *_BATCH_PATHS, *_OTHERS, *_OTHERS)
_GETS = (
    "/v1/projects/demo/settings", "/v1/projects/\x00/settings", "/sourceConfig/", "/v1/go/a.b.c", "/v1/open/a.b.c.gif",
    "/v1/privacy/reports/x", "/tuttu.js", "/live", "/", "/v1/../v1/page", "//v1/batch", "/v1/page/", "/V1/PAGE",
)  # fmt: skip
_QUERIES = (
    b"writeKey=demo",
    b"writeKey=%FF",
    b"writeKey=demo&writeKey=x",
    b"explain=1",
    b"a=b&" * 3_000,
    b"%",
    b"language=\xff",
)
_MARKED = re.compile(rb'"@raw([0-9]+)@"')
_TWICE = re.compile(rb"@twice@")


class Mutator:
    """Makes requests. `cookies` and `texts` are what the gateway itself has given out: valid cookies, valid tokens."""

    def __init__(self, seed: int, cookies: tuple[bytes, ...] = (), texts: tuple[str, ...] = ()) -> None:
        self._seed = seed
        self._cookies = cookies
        self._texts = texts

    def request(self, number: int) -> Sent:
        """Return the request with this number."""
        r = random.Random(self._seed * 1_000_003 + number)  # noqa: S311 - a test's dice, to be thrown again
        kind = r.choices(KINDS, SHARES)[0]
        sample = r.choice(samples())
        headers = list(sample.headers)
        headers = [(name, value) for name, value in headers if name != b"content-encoding"]
        if self._cookies and r.random() < 0.3:
            headers.append((b"cookie", r.choice(self._cookies)))
        method, path, query = "POST", sample.path, sample.query
        body = orjson.dumps(sample.body) if kind != "tree" else self._tree(r, sample)
        body = _somebody(r, number, body)
        if kind == "bytes":
            body = _bytes(r, body)
        elif kind == "headers" or r.random() < 0.1:
            method, path, query = _where(r, method, path, query)
            headers = self._headers(r, headers)
        if r.random() < 0.1:
            body, headers = _zipped(r, body, headers)
        return Sent(method, path, query, headers, body, kind)

    def _tree(self, r: random.Random, sample: Sample) -> bytes:
        tree = deepcopy(sample.body)
        for _ in range(r.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            self._change(r, tree)
        try:
            body = orjson.dumps(tree)
        except orjson.JSONEncodeError:  # nested too deep for it
            body = b'{"batch":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"]}"
        if b"@" in body:
            body = _MARKED.sub(lambda found: RAW[int(found[1])], body)
            body = _TWICE.sub(b"", body)
        return body

    def _change(self, r: random.Random, tree: dict[str, Any]) -> None:
        owner, key = _place(r, tree)
        value = owner[key] if _has(owner, key) else None
        change = r.choice(_CHANGES)
        if change is _replace and self._texts and r.random() < 0.1:
            owner[key] = r.choice(self._texts)
            return
        change(r, owner, key, value)

    def _headers(self, r: random.Random, headers: Headers) -> Headers:
        found = list(headers)
        for _ in range(r.choice((1, 1, 2, 3))):
            name = r.choice(HEADER_NAMES)
            value = r.choice(HEADER_VALUES)
            if name == b"cookie":
                value = r.choice((*COOKIES, *self._cookies))
                if r.random() < 0.3:
                    value = _bytes(r, value)
                if r.random() < 0.3:
                    value = b"; ".join((value, r.choice((*COOKIES, *self._cookies))))
            elif r.random() < 0.2:
                value = _bytes(r, value or b"x")
            if found and r.random() < 0.3:
                found.pop(r.randrange(len(found)))
            if r.random() < 0.5:
                found = [each for each in found if each[0] != name]
            found.append((name, value))
        return found


def _somebody(r: random.Random, number: int, body: bytes) -> bytes:
    """Return the body as one of many visitors sends it, mostly with messages that are new."""
    someone = b"%d" % r.randrange(300)
    body = body.replace(b"u-1001", b"u-" + someone).replace(b"anon-0001", b"anon-" + someone)
    return body.replace(b'"messageId":"', b'"messageId":"%d-' % number) if r.random() < 0.8 else body


def _where(r: random.Random, method: str, path: str, query: bytes) -> tuple[str, str, bytes]:
    if r.random() < 0.3:
        path = r.choice(_PATHS)
    if r.random() < 0.1:
        method, path = r.choice(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW")), r.choice(_GETS)
    if r.random() < 0.2:
        query = r.choice(_QUERIES)
    return method, path, query


# -- trees -----------------------------------------------------------------------------------------------------------


def _place(r: random.Random, tree: dict[str, Any]) -> tuple[Any, Any]:
    """Return a container and one of its keys, or a key that it may get, somewhere in the tree."""
    owner: Any = tree
    while True:
        if isinstance(owner, dict):
            if not owner or r.random() < 0.1:
                return owner, r.choice(INNER if owner is not tree else FIELDS)
            key: Any = r.choice(tuple(owner))
        elif owner:
            key = r.randrange(len(owner))
        else:
            owner.append(None)
            return owner, 0
        below = owner[key]
        if not isinstance(below, dict | list) or r.random() < 0.15:
            if r.random() < 0.15 and isinstance(owner, dict):
                return owner, r.choice((*FIELDS, *INNER))
            return owner, key
        owner = below


def _has(owner: Any, key: Any) -> bool:
    return key in owner if isinstance(owner, dict) else True


def _replace(r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    owner[key] = deepcopy(r.choice(LISTS)) if r.random() < 0.2 else r.choice(SCALARS)


def _unwritable(r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    owner[key] = f"@raw{r.randrange(len(RAW))}@"


def _remove(_r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    if _has(owner, key):
        del owner[key]


def _rename(r: random.Random, owner: Any, key: Any, value: Any) -> None:
    if isinstance(owner, dict):
        owner.pop(key, None)
        text = r.choice(SCALARS)
        owner[text if isinstance(text, str) else r.choice(FIELDS)] = value


def _say_twice(r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    if isinstance(owner, dict):
        owner[f"{key}@twice@"] = r.choice(SCALARS)


def _splice(r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    other = deepcopy(r.choice(samples()).body)
    source, name = _place(r, other)
    owner[key] = source[name] if _has(source, name) else source


def _nest(r: random.Random, owner: Any, key: Any, value: Any) -> None:
    for _ in range(r.choice((1, 2, 20, 31, 32, 33, 100))):
        value = [value] if r.random() < 0.5 else {"a": value}
    owner[key] = value


def _grow(r: random.Random, owner: Any, key: Any, value: Any) -> None:
    times = r.choice((2, 10, 100, 600))
    if isinstance(value, str):
        owner[key] = value[:2_000] * min(times, 40)
    elif isinstance(value, list):
        owner[key] = (value * times)[:700]
    elif isinstance(value, dict):
        value.update((f"k{n}", n) for n in range(times))
    else:
        owner[key] = [value] * times


def _retype(r: random.Random, owner: Any, key: Any, value: Any) -> None:
    owner[key] = r.choice((str(value)[:1_000], [value], {"a": value}, bool(value), None, len(str(value))))


def _count(r: random.Random, owner: Any, key: Any, _value: Any) -> None:
    owner[key] = r.choice(NUMBERS)


_CHANGES: tuple[Callable[[random.Random, Any, Any, Any], None], ...] = (
    *(_replace, _replace, _replace, _unwritable, _remove, _rename, _say_twice),
    *(_splice, _splice, _nest, _grow, _retype, _retype, _count),
)


# -- bytes -----------------------------------------------------------------------------------------------------------


def _bytes(r: random.Random, body: bytes) -> bytes:
    found = bytearray(body)
    for _ in range(r.choice((1, 1, 2, 4, 16))):
        at = r.randrange(len(found) + 1)
        match r.randrange(6):
            case 0 if found:
                found[at % len(found)] ^= 1 << r.randrange(8)
            case 1:
                found[at:at] = r.choice(TOKENS)
            case 2:
                del found[at : at + r.choice((1, 1, 4, 50))]
            case 3:
                del found[at:]
            case 4:
                found[at:at] = found[at : at + r.choice((1, 20, 200))] * r.choice((1, 2, 30))
            case _:
                found[at : at + 1] = bytes((r.randrange(256),))
    return bytes(found[:600_000])


def _zipped(r: random.Random, body: bytes, headers: Headers) -> tuple[bytes, Headers]:
    packed = gzip.compress(body, 1, mtime=0)
    match r.randrange(6):
        case 0:
            packed = _bytes(r, packed)
        case 1:
            packed = gzip.compress(packed, 1, mtime=0)
        case 2:
            packed = gzip.compress(b" " * r.choice((10, 499_999, 500_001, 3_000_000)), 1, mtime=0)
        case _:
            pass
    return packed, [
        *headers,
        (b"content-encoding", r.choice((b"gzip", b"gzip", b"gzip", b"GZIP", b"gzip, gzip", b"x-gzip"))),
    ]
