"""The demo site as files: complete, linked, in two languages, and good HTML that a strict policy lets work."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from gateway.demo import site
from personalize.loader import load

ROOT = Path(__file__).parents[2]
CONTENT = ROOT / "gateway" / "demo" / "content"
VOID = {"meta", "link", "img", "input", "br"}
WORDS = {language: tomllib.loads((CONTENT / f"{language}.toml").read_text("utf-8")) for language in site.LANGUAGES}
PAGES = sorted(path for path, file in site.files().items() if file.media_type.startswith("text/html"))
SERVED_ELSEWHERE = {"/tuttu.js"}


class Html(HTMLParser):
    """Everything that a test asks of a page: its elements with their attributes, and whether they are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def page(path: str) -> Html:
    return Html(site.files()[path].body.decode())


def targets(html: Html) -> list[str]:
    return [a[name] for _, a in html.elements for name in ("href", "src", "action") if name in a]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_good_html(path: str) -> None:
    html = page(path)
    assert html.open == []
    assert [ident for ident, n in Counter(html.ids()).items() if n > 1] == []
    assert len(html.all("h1")) == 1
    assert len(html.all("main")) == 1
    assert html.all("html")[0]["lang"] == ("en" if path.partition("/")[0] == "en" else "fi")
    assert all("alt" in image and "width" in image and "height" in image for image in html.all("img"))
    labelled = {label["for"] for label in html.all("label") if "for" in label}
    fields = [field for tag in ("input", "select") for field in html.all(tag)]
    assert all(field.get("type") == "checkbox" or field["id"] in labelled for field in fields)
    named = set(html.ids())
    for _, attributes in html.elements:
        for name in ("aria-labelledby", "aria-controls", "for"):
            assert attributes.get(name, "content") in named, attributes


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(path: str) -> None:
    html = page(path)
    for tag, attributes in html.elements:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert tag != "script" or attributes["src"]
    assert all(target.startswith(("/demo/", "/tuttu.js", "#")) or target == "/demo/" for target in targets(html))


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere(path: str) -> None:
    html = page(path)
    for target in targets(html):
        address, fragment = urldefrag(target)
        if address not in SERVED_ELSEWHERE:
            below = address.removeprefix("/demo/") if address else path
            assert below in site.files(), target
            assert not fragment or fragment in page(below).ids(), target


@pytest.mark.parametrize("path", PAGES)
def test_the_language_switch_keeps_the_page(path: str) -> None:
    language = "en" if path.partition("/")[0] == "en" else "fi"
    name = next(name for name, entry in WORDS[language]["pages"].items() if entry["path"] == path)
    switches = {a["hreflang"]: a["href"] for a in page(path).all("a") if "hreflang" in a}
    assert switches == {code: f"/demo/{words['pages'][name]['path']}" for code, words in WORDS.items()}


def test_both_languages_say_everything() -> None:
    fi, en = (WORDS[language] for language in ("fi", "en"))
    assert fi["layout"].keys() == en["layout"].keys()
    assert fi["pages"].keys() == en["pages"].keys()
    for words in (fi, en):
        descriptions = [entry["description"] for entry in words["pages"].values()]
        assert len(set(descriptions)) == len(descriptions)
        assert all(50 <= len(text) <= 160 for text in descriptions)
    for name in fi["pages"]:
        pair = [(CONTENT / code / f"{name}.html").read_text("utf-8") for code in ("fi", "en")]
        tags = [re.findall(r"</?\w+|data-[\w-]+", text) for text in pair]
        assert tags[0] == tags[1], name


def test_the_default_content_is_the_default_block_so_that_nothing_flickers() -> None:
    rules, problems = load({p.name: p.read_text("utf-8") for p in (ROOT / "rules").glob("*.yaml")})
    assert rules is not None, problems
    hero = {block.name: block.content for block in rules.placements[0].blocks}
    for path, block in (("", "welcome"), ("en", "welcome en")):
        text = site.files()[path].body.decode()
        for value in hero[block].values():
            assert str(value) in text
    footer = {block.name: block.content for block in rules.placements[1].blocks}
    for path, block in (("artikkelit/yksi-luku", "newsletter"), ("en/articles/one-figure", "newsletter en")):
        for value in footer[block].values():
            assert str(value) in site.files()[path].body.decode()


def test_every_link_and_every_path_of_the_rules_is_a_page() -> None:
    for file in (ROOT / "rules").glob("*.yaml"):
        for found in re.findall(r"/demo/[\w/*#-]*", file.read_text("utf-8")):
            address, _, fragment = found.partition("#")
            below = address.removeprefix("/demo/")
            if "*" in below:
                assert [path for path in PAGES if path.startswith(below.rstrip("*"))], found
            else:
                assert below in PAGES, found
                assert not fragment or fragment in page(below).ids(), found


def test_static_files_go_out_as_they_are_with_their_media_type() -> None:
    files = site.files()
    assert files["demo.css"].media_type == "text/css; charset=utf-8"
    assert files["panel.js"].media_type == "text/javascript; charset=utf-8"
    assert files["img/icon.svg"].media_type == "image/svg+xml"
    assert files["img/icon.svg"].body == (CONTENT.parent / "static" / "img" / "icon.svg").read_bytes()
    assert not [path for path in files if path.startswith("/") or path.endswith((".html", ".toml", ".py"))]
    assert sum(len(file.body) for path, file in files.items() if path.endswith((".js", ".css"))) < 60_000


def test_the_panel_says_everything_in_both_languages_and_reads_no_sentence_of_the_engine() -> None:
    files = site.files()
    fi, en = (
        re.findall(r"^  (\w+):", part, re.MULTILINE)
        for part in re.findall(r"const \w\w = \{\n(.*?)\n\};", files["words.js"].body.decode(), re.DOTALL)
    )
    assert fi == en
    assert "language=${root.lang}" in files["panel.js"].body.decode()
    for word in ("Needs", "Stands", "Vaatii", "lacks"):
        assert word not in files["panel-view.js"].body.decode()


def test_what_is_filled_in_is_escaped() -> None:
    text = site.files()["en/jobs"].body.decode()
    assert "&lt;" not in text
    assert not re.search(r"\$\w", text)
