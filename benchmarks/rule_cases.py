"""What `make bench-rules` asks of the rule engine: rule sets, visitors, and what each of them must be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personalize import rule_tests
from personalize.loader import load
from personalize.model import Context, Facts
from personalize.plan import Plan, compile_rules
from personalize.profiles import Profile
from personalize.syntax import RuleSet

ROOT = Path(__file__).parents[1]
NOW = 1_795_161_600_000
"""2026-11-20 10:00 in Helsinki, in ms."""
TODAY = 20_777
ZONE = "Europe/Helsinki"
PLACEMENTS = ["home hero", "article footer"]
RULES = 50
FILES = 200


@dataclass(frozen=True, slots=True)
class Case:
    """One decision to be measured: a plan, a visitor, and the block that each placement must show."""

    plan: Plan
    profile: Profile
    context: Context
    placements: list[str]
    expected: list[str | None]
    now: int = NOW


def loaded(text: str) -> RuleSet:
    """Return the rule set of one file; warnings are allowed."""
    rules, problems = load({"rules.yaml": text})
    if rules is None:
        raise SystemExit("\n".join(map(str, problems[:5])))
    return rules


# -- 50 rules of 4 conditions ---------------------------------------------------------------------------------------
_SHARED = "{{country: FI}}, {{visits: at least 2}}, {{trait: plan, is: p{n}}}, {{viewed: /x{n}, {window}}}"
_UNLIKE = (
    '{{referrer: "*shop{n}.*"}}, {{not: {{city: "*x{n}"}}}}, '
    "{{any of: [{{trait: plan, is: p{n}}}, {{visits: at least 2}}]}}, {{viewed: /x{n}, {window}}}"
)
_HOLDING = _UNLIKE.replace('"*shop{n}.*"', '["*shop{n}.*", "*else*e"]')
_WINDOW = "at least: 2 times, within: 30 days"


def fifty() -> dict[str, Case]:
    """Return the cases of 50 rules by their name; `rule` numbers the one that fits."""
    shared, unlike, holding = _fifty(_SHARED), _fifty(_UNLIKE), _fifty(_HOLDING)
    elsewhere = "https://elsewhere.example/"
    return {
        "the first condition fails": _asked(shared, "last", country="SE"),
        "two hold, the third fails": _asked(shared, "last", country="FI"),
        "the last rule fits": _asked(shared, f"b{RULES - 1}", country="FI", plan=f"p{RULES - 1}", twice=RULES - 1),
        "nothing shared, the first fails": _asked(unlike, "last", referrer=elsewhere),
        "nothing shared, three hold, the fourth fails": _asked(holding, "last", referrer=elsewhere),
    }


def _fifty(when: str) -> Plan:
    blocks = "".join(
        f"  - {{block: b{n}, when: [{when.format(n=n, window=_WINDOW)}], content: {{t: x}}}}\n" for n in range(RULES)
    )
    text = f"placements:\n- placement: p\n  fallback: {{block: last, content: {{t: x}}}}\n  blocks:\n{blocks}"
    return compile_rules(loaded(text), ZONE)


def _asked(rules: Plan, expected: str, *, twice: int = -1, **known: str) -> Case:
    """Return the case of a visitor who viewed every page once within the window, and the one numbered twice, twice."""
    facts: dict[str, Any] = {name: known.pop(name) for name in ("country", "referrer") if name in known}
    profile = visitor({"plan": "basic", **known})
    for matcher, behaviour in rules.matchers.behaviours.items():
        views = 2 if behaviour.names == (f"/x{twice}",) else 1
        profile.matchers[matcher] = [views, TODAY - 3, views]
    return Case(rules, profile, Context(Facts(**facts), frozenset({"personalization"})), ["p"], [expected])


def visitor(traits: Mapping[str, Any]) -> Profile:
    """Return a profile with five visits and these traits."""
    return Profile(first_visit=NOW - 90 * 86_400_000, visits=[5, NOW // 1000 - 900_000], traits=[[1, dict(traits)]])


def facts_of(case: Case) -> dict[str, Any]:
    """Return what the other engines are given: the same facts, with the days of each window added up beforehand."""
    twice = {m: row[0] for m, row in case.profile.matchers.items()}
    return {
        "country": case.context.facts.country,
        "visits": 5,
        "plan": case.profile.traits[0][1]["plan"],
        "viewed": {b.names[0].strip("/"): twice[m] for m, b in case.plan.matchers.behaviours.items()},
    }


# -- rules-example --------------------------------------------------------------------------------------------------
def example() -> dict[str, Case]:
    """Return both placements of rules-example for the visitor of each of its tests."""
    folder = ROOT / "tests" / "vectors" / "rules-example"
    rules, _ = load({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.yaml")})
    assert rules is not None  # noqa: S101 - its own tests would fail
    plan = compile_rules(rules, ZONE)
    cases = {}
    for test in rules.tests:
        profile, context, now = rule_tests.visitor_of(plan, test)
        wanted: dict[str, Any] = dict(test.expect)
        expected = [wanted[name][0] if name in wanted else None for name in PLACEMENTS]
        cases[test.name] = Case(plan, profile, context, PLACEMENTS, expected, now)
    return cases


# -- blocks that cannot match ---------------------------------------------------------------------------------------
CANNOT: Mapping[str, str] = {
    "country": "when: [{{country: SE}}]",
    "page": "when: [{{page: /p{n}/*}}]",
    "trait": "when: [{{trait: plan, is: p{n}}}]",
    "segment": "when: [{{in segment: s{n}}}]",
    "score": "when: [{{score: keen, is: at least 1{n}}}]",
    "viewed": f"when: [{{{{viewed: /p{{n}}*, {_WINDOW}}}}}]",
    "schedule": "from: 20{y:02}-03-01, until: 20{y:02}-03-20",
    "not": "when: [not: {{country: FI}}]",
    "not viewed": "when: [not: {{viewed: /seen, within: 30 days}}]",
    "owned product": "not for owners of: [insight pro, p{n}]",
}
"""Why no block can match, by the word that sees to it; `mixed` takes them in turn, two for each block."""


def cannot_match(count: int, reason: str) -> Case:
    """Return the case of so many blocks of which none can match for this reason, and a last one."""
    pieces = [_blocks(range(start, min(start + 50, count)), reason) for start in range(0, count, 50)]
    sets = [loaded(piece) for piece in pieces]
    blocks = [block for rules in sets for block in rules.placements[0].blocks[:-1]]
    last = sets[0].placements[0].blocks[-1]
    placement = sets[0].placements[0].model_copy(update={"blocks": (*blocks, last)})
    segments = tuple(segment for rules in sets for segment in rules.segments)
    plan = compile_rules(sets[0].model_copy(update={"placements": (placement,), "segments": segments}), ZONE)
    profile = visitor({"plan": "x"})
    profile.owns = {"Insight Pro": 1}
    seen = next((m for m, b in plan.matchers.behaviours.items() if b.names == ("/seen",)), "other")
    profile.matchers = {seen: [1, TODAY, 1], **{f"other{n}": [1, TODAY, 1] for n in range(7)}}
    context = Context(Facts(country="FI", page="/q"), frozenset({"personalization"}))
    return Case(plan, profile, context, ["p"], ["last"])


def _blocks(numbers: range, reason: str) -> str:
    """Return a rule file of some of the blocks.

    In pieces, because the loader lists no more than so many warnings, and blocks that never win are worth one each.
    """
    segments = "".join(f"- {{segment: s{n}, when: [{{viewed: /s{n}}}, {{country: FI}}]}}\n" for n in numbers)
    blocks = "".join(f"  - {{block: b{n}, {_why(n, reason)}, content: {{t: x}}}}\n" for n in numbers)
    return (
        "scores: [{score: keen, half-life: 14 days, points: [{give: 2, for viewed: /seen}]}]\n"
        f"{'segments:' if reason in {'segment', 'mixed'} else ''}\n"
        f"{segments if reason in {'segment', 'mixed'} else ''}"
        f"placements:\n- placement: p\n  blocks:\n{blocks}  - {{block: last, content: {{t: x}}}}\n"
    )


def _why(number: int, reason: str) -> str:
    if reason != "mixed":
        return CANNOT[reason].format(n=number, y=27 + number % 60)
    reasons = [*CANNOT]
    one, other = reasons[number % len(reasons)], reasons[(number * 7 + 3) % len(reasons)]
    both = [_why(number, each) for each in dict.fromkeys((one, other))]
    when = [text.removeprefix("when: [").removesuffix("]") for text in both if text.startswith("when")]
    rest = [text for text in both if not text.startswith("when")]
    return ", ".join([*rest, *([f"when: [{', '.join(when)}]"] if when else [])])


# -- many files -----------------------------------------------------------------------------------------------------
def files() -> dict[str, str]:
    """Return 200 rule files as a site may have them: a segment, a score and a placement of two blocks each.

    Each has other conditions, so that hardly two of them are of one shape and what one costs is paid by all.
    """
    return {f"area{n:03}.yaml": _FILE.format(n=n, **_kinds(n)) for n in range(FILES)}


def _kinds(number: int) -> dict[str, str]:
    """Return three of the conditions, other ones for each file."""
    places = (number, number // len(_KINDS), number * 5 + 2)
    chosen = dict.fromkeys(_KINDS[place % len(_KINDS)].format(n=number) for place in places)
    spare = (kind.format(n=number) for kind in _KINDS)
    while len(chosen) < len(places):
        chosen[next(spare)] = None
    return dict(zip("abc", chosen, strict=True))


_KINDS = [
    "{{country: [FI, SE]}}",
    "{{page: /area{n}*}}",
    "{{trait: plan, is: [basic, p{n}]}}",
    "{{company: {{industry: manufacturing, employees: at least 5{n}}}}}",
    "{{visits: at least 2}}",
    "{{visitor is: [known, returning]}}",
    "{{did: demo requested, within: 60 days}}",
    "{{any of: [{{did: purchase}}, {{owns: product {n}}}]}}",
    "not: {{did: order {n}, within: 30 days}}",
    "{{time of day: 08:00 to 16:30}}",
    "{{last visit: more than 2 days ago}}",
    "{{viewed: /area{n}/deep*, at least: 3 times, across: 2 days, within: 60 days}}",
]
_FILE = """\
segments:
  - segment: keen on {n}
    about: Came back to area {n}
    when:
      - {{viewed: /area{n}/*, at least: 2 times, within: 30 days}}
      - {a}
scores:
  - score: area {n}
    half-life: 14 days
    points:
      - {{give: 3, for viewed: /area{n}/*, at most: 4 times per day}}
placements:
  - placement: area {n} hero
    blocks:
      - block: offer {n}
        when:
          - {{in segment: keen on {n}}}
          - {{score: area {n}, is: at least 10}}
          - {b}
          - {c}
        rest after dismiss: 14 days
        content: {{title: "Hei {{{{ first_name | sinä }}}}", link: /area{n}/offer}}
      - block: welcome {n}
        content: {{title: "Tervetuloa", link: /area{n}}}
"""
