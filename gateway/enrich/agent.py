"""The user agent: device, browser, operating system, and whether it is a bot.

ua-parser's own interface behind a bounded memo: `user_agents.parse` takes thirty times as long for an unseen agent
(docs/decisions/001). The device classes are user_agents' own; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ua_parser import parse

from gateway.envelope import Hit
from personalize.model import Facts

_MEMO_ENTRIES = 4096
_MAX_LENGTH = 320
"""What names browser, system and robot stands before that; an unseen agent costs more the longer it is."""
_MAX_NAME = 64

_TABLETS = frozenset({"iPad", "BlackBerry Playbook", "Blackberry Playbook", "Kindle", "Kindle Fire", "Kindle Fire HD",
                      "Galaxy Tab", "Xoom", "Dell Streak"})  # fmt: skip
_MOBILE_SYSTEMS = frozenset({"Windows Phone", "Windows Phone OS", "Symbian OS", "Bada", "Windows CE", "Windows Mobile",
                             "Maemo", "iOS", "Firefox OS", "BlackBerry OS"})  # fmt: skip
_DESKTOP_SYSTEMS = frozenset({"Windows", "Mac OS X", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS", "FreeBSD"})


@dataclass(slots=True, frozen=True)
class Agent:
    """What a User-Agent header says; `bot` is the robot's name, "" for people."""

    device: str
    browser: str
    os: str
    bot: str


@lru_cache(_MEMO_ENTRIES)
def agent_of(text: str) -> Agent:
    """Return what a User-Agent header says; unknown parts are ""."""
    result = parse(text)
    browser = result.user_agent.family[:_MAX_NAME] if result.user_agent else ""
    system = result.os.family[:_MAX_NAME] if result.os else ""
    family = result.device.family if result.device else ""
    bot = (browser or "bot") if family == "Spider" else ""
    return Agent(_device(text, family, system, bot), browser, system, bot)


def put_agent(facts: Facts, hit: Hit, context: Mapping[str, Any], _properties: Mapping[str, Any]) -> None:
    """Fill device, browser, os and bot; a context's own userAgent (a server speaks for a browser) goes first."""
    text = context.get("userAgent")
    if not isinstance(text, str) or not text:
        text = hit.headers.get(b"user-agent", b"").decode("latin-1")
    if text:
        agent = agent_of(text[:_MAX_LENGTH])
        facts.device, facts.browser, facts.os, facts.bot = agent.device, agent.browser, agent.os, agent.bot


def _device(text: str, family: str, system: str, bot: str) -> str:
    if bot:
        return "bot"
    if family in _TABLETS or (system == "Android" and "Mobile" not in text) or "Tablet PC" in text:
        return "tablet"
    if system == "Android" or system in _MOBILE_SYSTEMS or "Mobile" in text:
        return "mobile"
    return "desktop" if system in _DESKTOP_SYSTEMS else ""
