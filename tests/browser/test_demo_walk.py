"""A visitor's way through the demo site, in a real browser and against the real gateway."""

from __future__ import annotations

import re

from playwright.async_api import Browser, BrowserContext, Route, expect

from tests.browser.demo_site import (
    HERO,
    PHONE,
    allow_all,
    answered,
    expect_hero,
    expect_panel,
    keys_of,
    panel,
    read,
    shown_hero,
    title_of,
)
from tests.browser.pages import Watched, cookie_of
from tests.browser.web_clients import Stored
from tests.integration.process import Gateway, eventually


async def test_interest_in_prices_brings_the_demo_and_a_dismissal_the_next_block(
    context: BrowserContext, chromium: Browser, own_gateway: Gateway, watched: Watched
) -> None:
    page = await context.new_page()
    await read(page, own_gateway, "")
    assert await title_of(page) == "Näe se yksi luku, jolla on tänään väliä"
    await expect_panel(page, won_home_hero="welcome", temperature="cold", who="Tuntematon kävijä")
    await allow_all(page)
    assert await cookie_of(page)
    for _ in range(3):
        await read(page, own_gateway, "hinnoittelu")
    await read(page, own_gateway, "tuotteet/raportointi")
    await expect_hero(page, own_gateway, "book a demo")
    assert await title_of(page) == "Hei, nähdäänkö Insight toiminnassa?"
    assert await page.get_attribute(f"{HERO} .button", "href") == "/demo/esittely"
    await expect_panel(page, won_home_hero="book a demo", temperature="warm", stage="comparison")
    await expect_panel(
        page,
        score_engagement="+16 sivun /demo/hinnoittelu*",
        segment_pricing_intent="mukana",
        segment_good_fit="Vaatii, että pisteet fit",
    )

    async with page.expect_response(answered):
        await page.click("[data-tuttu-dismiss]")
    await expect(page.locator(HERO)).to_have_attribute("data-tuttu-block", re.compile("^(comparison guide)?$"))
    await expect_hero(page, own_gateway, "comparison guide")
    await expect_panel(page, won_home_hero="comparison guide", fold_home_hero="book a demo Lepää")
    await expect(page.locator(".panel-body")).not_to_contain_text(re.compile("Needs|Stands after|lacks|missing|viewed"))

    stranger = await chromium.new_context(locale="fi-FI", viewport={"width": 1280, "height": 900})
    try:
        other = await stranger.new_page()
        await read(other, own_gateway, "")
        await allow_all(other)
        await expect_panel(other, who="Uusi kävijä", won_home_hero="welcome", temperature="cold")
        assert await title_of(other) == "Näe se yksi luku, jolla on tänään väliä"
    finally:
        await stranger.close()

    own_gateway.stop()
    own_gateway.start()
    await expect_hero(page, own_gateway, "comparison guide")
    await expect_panel(page, score_engagement="19", won_home_hero="comparison guide")


async def test_on_a_phone_and_in_english(chromium: Browser, gateway: Gateway) -> None:
    context = await chromium.new_context(locale="en-GB", viewport=PHONE, has_touch=True, is_mobile=True)
    watched = Watched(context)
    page = await context.new_page()
    await read(page, gateway, "en")
    await expect(page.locator(".panel")).to_be_hidden()
    await allow_all(page)
    await read(page, gateway, "en/prices")
    await read(page, gateway, "en/prices")
    await expect_hero(page, gateway, "book a demo en", "en")
    assert await title_of(page) == "Hello, shall we show you Insight at work?"
    await page.tap(".panel-tab")
    await expect_panel(page, won_home_hero="book a demo en", temperature="warm", who="New visitor")
    await expect_panel(page, segment_good_fit="Needs score fit at least 25 (is: 0)")
    await expect(page.locator(".panel-body")).not_to_contain_text(re.compile("Vaatii|katselu|mukana"))
    await expect(page.locator(".panel")).to_be_in_viewport(ratio=0.9)
    await page.tap(".panel-close")
    await expect(page.locator(".panel")).to_be_hidden()
    await page.click('.languages a[hreflang="fi"]')
    await expect(page).to_have_url(re.compile(r"/demo/$"))
    await expect_hero(page, gateway, "book a demo")  # the looks at the English prices count
    watched.check()
    await context.close()


async def test_before_an_answer_and_after_a_refusal_nothing_is_kept(
    context: BrowserContext, own_gateway: Gateway, watched: Watched
) -> None:
    page = await context.new_page()
    await read(page, own_gateway, "")
    before = keys_of(own_gateway)
    await expect_panel(page, consent="\N{EN DASH} kohdentaminen", who="Tuntematon kävijä")
    await expect(page.locator(".standing .note")).to_contain_text("Et ole vielä vastannut")
    async with page.expect_response(answered):
        await page.click('.banner [data-consent="none"]')
    await expect(page.locator(".standing .note")).to_contain_text("Ei lupaa kohdentamiseen")
    for path in ("hinnoittelu", "hinnoittelu", "tuotteet/raportointi"):
        await page.goto(f"{own_gateway.public}/demo/{path}")
        await expect(page.locator(".banner")).to_be_hidden()
        await expect_panel(page, won_home_hero="welcome")
    await page.goto(f"{own_gateway.public}/demo/")
    assert await shown_hero(page) in {"", "welcome"}
    assert await context.cookies() == []
    assert keys_of(own_gateway) == before
    assert own_gateway.log() == []


async def test_a_withdrawal_leaves_only_the_tombstone(
    context: BrowserContext, own_gateway: Gateway, watched: Watched
) -> None:
    page = await context.new_page()
    await read(page, own_gateway, "")
    await allow_all(page)
    for _ in range(2):
        await read(page, own_gateway, "hinnoittelu")
    await expect_hero(page, own_gateway, "book a demo")
    visitor = "a:" + (await cookie_of(page)).partition(".")[0]
    assert own_gateway.log()
    await page.wait_for_timeout(1200)  # the hero was seen for a second, so its showing is on its way
    await page.click('[data-scenario="erase"]')
    await expect(page.locator(".standing .note")).to_contain_text("Ei lupaa kohdentamiseen")
    await expect_panel(page, won_home_hero="welcome", consent="\N{EN DASH} tilastot")
    await expect(page.locator(HERO)).to_have_attribute("data-tuttu-block", re.compile("^(welcome)?$"))
    assert await context.cookies() == []
    eventually(lambda: not own_gateway.log(), 10)
    tombstone = own_gateway.profile(visitor)
    assert tombstone.erased
    kept = (tombstone.matchers, tombstone.visits, tombstone.traits, tombstone.blocks, tombstone.seen)
    assert not any(kept)
    assert [key for key in keys_of(own_gateway) if ":m:" in key] == []


async def test_a_choice_can_be_changed_later(context: BrowserContext, gateway: Gateway, watched: Watched) -> None:
    page = await context.new_page()
    await read(page, gateway, "")
    await page.click('.banner [data-consent="choose"]')
    await page.get_by_label("Tilastot").check()
    async with page.expect_response(answered):
        await page.click(".banner [type=submit]")
    await expect(page.locator(".banner")).to_be_hidden()
    await expect_panel(page, consent="✓ tilastot")
    await expect_panel(page, consent="\N{EN DASH} kohdentaminen")
    await page.click("[data-open-consent]")
    assert await page.get_by_label("Tilastot").is_checked()
    await page.get_by_label("Kohdentaminen").check()
    async with page.expect_response(answered):
        await page.click(".banner [type=submit]")
    await expect_panel(page, consent="✓ kohdentaminen", who="Uusi kävijä")
    await expect(page.locator("[data-open-consent]")).to_be_focused()


async def test_a_factory_is_a_good_fit_and_hot(context: BrowserContext, gateway: Gateway, watched: Watched) -> None:
    page = await context.new_page()
    await read(page, gateway, "")
    await page.click('[data-scenario="factory"]')
    await expect(page.locator(".panel-time")).to_contain_text("Salli ensin kohdentaminen")
    await allow_all(page)
    for _ in range(2):
        await read(page, gateway, "hinnoittelu")
    await expect_panel(page, temperature="warm", segment_good_fit="ei mukana")
    await page.click('[data-scenario="factory"]')
    await expect_panel(page, temperature="hot", score_fit="35", fact_company="Acme Oy")
    await expect(panel(page, "segment good fit").get_by_text("mukana", exact=True)).to_be_visible()
    await expect(page.locator('[data-key="score fit"]')).to_contain_text("+20 yrityksen toimiala on manufacturing")


async def test_owners_of_pro_are_not_sold_pro(context: BrowserContext, gateway: Gateway, watched: Watched) -> None:
    page = await context.new_page()
    await page.goto(f"{gateway.public}/demo/asiakkaalle")
    await allow_all(page)
    await page.click('[data-customer="sanna"]')
    await expect_panel(page, stage="customer", won_home_hero="upgrade to pro", fact_company="Lumotukku")
    await expect(page.locator("h1")).to_have_text("Tervetuloa takaisin, Sanna")
    await page.click('#desk [data-customer=""]')
    await expect_panel(page, stage="awareness", won_home_hero="welcome")
    await page.click('[data-customer="matti"]')
    await expect_panel(page, stage="customer", won_home_hero="customer corner", fact_owns="insight pro")
    await expect_hero(page, gateway, "customer corner")
    assert await title_of(page) == "Tervetuloa takaisin, Matti"
    await page.click('[data-scenario="reset"]')
    await expect_panel(page, stage="awareness", won_home_hero="welcome", who="Uusi kävijä · 1 käynti")


async def test_asking_for_a_demo_counts(context: BrowserContext, gateway: Gateway, watched: Watched) -> None:
    stored = Stored(gateway)
    page = await context.new_page()
    await page.goto(f"{gateway.public}/demo/en/prices")
    await allow_all(page)
    await read(page, gateway, "en/prices")
    await expect_hero(page, gateway, "book a demo en", "en")
    await page.wait_for_timeout(1200)  # a conversion belongs to a block that was seen for a second
    await page.click(f"{HERO} .button")
    await expect_panel(page, who="New visitor", won_home_hero="book a demo en")
    await page.fill("#demo-name", "Aino")
    await page.fill("#demo-email", "aino@factory.example")
    await page.click("form.card .button")
    await expect(page.locator(".thanks")).to_contain_text("nobody will really call")
    await expect_panel(page, stage="purchase", score_engagement="+40 did demo requested")
    entries = [str(entry) for entry in stored.entries()]
    assert len([entry for entry in entries if "demo requested" in entry or "Content Converted" in entry]) == 2
    assert not [entry for entry in entries if "Aino" in entry or "aino@" in entry]


async def test_the_panel_stays_useful_when_the_gateway_keeps_its_reasons(
    context: BrowserContext, gateway: Gateway, watched: Watched
) -> None:
    watched.expect("401")

    async def refuse(route: Route) -> None:
        await route.fulfill(status=401, json={"code": "bad_admin_token", "message": "", "hint": ""})

    await context.route("**/v1/decide?explain=1&**", refuse)
    page = await context.new_page()
    await read(page, gateway, "")
    await expect(page.locator(".panel-body")).to_contain_text("vain samalle koneelle")
    await allow_all(page)
    async with page.expect_response(answered):
        await page.click('[data-scenario="erase"]')
    await expect(page.locator(HERO)).to_have_attribute("data-tuttu-block", re.compile("^(welcome)?$"))
    assert await context.cookies() == []
