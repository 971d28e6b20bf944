"""The demo site's files, put together once: one layout, filled with each page's text in each language.

Pure content: it reads the files of this package and nothing else. Where and how they are served is the edge's matter.
`content/<language>.toml` has a language's words and the address of each page, `content/<language>/<page>.html` the
page's own part. Words are escaped when they are filled in, pages are HTML already.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from string import Template
from types import MappingProxyType
from typing import Any

LANGUAGES = ("fi", "en")
ROOT = "/demo/"

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_MENU = ("products", "prices", "comparison", "articles", "customers")
_PACKAGE = resources.files(__package__)


@dataclass(frozen=True, slots=True)
class File:
    """One file of the site as it goes to the browser."""

    media_type: str
    body: bytes


@cache
def files() -> Mapping[str, File]:
    """Return every file of the site by its path below `/demo/`; the front pages are "" and "en"."""
    found = {path: File(MEDIA_TYPES["html"], html.encode()) for path, html in _pages()}
    found |= _static(_PACKAGE / "static", "")
    return MappingProxyType(found)


def _pages() -> Iterator[tuple[str, str]]:
    """Yield the path and the HTML of each page in each language."""
    layout = Template((_PACKAGE / "content" / "layout.html").read_text("utf-8"))
    languages = {language: _words(language) for language in LANGUAGES}
    for language, words in languages.items():
        for name, page in words["pages"].items():
            paths = {code: other["pages"][name]["path"] for code, other in languages.items()}
            content = (_PACKAGE / "content" / language / f"{name}.html").read_text("utf-8")
            yield page["path"], layout.substitute(_filling(language, words, name, paths), content=content)


def _words(language: str) -> dict[str, Any]:
    return tomllib.loads((_PACKAGE / "content" / f"{language}.toml").read_text("utf-8"))


def _filling(language: str, words: dict[str, Any], name: str, paths: Mapping[str, str]) -> dict[str, str]:
    """Return what the layout needs besides the page's own part: escaped words, addresses and the menu."""
    page = words["pages"][name]
    filling = {f"to_{other}": escape(ROOT + target["path"]) for other, target in words["pages"].items()}
    filling |= {f"in_{code}": escape(ROOT + path) for code, path in paths.items()}
    filling |= {word: escape(text) for word, text in words["layout"].items()}
    filling |= {f"{code}_current": ' aria-current="true"' if code == language else "" for code in paths}
    title = page["title"] if name == "front" else words["layout"]["page_title"].format(title=page["title"])
    return filling | {
        "lang": language,
        "page": name,
        "title": escape(title),
        "description": escape(page["description"]),
        "menu": "\n".join(_menu(words["pages"], name)),
    }


def _menu(pages: Mapping[str, Mapping[str, str]], current: str) -> Iterator[str]:
    for name in _MENU:
        here = ' aria-current="page"' if name == current else ""
        yield f'<li><a href="{ROOT}{escape(pages[name]["path"])}"{here}>{escape(pages[name]["menu"])}</a></li>'


def _static(folder: Traversable, prefix: str) -> dict[str, File]:
    """Return the files of a folder that go out as they are."""
    found: dict[str, File] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _static(entry, f"{prefix}{entry.name}/")
        elif media_type := MEDIA_TYPES.get(entry.name.rpartition(".")[2]):
            found[prefix + entry.name] = File(media_type, entry.read_bytes())
    return found
