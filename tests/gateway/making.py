"""What the gateway's tests make again and again: a site, a hit, a plan."""

from __future__ import annotations

from typing import Any

from gateway.envelope import Hit, Site
from personalize.loader import load
from personalize.plan import Plan, compile_rules

NOW = 1_795_300_000_000

RULES = """
segments:
  - segment: pricing intent
    when: [{viewed: /hinnoittelu*, at least: 2 times, within: 30 days}]
stages:
  - {stage: comparison, when: [{in segment: pricing intent}]}
  - {stage: awareness}
temperatures:
  - {temperature: cold}
placements:
  - placement: home hero
    blocks:
      - block: book a demo
        when: [{in segment: pricing intent}]
        rest after dismiss: 14 days
        show at most: 2 times per day
        content: {title: "Hei {{ first_name | sinä }}", link: /demo}
      - {block: welcome, content: {title: "Tervetuloa", link: /}}
"""


def plan(text: str = RULES) -> Plan:
    rules, problems = load({"rules.yaml": text})
    assert rules is not None, problems
    return compile_rules(rules, "Europe/Helsinki")


def site(**fields: Any) -> Site:
    given: dict[str, Any] = {
        "key": "demo",
        "secret_key": "a secret key",
        "origins": ("http://localhost:*", "https://www.example.com"),
        "cookie_domain": "",
        "consent": frozenset({"analytics", "personalization"}),
        "plan": plan(),
    }
    return Site(**(given | fields))


def hit(**fields: Any) -> Hit:
    given: dict[str, Any] = {
        "site": site(),
        "secret": False,
        "received": NOW,
        "sent_at": 0,
        "headers": {},
        "body": {},
    }
    return Hit(**(given | fields))
