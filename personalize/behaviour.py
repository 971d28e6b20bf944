"""The conditions `viewed` and `did`: that something happened, how often, on how many days, how lately.

Windows are whole days of the site's calendar, today included: `within: 30 days` is today and the 29 days before.
Without a window the count is the total since counting began; `across` without a window looks at the 90 kept days.
"""

from __future__ import annotations

from personalize import syntax
from personalize.condition import Condition, ViewTest
from personalize.counters import KEPT_DAYS
from personalize.scope import Scope
from personalize.view import View
from personalize.windows import UNLIMITED, counted


def compiled(condition: syntax.Behaviour, scope: Scope) -> Condition:
    """Compile `viewed` or `did` with its `where`, `at least`, `at most`, `across` and `within`."""
    matcher = scope.count(condition)
    low = least(condition)
    high = UNLIMITED if condition.at_most is None else condition.at_most
    test = (
        _total(matcher, low, high)
        if not (condition.within or condition.across)
        else _window(condition, matcher, low, high)
    )
    return Condition(test, condition, lambda view: _actual(condition, matcher, view))


def least(condition: syntax.Behaviour) -> int:
    """Return how often it must have happened: "at most 2 times" alone includes never, all else says that it did."""
    if condition.at_least is not None:
        return max(condition.at_least, 1 if condition.across else 0)
    return 1 if condition.at_most is None or condition.across else 0


def _total(matcher: str, low: int, high: int) -> ViewTest:
    def happened(view: View) -> bool:
        row = view.rows.get(matcher)
        return low <= (row[0] if row else 0) <= high

    return happened


def _window(condition: syntax.Behaviour, matcher: str, low: int, high: int) -> ViewTest:
    before = (condition.within or KEPT_DAYS) - 1
    across = condition.across or 0
    # Without `within` the number is the total, also beside an `across` that looks at the kept days only.
    of_total = condition.within is None

    def happened(view: View) -> bool:
        row = view.rows.get(matcher)
        if row is None:
            return low == 0 and not across
        count, on_days = counted(row, view.today - before)
        return low <= (row[0] if of_total else count) <= high and on_days >= across

    return happened


def _actual(condition: syntax.Behaviour, matcher: str, view: View) -> tuple[int, int, int]:
    """Return (times in the window, on how many days, times in all)."""
    row = view.rows.get(matcher)
    if not row:
        return 0, 0, 0
    count, on_days = counted(row, view.today - (condition.within or KEPT_DAYS) + 1)
    return (row[0] if condition.within is None else count), on_days, row[0]
