# ruff: noqa: E501 - a row of the table is one line
"""What `test_hostile` sends: (what it is, the request, the status, the code of the error or None)."""

from __future__ import annotations

import gzip
from typing import Any

import orjson

from tests.fuzz.hostile_values import IDS, NUMBERS, TEXTS, TIMES
from tests.fuzz.requests import Sent, plain

MB = 1_000_000
GZIP = (b"content-encoding", b"gzip")


def page(**fields: Any) -> dict[str, Any]:
    return {"type": "page", "anonymousId": "hostile", "properties": {"path": "/"}, **fields}


def nested(depth: int, opened: bytes = b'{"a":', closed: bytes = b"}") -> bytes:
    return opened * depth + b"1" + closed * depth


def batch(*events: Any, **fields: Any) -> dict[str, Any]:
    return {"batch": list(events), **fields}


def raw(fields: bytes, path: str = "/v1/page") -> Sent:
    return plain(path, b'{"anonymousId":"hostile",' + fields + b"}")


SMALL = orjson.dumps(page())
ROOM = orjson.dumps({"batch": [], "x": ""})

BODIES: list[tuple[str, Sent, int, str | None]] = [
    ("empty", plain("/v1/page", b""), 400, "bad_json"),
    ("null", plain("/v1/page", b"null"), 400, "bad_shape"),
    ("a list", plain("/v1/batch", b"[]"), 400, "bad_shape"),
    ("a text", plain("/v1/track", b'"x"'), 400, "bad_shape"),
    ("a number", plain("/v1/decide", b"12"), 400, "bad_shape"),
    ("not JSON", plain("/v1/identify", b"{'a':1}"), 400, "bad_json"),
    ("a tail", plain("/v1/page", SMALL + b"{}"), 400, "bad_json"),
    ("a byte order mark", plain("/v1/page", b"\xef\xbb\xbf" + SMALL), 400, "bad_json"),
    ("UTF-16", plain("/v1/page", SMALL.decode().encode("utf-16")), 400, "bad_encoding"),
    ("bad UTF-8", raw(b'"userId":"\xff"'), 400, "bad_encoding"),
    ("overlong UTF-8", raw(b'"userId":"\xc0\x80"'), 400, "bad_encoding"),
    ("a surrogate in UTF-8", raw(b'"userId":"\xed\xa0\x80"'), 400, "bad_encoding"),
    ("a NUL between", plain("/v1/page", SMALL + b"\x00"), 400, "bad_json"),
    *((f"half a surrogate in {where.decode()[:14]}", raw(where), 400, "bad_json") for where in (
        b'"userId":"\\ud800"', b'"name":"\\udc00"', b'"traits":{"\\ud800":1}', b'"properties":{"a":["\\udfff\\ud800"]}',
        b'"messageId":"\\ud83d"', b'"context":{"page":{"url":"\\ud800"}}',
    )),
    ("a whole pair of surrogates", raw(b'"userId":"\\ud83d\\ude00"'), 200, None),
    *((f"the number {number.decode()[:9]}", raw(b'"properties":{"revenue":' + number + b"}"), 400, "bad_json") for number in (
        b"1e400", b"-1e400", b"1" + b"0" * 400, b"NaN", b"Infinity", b"-Infinity", b"0x1F", b"01", b"1.",
    )),
    *((f"the number {number.decode()}", raw(b'"properties":{"revenue":' + number + b"}"), 200, None) for number in (
        b"-0", b"1e308", b"1e-400", b"18446744073709551616", b"123456789012345678901234567890",
    )),
    ("deep, below the parser's own limit", raw(b'"properties":' + nested(900)), 400, "bad_shape"),
    ("deep, over the parser's limit", raw(b'"properties":' + nested(2_000)), 400, "bad_json"),
    ("deep lists", raw(b'"context":' + nested(100, b'{"a":[', b"]}")), 400, "bad_shape"),
    ("deep traits", raw(b'"traits":' + nested(40), "/v1/identify"), 400, "bad_shape"),
    ("deep beside the events", plain("/v1/decide", b'{"placements":["home hero"],"context":' + nested(900) + b"}"), 200, None),
    ("millions of brackets", plain("/v1/batch", b'{"batch":[' + b"[" * MB), 400, "bad_shape"),
    ("a million events", plain("/v1/batch", b'{"batch":[' + b"{}," * MB + b"{}]}"), 400, "bad_shape"),
    ("4,001 events", plain("/v1/batch", batch(*[{}] * 4_001)), 400, "bad_shape"),
    ("4,000 bad events", plain("/v1/batch", batch(*[{}] * 4_000)), 200, None),
    ("a flat object of 300,000 names", plain("/v1/import", b'{"batch":[{' + b",".join(b'"%x":1' % n for n in range(300_000)) + b"}]}"), 400, "bad_shape"),
    ("a single body at its limit", plain("/v1/page", SMALL[:-1] + b" " * (500_000 - len(SMALL)) + b"}"), 200, None),
    ("a single body over it by one", plain("/v1/page", SMALL + b" " * (500_001 - len(SMALL))), 413, "too_large"),
    ("a batch at its limit", plain("/v1/batch", ROOM + b" " * (4 * MB - len(ROOM))), 200, None),
    ("a batch over it by one", plain("/v1/batch", ROOM + b" " * (4 * MB + 1 - len(ROOM))), 413, "too_large"),
    ("a request for data over its limit", plain("/v1/privacy/export", b" " * 20_001), 413, "too_large"),
    ("an event over 32 KB", plain("/v1/track", page(event="x" * 33_000)), 413, "too_large"),
    ("a gzip bomb", plain("/v1/batch", gzip.compress(b" " * 100 * MB, 9), GZIP), 413, "too_large"),
    ("gzip in gzip, one declared", plain("/v1/page", gzip.compress(gzip.compress(SMALL)), GZIP), 400, "bad_encoding"),
    ("gzip in gzip, both declared", plain("/v1/page", gzip.compress(gzip.compress(SMALL)), (GZIP[0], b"gzip, gzip")), 415, "bad_content_encoding"),
    ("gzip in gzip, in two headers", plain("/v1/page", gzip.compress(gzip.compress(SMALL)), GZIP, GZIP), 415, "bad_content_encoding"),
    ("gzip and br", plain("/v1/page", SMALL, (GZIP[0], b"br"), GZIP), 415, "bad_content_encoding"),
    ("an encoding that nobody knows", plain("/v1/page", SMALL, (GZIP[0], b"\xff" * 60)), 415, "bad_content_encoding"),
    ("gzip by its other name", plain("/v1/page", gzip.compress(SMALL), (GZIP[0], b"X-GZIP")), 200, None),
    ("an empty encoding", plain("/v1/page", SMALL, (GZIP[0], b"")), 200, None),
    ("cut gzip", plain("/v1/page", gzip.compress(SMALL)[:-9], GZIP), 400, "bad_encoding"),
    ("gzip with a tail", plain("/v1/page", gzip.compress(SMALL) + b"x", GZIP), 400, "bad_encoding"),
    ("gzip with a wrong checksum", plain("/v1/page", gzip.compress(SMALL)[:-8] + b"\0" * 8, GZIP), 400, "bad_encoding"),
    ("not gzip", plain("/v1/page", SMALL, GZIP), 400, "bad_encoding"),
    ("no gzip at all", plain("/v1/page", b"", GZIP), 400, "bad_encoding"),
    *((f"the key {key}", plain("/v1/track", page(event="x", properties={"a": [{key: 1}]})), 400, "bad_shape") for key in (
        "__proto__", "constructor", "prototype",
    )),
    ("an escaped __proto__", raw(b'"context":{"\\u005f_proto__":{}}'), 400, "bad_shape"),
    *((f"the id {value[:8]!r}", plain("/v1/identify", page(userId=value)), 400 if bad else 200, "bad_shape" if bad else None)
      for value in IDS
      for bad in (bool(value) and (not value.strip() or len(value) > 512 or value.strip().lower() in ("0", "null", "undefined", "guest", "anonymous")),)),
    *((f"the time {value}", plain("/v1/page", page(timestamp=value, sentAt=TIMES[0])), 200, None) for value in (*TIMES, *NUMBERS)),
    *((f"sent at {value}", plain("/v1/page", page(timestamp=TIMES[0], sentAt=value)), 200, None) for value in (*TIMES[:6], *NUMBERS[:9])),
    *((f"traits of {text[:6]!r}", plain("/v1/identify", page(traits={text[:900]: text[:2_000]} | {f"{text[:3]}{n}": text[:800] for n in range(2)})), 200, None)
      for text in TEXTS if text not in ("__proto__", "constructor", "prototype")),
    ("nothing to decide", plain("/v1/decide", {"placements": []}), 400, "bad_shape"),
    ("51 placements", plain("/v1/decide", {"placements": [str(n) for n in range(51)]}), 400, "bad_shape"),
    ("a placement with a long name", plain("/v1/decide", {"placements": ["\n" * 100_000]}), 200, None),
    ("links under the write key", plain("/v1/links", {"links": [{}]}), 403, "secret_key_wanted"),
    ("an export for a claim", plain("/v1/privacy/export", {"userId": "u"}), 403, "not_verified"),
    ("a deletion for a list", plain("/v1/privacy/delete", {"userId": ["u"]}), 400, "bad_shape"),
]  # fmt: skip

HEADERS: list[tuple[str, Sent, int, str | None]] = [
    ("cookies of 30 KB", plain("/v1/page", page(), (b"cookie", b"a=" + b"b" * 30_000)), 200, None),
    ("hundreds of our cookies", plain("/v1/page", page(), (b"cookie", b"__Host-tuttu_id=x.y.z; " * 500)), 200, None),
    ("malformed pairs", plain("/v1/page", page(), (b"cookie", b";;=;a;=b; __Host-tuttu_id; \xff=\xff")), 200, None),
    ("a banner's cookie of percent signs", plain("/v1/page", page(), (b"cookie", b"cc_cookie=" + b"%5B" * 1_000)), 200, None),
    ("an X-Forwarded-For of 3,000 entries", plain("/v1/page", page(), (b"x-forwarded-for", b"10.0.0.1," * 3_000)), 200, None),
    ("an Authorization of garbage", plain("/v1/page", page(), (b"authorization", b"Basic \xff\xfe=="), key=""), 401, "bad_write_key"),
    ("a Basic that is no base64", plain("/v1/page", page(), (b"authorization", b"Basic !!"), key=""), 401, "bad_write_key"),
    ("no key at all", plain("/v1/page", page(), key=""), 401, "bad_write_key"),
    ("an Origin of garbage", plain("/v1/page", page(), (b"origin", b"\xff://[")), 403, "origin_not_allowed"),
    ("the Origin null", plain("/v1/page", page(), (b"origin", b"null")), 403, "origin_not_allowed"),
    ("an Origin with a strange port", plain("/v1/page", page(), (b"origin", b"http://localhost:1e9")), 403, "origin_not_allowed"),
    ("an agent of 20 KB", plain("/v1/page", page(), (b"user-agent", b"Mozilla/5.0 (" * 1_500)), 200, None),
    ("languages of 20 KB", plain("/v1/page", page(), (b"accept-language", b"en;q=" * 4_000)), 200, None),
    ("a query of 30 KB", plain("/v1/page?" + "a=b&" * 7_500, page()), 200, None),
    ("a key twice in the query", plain("/v1/page?writeKey=demo&writeKey=x", page(), key=""), 200, None),
    ("a language of no language", plain("/v1/decide?language=%ff", {"placements": ["x"]}), 200, None),
    ("a path with two slashes", plain("//v1/batch", batch()), 404, "not_found"),
    ("a path with a step up", plain("/v1/../v1/page", page()), 404, "not_found"),
    ("a path with a slash at its end", plain("/v1/page/", page()), 404, "not_found"),
    ("a long path", plain("/" + "a" * 20_000, page()), 404, "not_found"),
    ("a NUL in the path", plain("/v1/privacy/reports/\x00", page()), 405, "method_not_allowed"),
    ("a secret key from a browser", plain("/v1/page", page(), (b"origin", b"http://localhost"), key="SECRET"), 403, "secret_key_in_browser"),
    *((f"the method {method}", Sent(method, "/v1/page", b"", [], b""), 405 if method != "OPTIONS" else 204, None) for method in (
        "GET", "HEAD", "PUT", "DELETE", "TRACE", "OPTIONS",
    )),
]  # fmt: skip
