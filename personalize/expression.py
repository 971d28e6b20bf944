"""Conditions, scores and steps as expressions of Python, compiled once when rules are loaded.

Nothing of the rules ever stands in the source: an expression's text is written in this program, with `{}` in the place
of each value, and the values become variables of the compiled function. So no name, text or number of a rule can be
read as code, and expressions of one shape are compiled once, whatever their values.

A text reads the visitor from `view` (see `view.View`), counts on falsehood as Python knows it, and may keep something
in `row`, `text`, `at` by `:=` as long as it uses it in the same breath.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

Compiled = Callable[..., Any]
"""A function of a view; this file does not know what that is, because reading rules must know nothing of visitors."""

_SHAPES = 4096
"""So many shapes of functions are remembered; a shape takes about as long to compile as a page of rules to read."""


class Expression(NamedTuple):
    """A text with a `{}` for each of its values; equal expressions give equal results."""

    text: str
    values: tuple[Any, ...] = ()


def expression(text: str, *values: Any) -> Expression:
    """Return an expression; a value that is an expression itself is put in its place in parentheses."""
    if Expression not in map(type, values):
        return Expression(text, values)
    start, *rest = text.split("{}")
    texts: list[str] = [start]
    found: list[Any] = []
    for value, after in zip(values, rest, strict=True):
        if isinstance(value, Expression):
            texts += (f"({value.text})", after)
            found += value.values
        else:
            texts += ("{}", after)
            found.append(value)
    return Expression("".join(texts), tuple(found))


def joined(word: str, parts: Sequence[Expression]) -> Expression:
    """Return the expressions with `and` or `or` between them; of none, what always holds."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Expression("True")
    texts = [f"({part.text})" for part in parts]
    return Expression(f" {word} ".join(texts), tuple([value for part in parts for value in part.values]))


def function(*lines: Expression, takes: str = "view") -> Compiled:
    """Return the function that has these lines as its body; `takes` names its parameters."""
    make = _made("\n  ".join([line.text for line in lines]), takes)
    compiled: Compiled = make(*[value for line in lines for value in line.values])
    return compiled


def value_of(it: Expression) -> Compiled:
    """Return the function that works an expression out."""
    return function(expression("return {}", it))


def truth_of(it: Expression) -> Compiled:
    """Return the function that tells whether an expression holds."""
    return function(expression("return True if {} else False", it))


def once(*lines: Expression) -> Compiled:
    """Return the function that finds something once for each view and keeps it in the view's memo.

    The lines put it into `known`.
    """
    key = (object(),)
    start = Expression("memo = view.memo\n  if {} in memo: return memo[{}]", key * 2)
    return function(start, *lines, Expression("memo[{}] = known\n  return known", key))


def first_false(parts: Sequence[Expression]) -> Callable[[Any], int]:
    """Return the function that finds the first expression that does not hold: its place in the order, or -1."""
    lines = [Expression(f"if not ({part.text}): return {place}", part.values) for place, part in enumerate(parts)]
    return function(*lines, Expression("return -1"))


@lru_cache(maxsize=_SHAPES)
def _made(body: str, takes: str) -> Callable[..., Compiled]:
    """Return the function that takes the values of a body and returns the function of a view."""
    start, *rest = body.split("{}")
    names = [f"v{number}" for number in range(len(rest))]
    filled = start + "".join([name + after for name, after in zip(names, rest, strict=True)])
    source = f"def make({', '.join(names)}):\n def of({takes}):\n  {filled}\n return of"
    namespace: dict[str, Any] = {"__builtins__": {}}
    exec(compile(source, "<rules>", "exec"), namespace)  # noqa: S102 - the texts are this program's own, see above
    made: Callable[..., Compiled] = namespace["make"]
    return made
