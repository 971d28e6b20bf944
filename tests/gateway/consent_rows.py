"""The decision table of docs/consent.md, row by row: who sends what, and the parts of a request that say so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

DOCS = Path(__file__).parents[2] / "docs" / "consent.md"
DASH = "–"  # noqa: RUF001 - so it stands in the docs
NONE = (DASH, "none", "nothing")


@dataclass(frozen=True)
class Row:
    """One row of the table; a dash is an empty text."""

    id: str
    who: str
    signals: str
    stored: str
    default: str
    ads: str
    store: str
    in_force: str
    kept: str
    cookie: str
    answer: str
    reason: str

    @property
    def site(self) -> str:
        """The key of the site with this row's default."""
        return "-".join(self.default.split())

    @property
    def late(self) -> bool:
        """Whether the request was made before the choice was stored."""
        return "an hour ago" in self.signals


@dataclass(frozen=True)
class Other:
    """One row of the table of other requests."""

    id: str
    request: str
    stored: str
    default: str
    store: str
    kept: str
    answer: str

    @property
    def site(self) -> str:
        """The key of the site with this row's default."""
        return "-".join(self.default.split())


def rows() -> list[Row]:
    """Return the rows as they stand in the docs."""
    return [Row(*cells) for cells in _cells("| id | who |")]


def others() -> list[Other]:
    """Return the rows of the table of other requests."""
    return [Other(*cells) for cells in _cells("| id | request |")]


def _cells(header: str) -> list[list[str]]:
    found = []
    for line in DOCS.read_text("utf-8").partition(header)[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def purposes(cell: str) -> frozenset[str]:
    """Return the purposes in a cell."""
    return frozenset() if cell in NONE else frozenset(cell.split())


@dataclass
class Said:
    """What a row's signals are in a request: parts of the body, of the context, of the Cookie header, and headers."""

    body: dict[str, Any]
    context: dict[str, Any]
    cookies: list[str]
    headers: dict[str, str]


def said(row: Row) -> Said:
    """Return a row's signals as clients and banners send them."""
    found = Said({}, {}, [], {})
    for signal in [] if row.signals == DASH else row.signals.split(" + "):
        source, _, content = signal.partition(": ")
        _SOURCES[source](found, content)
    if row.ads != DASH:
        found.headers["sec-gpc" if row.ads == "GPC" else "dnt"] = "1"
    if row.late:
        moment = datetime.fromtimestamp(time.time() - 3600, UTC).isoformat()
        found.body |= {"timestamp": moment, "sentAt": datetime.now(UTC).isoformat()}
    return found


def _sdk(found: Said, content: str) -> None:
    found.body["consent"] = sorted(purposes(content))


def _segment(found: Said, content: str) -> None:
    found.context["consent"] = {"categoryPreferences": _answers(content)}


def _rudder(found: Said, content: str) -> None:
    answers = _answers(content)
    found.context["consentManagement"] = {
        "allowedConsentIds": [name for name, yes in answers.items() if yes],
        "deniedConsentIds": [name for name, yes in answers.items() if not yes],
        "provider": "oneTrust",
        "resolutionStrategy": "and",
    }


def _rudder_denied(found: Said, content: str) -> None:
    found.context["consentManagement"] = {"deniedConsentIds": content.split()}


def _onetrust(found: Said, content: str) -> None:
    _onetrust_unanswered(found, content)
    found.cookies.append("OptanonAlertBoxClosed=2026-11-20T10:00:00.000Z")


def _onetrust_unanswered(found: Said, content: str) -> None:
    groups = quote(",".join(f"{name}:{int(yes)}" for name, yes in _answers(content).items()), safe="")
    found.cookies.append(
        "OptanonConsent=isGpcEnabled=0&datestamp=Fri+Nov+20+2026+12%3A35%3A32+GMT%2B0200&version=202409.1.0"
        f"&hosts=&consentId=7f3cf16d&interactionCount=1&groups={groups}&AwaitingReconsent=false"
    )


def _cookiebot(found: Said, content: str, method: str = "explicit") -> None:
    answers = ",".join(f"{name}:{str(yes).lower()}" for name, yes in _answers(content).items())
    value = f"{{stamp:'aGVsbG8+==',necessary:true,{answers},method:'{method}',ver:1,utc:1795300000000,region:'fi'}}"
    found.cookies.append("CookieConsent=" + quote(value, safe=":{}"))


def _cookiebot_implied(found: Said, content: str) -> None:
    _cookiebot(found, content, "implied")


def _cookieconsent(found: Said, content: str) -> None:
    value = orjson.dumps({"categories": content.split(), "revision": 0, "data": None, "services": {}}).decode()
    found.cookies.append("cc_cookie=" + quote(value, safe=""))


def _answers(content: str) -> dict[str, bool]:
    pairs = [each.rpartition(" ") for each in content.split(", ")]
    return {name: answer == "yes" for name, _, answer in pairs}


_SOURCES = {
    "SDK": _sdk,
    "SDK an hour ago": _sdk,
    "Segment": _segment,
    "RudderStack": _rudder,
    "RudderStack denied": _rudder_denied,
    "OneTrust": _onetrust,
    "OneTrust unanswered": _onetrust_unanswered,
    "Cookiebot": _cookiebot,
    "Cookiebot implied": _cookiebot_implied,
    "CookieConsent": _cookieconsent,
}
