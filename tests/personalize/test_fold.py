from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize import documents
from personalize.decide import decide
from personalize.loader import load
from personalize.model import Context, Event, Facts, Shown, stamp_of
from personalize.plan import Plan, compile_rules
from personalize.profiles import Profile, fold
from tests.fakes.visitor import Visitor, plan_of
from tests.personalize import strategies

RULES = Path(__file__).parents[1] / "vectors" / "rules-example"
NOW = 1_795_300_000_000
DAY = 86_400_000


def plan() -> Plan:
    rules, problems = load({p.relative_to(RULES).as_posix(): p.read_bytes() for p in RULES.rglob("*.yaml")})
    assert rules is not None, problems
    return compile_rules(rules, "Europe/Helsinki")


PLAN = plan()


def event(kind: str = "page", *, at: int = NOW, message_id: str = "m", **fields: object) -> Event:
    fingerprint = int.from_bytes(blake2b(message_id.encode(), digest_size=3).digest(), "big")
    return Event(type=kind, message_id=message_id, time=at, stamp=stamp_of(at, fingerprint), **fields)  # type: ignore[arg-type]


def folded(arriving: list[Event], start: Profile | None = None) -> Profile:
    profile = start or Profile()
    for each in arriving:
        profile = fold(PLAN, profile, each, NOW)
    return profile


COUNTING = plan_of("""
placements:
  - placement: hero
    blocks:
      - {block: a0, when: [{did: [order*, content *], where: {n: at least 3}}], content: {title: x}}
      - {block: a1, when: [{viewed: "*b"}, {viewed: /kä, across: 2 days}, {viewed: /a*}], content: {title: x}}
      - {block: a2, content: {title: x}}
""")
LATE = strategies.pick(0, strategies.MINUTE, DAY, 6 * DAY, 7 * DAY)
AUTUMN = strategies.moment("2026-10-25 04:30")
"""Just after the clock was put back."""


@settings(max_examples=80, deadline=None)
@given(
    st.data(),
    strategies.arrivals(AUTUMN),
    strategies.habits(AUTUMN),
    strategies.pick(0, 0, AUTUMN - DAY, AUTUMN - 9 * DAY),
)
def test_it_does_not_matter_how_late_events_come_in(
    data: st.DataObject, arriving: list[strategies.Arrival], habits: list[strategies.Arrival], erased: int
) -> None:
    arriving += habits
    # The other way they come: each up to seven days late on its own, so that order, days and floors differ meanwhile.
    otherwise = [
        strategies.Arrival(each.event, min(AUTUMN, each.event.time + data.draw(LATE))) for each in reversed(arriving)
    ]
    last = strategies.Arrival(event("alias", at=AUTUMN, message_id="last"), AUTUMN)
    one, other = (
        strategies.arrived(COUNTING, [*each, last], strategies.tombstone(erased)) for each in (arriving, otherwise)
    )
    assert one == other
    document = documents.encode(one, "r1")
    assert document.startswith(b'{"r":"r1"')
    assert documents.decode(document) == replace(one, revision="r1")


def test_old_visits_are_reduced_to_a_count_by_any_event_that_comes() -> None:
    times = (AUTUMN - 711_000_000, AUTUMN - 19_800_000, AUTUMN)  # exactly eight days lie between the first two
    pages = [event("page", at=at, message_id=f"m{at}", browser=at < AUTUMN) for at in times]
    arriving = [strategies.Arrival(page, page.time) for page in pages]
    assert strategies.arrived(COUNTING, arriving[:2]).visits[0] == 0
    assert strategies.arrived(COUNTING, arriving).visits[0] == 1


@settings(max_examples=40, deadline=None)
@given(strategies.arrivals(AUTUMN), strategies.arrivals(AUTUMN, most=3, of="later"))
def test_fold_never_changes_the_profile_that_it_was_given(
    arriving: list[strategies.Arrival], later: list[strategies.Arrival]
) -> None:
    profile = strategies.arrived(COUNTING, arriving)
    before = documents.encode(profile, "")
    strategies.arrived(COUNTING, later, profile)
    assert documents.encode(profile, "") == before


def test_nothing_before_an_erasure_comes_back() -> None:
    tombstone = Profile(erased=NOW - DAY)
    assert fold(PLAN, tombstone, event(at=NOW - DAY, path="/x"), NOW) is tombstone
    after = fold(PLAN, tombstone, event(at=NOW - DAY + 1, path="/hinnoittelu", browser=True), NOW)
    assert after.erased == NOW - DAY
    assert after.matchers


def test_fields_of_a_newer_format_are_carried_through() -> None:
    document = b'{"r":"x","f":2,"zz":{"new":[1]},"m":{"QQQQQQ":[4,20000,4]}}'
    profile = fold(PLAN, documents.decode(document), event(path="/hinnoittelu"), NOW)
    again = orjson.loads(documents.encode(profile, "y"))
    assert again["zz"] == {"new": [1]}
    assert "QQQQQQ" in again["m"], "a matcher that this plan does not know is carried through"


def test_a_matcher_goes_thirty_days_after_the_last_plan_that_named_it() -> None:
    profile = folded([event()], Profile(matchers={"QQQQQQ": [4]}))
    assert profile.unnamed == {"QQQQQQ": PLAN.calendar.day(NOW)}
    later = fold(PLAN, profile, event(at=NOW + 29 * DAY, message_id="b"), NOW + 29 * DAY)
    assert "QQQQQQ" in later.matchers
    later = fold(PLAN, later, event(at=NOW + 30 * DAY, message_id="c"), NOW + 30 * DAY)
    assert "QQQQQQ" not in later.matchers
    assert later.unnamed == {}


def test_only_browsing_opens_a_visit() -> None:
    assert folded([event(path="/a")]).visits == []
    assert folded([event("identify", browser=True, traits={"a": 1})]).visits == []
    browsing = folded([event(path="/a", browser=True)])
    assert browsing.visits == [0, 0, NOW // 1000, NOW // 1000]
    assert browsing.first_visit == NOW


def test_a_removed_trait_is_gone_and_the_latest_writer_wins() -> None:
    profile = folded(
        [
            event("identify", at=NOW - 2, message_id="a", traits={"plan": "basic", "city": "Oulu"}),
            event("identify", at=NOW, message_id="b", traits={"plan": "pro"}),
            event("identify", at=NOW - 1, message_id="c", traits={"plan": "free", "city": None}),
        ]
    )
    assert profile.trait_values() == {"plan": "pro"}


def test_of_two_choices_at_the_same_time_the_stricter_holds() -> None:
    one = event(message_id="a", consent=["analytics", "personalization"])
    two = event(message_id="b", consent=["analytics"])
    assert folded([one, two]).consent == folded([two, one]).consent == [NOW, ["analytics"]]


def test_purchases_add_to_what_the_visitor_owns() -> None:
    bought = event("track", name="Order Completed", properties={"products": [{"name": "Insight Pro"}, {"sku": "s-1"}]})
    profile = folded([bought, event("identify", message_id="i", traits={"owns": ["Basic"]})])
    assert profile.owned() == ["Basic", "Insight Pro", "s-1"]


def test_an_oversized_profile_lets_the_oldest_days_go_first() -> None:
    matchers = {f"m{i:05d}": [90, 20_780, 1, *[1, 1] * 60] for i in range(80)}
    profile, document, gone = documents.encode_capped(Profile(matchers=matchers, floor=20_600), "r")
    assert len(document) <= documents.MAX_BYTES
    assert gone["days"] > 0
    assert len(profile.matchers) == 80, "totals stay"
    assert all(row[:2] == [90, 20_780] for row in profile.matchers.values()), "the newest day stays"
    assert 20_720 < profile.floor < 20_780


def test_a_profile_never_outgrows_its_cap_whatever_it_holds() -> None:
    huge = Profile(
        matchers={f"m{i:05d}": [i] for i in range(3000)},
        blocks={f"b{i}": [[1, 20_000 + i, 1], 0, 0, 0] for i in range(90)},
    )
    profile, document, gone = documents.encode_capped(huge, "r")
    assert len(document) <= documents.MAX_BYTES
    assert set(gone) >= {"block", "matcher"}
    assert "b89" in profile.blocks
    assert "b0" not in profile.blocks


def test_one_large_value_costs_nothing_but_itself() -> None:
    profile = folded(
        [
            event(path="/hinnoittelu", browser=True),
            event("identify", message_id="i", traits={"bio": "x" * 20_000, "plan": "pro"}),
            event("group", message_id="g", group_id="g", traits={"name": "Acme", "history": ["y" * 90] * 200}),
            event("track", message_id="o", name="purchase", properties={"product": "z" * 5_000}),
        ]
    )
    capped, document, gone = documents.encode_capped(profile, "r")
    assert gone == {"value": 2}
    assert capped.trait_values() == {"plan": "pro"}
    assert capped.company[2] == {"name": "Acme"}
    assert capped.owns == {}
    assert capped.matchers
    assert len(document) < 500


def test_traits_and_purchases_without_end_stay_bounded_and_cheap() -> None:
    profile = Profile()
    for n in range(1500):
        at = NOW - 1500 + n
        profile = fold(PLAN, profile, event("identify", at=at, message_id=f"i{n}", traits={f"t{n}": "v" * 100}), NOW)
        bought = {"products": [{"name": f"p{n}-{i}"} for i in range(200)]}
        profile = fold(
            PLAN, profile, event("track", at=at, message_id=f"o{n}", name="purchase", properties=bought), NOW
        )
    assert "t1499" in profile.trait_values()
    assert len(profile.owns) <= 50
    assert len(documents.encode(profile, "r")) < 10_000
    assert profile.overflow > 1000


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(9)))
def test_what_stays_at_the_caps_does_not_depend_on_arrival(order: list[int]) -> None:
    many = [
        event("identify", at=NOW - n, message_id=f"i{n}", traits={f"t{n}-{i}": i for i in range(40)}) for n in range(9)
    ]
    many += [
        event("track", at=NOW - n, message_id=f"o{n}", name="purchase",
              properties={"products": [f"p{n}-{i}" for i in range(20)]})
        for n in range(9)
    ]  # fmt: skip
    many += [
        event("track", at=NOW - n * DAY, message_id=f"s{n}-{i}", name="Content Shown",
              shown=Shown("hero", f"block {n}-{i}", "", "v", NOW, "rule"))
        for n in range(9) for i in range(9)
    ]  # fmt: skip
    shuffled = [each for n in order for each in many[n::9]]
    one, other = (documents.encode_capped(folded(each), "r")[0] for each in (many, shuffled))
    assert one == other
    assert (len(one.trait_values()), len(one.owns), len(one.blocks)) == (100, 50, documents.MAX_BLOCKS)


@pytest.mark.parametrize("odd", [5, True, 1.5, {"a": 1}, [1, None, ["x"]], "insight pro"])
def test_an_odd_list_of_owned_products_is_no_trouble(odd: object) -> None:
    profile = folded([event("identify", traits={"owns": odd})])
    assert profile.owned() == (["insight pro"] if odd == "insight pro" else [])
    context = Context(Facts(), frozenset({"analytics", "personalization"}))
    assert decide(PLAN, profile, context, ["home hero", "article footer"], NOW)


def test_texts_made_to_take_much_room_stay_below_the_cap_of_a_document() -> None:
    visitor = Visitor(plan_of("stages: [{stage: stranger}]"))
    visitor.is_known_by(**{f"t{n}": chr(n + 1) * 160 for n in range(25)})
    visitor.works_at(**{f"a{n}": "\x01" * 160 for n in range(12)})
    for n in range(60):
        visitor.did("Purchase", properties={"product": chr(n % 30 + 1) * 98 + str(n)})
    profile, document, gone = documents.encode_capped(visitor.profile, "r")
    assert len(document) <= documents.MAX_BYTES
    assert gone["value"]
    assert profile.trait_values(), "what fits stays"


def test_a_trait_is_measured_as_it_is_written() -> None:
    visitor = Visitor(plan_of("stages: [{stage: stranger}]"))
    visitor.is_known_by(plain="x" * 1_000, control="\x01" * 200, letters="ä" * 600, fits="ä" * 500)
    assert visitor.profile.trait_values().keys() == {"plain", "fits"}
