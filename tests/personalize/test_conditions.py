from __future__ import annotations

from collections.abc import Callable

import pytest

from personalize import english
from personalize.conditions import CONDITIONS
from personalize.syntax import HEADS
from tests.fakes.visitor import Visitor, plan_of

RULES = """
scores: [{{score: effort, points: [{{give: 5, for viewed: /effort}}]}}]
interests: [{{interest: topic, grows: [{{by: 2, for viewed: /topic}}]}}]
stages: [{{stage: Buyer, when: [{{did: buy}}]}}, {{stage: looker}}]
temperatures: [{{temperature: hot, when: [{{did: buy}}]}}, {{temperature: cold}}]
segments:
  - {{segment: Buyers, when: [{{did: buy}}]}}
  - segment: it
    when:
      - {condition}
"""

Story = Callable[[Visitor], object]


def nothing(_: Visitor) -> None:
    pass


def facts(**known: object) -> Story:
    return lambda v: [setattr(v.context.facts, name, value) for name, value in known.items()]


def at(now: str) -> Story:
    """Ask at another local time."""
    return lambda v: setattr(v, "now", Visitor(v.plan, now).now)


# One line: the condition, a visitor whom it fits, a visitor whom it does not fit.
VECTORS: list[tuple[str, Story, Story]] = [
    ("{viewed: /a*}", lambda v: v.viewed("/abc", days=200), nothing),
    ("{viewed: [/a, /b]}", lambda v: v.viewed("/B/?x=1"), lambda v: v.viewed("/c")),
    ("{viewed: /a, at least: 2 times}", lambda v: v.viewed("/a", times=2), lambda v: v.viewed("/a")),
    ("{viewed: /a, at most: 2 times}", nothing, lambda v: v.viewed("/a", times=3)),
    ("{viewed: /a, at least: once, at most: twice}", lambda v: v.viewed("/a"), nothing),
    ("{viewed: /a, at least: 0 times, at most: once}", nothing, lambda v: v.viewed("/a", times=2)),
    ("{viewed: /a, within: 30 days}", lambda v: v.viewed("/a", days=29), lambda v: v.viewed("/a", days=30)),
    ("{viewed: /a, within: 1 day}", lambda v: v.viewed("/a", hours=9), lambda v: v.viewed("/a", hours=11)),
    (
        "{viewed: /a, at least: 2 times, across: 2 days, within: 30 days}",
        lambda v: v.viewed("/a").viewed("/a", days=29),
        lambda v: v.viewed("/a", times=5).viewed("/a", days=30),
    ),
    ("{viewed: /a, across: 2 days}", lambda v: v.viewed("/a").viewed("/a", days=89), lambda v: v.viewed("/a", times=2)),
    ("{did: Buy, where: {n: at least 3}}", lambda v: v.did("buy", properties={"n": 3}), lambda v: v.did("buy")),
    ("{did: x, at most: once, within: 7 days}", lambda v: v.did("x", days=8, times=5), lambda v: v.did("x", times=2)),
    ("not: {did: x}", nothing, lambda v: v.did("x")),
    ("any of: [{did: x}, {did: y}]", lambda v: v.did("y"), nothing),
    ("none of: [{did: x}, {did: y}]", nothing, lambda v: v.did("y")),
    ("all of: [{did: x}, {did: y}]", lambda v: v.did("x").did("y"), lambda v: v.did("x")),
    ("all of: [{did: x}, {did: y}, {did: z}]", lambda v: v.did("x").did("y").did("z"), lambda v: v.did("x").did("y")),
    ("{in segment: Buyers}", lambda v: v.did("buy"), nothing),
    ("{stage: [Buyer]}", lambda v: v.did("buy"), nothing),
    ("{temperature: hot}", lambda v: v.did("buy"), nothing),
    ("{score: effort, is: 5 to 9}", lambda v: v.viewed("/effort"), lambda v: v.viewed("/effort", times=2)),
    ("{interest: topic, is: more than 2}", lambda v: v.viewed("/topic", times=2), lambda v: v.viewed("/topic")),
    ("{trait: plan, is: [basic, pro]}", lambda v: v.is_known_by(plan="Pro"), nothing),
    ("{trait: seats, is: at least 5}", lambda v: v.is_known_by(seats=5), lambda v: v.is_known_by(seats="few")),
    (
        "{company: {industry: manu*, employees: 50 to 500}}",
        facts(company={"industry": "Manufacturing", "employees": "120"}),
        facts(company={"industry": "manufacturing"}),
    ),
    ("{company: {crm id: A1}}", facts(company={"crm_id": "a1"}), facts(company={"crm": "a1"})),
    ("{company: {name: Acme}}", lambda v: (facts(company={"name": "ISP"})(v), v.works_at(name="Acme")), nothing),
    ("{country: [FI, SE]}", facts(country="fi"), nothing),
    ("{region: uusi*}", facts(region="Uusimaa"), nothing),
    ("{city: espoo}", facts(city="Espoo"), facts(city="Turku")),
    ("{language: fi}", facts(language="fi"), facts(language="sv")),
    ("{device: mobile}", facts(device="mobile"), nothing),
    ("{browser: firefox*}", facts(browser="Firefox"), nothing),
    ("{os: windows}", facts(os="Windows"), nothing),
    ("{campaign: spring*}", facts(campaign="Spring 2026"), nothing),
    ("{source: google}", facts(source="google"), nothing),
    ("{medium: [cpc, email]}", facts(medium="email"), nothing),
    ('{referrer: "*linkedin*"}', facts(referrer="https://www.LinkedIn.com/feed"), nothing),
    ("{page: /tuotteet/*}", facts(page="/Tuotteet/x/?a=1"), facts(page="/tuotteet/")),
    ('{bot: "*"}', facts(bot="Googlebot"), nothing),
    ("{consent: [email, personalization]}", nothing, lambda v: setattr(v.context, "consent", frozenset())),
    ("{consent: email}", lambda v: v.is_known_by(consent=["Email"]), lambda v: v.is_known_by(consent=["sms"])),
    ("{owns: insight*}", lambda v: v.did("purchase", properties={"product": "Insight Pro"}), nothing),
    ("{owns: pro}", lambda v: v.is_known_by(owns=["Pro"]), lambda v: v.is_known_by(owns=["Professional"])),
    ("{visitor is: new}", lambda v: v.viewed("/"), lambda v: v.viewed("/").viewed("/", days=1)),
    ("{visitor is: returning}", lambda v: v.viewed("/").viewed("/", days=1), nothing),
    ("{visitor is: known}", lambda v: setattr(v.context, "known", True), nothing),
    ("{visitor is: [anonymous, returning]}", nothing, lambda v: setattr(v.context, "known", True)),
    ("{visits: at least 2}", lambda v: v.viewed("/").viewed("/", hours=1), lambda v: v.viewed("/")),
    ("{first visit: less than 7 days ago}", lambda v: v.viewed("/", days=6), lambda v: v.viewed("/", days=8)),
    ("{first visit: more than 7 days ago}", lambda v: v.viewed("/", days=8), nothing),
    ("{last visit: more than 21 days ago}", lambda v: v.viewed("/", days=22).viewed("/"), lambda v: v.viewed("/")),
    ("{last visit: less than 2 hours ago}", lambda v: v.viewed("/", minutes=90), lambda v: v.viewed("/", minutes=9)),
    ("{time of day: 08:00 to 16:30}", at("2026-11-20 16:30:59"), at("2026-11-20 16:31")),
    ("{time of day: 22:00 to 06:00}", at("2026-11-20 02:00"), at("2026-11-20 21:59")),
    ("{weekday: monday to friday}", at("2026-11-20 00:00"), at("2026-11-21 00:00")),
    ("{weekday: friday to monday}", at("2026-11-22 12:00"), at("2026-11-24 12:00")),
    ("{date: 2026-11-23 to 2026-11-30}", at("2026-11-30 23:59"), at("2026-12-01 00:00")),
]


@pytest.mark.parametrize(("condition", "fitting", "other"), VECTORS, ids=[v[0] for v in VECTORS])
def test_a_condition_tells_visitors_apart(condition: str, fitting: Story, other: Story) -> None:
    plan = plan_of(RULES.format(condition=condition))
    segment = plan.segments["it"]
    for story, expected in ((fitting, True), (other, False)):
        visitor = Visitor(plan)
        story(visitor)
        view = visitor.view()
        assert segment.holds(view) is expected
        assert segment.holds(view) is expected  # the memo says the same
        (compiled,) = segment.conditions
        unmet = compiled.unmet(view)
        assert unmet.written.where.startswith("rules.yaml:10:")
        assert english.condition(unmet.written)
        assert english.actual(unmet)
        assert segment.lacking(view) == (None if expected else unmet)


def test_every_word_of_the_language_has_a_vector_and_a_row() -> None:
    written = {condition.lstrip("{").split(":")[0] for condition, _, _ in VECTORS}
    assert written == set(CONDITIONS) == set(HEADS)


# Everybody has done something or nothing, has a stage, is new or not, lives in some minute.
ALWAYS_THERE = (
    "viewed",
    "did",
    "not",
    "any",
    "none",
    "all",
    "visitor is",
    "stage",
    "temperature",
    "time",
    "week",
    "date",
)
ATTRIBUTES = [v[0] for v in VECTORS if not v[0].lstrip("{").startswith((*ALWAYS_THERE, "consent: [email,"))]


@pytest.mark.parametrize("condition", ATTRIBUTES)
def test_a_missing_value_makes_a_condition_false_and_its_not_true(condition: str) -> None:
    plan = plan_of(RULES.format(condition=condition))
    assert not plan.segments["it"].holds(Visitor(plan).view())
    negated = plan_of(RULES.format(condition=f"not: {condition}"))
    assert negated.segments["it"].holds(Visitor(negated).view())


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (
            "{viewed: /hinnoittelu*, at least: 2 times, across: 2 days, within: 30 days}",
            "viewed /hinnoittelu*, at least twice, across 2 days, within 30 days",
        ),
        ("{did: download, where: {type: [a, b], n: less than 3}}", "did download, where type a or b, n less than 3"),
        ("{did: x, at most: 3 times, within: 1 week}", "did x, at most 3 times, within 7 days"),
        ("not: {country: FI}", "not country FI"),
        ("any of: [{country: FI}, {visits: 3}]", "any of (country FI; visits 3)"),
        ("{score: effort, is: more than 2.5}", "score effort more than 2.5"),
        ("{company: {employees: 50 to 500}}", "company employees 50 to 500"),
        ("{last visit: more than 90 minutes ago}", "last visit more than 90 minutes ago"),
        ("{time of day: 22:00 to 06:30}", "time of day 22:00 to 06:30"),
        ("{weekday: saturday to sunday}", "weekday saturday to sunday"),
    ],
)
def test_a_condition_reads_like_the_rule(condition: str, text: str) -> None:
    (compiled,) = plan_of(RULES.format(condition=condition)).segments["it"].conditions
    assert english.condition(compiled.written) == text


def test_receipts_name_what_the_visitor_has_instead() -> None:
    plan = plan_of(RULES.format(condition="{viewed: /a, across: 2 days, within: 30 days}"))
    (compiled,) = plan.segments["it"].conditions
    assert english.actual(compiled.unmet(Visitor(plan).view())) == "never"
    assert english.actual(compiled.unmet(Visitor(plan).viewed("/a", days=40).view())) == "not in these 30 days"
    assert english.actual(compiled.unmet(Visitor(plan).viewed("/a", times=3, days=2).view())) == "3 times on 1 day"


@pytest.mark.parametrize(
    ("now", "hours", "same_day"),
    [
        # 29 March: 03:00 becomes 04:00, the day has 23 hours; 25 October: 04:00 becomes 03:00, it has 25.
        ("2026-03-29 23:30", 22.4, True),
        ("2026-03-29 23:30", 22.6, False),
        ("2026-10-25 23:30", 24.4, True),
        ("2026-10-25 23:30", 24.6, False),
    ],
)
def test_a_day_is_the_sites_calendar_day_over_daylight_saving_changes(now: str, hours: float, same_day: bool) -> None:  # noqa: FBT001 - a table's column
    plan = plan_of(RULES.format(condition="{viewed: /a, within: 1 day}"))
    assert plan.segments["it"].holds(Visitor(plan, now).viewed("/a", hours=hours).view()) is same_day


def test_the_clock_is_the_sites_over_daylight_saving_changes() -> None:
    plan = plan_of(RULES.format(condition="{time of day: 03:00 to 03:59}"))
    before, hour = Visitor(plan, "2026-10-25 02:59"), 3_600_000
    # The hour from three to four comes twice in October …
    found = []
    for minutes in range(0, 180, 30):
        before.now = plan.calendar.ms(plan.calendar.local(before.now).replace(tzinfo=None, hour=2, minute=0)) + hour
        before.now += minutes * 60_000
        found.append(plan.segments["it"].holds(before.view()))
        before.now = Visitor(plan, "2026-10-25 02:59").now
    assert found == [True, True, True, True, False, False]
    # … and not at all in March.
    march = Visitor(plan, "2026-03-29 02:30")
    march.now += 30 * 60_000
    assert not plan.segments["it"].holds(march.view())
