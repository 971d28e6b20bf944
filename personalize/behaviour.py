"""The conditions `viewed` and `did`: that something happened, how often, on how many days, how lately.

Windows are whole days of the site's calendar, today included: `within: 30 days` is today and the 29 days before.
Without a window the count is the total since counting began; `across` without a window looks at the 90 kept days.
"""

from __future__ import annotations

from collections.abc import Callable

from personalize import syntax
from personalize.condition import Condition
from personalize.counters import KEPT_DAYS, Row
from personalize.expression import Expression, expression
from personalize.scope import Scope
from personalize.view import View
from personalize.windows import UNLIMITED, counted, reaches

_NEVER = (0,)
"""The row of what never happened."""


def compiled(condition: syntax.Behaviour, scope: Scope) -> Condition:
    """Compile `viewed` or `did` with its `where`, `at least`, `at most`, `across` and `within`."""
    matcher = scope.count(condition)
    before = (condition.within or KEPT_DAYS) - 1
    # Without `within` the number is the total, also beside an `across` that looks at the kept days only.
    of_total = condition.within is None

    def actual(view: View) -> tuple[int, int, int]:
        """Return (times in the window, on how many days, times in all)."""
        row = view.rows.get(matcher)
        if not row:
            return 0, 0, 0
        count, on_days = counted(row, view.today - before)
        return row[0] if of_total else count, on_days, row[0]

    return Condition(_happened(condition, matcher, before, of_total=of_total), condition, actual)


def least(condition: syntax.Behaviour) -> int:
    """Return how often it must have happened: "at most 2 times" alone includes never, all else says that it did."""
    if condition.at_least is not None:
        return max(condition.at_least, 1 if condition.across else 0)
    return 1 if condition.at_most is None or condition.across else 0


def _happened(condition: syntax.Behaviour, matcher: str, before: int, *, of_total: bool) -> Expression:
    low = least(condition)
    high = UNLIMITED if condition.at_most is None else condition.at_most
    across = condition.across or 0
    if of_total and not across:
        if low and high == UNLIMITED:
            return expression("(row := view.rows.get({})) and row[0] >= {}", matcher, low)
        return expression("{} <= view.rows.get({}, {})[0] <= {}", low, matcher, _NEVER, high)
    if low == 1 and high == UNLIMITED and across < 2 and not of_total:
        # The newest day decides.
        return expression(
            "(row := view.rows.get({})) and {}(row) > 1 and row[1] >= view.today - {}", matcher, len, before
        )
    if low and high == UNLIMITED and not of_total:
        happened = "(row := view.rows.get({})) and {}(row, view.today - {}, {}, {})"
        return expression(happened, matcher, reaches, before, low, across)
    fits = _counting(low, high, across, of_total=of_total)
    return expression("{}(view.rows.get({}, {}), view.today - {})", fits, matcher, _NEVER, before)


def _counting(low: int, high: int, across: int, *, of_total: bool) -> Callable[[Row, int], bool]:
    def fits(row: Row, first_day: int) -> bool:
        count, on_days = counted(row, first_day)
        return low <= (row[0] if of_total else count) <= high and on_days >= across

    return fits
