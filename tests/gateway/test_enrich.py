from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.enrich import enriched
from gateway.enrich.address import TrustedProxies
from tests.gateway.making import hit

PROXIES = TrustedProxies(("127.0.0.1", "10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", b"198.51.100.7", "203.0.113.9"),  # a stranger's word does not count
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", b"198.51.100.7", "198.51.100.7"),
        (
            "127.0.0.1",
            b"1.2.3.4, 198.51.100.7, 10.1.2.3",
            "198.51.100.7",
        ),  # what the client wrote itself is not reached
        ("127.0.0.1", b"10.0.0.5, 10.1.2.3", "10.0.0.5"),
        ("127.0.0.1", b"198.51.100.7, nonsense", "127.0.0.1"),
        ("127.0.0.1", b"198.51.100.7:4711", "198.51.100.7"),
        ("127.0.0.1", b"[2001:db8:1::5]:443, 10.0.0.1", "2001:db8:1::5"),
        ("127.0.0.1", b"2a00:1450::1", "2a00:1450::1"),
        ("127.0.0.1", b"::ffff:198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", b"", "127.0.0.1"),
        ("", b"198.51.100.7", ""),
    ],
)
def test_the_client_is_found_behind_trusted_proxies_only(peer: str, forwarded: bytes | None, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_a_header_full_of_proxies_is_walked_a_few_steps_only() -> None:
    assert PROXIES.client("127.0.0.1", b"198.51.100.7, " + b"10.0.0.1, " * 30 + b"10.0.0.2") == "198.51.100.7"
    assert PROXIES.client("127.0.0.1", b"198.51.100.7, " + b"10.0.0.1, " * 6_000 + b"10.0.0.2") == "10.0.0.1"


@given(st.binary(max_size=60))
def test_any_forwarded_header_gives_an_address(forwarded: bytes) -> None:
    assert PROXIES.client("127.0.0.1", forwarded)


def facts(context: Any = None, properties: Any = None, body: Any = None, **headers: str) -> Any:
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return enriched(hit(headers=lines, body=body or {}), context or {}, properties or {})


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fi-FI", "fi"),
        ("en_US", "en"),
        ("FI", "fi"),
        ("sv;q=0.8", "sv"),
        ("", ""),
        ("*", ""),
        ("x" * 50, ""),
        ("12", ""),
    ],
)
def test_the_language_is_a_primary_subtag(locale: str, language: str) -> None:
    assert facts(accept_language=locale).language == language
    assert facts({"locale": locale}, accept_language=locale).language == language


def test_the_page_says_its_locale_before_the_browser_does() -> None:
    assert facts({"locale": "fi"}, accept_language="en-GB,en;q=0.9").language == "fi"
    assert facts({"locale": ["fi"]}, accept_language="en-GB,en;q=0.9").language == "en"


def test_the_campaign_comes_from_the_context_or_the_address() -> None:
    given_ = facts({"campaign": {"name": "Syksy", "source": "news", "medium": "email"}})
    assert (given_.campaign, given_.source, given_.medium) == ("Syksy", "news", "email")
    url = "https://x.example/?utm_campaign=Syksy%202026&utm_source=google&utm_medium=cpc"
    for found in (facts({"page": {"url": url}}), facts(properties={"url": url})):
        assert (found.campaign, found.source, found.medium) == ("Syksy 2026", "google", "cpc")


@pytest.mark.parametrize(
    "context",
    [{"page": 5}, {"page": []}, {"campaign": []}, {"campaign": {"name": {}}}, {"userAgent": 7}, {"locale": {}},
     {"page": {"url": 5, "path": [], "referrer": {}}}, {"page": {"url": "http://[x?utm_"}},
     {"page": {"url": "?utm_x=" + "&a=1" * 80}}],
)  # fmt: skip
def test_odd_contexts_give_no_facts_and_no_error(context: Any) -> None:
    found = facts(context)
    assert (found.campaign, found.page, found.referrer) == ("", found.page, "")


def test_a_server_speaks_for_the_browser_of_its_visitor() -> None:
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
    assert facts({"userAgent": browser}, user_agent="python-requests/2.32").browser == "Firefox"
