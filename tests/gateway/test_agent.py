from __future__ import annotations

import pytest
import user_agents

from gateway.enrich.agent import agent_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} Version/17.5 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {APPLE} Version/16.6 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {WEBKIT} Chrome/124.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S911B) {WEBKIT} SamsungBrowser/24.0 Chrome/117.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
]


@pytest.mark.parametrize("text", AGENTS)
def test_device_classes_agree_with_user_agents(text: str) -> None:
    expected = user_agents.parse(text)
    ours = agent_of(text)
    device = (
        "bot" if expected.is_bot
        else "tablet" if expected.is_tablet
        else "mobile" if expected.is_mobile
        else "desktop" if expected.is_pc
        else ""
    )  # fmt: skip
    assert ours.device == device
    assert ours.browser == expected.browser.family.replace("Other", "")
    assert ours.os == expected.os.family.replace("Other", "")
    assert bool(ours.bot) == expected.is_bot


@pytest.mark.parametrize("text", ["", "x", "Mozilla/5.0", "curl/8.5.0", "\x00" * 50, "M" * 20_000])
def test_any_text_is_an_agent_of_some_kind(text: str) -> None:
    assert agent_of(text).bot == ""
