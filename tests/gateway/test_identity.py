from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import Outcome
from gateway.errors import BadRequest
from gateway.identity.consent import allows_profile, allows_reading, in_force, signal_of
from gateway.identity.tokens import Tokens
from gateway.identity.verified import proves, user_hash
from gateway.identity.visitor import Cookies, cookie_name, cookies_in, hashed, may_be_new, new_visitor_id, visitor_of
from gateway.ports import VisitorKey
from personalize.decision import Decision
from personalize.profiles import Profile
from tests.gateway.making import NOW, hit, site

KEYS = ("k" * 32, "an older key, long enough")
COOKIES = Cookies(KEYS)
TOKENS = Tokens(KEYS)
HERO = Decision("home hero", "welcome", {}, "rule")


def test_a_cookie_comes_back_as_its_visitor() -> None:
    visitor = new_visitor_id()
    assert COOKIES.visitor_id(site(), COOKIES.value(site(), visitor)) == visitor


@pytest.mark.parametrize("change", ["x{}", "{}x", "{}.", ".", "{}ä", "ä{}"])
def test_a_changed_cookie_is_nobody(change: str) -> None:
    assert COOKIES.visitor_id(site(), change.format(COOKIES.value(site(), "v" * 20))) == ""


@given(st.text())
def test_any_text_is_a_cookie_or_nobody(text: str) -> None:
    assert COOKIES.visitor_id(site(), text) == ""


def test_a_cookie_of_another_site_or_key_is_nobody() -> None:
    value = COOKIES.value(site(), "v" * 20)
    assert COOKIES.visitor_id(site(key="other"), value) == ""
    assert Cookies(("z" * 32,)).visitor_id(site(), value) == ""


def test_an_older_key_still_verifies_and_the_newest_signs() -> None:
    old = Cookies(KEYS[1:]).value(site(), "v" * 20)
    assert COOKIES.visitor_id(site(), old) == "v" * 20
    assert COOKIES.value(site(), "v" * 20) != old


def test_the_cookie_is_bound_to_the_host_unless_a_domain_is_set() -> None:
    header = COOKIES.header(site(), "v").decode()
    assert header.startswith("__Host-tuttu_id=v.")
    assert header.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert "Max-Age=34560000" in header
    assert cookie_name(site(cookie_domain="example.com")) == "tuttu_id"
    assert b"; Domain=example.com;" in COOKIES.header(site(cookie_domain="example.com"), "v")
    assert b"Max-Age=0" in COOKIES.expired(site())


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (b"tuttu_id=abc", ["abc"]),
        (b"a=b; tuttu_id=abc; c=d", ["abc"]),
        (b"xtuttu_id=no; tuttu_id=abc", ["abc"]),
        (b"tuttu_id=one; a=b;tuttu_id=two; tuttu_id=", ["one", "two"]),
        (b"tuttu_idx=no", []),
        (b"a=tuttu_id", []),
        (b"", []),
        (b"tuttu_id=x; " * 99, ["x"] * 8),
    ],
)
def test_the_cookie_is_found_among_others(header: bytes, values: list[str]) -> None:
    assert cookies_in(header, b"tuttu_id") == values


@pytest.mark.parametrize(
    ("headers", "body", "new"),
    [
        ({b"sec-fetch-site": b"same-origin"}, {}, True),
        ({b"sec-fetch-site": b"cross-site"}, {}, False),
        ({b"sec-fetch-site": b"cross-site"}, {"context": {"credentials": True}}, False),
        ({b"sec-fetch-site": b"same-site"}, {"context": {"credentials": True}}, True),
        ({b"sec-fetch-site": b"same-site"}, {}, False),
        ({b"origin": b"https://www.example.com", b"host": b"www.example.com"}, {}, True),
        ({b"origin": b"https://www.example.com", b"host": b"t.example.com"}, {}, False),
        ({}, {"context": {"credentials": True}}, True),
        ({}, {}, False),
    ],
)
def test_who_claims_an_id_becomes_new_only_on_the_sites_own_origin(headers: Any, body: Any, *, new: bool) -> None:
    assert may_be_new(hit(headers=headers, body=body), claims=True) is new
    assert may_be_new(hit(headers=headers, body=body), claims=False)
    assert not may_be_new(hit(headers=headers, body=body, secret=True), claims=True)


def test_whose_profile_an_event_goes_to() -> None:
    assert visitor_of(hit(visitor_id="v"), "u", "a", "p") == VisitorKey("demo", "a", "v")
    assert visitor_of(hit(), "u", "a", "p") == VisitorKey("demo", "k", "p")
    assert visitor_of(hit(), "u", "a", "") == VisitorKey("demo", "c", hashed("demo", "u", "u"))
    assert visitor_of(hit(), "", "a", "") == VisitorKey("demo", "c", hashed("demo", "a", "a"))
    assert visitor_of(hit(secret=True), "", "a", "") == VisitorKey("demo", "c", hashed("demo", "a", "a"))
    nobody = visitor_of(hit(), "", "", "")
    assert isinstance(nobody, Outcome)
    assert nobody.reason == "missing_id"


def test_only_the_sites_server_can_make_a_user_hash() -> None:
    proof = user_hash("a secret key", "u-1")
    assert proof == hmac.new(b"a secret key", b"u-1", "sha256").hexdigest()
    assert proves(site(), "u-1", proof)
    assert proves(site(), "u-1", proof.upper())
    for user_id, sent in [
        ("u-2", proof),
        ("u-1", proof[:-1]),
        ("u-1", proof + "0"),
        ("u-1", "é" * 64),
        ("u-1", None),
        ("u-1", 5),
    ]:
        assert not proves(site(), user_id, sent)
    assert proves(site(secret_key="another", old_secret_keys=("a secret key",)), "u-1", proof)  # noqa: S106 - same
    assert not proves(site(secret_key="another"), "u-1", proof)  # noqa: S106 - a test's key


@given(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))
def test_whatever_is_sent_as_a_proof_is_looked_at(user_id: str, given_proof: Any) -> None:
    assert not proves(site(), user_id, given_proof)


def test_equal_ids_of_two_sites_or_kinds_never_meet() -> None:
    made = {hashed(s, n, "x") for s in ("one", "two") for n in ("u", "a")}
    assert len(made) == 4
    assert hashed("one", "u", "}{\n" * 200).isascii()


def test_a_token_counts_for_its_visitor_and_site_alone() -> None:
    token = TOKENS.make("demo", "visitor", HERO, "v1", NOW)
    shown = TOKENS.read("demo", "visitor", token)
    assert shown is not None
    assert (shown.placement, shown.block, shown.plan_version, shown.decided) == ("home hero", "welcome", "v1", NOW)
    assert TOKENS.read("demo", "another", token) is None
    assert TOKENS.read("other", "visitor", token) is None
    assert TOKENS.read("demo", "visitor", token + "x") is None
    assert TOKENS.read("demo", "visitor", token[:-1] + "ä") is None
    assert COOKIES.visitor_id(site(), token) == "", "one kind of signature never passes as another"


@given(st.text())
def test_any_text_is_a_token_or_nothing(text: str) -> None:
    assert TOKENS.read("demo", "visitor", text) is None


def test_consent_signal_goes_before_the_stored_choice_and_that_before_the_default() -> None:
    everything = frozenset({"analytics", "personalization"})
    stored = Profile(consent=[NOW, ["analytics"]])
    assert in_force(None, None, everything, NOW) == everything
    assert in_force(None, Profile(), frozenset(), NOW) == frozenset()
    assert in_force(None, stored, everything, NOW) == {"analytics"}
    assert in_force(frozenset(), stored, everything, NOW) == frozenset()
    assert in_force(everything, stored, frozenset(), NOW) == everything


def test_a_retry_never_raises_consent_above_what_was_stored_later() -> None:
    stored = Profile(consent=[NOW, ["analytics"]])
    assert in_force(frozenset({"analytics", "ads"}), stored, frozenset(), NOW - 1) == {"analytics"}
    assert in_force(frozenset({"ads"}), stored, frozenset(), NOW - 1) == frozenset()


def test_what_a_signal_may_look_like() -> None:
    assert signal_of({}) is None
    assert signal_of({"consent": []}) == frozenset()
    assert signal_of({"consent": ["analytics", "hats"]}) == {"analytics"}
    for wrong in ("analytics", [1], {}, ["analytic"], ["email"]):
        with pytest.raises(BadRequest):
            signal_of({"consent": wrong})


def test_what_each_purpose_allows() -> None:
    assert allows_profile(frozenset({"analytics"}))
    assert allows_profile(frozenset({"personalization"}))
    assert not allows_profile(frozenset({"ads"}))
    assert not allows_reading(frozenset({"analytics"}))
