# ruff: noqa: E501, RUF001 - rows of values, among them letters that look like others
"""What breaks decoders: values, texts, and words of the protocols that a mutation puts where others were expected."""

from __future__ import annotations

from typing import Any

NUMBERS: tuple[int | float, ...] = (
    0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1e15, 1e16, 1e22, 1e308, -1e308, 5e-324,
    -0.0, 0.1, 946_684_799_999, 946_684_800_000, 4_102_444_800_000, 4_102_444_800_001, 1_795_300_000_000.5, 253402300800000,
)  # fmt: skip

TIMES = (
    "2026-11-22T10:00:00Z", "2026-11-22", "20261122T100000Z", "2026-W47-7", "0000-00-00T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "99999-01-01T00:00:00Z", "-2026-01-01", "2026-02-30",
    "2026-11-22T24:00:00Z", "2026-11-22T10:00:60Z", "2026-11-22T10:00:00.1234567891Z", "2026-11-22T10:00:00+99:99",
    "1795300000000", "now", "２０２６-11-22",
)  # fmt: skip

IDS = (
    "", " ", "0", "null", "undefined", "Guest", "anonymous", "\x00", "a\nb", "\u202eabc", "\u200b", "\ufeff", "{}",
    "a:b:c", "via 3 a:b", "|", "é", "e\u0301", "😀", "x" * 512, "x" * 513, "\x01" * 512, "𝕏" * 512, "u-1001", "%s", "{p1}",
)  # fmt: skip

ADDRESSES = (
    "https://www.example.com/?utm_source=%ff&utm_campaign=%00&gclid=a%00b", "http://[::1", "http://[::1%25x]/", "//",
    "http://a:99999/", "http://\u2100.example/", "https://www.example.com/?tuttu=a.b.c&tuttu=%", "?", "#", "%", "/" * 2_000,
    "https://www.example.com/?" + "gclid=x&" * 300, "https://www.example.com/?u=" + "%25" * 500 + "gclid%3Dx",
    "javascript:alert(1)", "https://www.example.com/" + "a" * 9_000, "/hinnoittelu", "\\\\host", "http://@/", "data:,",
)  # fmt: skip

TEXTS = (
    "__proto__", "constructor", "prototype", "\u2028", "\r\n", "\x1b[31m", "<script>", "{{ first_name }}", "${7*7}",
    "'; --", "%00", "../../etc/passwd", "a" * 40_000, "\x01" * 3_000, "\x01" * 700, "\x01" * 95, "𝕏" * 250, "ä" * 1_000, "٣", "ﬀ", "İ", "ß" * 400, '"' * 900, "\\" * 900,
)  # fmt: skip

LISTS: tuple[Any, ...] = (
    [],
    [[]],
    [None],
    [1, "a", {}],
    ["analytics", 1],
    ["analytics"],
    ["ads"],
    {},
    {"": None},
    {"a": {"": []}},
)

SCALARS: tuple[Any, ...] = (None, True, False, *NUMBERS, *TIMES, *IDS, *ADDRESSES, *TEXTS)

RAW = (
    b"1e400", b"-1e400", b"1" + b"0" * 400, b"NaN", b"-Infinity", b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b"01",
    b"+1", b".5", b"1.", b"0x10", b"nul", b"'a'", b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b"[" * 2_000, b"{}{}",
    b"-0", b"1E+2", b"/**/1", b"\xef\xbb\xbf1", b'"\x00"', b'"\t"', b"{,}", b"[1,]", b'{"a":1,"a":2}', b"1_0",
)  # fmt: skip
"""What no JSON library would write."""

FIELDS = (
    "type", "event", "name", "category", "userId", "anonymousId", "groupId", "previousId", "messageId", "properties",
    "traits", "context", "timestamp", "originalTimestamp", "sentAt", "channel", "consent", "userHash", "visitor", "reset",
    "batch", "placements", "writeKey", "locale", "links", "base", "integrations", "_metadata", "__proto__", "constructor",
)  # fmt: skip
INNER = (
    "page", "path", "url", "referrer", "title", "products", "revenue", "decision", "userAgent", "ip", "library", "campaign",
    "locale", "credentials", "consent", "consentManagement", "categoryPreferences", "allowedConsentIds", "deniedConsentIds",
    "resolutionStrategy", "traits", "userHash", "owns", "email", "first_name", "name", "target", "message", "expires", "sent",
)  # fmt: skip

TOKENS = (
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"\xef\xbb\xbf", b"null", b"true", b"1e999", b"-", b'"batch":', b'"type":"track"', b'"__proto__":', b'{"a":' * 40, b"\n",
    b"\x1f\x8b\x08", b"[]" * 50, b'"\\ud83d"', b"//", b"/*", b'"userId":', b'"consent":[]', b"\xfe\xff", b"\x00\x00\x00{",
)  # fmt: skip

HEADER_VALUES = (
    b"", b" ", b"\xff\xfe", b"a" * 8_000, b",", b";", b"=", b"null", b"0", b"-1", b"99999999999999999999", b"0" * 5_000 + b"1",
    b"\t", b"%00", b"Basic", b"Basic !!!!", b"Basic ZGVtbzo=", b"Bearer demo", b"Bearer a secret key", b"Basic \xff",
    b"gzip", b"gzip, gzip", b"gzip, br", b"br", b"deflate", b"identity", b"GZIP", b"https://www.example.com",
    b"http://localhost:99999", b"https://www.example.com:0", b"null", b"https://xn--", b"file://", b"http://localhost:*",
    b"10.0.0.1, " * 800, b"[::1]:80, 10.0.0.1", b"::ffff:10.0.0.1", b"unknown, _hidden", b"1.2.3.4.5", b"same-origin", b"same-site",
    b"en;q=x, *", b"1", b"Mozilla/5.0 " * 500, b"\xe4\xf6\xfc", b"fi-FI,fi;q=0.9",
)  # fmt: skip
HEADER_NAMES = (
    b"authorization", b"x-write-key", b"cookie", b"origin", b"host", b"content-encoding", b"content-length", b"content-type",
    b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-prefix", b"user-agent", b"accept-language", b"sec-gpc", b"dnt",
    b"sec-fetch-site", b"referer", b"via", b"expect", b"transfer-encoding", b"x-retry-count", b"anonymousid",
)  # fmt: skip
COOKIES = (
    b"tuttu_id=", b"__Host-tuttu_id=", b"__Host-tuttu_id=a.b.c", b"__Host-tuttu_id=" + b"A" * 5_000, b"; ; ;=;",
    b"OptanonConsent=&groups=C0002%3A1%2CC0004%3A0; OptanonAlertBoxClosed=2026", b"OptanonConsent=groups=%FF%3A1",
    b"OptanonConsent=&groups=" + b"C%3A1%2C" * 500, b"CookieConsent={stamp:'x'%2Cstatistics:true%2Cmethod:'explicit'}",
    b"CookieConsent=0", b"CookieConsent=-1", b"CookieConsent=%7B" * 30, b'cc_cookie={"categories":["analytics"]}',
    b"cc_cookie=%7B%22categories%22%3A%5B1%2Cnull%5D%7D", b"cc_cookie=[]", b"cc_cookie=" + b"%5B" * 1_300, b"cc_cookie=%ff",
    b"tuttu_id=" * 400, b"a=b; " * 2_000, b"__Host-tuttu_id=\xff.\xfe.\xfd", b'__Host-tuttu_id="a.b.c"',
)  # fmt: skip
