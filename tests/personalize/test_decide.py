from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from personalize import english
from personalize.decide import decide, summary_in
from personalize.decision import Decision
from personalize.model import Context, Facts
from personalize.plan import empty_plan
from personalize.view import View
from tests.fakes.visitor import Visitor, plan_of

HERO = """
scores: [{score: keen, points: [{give: 1, for viewed: /keen}]}]
interests: [{interest: api, half-life: 30 days, grows: [{by: 1, for viewed: /api}]}]
stages: [{stage: Fan, when: [{viewed: /fan}]}, {stage: guest}]
temperatures: [{temperature: hot, when: [{viewed: /fan}]}, {temperature: cold}]
placements:
  - placement: Home Hero
    blocks:
      - {block: first, when: [{country: FI}], content: {title: "Hei {{ city | sinä }}"}}
      - {block: second, when: [{viewed: /second}], content: {title: Toinen}}
      - {block: last, content: {title: Viimeinen}}
  - placement: footer
    choose: best score
    fallback: {block: nobody, content: {title: "Varalla {{ city | - }}"}}
    blocks:
      - {block: none, content: {title: Nolla}}
      - {block: api, worth: {interest: api}, content: {title: API}}
      - {block: keen, worth: {score: keen, plus: -1}, content: {title: Into}}
      - {block: bonus, worth: 2, when: [{country: SE}], content: {title: Bonus}}
"""


def asked(visitor: Visitor, *placements: str, explain: bool = True) -> list[Decision]:
    return decide(visitor.plan, visitor.profile, visitor.context, placements, visitor.now, explain=explain)


def won(visitor: Visitor, placement: str) -> tuple[str | None, str]:
    (decision,) = asked(visitor, placement)
    return decision.block, decision.reason


def test_first_match_takes_the_first_that_fits_and_the_last_as_fallback() -> None:
    plan = plan_of(HERO)
    assert won(Visitor(plan, country="FI").viewed("/second"), "home hero") == ("first", "rule")
    assert won(Visitor(plan).viewed("/second"), "home hero") == ("second", "rule")
    assert won(Visitor(plan), "home hero") == ("last", "fallback")


def test_best_score_takes_what_is_worth_most_and_the_earlier_of_equals() -> None:
    plan = plan_of(HERO)
    assert won(Visitor(plan), "footer") == ("nobody", "fallback")
    assert won(Visitor(plan).viewed("/keen"), "footer") == ("nobody", "fallback")
    assert won(Visitor(plan).viewed("/keen", times=3).viewed("/api"), "footer") == ("keen", "best_score")
    assert won(Visitor(plan).viewed("/keen", times=2).viewed("/api"), "footer") == ("api", "best_score")
    assert won(Visitor(plan, country="SE").viewed("/api", times=2), "footer") == ("api", "best_score")
    assert won(Visitor(plan, country="SE").viewed("/api"), "footer") == ("bonus", "best_score")


def test_placements_are_found_in_any_case_and_answered_as_they_were_asked() -> None:
    plan = plan_of(HERO)
    decisions = asked(Visitor(plan), "HOME hero", "nowhere", "Home Hero", explain=False)
    assert [(d.placement, d.block, d.reason) for d in decisions] == [
        ("HOME hero", "last", "fallback"),
        ("nowhere", None, "unknown"),
        ("Home Hero", "last", "fallback"),
    ]
    assert decisions[1].content is None
    assert decisions[0].content == {"title": "Viimeinen"}


def test_a_site_without_rules_knows_no_placement() -> None:
    plan = empty_plan("UTC")
    visitor = Visitor(plan).viewed("/a")
    assert won(visitor, "home hero") == (None, "unknown")
    assert not visitor.profile.matchers
    assert summary_in(View(plan, None, visitor.context, visitor.now), plan) == {
        "returning": False,
        "stage": "",
        "temperature": "",
    }


@pytest.mark.parametrize("unread", ["no_consent", "degraded", "claim"])
def test_a_profile_that_was_not_read_is_empty_and_names_why(unread: Any) -> None:
    plan = plan_of(HERO)
    visitor = Visitor(plan, country="FI", city="Espoo").viewed("/api", times=9).viewed("/fan")
    visitor.context.unread = unread
    decisions = asked(visitor, "home hero", "footer", "nowhere")
    assert [(d.block, d.reason) for d in decisions] == [("first", unread), ("nobody", unread), (None, "unknown")]
    assert [d.content and d.content["title"] for d in decisions] == ["Hei Espoo", "Varalla Espoo", None]
    assert summary_in(visitor.view(), plan) is None


def test_the_summary_says_what_a_page_may_know() -> None:
    plan = plan_of(HERO)
    visitor = Visitor(plan).viewed("/fan", days=1).viewed("/")
    summary = summary_in(visitor.view(), plan)
    assert summary == {"returning": True, "stage": "Fan", "temperature": "hot"}


EXCLUDED = """
placements:
  - placement: slot
    fallback: {{block: rest, content: {{title: x}}}}
    blocks:
      - block: it
        {exclusion}
        content: {{title: y}}
"""


def shows(exclusion: str, visitor_at: str = "2026-11-20 10:00") -> Visitor:
    return Visitor(plan_of(EXCLUDED.format(exclusion=exclusion)), visitor_at)


def is_shown(visitor: Visitor) -> bool:
    plain, explained = (asked(visitor, "slot", explain=explain)[0] for explain in (False, True))
    assert plain.block == explained.block
    return plain.block == "it"


@pytest.mark.parametrize(
    ("schedule", "shown", "hidden"),
    [
        (
            "from: 2026-11-23\n        until: 2026-11-30",
            ["2026-11-23 00:00", "2026-11-30 23:59:59"],
            ["2026-11-22 23:59:59", "2026-12-01 00:00"],
        ),
        ("until: 2026-11-30 12:30", ["2026-11-30 12:30:59"], ["2026-11-30 12:31"]),
        ("from: 2026-11-30 12:30", ["2026-11-30 12:30"], ["2026-11-30 12:29:59"]),
        # The last Sunday of March has no 03:30, and the day ends an hour of real time earlier.
        ("until: 2026-03-29", ["2026-03-29 23:59"], ["2026-03-30 00:00"]),
        ("until: 2026-10-25", ["2026-10-25 23:59"], ["2026-10-26 00:00"]),
    ],
)
def test_schedules_hold_in_the_sites_zone_with_their_ends_included(
    schedule: str, shown: list[str], hidden: list[str]
) -> None:
    assert all(is_shown(shows(schedule, now)) for now in shown)
    assert not any(is_shown(shows(schedule, now)) for now in hidden)


def test_owners_are_never_offered_what_they_own() -> None:
    exclusion = "not for owners of: [insight *, other]"
    assert is_shown(shows(exclusion))
    assert not is_shown(shows(exclusion).is_known_by(owns=["Insight Pro"]))
    assert not is_shown(shows(exclusion).did("Order Completed", properties={"products": [{"name": "OTHER"}]}))


def test_caps_count_showings() -> None:
    weekly = "show at most: 2 times per week"
    assert is_shown(shows(weekly).reacted("Shown", "it"))
    assert is_shown(shows(weekly).reacted("Shown", "it").reacted("Shown", "it", days=7))
    assert not is_shown(shows(weekly).reacted("Shown", "it").reacted("Shown", "it", days=6))
    assert not is_shown(shows("show at most: once ever").reacted("Shown", "it", days=300))
    assert is_shown(shows("show at most: once per day").reacted("Shown", "it", hours=11))
    assert not is_shown(shows("show at most: once per day").reacted("Shown", "it", hours=9))


@pytest.mark.parametrize("word", ["dismiss", "click", "convert"])
def test_rests_are_exact_lengths_from_the_event(word: str) -> None:
    reaction = {"dismiss": "Dismissed", "click": "Clicked", "convert": "Converted"}[word]
    rest = f"rest after {word}: 14 days"
    assert is_shown(shows(rest))
    assert is_shown(shows(rest).reacted("Shown", "it"))
    assert is_shown(shows(rest).reacted(reaction, "it", days=14))
    assert not is_shown(shows(rest).reacted(reaction, "it", days=13.999))
    assert not is_shown(shows(f"rest after {word}: forever").reacted(reaction, "it", days=5000))


def test_a_rest_of_whole_days_is_as_long_over_daylight_saving_changes() -> None:
    hours = {"2026-03-29 12:00": (23.9, 24.1), "2026-10-25 12:00": (23.9, 24.1)}
    for now, (within, past) in hours.items():
        assert not is_shown(shows("rest after dismiss: 1 day", now).reacted("Dismissed", "it", hours=within))
        assert is_shown(shows("rest after dismiss: 1 day", now).reacted("Dismissed", "it", hours=past))


def test_what_converts_when_counts_rests_to_the_end_of_its_day() -> None:
    rest = "rest after convert: 2 days\n        converts when: {did: order}"
    assert is_shown(shows(rest))
    assert not is_shown(shows(rest).did("order"))
    assert not is_shown(shows(rest, "2026-11-20 23:00").did("order", days=2))
    assert is_shown(shows(rest, "2026-11-20 00:01").did("order", days=3))
    assert is_shown(shows(rest).did("order", days=200))
    forever = "rest after convert: forever\n        converts when: {did: order, at least: 2 times}"
    assert is_shown(shows(forever).did("order", days=200))
    assert not is_shown(shows(forever).did("order", days=200, times=2))
    lately = "rest after convert: 30 days\n        converts when: {did: order, within: 7 days}"
    assert not is_shown(shows(lately).did("order", days=10))  # its window has passed, its rest has not
    once = "rest after convert: 30 days\n        converts when: {did: order, at most: once}"
    assert not is_shown(shows(once).did("order", days=3).did("order", days=2))
    often = "rest after convert: 30 days\n        converts when: {did: order, at least: 2 times, within: 7 days}"
    assert not is_shown(shows(often).did("order", days=20).did("order", days=15))
    assert is_shown(shows(often).did("order", days=20).did("order", days=10))
    spread = "rest after convert: 30 days\n        converts when: {did: order, across: 2 days}"
    assert not is_shown(shows(spread).did("order", days=20).did("order", days=10))
    assert is_shown(shows(spread).did("order", days=20, times=2))
    state = "rest after convert: forever\n        converts when: {country: FI}"
    assert is_shown(shows(state))


def test_converts_when_is_counted_without_a_rest_too() -> None:
    visitor = shows("converts when: {did: order}").did("order")
    assert is_shown(visitor)
    assert len(visitor.profile.matchers) == 1


def test_a_fallback_is_shown_whatever_its_own_exclusions() -> None:
    text = "placements: [{placement: slot, blocks: [{block: only, rest after dismiss: forever, content: {title: x}}]}]"
    assert won(Visitor(plan_of(text)).reacted("Dismissed", "only"), "slot") == ("only", "fallback")
    named = """
placements:
  - placement: slot
    fallback: {block: it}
    blocks:
      - {block: it, when: [{country: FI}], until: 2020-01-01, content: {title: x}}
      - {block: other, when: [{country: SE}], content: {title: y}}
"""
    assert won(Visitor(plan_of(named), country="FI"), "slot") == ("it", "fallback")


def test_receipts_say_of_every_candidate_why_it_won_or_lost() -> None:
    plan = plan_of(HERO)
    hero, footer = asked(Visitor(plan, country="FI").viewed("/api", times=2), "home hero", "footer")
    assert hero.receipt is not None
    assert hero.receipt.plan_version == plan.version
    assert [(c.block, c.outcome, english.candidate(c)) for c in hero.receipt.candidates] == [
        ("first", "won", "It is the first that fits."),
        ("second", "lost", 'Stands after "first", which fits.'),
        ("last", "lost", 'Stands after "first", which fits.'),
    ]
    assert footer.receipt is not None
    assert [(c.block, c.outcome, c.worth, english.candidate(c)) for c in footer.receipt.candidates] == [
        ("none", "lost", 0, "It is worth 0; only blocks worth more than 0 compete."),
        ("api", "won", 2, "It fits and is worth most: 2."),
        ("keen", "lost", -1, "It is worth -1; only blocks worth more than 0 compete."),
        ("bonus", "lost", 2, "Needs country SE (is: FI)."),
    ]


@pytest.mark.parametrize(
    ("exclusion", "reaction", "why"),
    [
        (
            "rest after dismiss: 14 days",
            "Dismissed",
            "Rests until 2026-12-01 10:00, because the visitor dismissed it 3 days ago.",
        ),
        ("rest after click: forever", "Clicked", "Never shown again, because the visitor clicked it 3 days ago."),
        (
            "show at most: once per week",
            "Shown",
            "Is shown at most once per week; was shown once in the last 7 days.",
        ),
        ("until: 2026-11-19", "", "Ended 2026-11-19; it is 2026-11-20 10:00."),
        ("not for owners of: pro", "", "Not for owners of pro; the visitor owns pro."),
        ("when: [{visits: 9}]", "", "Needs visits 9 (is: 1)."),
    ],
)
def test_a_receipt_names_the_first_thing_that_failed_with_the_visitors_own_value(
    exclusion: str, reaction: str, why: str
) -> None:
    visitor = shows(exclusion).is_known_by(owns="pro")
    if reaction:
        visitor.reacted(reaction, "it", days=3)
    else:
        visitor.viewed("/")
    (decision,) = asked(visitor, "slot")
    assert decision.receipt is not None
    it, rest = decision.receipt.candidates
    assert (it.outcome, english.candidate(it)) == ("lost", why)
    assert it.where.startswith("rules.yaml:")
    assert (rest.block, rest.outcome) == ("rest", "won")


def test_no_receipt_without_explain() -> None:
    (decision,) = asked(Visitor(plan_of(HERO)), "footer", explain=False)
    assert decision.receipt is None


def test_a_visitor_without_a_profile_is_a_new_one() -> None:
    plan = plan_of(HERO)
    now = plan.calendar.ms(datetime(2026, 11, 20))  # noqa: DTZ001 - a wall-clock time of the site
    (decision,) = decide(plan, None, Context(Facts(country="FI")), ["home hero"], now)
    assert (decision.block, decision.reason) == ("first", "rule")
