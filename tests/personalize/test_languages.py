"""Conditions in every language: whatever can be asked of a visitor is said in English and in Finnish."""

from __future__ import annotations

import pytest

from personalize.language import LANGUAGES
from personalize.model import Context, Facts
from personalize.syntax import HEADS
from tests.fakes.visitor import Visitor, plan_of
from tests.personalize.test_conditions import RULES, VECTORS

EN, FI = LANGUAGES["en"], LANGUAGES["fi"]

# What is said of each condition of VECTORS to the visitor whom it does not fit.
SAID: dict[str, tuple[str, str]] = {
    "{viewed: /a*}": ("viewed /a* (is: never)", "kävijä on katsonut sivua /a* (ei kertaakaan)"),
    "{viewed: [/a, /b]}": ("viewed /a or /b (is: never)", "kävijä on katsonut sivua /a tai /b (ei kertaakaan)"),
    "{viewed: /a, at least: 2 times}": (
        "viewed /a, at least twice (is: once)",
        "kävijä on katsonut sivua /a vähintään kahdesti (kerran)",
    ),
    "{viewed: /a, at most: 2 times}": (
        "viewed /a, at most twice (is: 3 times on 1 day)",
        "kävijä on katsonut sivua /a enintään kahdesti (3 kertaa samana päivänä)",
    ),
    "{viewed: /a, at least: once, at most: twice}": (
        "viewed /a, at least once, at most twice (is: never)",
        "kävijä on katsonut sivua /a vähintään kerran, enintään kahdesti (ei kertaakaan)",
    ),
    "{viewed: /a, at least: 0 times, at most: once}": (
        "viewed /a, at least 0 times, at most once (is: twice on 1 day)",
        "kävijä on katsonut sivua /a vähintään 0 kertaa, enintään kerran (kahdesti samana päivänä)",
    ),
    "{viewed: /a, within: 30 days}": (
        "viewed /a, within 30 days (is: not in these 30 days)",
        "kävijä on katsonut sivua /a 30 päivän sisällä (ei näiden 30 päivän aikana)",
    ),
    "{viewed: /a, within: 1 day}": (
        "viewed /a, within 1 day (is: not today)",
        "kävijä on katsonut sivua /a 1 päivän sisällä (ei tänään)",
    ),
    "{viewed: /a, at least: 2 times, across: 2 days, within: 30 days}": (
        "viewed /a, at least twice, across 2 days, within 30 days (is: 5 times on 1 day)",
        "kävijä on katsonut sivua /a vähintään kahdesti, 2 eri päivänä, 30 päivän sisällä (5 kertaa samana päivänä)",
    ),
    "{viewed: /a, across: 2 days}": (
        "viewed /a, across 2 days (is: twice on 1 day)",
        "kävijä on katsonut sivua /a 2 eri päivänä (kahdesti samana päivänä)",
    ),
    "{did: Buy, where: {n: at least 3}}": (
        "did Buy, where n at least 3 (is: never)",
        "kävijä on tehnyt toiminnon Buy, jossa n on vähintään 3 (ei kertaakaan)",
    ),
    "{did: x, at most: once, within: 7 days}": (
        "did x, at most once, within 7 days (is: twice on 1 day)",
        "kävijä on tehnyt toiminnon x enintään kerran, 7 päivän sisällä (kahdesti samana päivänä)",
    ),
    "not: {did: x}": ("not did x (is: once)", "kävijä ei ole tehnyt toimintoa x (kerran)"),
    "any of: [{did: x}, {did: y}]": (
        "any of (did x (is: never); did y (is: never))",
        (
            "jokin näistä pitää paikkansa ("
            "kävijä on tehnyt toiminnon x (ei kertaakaan); kävijä on tehnyt toiminnon y (ei kertaakaan))"
        ),
    ),
    "none of: [{did: x}, {did: y}]": (
        "none of (did y (is: once))",
        "mikään näistä ei pidä paikkaansa (kävijä on tehnyt toiminnon y (kerran))",
    ),
    "all of: [{did: x}, {did: y}]": ("did y (is: never)", "kävijä on tehnyt toiminnon y (ei kertaakaan)"),
    "all of: [{did: x}, {did: y}, {did: z}]": ("did z (is: never)", "kävijä on tehnyt toiminnon z (ei kertaakaan)"),
    "{in segment: Buyers}": (
        "in segment Buyers (is: not in it, lacks did buy (is: never))",
        "kävijä on segmentissä Buyers (ei mukana; vaatii, että kävijä on tehnyt toiminnon buy (ei kertaakaan))",
    ),
    "{stage: [Buyer]}": ("stage Buyer (is: looker)", "vaihe on Buyer (nyt looker)"),
    "{temperature: hot}": ("temperature hot (is: cold)", "lämpötila on hot (nyt cold)"),
    "{score: effort, is: 5 to 9}": ("score effort 5 to 9 (is: 10)", "pisteet effort ovat 5\N{EN DASH}9 (nyt 10)"),
    "{interest: topic, is: more than 2}": ("interest topic more than 2 (is: 2)", "kiinnostus topic on yli 2 (nyt 2)"),
    "{trait: plan, is: [basic, pro]}": (
        "trait plan is basic or pro (is: missing)",
        "ominaisuus plan on basic tai pro (ei tiedossa)",
    ),
    "{trait: seats, is: at least 5}": (
        "trait seats is at least 5 (is: few)",
        "ominaisuus seats on vähintään 5 (nyt few)",
    ),
    "{company: {industry: manu*, employees: 50 to 500}}": (
        "company industry manu*, employees 50 to 500 (is: industry manufacturing, employees missing)",
        (
            "yrityksen toimiala on manu* ja henkilöstö on 50\N{EN DASH}500 "
            "(toimiala manufacturing, henkilöstö ei tiedossa)"
        ),
    ),
    "{company: {crm id: A1}}": ("company crm id A1 (is: crm id missing)", "yrityksen crm id on A1 (ei tiedossa)"),
    "{company: {name: Acme}}": ("company name Acme (is: name missing)", "yrityksen nimi on Acme (ei tiedossa)"),
    "{country: [FI, SE]}": ("country FI or SE (is: missing)", "maa on FI tai SE (ei tiedossa)"),
    "{region: uusi*}": ("region uusi* (is: missing)", "alue on uusi* (ei tiedossa)"),
    "{city: espoo}": ("city espoo (is: Turku)", "kaupunki on espoo (nyt Turku)"),
    "{language: fi}": ("language fi (is: sv)", "kieli on fi (nyt sv)"),
    "{device: mobile}": ("device mobile (is: missing)", "laite on mobile (ei tiedossa)"),
    "{browser: firefox*}": ("browser firefox* (is: missing)", "selain on firefox* (ei tiedossa)"),
    "{os: windows}": ("os windows (is: missing)", "käyttöjärjestelmä on windows (ei tiedossa)"),
    "{campaign: spring*}": ("campaign spring* (is: missing)", "kampanja on spring* (ei tiedossa)"),
    "{source: google}": ("source google (is: missing)", "lähde on google (ei tiedossa)"),
    "{medium: [cpc, email]}": ("medium cpc or email (is: missing)", "kanava on cpc tai email (ei tiedossa)"),
    '{referrer: "*linkedin*"}': ("referrer *linkedin* (is: missing)", "viittaava sivu on *linkedin* (ei tiedossa)"),
    "{page: /tuotteet/*}": ("page /tuotteet/* (is: /tuotteet/)", "sivu on /tuotteet/* (nyt /tuotteet/)"),
    '{bot: "*"}': ("bot * (is: missing)", "botti on * (ei tiedossa)"),
    "{consent: [email, personalization]}": (
        "consent email or personalization (is: none)",
        "lupa email tai personalization on annettu (nyt ei mitään)",
    ),
    "{consent: email}": (
        "consent email (is: analytics, personalization)",
        "lupa email on annettu (nyt analytics, personalization)",
    ),
    "{owns: insight*}": ("owns insight* (is: none)", "kävijä omistaa tuotteen insight* (nyt ei mitään)"),
    "{owns: pro}": ("owns pro (is: professional)", "kävijä omistaa tuotteen pro (nyt professional)"),
    "{visitor is: new}": (
        "visitor is new (is: returning and anonymous)",
        "kävijä on uusi (nyt palaava ja tunnistamaton)",
    ),
    "{visitor is: returning}": (
        "visitor is returning (is: new and anonymous)",
        "kävijä on palaava (nyt uusi ja tunnistamaton)",
    ),
    "{visitor is: known}": (
        "visitor is known (is: new and anonymous)",
        "kävijä on tunnistettu (nyt uusi ja tunnistamaton)",
    ),
    "{visitor is: [anonymous, returning]}": (
        "visitor is anonymous or returning (is: new and known)",
        "kävijä on tunnistamaton tai palaava (nyt uusi ja tunnistettu)",
    ),
    "{visits: at least 2}": ("visits at least 2 (is: 1)", "käyntejä on vähintään 2 (nyt 1)"),
    "{first visit: less than 7 days ago}": (
        "first visit less than 7 days ago (is: 8 days ago)",
        "ensimmäisestä käynnistä on alle 7 päivää (8 päivää sitten)",
    ),
    "{first visit: more than 7 days ago}": (
        "first visit more than 7 days ago (is: none)",
        "ensimmäisestä käynnistä on yli 7 päivää (ei käyntejä)",
    ),
    "{last visit: more than 21 days ago}": (
        "last visit more than 21 days ago (is: none)",
        "edellisestä käynnistä on yli 21 päivää (ei aiempaa käyntiä)",
    ),
    "{last visit: less than 2 hours ago}": (
        "last visit less than 2 hours ago (is: none)",
        "edellisestä käynnistä on alle 2 tuntia (ei aiempaa käyntiä)",
    ),
    "{time of day: 08:00 to 16:30}": (
        "time of day 08:00 to 16:30 (is: 16:31)",
        "kello on 8.00\N{EN DASH}16.30 (nyt 16.31)",
    ),
    "{time of day: 22:00 to 06:00}": (
        "time of day 22:00 to 06:00 (is: 21:59)",
        "kello on 22.00\N{EN DASH}6.00 (nyt 21.59)",
    ),
    "{weekday: monday to friday}": (
        "weekday monday to friday (is: saturday)",
        "viikonpäivä on maanantai\N{EN DASH}perjantai (nyt lauantai)",
    ),
    "{weekday: friday to monday}": (
        "weekday friday to monday (is: tuesday)",
        "viikonpäivä on perjantai\N{EN DASH}maanantai (nyt tiistai)",
    ),
    "{date: 2026-11-23 to 2026-11-30}": (
        "date 2026-11-23 to 2026-11-30 (is: 2026-12-01)",
        "päivä on 23.11.2026\N{EN DASH}30.11.2026 (nyt 1.12.2026)",
    ),
}

# What is said of the opposite of a condition to the visitor whom the condition fits.
SAID_NOT: dict[str, tuple[str, str]] = {
    "{viewed: /a, within: 30 days}": (
        "not viewed /a, within 30 days (is: once)",
        "kävijä ei ole katsonut sivua /a 30 päivän sisällä (kerran)",
    ),
    "{did: Buy, where: {n: at least 3}}": (
        "not did Buy, where n at least 3 (is: once)",
        "kävijä ei ole tehnyt toimintoa Buy, jossa n on vähintään 3 (kerran)",
    ),
    "{in segment: Buyers}": ("not in segment Buyers (is: in it)", "kävijä ei ole segmentissä Buyers (mukana)"),
    "{score: effort, is: 5 to 9}": (
        "not score effort 5 to 9 (is: 5)",
        "pisteet effort eivät ole 5\N{EN DASH}9 (nyt 5)",
    ),
    "{company: {industry: manu*, employees: 50 to 500}}": (
        "not company industry manu*, employees 50 to 500 (is: industry Manufacturing, employees 120)",
        (
            "yrityksen toimiala ei ole manu* tai henkilöstö ei ole 50\N{EN DASH}500 "
            "(toimiala Manufacturing, henkilöstö 120)"
        ),
    ),
    "{owns: pro}": ("not owns pro (is: pro)", "kävijä ei omista tuotetta pro (nyt pro)"),
    "{consent: email}": (
        "not consent email (is: analytics, email, personalization)",
        "lupa email ei ole annettu (nyt analytics, email, personalization)",
    ),
    "{visitor is: known}": (
        "not visitor is known (is: new and known)",
        "kävijä ei ole tunnistettu (nyt uusi ja tunnistettu)",
    ),
    "any of: [{did: x}, {did: y}]": (
        "not any of (did y (is: once))",
        "mikään näistä ei pidä paikkaansa (kävijä on tehnyt toiminnon y (kerran))",
    ),
    "none of: [{did: x}, {did: y}]": (
        "not none of (did x (is: never); did y (is: never))",
        (
            "jokin näistä pitää paikkansa "
            "(kävijä on tehnyt toiminnon x (ei kertaakaan); kävijä on tehnyt toiminnon y (ei kertaakaan))"
        ),
    ),
    "all of: [{did: x}, {did: y}]": (
        "not all of (did x (is: once); did y (is: once))",
        (
            "ainakin yksi näistä ei pidä paikkaansa "
            "(kävijä on tehnyt toiminnon x (kerran); kävijä on tehnyt toiminnon y (kerran))"
        ),
    ),
}


def test_every_vector_and_so_every_head_word_is_said() -> None:
    assert [condition for condition, _, _ in VECTORS] == list(SAID)
    assert {condition.lstrip("{").split(":")[0] for condition in SAID} == set(HEADS)


@pytest.mark.parametrize("condition", SAID)
def test_a_condition_that_does_not_hold_is_said_with_the_visitors_own_value(condition: str) -> None:
    plan = plan_of(RULES.format(condition=condition))
    (compiled,) = plan.segments["it"].conditions
    visitor = Visitor(plan)
    next(other for said, _, other in VECTORS if said == condition)(visitor)
    unmet = compiled.unmet(visitor.view())
    english, finnish = SAID[condition]
    assert (EN.lack(unmet), FI.lack(unmet)) == (english, finnish)
    assert EN.sentence(unmet) == f"Needs {english}."
    assert FI.sentence(unmet) == f"Vaatii, että {finnish}."
    assert FI.actual(unmet) in finnish or compiled.written.head in ("not", "any of", "none of", "all of")


@pytest.mark.parametrize("condition", SAID_NOT)
def test_the_opposite_of_a_condition_is_said_as_naturally(condition: str) -> None:
    opposite = f"not: {condition}" if condition.startswith("{") else f"not: {{{condition}}}"
    plan = plan_of(RULES.format(condition=opposite))
    (compiled,) = plan.segments["it"].conditions
    visitor = Visitor(plan)
    next(fitting for said, fitting, _ in VECTORS if said == condition)(visitor)
    unmet = compiled.unmet(visitor.view())
    assert (EN.lack(unmet), FI.lack(unmet)) == SAID_NOT[condition]


def test_plurals_and_cases() -> None:
    assert [FI.heading("2026-01-05 09:07", visits, "") for visits in (0, 1, 2)] == [
        "5.1.2026 klo 9.07, 0 käyntiä",
        "5.1.2026 klo 9.07, 1 käynti",
        "5.1.2026 klo 9.07, 2 käyntiä",
    ]
    said = {
        "{last visit: more than 1 day ago}": ("on yli 1 päivä", "last visit more than 1 day ago"),
        "{last visit: less than 90 minutes ago}": ("on alle 90 minuuttia", "last visit less than 90 minutes ago"),
        "{viewed: /a, at least: 3 times, within: 1 day}": (
            "vähintään 3 kertaa, 1 päivän sisällä",
            "at least 3 times, within 1 day",
        ),
        "{trait: n, is: -5 to 2.5}": ("on välillä -5 … 2,5", "-5 to 2.5"),
        "{date: 2026-11-23}": ("päivä on 23.11.2026", "2026-11-23"),
        "{weekday: sunday}": ("viikonpäivä on sunnuntai", "weekday sunday"),
    }
    for condition, (finnish, english) in said.items():
        (compiled,) = plan_of(RULES.format(condition=condition)).segments["it"].conditions
        assert finnish in FI.condition(compiled.written)
        assert english in EN.condition(compiled.written)


def test_a_request_without_facts_has_no_value_to_show() -> None:
    (compiled,) = plan_of(RULES.format(condition="{country: FI}")).segments["it"].conditions
    visitor = Visitor(plan_of(RULES.format(condition="{country: FI}")))
    visitor.context = Context(Facts())
    assert FI.lack(compiled.unmet(visitor.view())) == "maa on FI (ei tiedossa)"
