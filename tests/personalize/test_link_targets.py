"""A link leads to where its site wants it to, and nowhere else, however its address is spelt."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.link_targets import BadTarget, is_listed, normal_target, with_parameter

LISTED = ("https://www.example.com/shop", "https://blog.example.com/", "http://localhost:8080/")

NEVER = (
    "//evil.example/", "///evil.example", "/\\evil.example", "https:/evil.example", "https:evil.example", "x.example",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)//https://www.example.com/", "java\nscript:alert(1)",
    "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://www.example.com/shop", "mailto:a@example.com",
    "https://www.example.com@evil.example/shop", "https://www.example.com:443@evil.example/", "https://a:b@evil.example",
    "https://evil.example\\@www.example.com/shop", "https://evil.example\\.www.example.com/shop",
    "https:\\\\evil.example", "https://www.example.com\\.evil.example", "https://www.example.com\t.evil.example/",
    "https://www.example.com\r\nLocation: https://evil.example", "https://www.example.com/shop\x00", "\x01https://x/",
    " https://www.example.com/shop", "https://www.example.com/shop x", "https://www.example.com\u00a0/shop",
    "https://[::1]/", "https://[", "https://www.example.com:x/", "https://www.example.com:99999/", "https://", "https:///x",
    "https://www.example.com/shop/../admin", "https://www.example.com/shop/%2e%2e/admin", "https://www.example.com/shop/.%2E",
    "https://www.example.com/shop/..%2fadmin", "https://www.example.com/shop/..%5cadmin", "https://www.example.com/shop/..;/x",
    "https://www.exämple.com/", "https://www.example\u3002com/", "https://www.example%2ecom/", "https://-x.example/",
    "https://www.example.com/shop?tuttu=x", "https://www.example.com/shop?a&tuttu", "", "x" * 3000,
    "https://www.example.com/shop/" + "ä" * 400,
)  # fmt: skip

ELSEWHERE = (
    "https://evil.example/", "https://www.example.com/", "https://www.example.com/shops", "http://www.example.com/shop",
    "https://www.example.com:8443/shop", "https://www.example.com.evil.example/shop", "https://www.example.com./shop",
    "https://example.com/shop", "https://xwww.example.com/shop", "https://evil.example/https://www.example.com/shop",
    "https://evil.example/?https://www.example.com/shop", "https://evil.example#https://www.example.com/shop",
    "https://www.example.com/?/shop", "https://www.example.com//shop", "http://localhost:80801/", "http://localhost/",
    "https://www.example.com/Shop",
)  # fmt: skip


def allowed(address: str) -> bool:
    try:
        return is_listed(normal_target(address), LISTED)
    except BadTarget:
        return False


@pytest.mark.parametrize("address", NEVER)
def test_what_could_be_read_in_two_ways_is_refused(address: str) -> None:
    with pytest.raises(BadTarget):
        normal_target(address)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_what_lies_elsewhere_is_not_listed(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("https://www.example.com/shop", "https://www.example.com/shop"),
        ("HTTPS://WWW.Example.COM:443/shop/new?a=%20b&c#d", "https://www.example.com/shop/new?a=%20b&c#d"),
        ("https://blog.example.com", "https://blog.example.com/"),
        ("http://localhost:8080?x=[1]", "http://localhost:8080/?x=%5B1%5D"),
        ("https://www.example.com/shop/kenkä", "https://www.example.com/shop/kenk%C3%A4"),
        ("https://blog.example.com//evil.example/x", "https://blog.example.com//evil.example/x"),
        ("https://blog.example.com/a..b/...?next=https://evil.example", None),
    ],
)
def test_listed_addresses_become_normal(address: str, normal: str | None) -> None:
    assert normal_target(address) == (normal or address)
    assert allowed(address)


PIECES = st.sampled_from(
    ["https:", "//", "/", "\\", "@", "www.example.com", "evil.example", ":", "443", ".", "..", "%2e", "?", "#", "\t",
     "\n", "shop", "javascript:", "ä", "%0a", ";", " ", "[", "]", "&tuttu=x"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES, max_size=9).map("".join) | st.text())
def test_whatever_is_allowed_stays_on_a_listed_host_also_with_the_parameter(address: str) -> None:
    if allowed(address):
        normal = normal_target(address)
        assert normal_target(normal) == normal
        found = with_parameter(normal, "to.ken")
        assert found.isascii()
        assert found.isprintable()
        assert "\\" not in found
        parts = urlsplit(found)
        assert f"{parts.scheme}://{parts.netloc}" in {
            "https://www.example.com", "https://blog.example.com", "http://localhost:8080"
        }  # fmt: skip
        assert parts.query.split("&")[-1] == "tuttu=to.ken"
        assert parts.fragment == urlsplit(normal).fragment
