"""Every word of the rules in one or two plain sentences, with examples: what an editor shows while one writes.

Which words there are, and which of them a thing must have, the models say (`syntax…`); `schema` puts both together and
fails on a word that is missing here. An example is a value, written as in a rule file. The words of tests and those
that are reserved for later stand in `vocabulary_tests` and `vocabulary_reserved`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from personalize import value_schemas as v
from personalize.syntax import (
    Block,
    Fallback,
    Grant,
    Growth,
    Interest,
    Placement,
    Score,
    Segment,
    Stage,
    Temperature,
    Words,
    Worth,
)
from personalize.syntax_conditions import COMPANY_WORDS, Kind
from personalize.value_schemas import Schema


@dataclass(slots=True, frozen=True)
class Word:
    """A word: the schema of its value, what it means, examples of values, and the kind of name that the value is."""

    value: Schema
    means: str
    examples: tuple[str, ...]
    names: str = ""


def word(value: Schema, means: str, *examples: str, names: str = "") -> Word:
    """Return a word with its examples."""
    return Word(value, means, examples, names)


def a(model: type[Words]) -> Schema:
    """Return the schema of a thing that has a definition of its own."""
    return {"allOf": [{"$ref": f"#/definitions/{model.__name__}"}]}


def list_of(model: type[Words]) -> Schema:
    """Return the schema of a list of things that have a definition of their own."""
    return {"type": "array", "minItems": 1, "items": {"$ref": f"#/definitions/{model.__name__}"}}


ONE_CONDITION: Schema = {"type": "object", "allOf": [{"$ref": "#/definitions/Condition"}]}
CONDITIONS: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/Condition"}}
CONTENT = v.map_of(v.PLAIN)

CONDITION: Mapping[str, Word] = {
    "viewed": word(
        v.TEXTS,
        "A page was viewed: its path, where * stands for anything; of a list, one of them. Alone: at least once, ever.",
        "/prices*",
        "[/prices*, /pricing]",
    ),
    "did": word(
        v.TEXTS,
        "An event happened, by the name that the site sends. Alone: at least once, ever.",
        "demo requested",
        "purchase",
    ),
    "where": word(
        v.TESTS, "Only events whose properties fit, all of them.", "{type: [whitepaper, case]}", "{price: at least 100}"
    ),
    "at least": word(v.COUNT, "It happened at least so often in the window.", "2 times", "once"),
    "at most": word(v.COUNT, "It happened at most so often in the window; never fits too.", "2 times", "once"),
    "across": word(v.DAYS, "It happened on at least so many different calendar days of the window.", "2 days"),
    "within": word(v.DAYS, "The window: so many whole calendar days, today included, at most 90.", "30 days", "7 days"),
    "not": word(
        {"allOf": [{"$ref": "#/definitions/Negated"}]},
        "This one condition does not hold. A condition on something that is not known is false, so its not is true.",
        "{did: purchase}",
    ),
    "any of": word(CONDITIONS, "At least one of these conditions holds.", "[{country: FI}, {language: fi}]"),
    "none of": word(CONDITIONS, "None of these conditions holds.", "[{device: mobile}, {bot: '*'}]"),
    "all of": word(
        CONDITIONS, "All of these conditions hold: a group inside any of or none of.", "[{country: FI}, {language: sv}]"
    ),
    "in segment": word(v.TEXTS, "The visitor is in this segment, or in one of these.", "customer", names="segment"),
    "stage": word(v.TEXTS, "The visitor's lifecycle stage is this one, or one of these.", "customer", names="stage"),
    "temperature": word(v.TEXTS, "The visitor's temperature is this one, or one of these.", "hot", names="temperature"),
    "score": word(v.TEXT, "A score by its name; is says how many points, decayed to now.", "engagement", names="score"),
    "interest": word(
        v.TEXT, "An interest by its name; is says how strong, decayed to now.", "reporting", names="interest"
    ),
    "trait": word(v.TEXT, "A trait by its name, exactly as the site sends it; is says which value.", "plan"),
    "is": word(
        v.TEXTS,
        "The value: a number phrase, or for traits also a text or a list of texts.",
        "at least 25",
        "50 to 500",
        "pro",
    ),
    "company": word(
        v.map_of(v.TEXTS, least=1)
        | {"properties": {name: {**v.TEXTS, "description": f"The company's {name}."} for name in COMPANY_WORDS}},
        "Attributes of the visitor's company that must all fit: name, domain, type, industry, employees, crm id, or "
        "whatever the site's own list of companies holds.",
        "{industry: [manufacturing, logistics], employees: 50 to 500}",
    ),
    "country": word(v.TEXTS, "The country of this request, as two letters.", "FI", "[FI, SE]"),
    "region": word(v.TEXTS, "The region of this request, by name.", "Uusimaa"),
    "city": word(v.TEXTS, "The city of this request, by name.", "Espoo"),
    "language": word(v.TEXTS, "The browser's first language, as two letters.", "fi", "en"),
    "device": word(v.TEXTS, "The kind of device: desktop, mobile, tablet.", "desktop", "mobile", "tablet"),
    "browser": word(v.TEXTS, "The browser, by name.", "Firefox*", "Chrome*"),
    "os": word(v.TEXTS, "The operating system, by name.", "Windows", "iOS", "Android"),
    "campaign": word(v.TEXTS, "The campaign of this request's address (utm_campaign).", "spring*"),
    "source": word(v.TEXTS, "Where the campaign sent the visitor from (utm_source).", "newsletter", "google"),
    "medium": word(v.TEXTS, "The campaign's medium (utm_medium).", "email", "cpc"),
    "referrer": word(v.TEXTS, "The address of the page that led here.", '"*linkedin.com*"'),
    "page": word(v.TEXTS, "The path of the page on which the block is asked for.", "/products/*"),
    "bot": word(v.TEXTS, "The name of the bot, if the visitor is one.", "Googlebot", '"*"'),
    "consent": word(
        v.TEXTS, "The visitor allows this purpose, or one of these.", "personalization", "analytics", "ads", "email"
    ),
    "owns": word(v.TEXTS, "The visitor owns this product, or one of these.", "insight pro"),
    "visitor is": word(
        v.choices(*Kind.__args__),  # type: ignore[attr-defined]  # a Literal lists its texts there
        "new: this is the first visit; returning: there were others; known: identity verified; anonymous: not known.",
        *Kind.__args__,  # type: ignore[attr-defined]  # as above
    ),
    "visits": word(v.RANGE, "The number of visits, the present one included.", "at least 3", "1"),
    "first visit": word(v.AGO, "How long ago the first visit began.", "less than 7 days ago"),
    "last visit": word(
        v.AGO,
        "How long ago the previous visit ended; a visit ends after 30 minutes without an event.",
        "more than 21 days ago",
    ),
    "time of day": word(
        v.TIME_OF_DAY, "The site's clock, both minutes included; may go over midnight.", "08:00 to 16:30"
    ),
    "weekday": word(
        v.WEEKDAY, "The site's weekday, both included; may go over the end of the week.", "monday to friday", "saturday"
    ),
    "date": word(
        v.DATE,
        "The site's date, both days included.",
        "2026-11-23 to 2026-11-30",
        "from 2026-11-23",
        "until 2026-11-30",
    ),
}
"""The head words of conditions and what may stand beside them."""

_POINTS = word(v.RANGE, "How many points: a number or a number phrase.", "at least 25", "50 to 500")
NARROWED: Mapping[str, Mapping[str, Word]] = {head: {"is": _POINTS} for head in ("score", "interest")}
"""What a word wants beside a certain head word, where that is less than what it takes elsewhere."""

_NAMED = "Its name; names are given once."
_WHEN = word(CONDITIONS, "All of these conditions must hold; alternatives are one item, any of.", "[{country: FI}]")
_HALF_LIFE = word(
    v.DAYS, "After so long points are worth half, computed when read; without it they never decay.", "14 days"
)
_CAP = word(
    v.CAP, "Only so many count; the most recent ones do. Windows are calendar days.", "4 times per day", "once ever"
)


def _points(much: str, means: str, model: type[Grant]) -> dict[str, Word]:
    """Return the words of an item of points; `for …` takes what the condition's head word takes."""
    heads = {
        f"for {head}": replace(CONDITION[head], means=f"For this: {CONDITION[head].means}") for head in model.heads
    }
    return {
        much: word(v.NUMBER, means, "5", "-20"),
        **heads,
        "where": CONDITION["where"],
        "is": CONDITION["is"],
        "at most": _CAP,
    }


VOCABULARY: Mapping[type[Words], Mapping[str, Word]] = {
    Score: {
        "score": word(v.NAME, _NAMED, "engagement"),
        "half-life": _HALF_LIFE,
        "points": word(list_of(Grant), "What gives points, and how many.", "[{give: 3, for viewed: /products/*}]"),
    },
    Grant: _points("give", "So many points each time; less than nothing takes some away.", Grant),
    Interest: {
        "interest": word(v.NAME, _NAMED, "reporting"),
        "half-life": _HALF_LIFE,
        "grows": word(list_of(Growth), "What the interest grows by.", "[{by: 1, for viewed: /products/reporting*}]"),
    },
    Growth: _points("by", "It grows by so much each time.", Growth),
    Segment: {
        "segment": word(v.NAME, _NAMED, "pricing intent"),
        "about": word(v.TEXT, "What the segment is for, in your own words.", "Came back to our prices"),
        "when": _WHEN,
    },
    Stage: {
        "stage": word(v.NAME, "Its name. The first stage that fits is the visitor's.", "customer"),
        "when": replace(
            _WHEN, means="All of these conditions must hold. The last stage, and only the last, has no when."
        ),
    },
    Temperature: {
        "temperature": word(v.NAME, "Its name. The first temperature that fits is the visitor's.", "hot"),
        "when": replace(
            _WHEN, means="All of these conditions must hold. The last temperature, and only the last, has no when."
        ),
    },
    Placement: {
        "placement": word(v.NAME, "The name of this slot on a page, as the page asks for it.", "home hero"),
        "choose": word(
            v.choice("first match", "best score"),
            "first match: the first block that fits, so order is priority. best score: the block worth most; of equals "
            "the earlier.",
            "first match",
            "best score",
        ),
        "blocks": word(
            list_of(Block), "The blocks from which one is chosen.", '[{block: welcome, content: {title: "Hi"}}]'
        ),
        "fallback": word(
            a(Fallback),
            "What is shown when no block fits: one of the placement's blocks, or content of its own. Without this "
            "word it is the last block, which then has no when.",
            "{block: newsletter}",
        ),
    },
    Block: {
        "block": word(v.NAME, "Its name, given once in the whole site.", "book a demo"),
        "when": replace(_WHEN, means="For whom: all of these conditions must hold. Without when it fits everybody."),
        "from": word(
            v.MOMENT,
            "Shown from this date on, or date and time, by the site's clock.",
            "2026-11-23",
            "2026-11-23 08:00",
        ),
        "until": word(
            v.MOMENT, "Shown until this date or time, which is included whole.", "2026-11-30", "2026-11-30 12:00"
        ),
        "worth": word(
            a(Worth),
            "What it is worth under best score: a number, or an interest or a score.",
            "1",
            "{interest: reporting, plus: 2}",
        ),
        "not for owners of": word(
            v.TEXTS, "Never shown to visitors who own this product, or one of these.", "insight pro", "[insight *]"
        ),
        "show at most": word(
            v.CAP, "Showings to one visitor; per week means the last 7 days.", "5 times per week", "once ever"
        ),
        "rest after dismiss": word(
            v.REST, "Not shown for exactly so long after the visitor dismissed it.", "14 days", "forever"
        ),
        "rest after convert": word(
            v.REST, "Not shown for exactly so long after the visitor converted.", "90 days", "forever"
        ),
        "rest after click": word(
            v.REST, "Not shown for exactly so long after the visitor clicked it.", "1 day", "forever"
        ),
        "content": word(
            CONTENT,
            "What the page gets: names with texts, numbers and lists. {{ first_name | there }} puts in what is known, "
            "else what stands after the bar. Put texts in quotes.",
            '{title: "Hello {{ first_name | there }}", link: /demo}',
        ),
        "html": word(v.choice("trusted"), "trusted: the texts are HTML; what is put into them is escaped.", "trusted"),
        "converts when": word(
            ONE_CONDITION,
            "What counts as this block's conversion; without it an event Content Converted.",
            "{did: purchase}",
        ),
    },
    Worth: {
        "interest": word(v.TEXT, "The interest whose points it is worth.", "reporting", names="interest"),
        "score": word(v.TEXT, "The score whose points it is worth.", "engagement", names="score"),
        "plus": word(v.NUMBER, "So much is added.", "2"),
    },
    Fallback: {
        "block": word(
            v.NAME,
            "A block of this placement, shown whatever its own limits; with content a new one.",
            "newsletter",
            names="block",
        ),
        "content": word(CONTENT, "Content of its own.", '{title: "Subscribe to our newsletter"}'),
    },
}
"""Every thing that is written as words, and its words."""
