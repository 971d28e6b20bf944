"""What pages, countries, languages and devices can be: texts that are none of these never fit a visitor."""

from __future__ import annotations

from personalize.slips import wrong_page

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA
    GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
    MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS
    RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW
    TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - two hundred codes read better without quotes and commas
)
"""ISO 3166-1's codes of two letters, and XK, which networks' data have for Kosovo."""

DEVICES = ("desktop", "mobile", "tablet", "bot")


def wrong_value(head: str, text: str) -> str:
    """Return why no visitor's page, country, language or device is this text, or ""; `*` may stand for anything."""
    if head in ("viewed", "page"):
        return wrong_page(head, text)
    if "*" in text:
        return ""
    if head == "country" and text.upper() not in COUNTRIES:
        guess = "GB" if text.upper() == "UK" else "FI"
        return f"a country is its code of two letters, such as {guess}"
    if head == "language" and not (2 <= len(text) <= 3 and text.isascii() and text.isalpha()):
        return "a language is its code alone, in two or three letters such as fi, without the country"
    if head == "device" and text.lower() not in DEVICES:
        return f"a device is one of {', '.join(DEVICES)}"
    return ""
