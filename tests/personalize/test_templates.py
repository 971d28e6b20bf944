from __future__ import annotations

from typing import Any

import pytest

from personalize import templates
from personalize.links import allowed_link, is_link
from tests.fakes.visitor import Visitor, plan_of

PLAN = plan_of("scores: [{score: page views, points: [{give: 1.25, for viewed: /*}]}]")


def filled(content: dict[str, Any], visitor: Visitor | None = None, *, html: bool = False) -> Any:
    finished = templates.compiled(content, PLAN.scores, html=html)
    return finished((visitor or Visitor(PLAN)).view()) if callable(finished) else finished


def somebody() -> Visitor:
    visitor = Visitor(PLAN, country="FI", city="Espoo", company={"name": "<Acme> & Co", "industry": "steel"})
    return visitor.viewed("/a").viewed("/b").is_known_by(first_name="Aino", plan="pro", seats=5.0, tags=["a", "b"])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Hei {{ first_name | sinä }}!", "Hei Aino!"),
        ("{{company.name}}", "<Acme> & Co"),
        ("{{ company.domain | teille }}", "teille"),
        ("{{ company.industry }} {{ city }} {{ country }}", "steel Espoo FI"),
        ("{{ score.Page Views }}", "2.5"),
        ("{{ trait.seats }} {{ trait.tags }} {{ trait.none }}.", "5 a, b ."),
        ("{{ trait.none | a | b }}", "a | b"),
        ("plain", "plain"),
        ("{{ unknown | ? }}", "?"),
    ],
)
def test_names_are_filled_and_fallbacks_stand_in(text: str, result: str) -> None:
    assert filled({"title": text}, somebody()) == {"title": result}


def test_first_name_reads_two_spellings_of_the_trait() -> None:
    assert filled({"t": "{{ first_name }}"}, somebody().is_known_by(firstName="Maija")) == {"t": "Maija"}


def test_values_are_escaped_only_where_html_is_trusted() -> None:
    content = {"title": "<b>{{ company.name }}</b> {{ trait.none | R&amp;D }}"}
    assert filled(content, somebody()) == {"title": "<b><Acme> & Co</b> R&amp;D"}
    assert filled(content, somebody(), html=True) == {"title": "<b>&lt;Acme&gt; &amp; Co</b> R&amp;D"}


def test_maps_lists_and_numbers_are_kept() -> None:
    content = {"items": ["{{ city }}", 5, {"cta link": "/x?c={{ company.name }}"}], "links": [], "n": 1.5}
    assert filled(content, somebody()) == {
        "items": ["Espoo", 5, {"cta link": "/x?c=%3CAcme%3E%20%26%20Co"}],
        "links": [],
        "n": 1.5,
    }


def test_content_without_names_is_finished_at_load() -> None:
    assert templates.compiled({"title": "x", "link": "/y"}, {}, html=False) == {"title": "x", "link": "/y"}


@pytest.mark.parametrize(
    ("link", "result"),
    [
        ("{{ trait.site }}", "javascript%3Aalert%281%29"),
        ("javascript:{{ city }}", ""),
        ("java{{ trait.none }}script:alert(1)", ""),
        ("{{ trait.none | javascript }}:{{ city }}", ""),
        ("https://{{ trait.none | www }}.example.com/{{ city }}", "https://www.example.com/Espoo"),
        ("/haku?q={{ trait.path }}", "/haku?q=a%2Fb%3Fc%23d%26e"),
        ("data:text/html,x", ""),
        ("mailto:a@b.fi", "mailto:a@b.fi"),
    ],
)
def test_links_are_encoded_and_their_scheme_is_checked_afterwards(link: str, result: str) -> None:
    visitor = somebody().is_known_by(site="javascript:alert(1)", path="a/b?c#d&e")
    assert filled({"ctaLink": link}, visitor) == {"ctaLink": result}
    assert filled({"link": [link]}, visitor) == {"link": [result]}


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("/a:b", True),
        ("a/b:c", True),
        ("?x=a:b", True),
        ("#a:b", True),
        ("", True),
        ("HTTPS://x", True),
        ("tel:+358", True),
        ("//example.com/x", True),
        ("JavaScript:x", False),
        (" \x01javascript:x", False),
        ("java\nscript:x", False),
        ("vbscript:x", False),
        ("a:b", False),
    ],
)
def test_links_are_read_as_leniently_as_browsers_read_them(link: str, allowed: bool) -> None:  # noqa: FBT001 - a table's column
    assert allowed_link(link) is allowed


def test_which_keys_hold_links() -> None:
    assert all(map(is_link, ["link", "url", "href", "ctaLink", "image_url", "CTA LINK"]))
    assert not any(map(is_link, ["title", "linked", "cta"]))


def test_a_profile_that_was_not_read_fills_nothing_in() -> None:
    visitor = somebody().works_at(name="Secret Oy")
    visitor.context.unread = "claim"
    text = "{{ first_name | - }} {{ trait.plan | - }} {{ score.page views | - }} {{ company.name }} {{ city }}"
    assert filled({"t": text}, visitor) == {"t": "- - - <Acme> & Co Espoo"}
