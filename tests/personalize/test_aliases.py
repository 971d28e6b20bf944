from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import aliases, documents
from personalize.aliases import MOST_ALIASES, MOST_OLDER_IDS, Alias
from personalize.profiles import Profile
from tests.fakes.visitor import plan_of

PLAN = plan_of("placements: [{placement: hero, blocks: [{block: b, content: {title: x}}]}]")
NOW = 1_795_300_000_000


@given(st.integers(1, 2**45), st.integers(0, 2**45), st.booleans())
def test_an_alias_comes_back_as_it_was(at: int, erased: int, carries: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    snapshot = Profile(first_visit=5, consent=[7, ["ads"]], erased=erased, unknown={"zz": 1}) if carries else None
    alias = Alias("k:person", at, erased, snapshot, 20_000, "r1")
    document = aliases.encode(alias, "r1")
    assert document.startswith(b'{"r":"r1"')
    assert aliases.decode(document) == alias


def test_a_profile_is_no_alias() -> None:
    profile = Profile("r", first_visit=5)
    assert aliases.decode(documents.encode(profile, "r")) == profile


def test_a_history_is_united_once_and_leaves_its_erasure_behind() -> None:
    history = Profile("h", erased=9, owns={"basic": 5})
    person = Profile("p", erased=3, owns={"pro": 6})
    once = aliases.united(PLAN, person, "a:x", Alias("k:p", 20, 9, history), NOW)
    assert (once.owns, once.erased, once.aliases, once.revision) == ({"basic": 5, "pro": 6}, 3, {"a:x": 20}, "p")
    assert aliases.united(PLAN, once, "a:x", Alias("k:p", 20, 9, history), NOW) is once
    assert history.erased == 9
    assert person.aliases == {}


def test_a_browser_that_was_let_go_brings_nothing_that_is_older() -> None:
    person = Profile(aliases={"a:x": -30})
    late = Alias("k:p", 20, snapshot=Profile("h", owns={"basic": 5}))
    assert aliases.united(PLAN, person, "a:x", late, NOW) is person
    anew = aliases.united(PLAN, person, "a:x", Alias("k:p", 31, snapshot=late.snapshot), NOW)
    assert (anew.owns, anew.aliases) == ({"basic": 5}, {"a:x": 31})


@pytest.mark.parametrize(
    ("person", "until"),
    [
        (Profile(), 0),
        (Profile(erased=19), 0),
        (Profile(erased=20), 20),
        (Profile(aliases={"a:x": 20}), 0),
        (Profile(aliases={"a:x": -20}), 20),
        (Profile(aliases={"a:x": -19}), 0),
        (Profile(erased=25, aliases={"a:x": -21}), 25),
    ],
)
def test_a_link_is_void_from_its_persons_erasure_on(person: Profile, until: int) -> None:
    assert aliases.void_until("a:x", 20, person) == until


def test_the_room_for_browsers_counts_both_and_not_those_let_go() -> None:
    full = Profile(aliases={f"a:{n}": 5 for n in range(MOST_ALIASES)})
    assert not aliases.has_room(full, "a:new", Profile())
    assert aliases.has_room(full, "a:0", Profile())
    assert aliases.has_room(Profile(aliases=full.aliases | {"a:0": -6}), "a:new", Profile())
    ids = Profile(aliases={f"k:{n}": 5 for n in range(MOST_OLDER_IDS)})
    assert aliases.has_room(ids, "a:new", Profile())
    assert not aliases.has_room(ids, "k:new", Profile())
    assert not aliases.has_room(Profile(), "k:new", ids)


def test_a_tombstone_keeps_whom_else_to_erase() -> None:
    left = aliases.tombstone(Profile("r", owns={"x": 1}, aliases={"a:x": 5, "a:gone": -7}), 9, [8, []])
    assert left == Profile(erased=9, consent=[8, []], aliases={"a:x": 5, "a:gone": -7})
    assert aliases.is_tombstone(left)
