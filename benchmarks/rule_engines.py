"""What is measured beside Tuttu: the same 50 rules in two general rule engines from PyPI.

Both are given everything that they can be given beforehand: their expressions are compiled, the visitor is a finished
context, and how often each page was viewed in the window is added up already, which Tuttu does for each request. They
only find the first rule that fits; Tuttu also makes its view of the visitor and a decision with content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import cel
import rule_engine  # type: ignore[import-untyped]  # it has no types

from benchmarks.rule_cases import RULES

Engine = Callable[[Mapping[str, Any]], Callable[[], int]]
"""Takes the facts of a visitor and returns the function to be measured: the number of the rule that fits, or -1."""


def common_expression_language() -> Engine:
    """Return the engine of the package common-expression-language, which is written in Rust."""
    programs = [
        cel.compile(f'country == "FI" && visits >= 2 && plan == "p{n}" && viewed.x{n} >= 2') for n in range(RULES)
    ]

    def prepared(facts: Mapping[str, Any]) -> Callable[[], int]:
        context = cel.Context(variables=dict(facts))
        return lambda: next((n for n, program in enumerate(programs) if program.execute(context)), -1)

    return prepared


def rule_engine_package() -> Engine:
    """Return the engine of the package rule-engine, which is written in Python."""
    rules = [
        rule_engine.Rule(f'country == "FI" and visits >= 2 and plan == "p{n}" and viewed["x{n}"] >= 2')
        for n in range(RULES)
    ]

    def prepared(facts: Mapping[str, Any]) -> Callable[[], int]:
        things = dict(facts)
        return lambda: next((n for n, rule in enumerate(rules) if rule.matches(things)), -1)

    return prepared


def others() -> dict[str, Engine]:
    """Return the other engines by package and version."""
    engines = {"common-expression-language": common_expression_language, "rule-engine": rule_engine_package}
    return {f"{package} {version(package)}": engine() for package, engine in engines.items()}
