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
    "{viewed: /a*}": ("viewed /a* (is: never)", "kävijä on käynyt sivulla /a* (ei kertaakaan)"),
    "{viewed: [/a, /b]}": ("viewed /a or /b (is: never)", "kävijä on käynyt sivulla /a tai /b (ei kertaakaan)"),
    "{viewed: /a, at least: 2 times}": (
        "viewed /a, at least twice (is: once)",
        "kävijä on käynyt sivulla /a vähintään kahdesti (tähän mennessä kerran)",
    ),
    "{viewed: /a, at most: 2 times}": (
        "viewed /a, at most twice (is: 3 times on 1 day)",
        "kävijä on käynyt sivulla /a enintään kahdesti (tähän mennessä 3 kertaa samana päivänä)",
    ),
    "{viewed: /a, at least: once, at most: twice}": (
        "viewed /a, at least once, at most twice (is: never)",
        "kävijä on käynyt sivulla /a vähintään kerran ja enintään kahdesti (ei kertaakaan)",
    ),
    "{viewed: /a, at least: 0 times, at most: once}": (
        "viewed /a, at least 0 times, at most once (is: twice on 1 day)",
        "kävijä on käynyt sivulla /a enintään kerran (tähän mennessä kahdesti samana päivänä)",
    ),
    "{viewed: /a, within: 30 days}": (
        "viewed /a, within 30 days (is: not in these 30 days)",
        "kävijä on käynyt sivulla /a viimeisten 30 päivän aikana (ei näiden 30 päivän aikana)",
    ),
    "{viewed: /a, within: 1 day}": (
        "viewed /a, within 1 day (is: not today)",
        "kävijä on käynyt sivulla /a tänään (ei tänään)",
    ),
    "{viewed: /a, at least: 2 times, across: 2 days, within: 30 days}": (
        "viewed /a, at least twice, across 2 days, within 30 days (is: 5 times on 1 day)",
        (
            "kävijä on käynyt sivulla /a vähintään kahdesti ja vähintään 2 eri päivänä viimeisten 30 päivän aikana "
            "(tähän mennessä 5 kertaa samana päivänä)"
        ),
    ),
    "{viewed: /a, across: 2 days}": (
        "viewed /a, across 2 days (is: twice on 1 day)",
        "kävijä on käynyt sivulla /a vähintään 2 eri päivänä (tähän mennessä kahdesti samana päivänä)",
    ),
    "{did: Buy, where: {n: at least 3}}": (
        "did Buy, where n at least 3 (is: never)",
        "kävijä on tehnyt toiminnon Buy, jossa n on vähintään 3 (ei kertaakaan)",
    ),
    "{did: x, at most: once, within: 7 days}": (
        "did x, at most once, within 7 days (is: twice on 1 day)",
        (
            "kävijä on tehnyt toiminnon x enintään kerran viimeisten 7 päivän aikana "
            "(tähän mennessä kahdesti samana päivänä)"
        ),
    ),
    "not: {did: x}": ("not did x (is: once)", "kävijä ei ole tehnyt toimintoa x (tähän mennessä kerran)"),
    "any of: [{did: x}, {did: y}]": (
        "any of (did x (is: never); did y (is: never))",
        (
            "jokin näistä pitää paikkansa ("
            "kävijä on tehnyt toiminnon x (ei kertaakaan); kävijä on tehnyt toiminnon y (ei kertaakaan))"
        ),
    ),
    "none of: [{did: x}, {did: y}]": (
        "none of (did y (is: once))",
        "mikään näistä ei pidä paikkaansa (kävijä on tehnyt toiminnon y (tähän mennessä kerran))",
    ),
    "all of: [{did: x}, {did: y}]": ("did y (is: never)", "kävijä on tehnyt toiminnon y (ei kertaakaan)"),
    "all of: [{did: x}, {did: y}, {did: z}]": ("did z (is: never)", "kävijä on tehnyt toiminnon z (ei kertaakaan)"),
    "{in segment: Buyers}": (
        "in segment Buyers (is: not in it, lacks did buy (is: never))",
        "kävijä on segmentissä Buyers (ei mukana; vaatii, että kävijä on tehnyt toiminnon buy (ei kertaakaan))",
    ),
    "{stage: [Buyer]}": ("stage Buyer (is: looker)", "vaihe on Buyer (nyt looker)"),
    "{temperature: hot}": ("temperature hot (is: cold)", "lämpötila on hot (nyt cold)"),
    "{score: effort, is: 5 to 9}": (
        "score effort 5 to 9 (is: 10)",
        "pisteet effort ovat välillä 5\N{EN DASH}9 (nyt 10)",
    ),
    "{interest: topic, is: more than 2}": (
        "interest topic more than 2 (is: 2)",
        "kiinnostus aiheeseen topic on yli 2 (nyt 2)",
    ),
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
            "yrityksen toimiala on manu* ja henkilöstömäärä on 50\N{EN DASH}500 "
            "(toimiala manufacturing, henkilöstömäärä ei tiedossa)"
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
    '{bot: "*"}': ("bot * (is: missing)", "kävijä on botti (ei ole botti)"),
    "{consent: [email, personalization]}": (
        "consent email or personalization (is: none)",
        "lupa email tai personalization on annettu (nyt ei mitään lupaa)",
    ),
    "{consent: email}": (
        "consent email (is: analytics, personalization, sms)",
        "lupa email on annettu (nyt analytics, personalization, sms)",
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
        "ensimmäisestä käynnistä on alle 7 päivää (käynti oli 8 päivää sitten)",
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
        "kello on välillä 8.00\N{EN DASH}16.30 (nyt 16.31)",
    ),
    "{time of day: 22:00 to 06:00}": (
        "time of day 22:00 to 06:00 (is: 21:59)",
        "kello on välillä 22.00\N{EN DASH}6.00 (nyt 21.59)",
    ),
    "{weekday: monday to friday}": (
        "weekday monday to friday (is: saturday)",
        "viikonpäivä on väliltä maanantai\N{EN DASH}perjantai (nyt lauantai)",
    ),
    "{weekday: friday to monday}": (
        "weekday friday to monday (is: tuesday)",
        "viikonpäivä on väliltä perjantai\N{EN DASH}maanantai (nyt tiistai)",
    ),
    "{date: 2026-11-23 to 2026-11-30}": (
        "date 2026-11-23 to 2026-11-30 (is: 2026-12-01)",
        "päivä on välillä 23.11.2026\N{EN DASH}30.11.2026 (nyt 1.12.2026)",
    ),
}

# What is said of the opposite of a condition to the visitor whom the condition fits.
SAID_NOT: dict[str, tuple[str, str]] = {
    "{viewed: /a, within: 30 days}": (
        "not viewed /a, within 30 days (is: once)",
        "kävijä ei ole käynyt sivulla /a viimeisten 30 päivän aikana (tähän mennessä kerran)",
    ),
    "{did: Buy, where: {n: at least 3}}": (
        "not did Buy, where n at least 3 (is: once)",
        "kävijä ei ole tehnyt toimintoa Buy, jossa n on vähintään 3 (tähän mennessä kerran)",
    ),
    "{viewed: /a, at least: 2 times}": (
        "not viewed /a, at least twice (is: twice on 1 day)",
        "kävijä on käynyt sivulla /a enintään kerran (tähän mennessä kahdesti samana päivänä)",
    ),
    "{viewed: /a, at most: 2 times}": (
        "not viewed /a, at most twice (is: never)",
        "kävijä on käynyt sivulla /a vähintään 3 kertaa (ei kertaakaan)",
    ),
    "{viewed: /a, across: 2 days}": (
        "not viewed /a, across 2 days (is: twice on 2 days)",
        "kävijä on käynyt sivulla /a enintään 1 päivänä (tähän mennessä kahdesti 2 eri päivänä)",
    ),
    "{country: [FI, SE]}": ("not country FI or SE (is: fi)", "maa ei ole FI eikä SE (nyt fi)"),
    '{bot: "*"}': ("not bot * (is: Googlebot)", "kävijä ei ole botti (nyt Googlebot)"),
    "{visits: at least 2}": ("not visits at least 2 (is: 2)", "käyntejä on alle 2 (nyt 2)"),
    "{interest: topic, is: more than 2}": (
        "not interest topic more than 2 (is: 4)",
        "kiinnostus aiheeseen topic on enintään 2 (nyt 4)",
    ),
    "{trait: seats, is: at least 5}": (
        "not trait seats is at least 5 (is: 5)",
        "ominaisuus seats on alle 5 tai ei tiedossa (nyt 5)",
    ),
    "{last visit: more than 21 days ago}": (
        "not last visit more than 21 days ago (is: 22 days ago)",
        "edellisestä käynnistä on enintään 21 päivää tai aiempaa käyntiä ei ole (käynti oli 22 päivää sitten)",
    ),
    "{in segment: Buyers}": ("not in segment Buyers (is: in it)", "kävijä ei ole segmentissä Buyers (mukana)"),
    "{score: effort, is: 5 to 9}": (
        "not score effort 5 to 9 (is: 5)",
        "pisteet effort eivät ole välillä 5\N{EN DASH}9 (nyt 5)",
    ),
    "{company: {industry: manu*, employees: 50 to 500}}": (
        "not company industry manu*, employees 50 to 500 (is: industry Manufacturing, employees 120)",
        (
            "yrityksen toimiala ei ole manu* tai henkilöstömäärä ei ole 50\N{EN DASH}500 "
            "(toimiala Manufacturing, henkilöstömäärä 120)"
        ),
    ),
    "{owns: pro}": ("not owns pro (is: pro)", "kävijä ei omista tuotetta pro (nyt pro)"),
    "{consent: email}": (
        "not consent email (is: analytics, email, personalization)",
        "lupaa email ei ole annettu (nyt analytics, email, personalization)",
    ),
    "{visitor is: known}": (
        "not visitor is known (is: new and known)",
        "kävijä ei ole tunnistettu (nyt uusi ja tunnistettu)",
    ),
    "any of: [{did: x}, {did: y}]": (
        "not any of (did y (is: once))",
        "mikään näistä ei pidä paikkaansa (kävijä on tehnyt toiminnon y (tähän mennessä kerran))",
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
            "ainakin yksi näistä ei pidä paikkaansa (kävijä on tehnyt toiminnon x "
            "(tähän mennessä kerran); kävijä on tehnyt toiminnon y (tähän mennessä kerran))"
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
    assert [FI.heading("2026-01-05 09:07", visits) for visits in (0, 1, 2)] == [
        "5.1.2026 klo 9.07, 0 käyntiä",
        "5.1.2026 klo 9.07, 1 käynti",
        "5.1.2026 klo 9.07, 2 käyntiä",
    ]
    said = {
        "{last visit: more than 1 day ago}": ("on yli 1 päivä", "last visit more than 1 day ago"),
        "{last visit: less than 90 minutes ago}": ("on alle 90 minuuttia", "last visit less than 90 minutes ago"),
        "{viewed: /a, at least: 3 times, within: 1 day}": (
            "vähintään 3 kertaa tänään",
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


# A condition, and how it and its opposite read in Finnish.
OPPOSITES: dict[str, tuple[str, str]] = {
    '{viewed: "*"}': ("kävijä on käynyt jollakin sivulla", "kävijä ei ole käynyt millään sivulla"),
    '{did: "*", within: 7 days}': (
        "kävijä on tehnyt jonkin toiminnon viimeisten 7 päivän aikana",
        "kävijä ei ole tehnyt mitään toimintoa viimeisten 7 päivän aikana",
    ),
    "{viewed: [/a, /b, /c]}": ("kävijä on käynyt sivulla /a, /b tai /c", "kävijä ei ole käynyt sivulla /a, /b eikä /c"),
    "{viewed: /a, at most: 0 times}": (
        "kävijä ei ole käynyt sivulla /a",
        "kävijä on käynyt sivulla /a vähintään kerran",
    ),
    "{viewed: /a, at least: once}": ("kävijä on käynyt sivulla /a vähintään kerran", "kävijä ei ole käynyt sivulla /a"),
    "{viewed: /a, across: 1 day}": (
        "kävijä on käynyt sivulla /a vähintään 1 päivänä",
        "kävijä ei ole käynyt sivulla /a",
    ),
    "{viewed: /a, at least: 1 time, at most: 4 times}": (
        "kävijä on käynyt sivulla /a vähintään kerran ja enintään 4 kertaa",
        "kävijä on käynyt sivulla /a 0 kertaa tai vähintään 5 kertaa",
    ),
    "{viewed: /a, at least: 5 times, across: 2 days, within: 7 days}": (
        "kävijä on käynyt sivulla /a vähintään 5 kertaa ja vähintään 2 eri päivänä viimeisten 7 päivän aikana",
        "kävijä on käynyt sivulla /a enintään 4 kertaa tai enintään 1 päivänä viimeisten 7 päivän aikana",
    ),
    '{did: x, where: {type: "*", n: 2 to 5}, at least: twice}': (
        "kävijä on tehnyt toiminnon x, jossa type on tiedossa ja n on välillä 2\N{EN DASH}5, vähintään kahdesti",
        "kävijä on tehnyt toiminnon x, jossa type on tiedossa ja n on välillä 2\N{EN DASH}5, enintään kerran",
    ),
    '{trait: n, is: "*"}': ("ominaisuus n on tiedossa", "ominaisuus n ei ole tiedossa"),
    "{trait: n, is: less than 5}": ("ominaisuus n on alle 5", "ominaisuus n on vähintään 5 tai ei tiedossa"),
    "{company: {employees: at most 50}}": (
        "yrityksen henkilöstömäärä on enintään 50",
        "yrityksen henkilöstömäärä on yli 50 tai ei tiedossa",
    ),
    "{bot: [google*, bing*]}": ("botti on google* tai bing*", "botti ei ole google* eikä bing*"),
    '{page: "*"}': ("sivu on tiedossa", "sivu ei ole tiedossa"),
    '{owns: "*"}': ("kävijä omistaa jonkin tuotteen", "kävijä ei omista mitään tuotetta"),
    '{consent: "*"}': ("jokin lupa on annettu", "mitään lupaa ei ole annettu"),
    "{visits: 3}": ("käyntejä on 3", "käyntien määrä ei ole 3"),
    "{date: from 2026-01-01}": ("päivä on aikaisintaan 1.1.2026", "päivä on ennen 1.1.2026"),
    "{date: until 2026-01-01}": ("päivä on viimeistään 1.1.2026", "päivä on 1.1.2026 jälkeen"),
    '{country: [FI, SE, EE, "NO"]}': ("maa on FI, SE, EE tai NO", "maa ei ole FI, SE, EE eikä NO"),
}


@pytest.mark.parametrize("condition", OPPOSITES)
def test_the_opposite_of_a_limit_is_a_limit_in_finnish(condition: str) -> None:
    rules = (RULES.format(condition=condition), RULES.format(condition=f"not: {condition}"))
    said = (FI.condition(plan_of(text).segments["it"].conditions[0].written) for text in rules)
    assert tuple(said) == OPPOSITES[condition]


def test_a_request_without_facts_has_no_value_to_show() -> None:
    (compiled,) = plan_of(RULES.format(condition="{country: FI}")).segments["it"].conditions
    visitor = Visitor(plan_of(RULES.format(condition="{country: FI}")))
    visitor.context = Context(Facts())
    assert FI.lack(compiled.unmet(visitor.view())) == "maa on FI (ei tiedossa)"
