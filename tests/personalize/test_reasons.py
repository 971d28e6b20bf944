"""Reasons in every language: a language that lacks a limit, a cause or a reason fails here."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from personalize.blocks import Block
from personalize.choosing import Asked
from personalize.decision import Because, Candidate, Limit, Reached, Unmet
from personalize.language import LANGUAGES
from personalize.model import Context, Reason
from tests.fakes.visitor import Visitor, plan_of
from tests.personalize.test_conditions import RULES

EN, FI = LANGUAGES["en"], LANGUAGES["fi"]

SLOT = """
placements:
  - placement: slot
    blocks: [{{block: it, {limit}, content: {{title: x}}}}, {{block: rest, content: {{title: y}}}}]
"""
# The limit, how the visitor reacted and how many days ago, and what is said; `now` is 2026-11-20 10:00.
LIMITS: list[tuple[str, str, int, str, str]] = [
    (
        "from: 2026-11-23",
        "",
        0,
        "Starts 2026-11-23; it is 2026-11-20 10:00.",
        "Alkaa 23.11.2026; nyt on 20.11.2026 klo 10.00.",
    ),
    (
        "from: 2026-11-20 12:30, until: 2026-11-30",
        "",
        0,
        "Starts 2026-11-20 12:30; it is 2026-11-20 10:00.",
        "Alkaa 20.11.2026 klo 12.30; nyt on 20.11.2026 klo 10.00.",
    ),
    (
        "until: 2026-11-20 09:59",
        "",
        0,
        "Ended 2026-11-20 09:59; it is 2026-11-20 10:00.",
        "Päättyi 20.11.2026 klo 9.59; nyt on 20.11.2026 klo 10.00.",
    ),
    (
        "not for owners of: [pro, p*]",
        "",
        0,
        "Not for owners of pro or p*; the visitor owns plus and pro.",
        "Ei tuotteiden pro tai p* omistajille; kävijä omistaa: plus ja pro.",
    ),
    (
        "show at most: once per week",
        "Shown",
        3,
        "Is shown at most once per week; was shown once in the last 7 days.",
        "Näytetään enintään kerran viikossa; on näytetty kerran viimeisten 7 päivän aikana.",
    ),
    (
        "show at most: once per day",
        "Shown",
        0,
        "Is shown at most once per day; was shown once today.",
        "Näytetään enintään kerran päivässä; on näytetty kerran tänään.",
    ),
    (
        "show at most: once ever",
        "Shown",
        200,
        "Is shown at most once ever; was shown once in all.",
        "Näytetään enintään kerran kaikkiaan; on näytetty kerran kaikkiaan.",
    ),
    (
        "rest after dismiss: 14 days",
        "Dismissed",
        3,
        "Rests until 2026-12-01 10:00, because the visitor dismissed it 3 days ago.",
        "Lepää 1.12.2026 klo 10.00 asti, koska kävijä sulki sen 3 päivää sitten.",
    ),
    (
        "rest after click: forever",
        "Clicked",
        1,
        "Never shown again, because the visitor clicked it 1 day ago.",
        "Ei näytetä enää, koska kävijä klikkasi sitä 1 päivä sitten.",
    ),
    (
        "rest after convert: 90 days",
        "Converted",
        0,
        "Rests until 2027-02-18 10:00, because the visitor converted on it just now.",
        "Lepää 18.2.2027 klo 10.00 asti, koska se johti konversioon juuri äsken.",
    ),
    (
        "converts when: {did: order}, rest after convert: 2 days",
        "order",
        0,
        "Rests until 2026-11-23 00:00, because the visitor converted on it today.",
        "Lepää 23.11.2026 klo 0.00 asti, koska se johti konversioon tänään.",
    ),
    (
        "converts when: {did: order}, rest after convert: forever",
        "order",
        200,
        "Never shown again, because the visitor converted on it more than 90 days ago.",
        "Ei näytetä enää, koska se johti konversioon yli 90 päivää sitten.",
    ),
]


@pytest.mark.parametrize(("limit", "reaction", "days", "english", "finnish"), LIMITS, ids=[row[0] for row in LIMITS])
def test_a_limit_of_a_block_is_said_as_a_sentence(
    limit: str, reaction: str, days: int, english: str, finnish: str
) -> None:
    plan = plan_of(SLOT.format(limit=limit))
    visitor = Visitor(plan).is_known_by(owns=["pro", "plus"])
    if reaction == "order":
        visitor.did("order", days=days)
    elif reaction:
        visitor.reacted(reaction, "it", days=days)
    unmet = failed(plan.blocks["it"], visitor)
    assert (EN.sentence(unmet), FI.sentence(unmet)) == (english, finnish)
    written = EN.condition(unmet.written)
    assert all(word in written for word in limit.rpartition("converts when: {did: order}, ")[2].split(":")[0].split())
    assert FI.condition(unmet.written)


def failed(block: Block, visitor: Visitor) -> Unmet:
    view = visitor.view()
    return block.checks[Asked(block).lacking(view)].unmet(view)


def test_every_limit_is_in_the_table() -> None:
    heads = {failed(plan_of(SLOT.format(limit=row[0])).blocks["it"], story(row)).written.head for row in LIMITS}
    assert heads == set(get_args(get_type_hints(Limit)["head"]))


def story(row: tuple[str, str, int, str, str]) -> Visitor:
    visitor = Visitor(plan_of(SLOT.format(limit=row[0]))).is_known_by(owns=["pro"])
    if row[1] == "order":
        return visitor.did("order", days=row[2])
    return visitor.reacted(row[1], "it", days=row[2]) if row[1] else visitor


CAUSES: dict[Because, tuple[Candidate, str, str]] = {
    "first": (Candidate("b", "won", "first"), "It is the first that fits.", "Ensimmäinen, joka sopii."),
    "best": (
        Candidate("b", "won", "best", worth=2.5),
        "It fits and is worth most: 2.5.",
        "Sopii, ja sen arvo on suurin: 2,5.",
    ),
    "fallback": (
        Candidate("b", "won", "fallback"),
        "Nothing else fits, so the fallback is shown.",
        "Mikään muu ei sovi, joten näytetään oletus.",
    ),
    "behind": (
        Candidate("b", "lost", "behind", other="a"),
        'Stands after "a", which fits.',
        'On listassa vasta sopivan lohkon "a" jälkeen.',
    ),
    "unmet": (
        Candidate(
            "b",
            "lost",
            "unmet",
            unmet=Unmet(plan_of(RULES.format(condition="{visits: 3}")).segments["it"].conditions[0].written, 1),
        ),
        "Needs visits 3 (is: 1).",
        "Vaatii, että käyntejä on 3 (nyt 1).",
    ),
    "worthless": (
        Candidate("b", "lost", "worthless", worth=-1),
        "It is worth -1; only blocks worth more than 0 compete.",
        "Arvo on -1; mukana ovat vain lohkot, joiden arvo on yli 0.",
    ),
    "outdone": (
        Candidate("b", "lost", "outdone", worth=1, other="a", other_worth=3),
        'Worth 1; "a" is worth 3.',
        'Arvo on 1; lohkon "a" arvo on 3.',
    ),
}


@pytest.mark.parametrize("because", get_args(Because))
def test_every_cause_is_said(because: Because) -> None:
    one, english, finnish = CAUSES[because]
    assert (EN.candidate(one), FI.candidate(one)) == (english, finnish)


def test_numbers_that_differ_never_read_alike() -> None:
    close = Candidate("b", "lost", "outdone", worth=2.9999, other="a", other_worth=3)
    assert FI.candidate(close) == 'Arvo on 3; lohkon "a" arvo on 3.'.replace("Arvo on 3", "Arvo on 2,9999")
    tie = Candidate("b", "lost", "outdone", worth=3, other="a", other_worth=3)
    assert EN.candidate(tie) == 'Worth 3; "a" is worth 3 and stands earlier.'
    assert FI.candidate(tie) == 'Arvo on 3; lohkon "a" arvo on 3 ja se on listassa aiemmin.'
    assert EN.candidate(Candidate("b", "won", "best", worth=0.0004)) == "It fits and is worth most: 0.0004."
    (needs,) = plan_of(RULES.format(condition="{score: effort, is: at least 25}")).segments["it"].conditions
    assert EN.lack(Unmet(needs.written, 24.996)) == "score effort at least 25 (is: 24.996)"
    assert FI.lack(Unmet(needs.written, 24.996)) == "pisteet effort ovat vähintään 25 (nyt 24,996)"


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_reasons_and_unread_profiles_are_said(language: object) -> None:
    spoken = next(one for one in LANGUAGES.values() if one is language)
    reasons = [spoken.reason(reason) for reason in get_args(Reason)]
    assert all(reasons)
    assert len(set(reasons)) == len(reasons)
    unread = [spoken.unread(code) for code in get_args(get_type_hints(Context)["unread"]) if code]
    assert len(set(unread)) == 3


def test_steps_of_ladders_are_said() -> None:
    assert [EN.step(None), FI.step(None)] == ["fits", "sopii"]
    assert EN.step(Reached("2026-11-03")) == "reached on 2026-11-03, does not go back"
    assert FI.step(Reached("2026-11-03")) == "saavutettiin 3.11.2026, eikä siitä palata taaksepäin"
