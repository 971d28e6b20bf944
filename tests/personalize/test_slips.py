"""What is said of texts that load and that hardly anybody means, and of words that belong elsewhere, whole."""

import pytest

from personalize.loader import load


def said(source: str) -> list[str]:
    return [problem.message for problem in load({"a.yaml": source})[1] if "uses the segment" not in problem.message]


def segment(condition: str) -> list[str]:
    return said(f"segments: [{{segment: a, when: [{condition}]}}]")


def content(texts: str) -> list[str]:
    return said(f"placements: [{{placement: p, blocks: [{{block: b, content: {{{texts}}}}}]}}]")


# -- pages ----------------------------------------------------------------------------------------------------------

SLASH = "a page starts with a slash; write"
DOMAIN = "pages are compared without their domain; write"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("viewed: prices", f'"prices" fits nobody: {SLASH} "/prices", or "Prices" if it is a screen of an app'),
        (
            "viewed: [/a, tours/x*]",
            f'"tours/x*" fits nobody: {SLASH} "/tours/x*", or "Tours/x*" if it is a screen of an app',
        ),
        ("page: tours", f'"tours" fits nobody: {SLASH} "/tours"'),
        ("page: Tours", f'"Tours" fits nobody: {SLASH} "/Tours"'),
        ("viewed: 'https://shop.example/offers'", f'"https://shop.example/offers" fits nobody: {DOMAIN} "/offers"'),
        ("viewed: 'HTTP://shop.example'", f'"HTTP://shop.example" fits nobody: {DOMAIN} "/"'),
        ("viewed: www.shop.example/offers*", f'"www.shop.example/offers*" fits nobody: {DOMAIN} "/offers*"'),
        ("page: shop.fi/offers", f'"shop.fi/offers" fits nobody: {DOMAIN} "/offers"'),
    ],
)
def test_a_page_that_no_site_has_is_told(condition: str, message: str) -> None:
    assert segment(f"{{{condition}}}") == [message]


@pytest.mark.parametrize(
    "condition",
    ["viewed: /prices", "viewed: '*prices'", "viewed: Settings", "viewed: order done", "page: '*'", "did: purchase"],
)
def test_pages_screens_and_events_are_fine(condition: str) -> None:
    assert segment(f"{{{condition}}}") == []


def test_pages_are_looked_at_in_points_and_in_tests_too() -> None:
    source = """
scores: [{score: s, points: [{give: 1, for viewed: prices}]}]
placements: [{placement: p, blocks: [{block: b, when: [{score: s, is: 1}]}, {block: c}]}]
tests:
- {test: t, now: 2026-01-01, visitor: {page: tours}, events: [{1 day ago: viewed offers}], expect: {p: c}}
"""
    assert said(source) == [
        f'"prices" fits nobody: {SLASH} "/prices", or "Prices" if it is a screen of an app',
        f'"tours" is what no visitor has: {SLASH} "/tours"',
        f'"offers" is what nobody views: {SLASH} "/offers", or "Offers" if it is a screen of an app',
    ]


# -- numbers that are texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("50-500", "write 50 to 500, or put it in quotes if a text is meant"),
        ("50 \u2013 500", "write 50 to 500, or put it in quotes if a text is meant"),
        ("5+", "write at least 5, or put it in quotes if a text is meant"),
        ("'> 600'", "write more than 600, without quotes"),
        ("'>=5'", "write at least 5, without quotes"),
        ("< 5", "write less than 5, without quotes"),
    ],
)
@pytest.mark.parametrize(
    "form", ["{company: {employees: %s}}", "{trait: seats, is: %s}", "{did: x, where: {seats: %s}}"]
)
def test_a_number_phrase_in_other_signs_is_told(form: str, value: str, message: str) -> None:
    assert segment(form % value) == [f'"{value.strip(chr(39))}" is read as a text and compares nothing; {message}']


def test_a_number_phrase_in_quotes_or_in_a_list_is_told() -> None:
    quotes = '"at least 5" is a text because of its quotes; write at least 5 without them'
    assert segment("{trait: seats, is: 'at least 5'}") == [quotes]
    listed = '"5 to 9" is a text in a list; write each number phrase in a condition of its own, under any of'
    assert segment("{trait: seats, is: [5 to 9, 20]}") == [listed]


@pytest.mark.parametrize("value", ["'50-500'", "2026-11", "2026-11-23", "040-123456", "a-b", "5", "[5, 6]", "3 times"])
def test_other_texts_stay_texts(value: str) -> None:
    assert segment(f"{{trait: seats, is: {value}}}") == []


# -- quotes, braces and links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("t: \u201cHei\u201d", 'these are typographic quotes, which become a part of the text; write "Hei"'),
        ("t: \u201dHei\u201d", 'these are typographic quotes, which become a part of the text; write "Hei"'),
        ("t: \u201eHei\u201c", 'these are typographic quotes, which become a part of the text; write "Hei"'),
        (
            "t: 'Hi {{ first_name | \u201cfriend\u201d }}'",
            "visitors would see the quotes of \u201cfriend\u201d; write {{ first_name | friend }}",
        ),
        (
            "t: \"Hi {{ first_name | 'friend' }}\"",
            "visitors would see the quotes of 'friend'; write {{ first_name | friend }}",
        ),
        (
            "t: 'Hello {first_name}'",
            '"Hello {first_name}" is shown as it stands here; a name is written as "{{ first_name | fallback }}"',
        ),
        (
            "t: 'Best in [city]!'",
            '"Best in [city]!" is shown as it stands here; a name is written as "{{ city | fallback }}"',
        ),
        ("t: [first_name]", 'this is a list that holds "first_name"; write "{{ first_name | fallback }}"'),
        (
            "link: www.a.example",
            (
                '"www.a.example" is a page of your own site here; write "https://www.a.example", or "/www.a.example"'
                " if that is meant"
            ),
        ),
        (
            "link: example.fi/a",
            (
                '"example.fi/a" is a page of your own site here; write "https://example.fi/a", or "/example.fi/a"'
                " if that is meant"
            ),
        ),
    ],
)
def test_content_that_visitors_would_see_in_another_way_is_told(texts: str, message: str) -> None:
    assert content(texts) == [message]


@pytest.mark.parametrize(
    "texts",
    [
        "t: '\u201cGreat\u201d'",
        "t: \u201cGreat\u201d they said",
        "t: 'A [new] {thing}'",
        "t: '{{ city | x }}'",
        "t: [one, city]",
        "link: brochure.pdf",
        "link: a/b.html",
        "t: www.a.example",
    ],
)
def test_content_that_may_be_meant_is_fine(texts: str) -> None:
    assert content(texts) == []


def test_typographic_quotes_around_a_page_are_told_once() -> None:
    (message,) = segment("{viewed: \u201c/prices\u201d}")
    assert message == 'these are typographic quotes, which become a part of the text; write "/prices"'


# -- words that belong elsewhere ------------------------------------------------------------------------------------

TURN = "is not a word of a condition; to turn it round, write not:"
BACK = "is no condition: the block itself says how often and how soon it comes back, with"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("trait: plan, is not: gold", f'"is not" {TURN} {{trait: plan, is: gold}}'),
        ("viewed: '/x', not within: 30 days", f'"not within" {TURN} {{viewed: "/x", within: 30 days}}'),
        ("not in segment: b", f'"not in segment" {TURN} {{in segment: b}}'),
        ("country not: [FI, SE]", f'"country not" {TURN} {{country: …}}'),
        (f"not viewed: /{'x' * 80}", f'"not viewed" {TURN} {{viewed: …}}'),
        ("shown: b", f'"shown" {BACK} "show at most"'),
        ("clicked: b", f'"clicked" {BACK} "rest after click"'),
        ("dismissed: b", f'"dismissed" {BACK} "rest after dismiss"'),
        ("converted: b", f'"converted" {BACK} "rest after convert"'),
        (
            "visits: at least 3, within: 30 days",
            (
                '"within" is not a word of a condition; visits are counted for ever: write {visits: at least 3}, or'
                ' {viewed: "*", across: 3 days, within: 30 days}'
            ),
        ),
        ("weekday: [saturday, sunday]", "one text is wanted here, not a list; write saturday to sunday"),
        ("weekday: [sunday, monday]", "one text is wanted here, not a list; write sunday to monday"),
        (
            "weekday: [monday, friday]",
            "one text is wanted here, not a list; write any of: [{weekday: monday}, {weekday: friday}]",
        ),
        ("weekday: [monday]", "one text is wanted here, not a list; write monday"),
        (
            "date: [2026-01-01, 2026-02-01]",
            "one text is wanted here, not a list; write any of: [{date: 2026-01-01}, {date: 2026-02-01}]",
        ),
        ("visitor is: []", "this list is empty"),
        ("stage: x", 'there is no stage "x": there are no stages at all'),
        ("temperature: x", 'there is no temperature "x": there are no temperatures at all'),
        ("score: x, is: 5", 'there is no score "x": there are no scores at all'),
        (
            "viewed: /x, within: 6 months",
            (
                '"6 months" is not a length of time such as "30 days": months and years are not all alike, so write'
                ' "90 days", the longest that is possible here'
            ),
        ),
    ],
)
def test_what_is_said_in_another_way_is_told_so(condition: str, message: str) -> None:
    assert segment(f"{{{condition}}}") == [message]


@pytest.mark.parametrize(
    ("source", "messages"),
    [
        (
            "placements: [{placement: p, blocks: [{block: b, rest after show: 3 days}]}]",
            ['"rest after show" is not a word of a block; write "show at most: once per 7 days", or another number'],
        ),
        (
            "placements: [{placement: p, blocks: [{block: b, rest after click: 0 days}]}]",
            ['"0 days" is no time at all; leave the word out'],
        ),
        (
            "triggers: [{trigger: t, starts when: {inactive for: 0 days}, then: [{wait: 0 days}]}]",
            ['"0 days" is no time at all'] * 2,
        ),
        (
            "scores: [{score: s, points: [{give: 1, for trait: plan, is: x, is not: y}]}]",
            [
                (
                    '"is not" is not a word of an item of points; points are given for what is true; take points away'
                    " with a number below 0"
                )
            ],
        ),
    ],
)
def test_words_of_other_places_are_told_too(source: str, messages: list[str]) -> None:
    assert said(source) == messages
