"""First and last touch and click ids on the profile; that arrival and merging do not matter is tested with fold's."""

from __future__ import annotations

from itertools import permutations

import pytest

from personalize import documents
from personalize.explain import as_data, explain
from personalize.explain_text import explained_lines
from personalize.language import LANGUAGES
from personalize.merge import merge
from personalize.model import Context, Event, Facts, stamp_of
from personalize.profiles import Profile, fold
from personalize.touches import touch_in
from tests.fakes.visitor import plan_of
from tests.personalize.strategies import moment

PLAN = plan_of("segments: [{segment: all, when: [{viewed: /a}]}]")
NOW = moment("2026-11-20 10:00")
HOUR = 3_600_000
ALL, NO_ADS = ["ads", "analytics"], ["analytics"]


def page(at: int, *, clicks: dict[str, str] | None = None, consent: list[str] | None = None, **facts: str) -> Event:
    said = Facts(**({"page": "/a"} | facts))  # type: ignore[arg-type]  # all of these are texts
    event = Event("page", f"m{at}", at, stamp_of(at, at), facts=said, browser=True, consent=consent)
    event.clicks = clicks or {}
    return event


def folded(*events: Event, start: Profile | None = None) -> Profile:
    profile = start or Profile()
    for event in events:
        profile = fold(PLAN, profile, event, NOW)
    return profile


def test_the_first_touch_is_the_earliest_and_the_last_the_latest_that_something_brought() -> None:
    events = [
        page(NOW - 29 * HOUR, page="/direct?q"),
        page(NOW - 28 * HOUR, campaign="autumn", page="/landing"),
        page(NOW - 7 * HOUR, came_from="www.google.com/", page="/found"),
        page(NOW - HOUR, page="/later"),
    ]
    for order in permutations(events):
        profile = folded(*order)
        assert touch_in(profile.first)[1:3] == ("/direct", "")
        assert touch_in(profile.last)[1:3] == ("/found", "www.google.com/")


def test_the_views_of_a_single_page_site_do_not_hide_the_campaign_that_brought_the_visitor() -> None:
    events = [
        page(NOW - 4 * HOUR, came_from="www.google.com/", page="/earlier"),
        page(NOW - 2 * HOUR, campaign="autumn", came_from="www.google.com/", page="/landing"),
        page(NOW - 1 * HOUR, came_from="www.google.com/", page="/second"),
    ]
    for order in permutations(events):
        assert touch_in(folded(*order).last)[1:4] == ("/landing", "www.google.com/", "autumn")
    assert touch_in(folded(*events, page(NOW, medium="email")).last).medium == "email"


def test_only_browsing_is_a_touch() -> None:
    event = page(NOW, campaign="autumn")
    event.browser = False
    assert (folded(event).first, folded(event).last) == ([], [])


def test_who_came_before_touches_were_kept_has_no_first_touch() -> None:
    earlier = Profile(first_visit=NOW - 9 * HOUR)
    assert folded(page(NOW), start=earlier).first == []
    assert merge(PLAN, earlier, folded(page(NOW, campaign="x")), NOW).first == []
    assert merge(PLAN, earlier, folded(page(NOW, campaign="x")), NOW).last != []


@pytest.mark.parametrize("sign", ["x", "ä", "\U0001f9d6", '"', "\\", "\x00", "\x85"])
def test_both_touches_together_stay_far_below_the_cap_of_a_document(sign: str) -> None:
    long = dict.fromkeys(("campaign", "source", "medium", "term", "content", "came_from", "page"), sign * 1000)
    events = page(NOW - HOUR, **long), page(NOW, clicks=dict.fromkeys(("gclid", "ttclid"), "x" * 300), **long)
    document = documents.encode(folded(*events), "r")
    assert len(document) < documents.MAX_BYTES // 3
    assert documents.decode(document).first == folded(*events).first


def test_a_refusal_deletes_the_clicks_before_it_in_any_order() -> None:
    events = [
        page(NOW - 9 * HOUR, clicks={"gclid": "old"}, consent=ALL),
        page(NOW - 8 * HOUR, consent=NO_ADS),
        page(NOW - 7 * HOUR, consent=ALL),
        page(NOW - 6 * HOUR, clicks={"fbclid": "new"}),
    ]
    for order in permutations(events):
        profile = folded(*order)
        assert profile.clicks == {"fbclid": [events[3].stamp, "new"]}
        assert profile.ads_refused == NOW - 8 * HOUR
    assert folded(*events, page(NOW, consent=NO_ADS)).clicks == {}
    assert folded(*events, page(NOW, consent=NO_ADS)).ads_refused == 0, "the choice itself says it"


def test_a_refusal_on_one_browser_holds_for_the_clicks_of_the_other() -> None:
    one = folded(page(NOW - 9 * HOUR, clicks={"gclid": "old"}, consent=ALL))
    other = folded(page(NOW - 8 * HOUR, consent=NO_ADS), page(NOW - 7 * HOUR, clicks={"gclid": "new"}, consent=ALL))
    assert merge(PLAN, one, other, NOW).clicks == merge(PLAN, other, one, NOW).clicks == other.clicks
    assert merge(PLAN, one, folded(page(NOW, consent=NO_ADS)), NOW).clicks == {}


def test_it_is_said_how_a_visitor_came() -> None:
    profile = folded(
        page(NOW - 24 * HOUR, page="/direct"),
        page(NOW, campaign="autumn", source="news", came_from="x.example/a", clicks={"gclid": "g"}, page="/hinta"),
    )
    found = explain(PLAN, profile, Context(Facts(), frozenset(ALL)), NOW)
    brought_in_finnish = "autumn (news), sivulta x.example/a, mainoksesta (gclid)"
    said = {code: list(map(str, explained_lines(found, LANGUAGES[code])))[1:3] for code in LANGUAGES}
    assert said == {
        "en": [
            "First came 2026-11-19 10:00 to /direct.",
            "Last came 2026-11-20 10:00 to /hinta: campaign autumn (news), from x.example/a, by an ad (gclid).",
        ],
        "fi": [
            "Tuli ensin 19.11.2026 klo 10.00 sivulle /direct.",
            f"Tuli viimeksi 20.11.2026 klo 10.00 sivulle /hinta: kampanja {brought_in_finnish}.",
        ],
    }
    first, last = as_data(found)["touches"]
    assert (first["which"], first["landing"], first["campaign"], first["clicks"]) == ("first", "/direct", "", ())
    assert (last["source"], last["time"], last["clicks"]) == ("news", NOW, ("gclid",))


def test_a_profile_that_was_not_read_says_nothing_of_how_somebody_came() -> None:
    unread = Context(Facts(), unread="no_consent")
    assert explain(PLAN, folded(page(NOW, campaign="autumn")), unread, NOW).touches == ()
