"""What a contact lends to a recognized browser: what not to show, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings

from personalize.model import Event, stamp_of
from personalize.profiles import Profile, fold
from personalize.recognized import contact_of, lends, united
from tests.fakes.visitor import plan_of
from tests.personalize import strategies as random

PLAN = plan_of("""
placements:
  - placement: hero
    blocks:
      - {block: a0, rest after convert: 30 days, converts when: {did: order*}, content: {title: x}}
      - {block: a1, rest after convert: 30 days, converts when: {did: sign up}, content: {title: x}}
      - {block: a2, content: {title: x}}
""")
NOW = random.moment("2026-11-23 08:00")


@settings(max_examples=50, deadline=None)
@given(random.arrivals(NOW, of="own"), random.arrivals(NOW, of="contact"))
def test_only_products_and_reactions_are_united(own: list[random.Arrival], more: list[random.Arrival]) -> None:
    browser, contact = random.arrived(PLAN, own), random.arrived(PLAN, more)
    before = repr(browser), repr(contact)
    both = united(PLAN, browser, contact, NOW)
    assert (repr(browser), repr(contact)) == before
    changed = {f.name for f in fields(Profile) if getattr(both, f.name) != getattr(browser, f.name)}
    assert changed <= {"owns", "blocks"}
    assert set(both.owned()) == {*browser.owned(), *contact.owned()}
    for name, history in both.blocks.items():
        shown = browser.blocks.get(name, [[0]])[0]
        assert history[0] == shown, "caps count what this browser was shown"
        assert all(at >= then for at, then in zip(history[1:], browser.blocks.get(name, [0, 0, 0, 0])[1:], strict=True))
        assert all(at >= then for at, then in zip(history[1:], contact.blocks.get(name, [0, 0, 0, 0])[1:], strict=True))


@settings(max_examples=30, deadline=None)
@given(random.arrivals(NOW))
def test_a_contact_without_history_lends_nothing(own: list[random.Arrival]) -> None:
    browser = random.arrived(PLAN, own)
    assert united(PLAN, browser, Profile(), NOW) == browser


def test_a_conversion_that_the_rules_count_rests_too() -> None:
    signed_up = Event("track", "m", NOW, stamp_of(NOW, 1), name="Sign up")
    contact = fold(PLAN, Profile(), signed_up, NOW)
    both = united(PLAN, Profile(), contact, NOW)
    assert set(both.blocks) == {"a1"}
    assert both.blocks["a1"][3] > NOW, "known by its day, so it rests from the end of that"
    assert both.matchers == {}


@pytest.mark.parametrize(("at", "who"), [(99, ""), (100, "k1"), (199, "k1"), (200, "")])
def test_recognition_holds_from_the_page_view_until_the_link_expires(at: int, who: str) -> None:
    assert contact_of(Profile(contact=[100, "k1", 200]), at) == who
    assert contact_of(Profile(), at) == contact_of(None, at) == ""


@pytest.mark.parametrize(
    ("contact", "held"),
    [
        (Profile(), True),
        (Profile(consent=[1, ["personalization"]]), True),
        (Profile(consent=[1, ["analytics"]]), False),
        (Profile(erased=99), False),
        (Profile(erased=99, floor=1), True),
        (Profile(erased=100, floor=1), False),
    ],
)
def test_a_contact_who_refused_or_was_erased_lends_nothing(contact: Profile, *, held: bool) -> None:
    assert lends(Profile(contact=[100, "k1", 200]), contact) is held
