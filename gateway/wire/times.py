"""When an event happened, from what the client's clock said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

DAY_MS = 86_400_000
WRITE_KEY_SPAN_MS = 7 * DAY_MS
SECRET_KEY_SPAN_MS = 5 * 366 * DAY_MS

_OLDEST_MS = 946_684_800_000  # 2000-01-01
_NEWEST_MS = 4_102_444_800_000  # 2100-01-01


def parse_time(value: Any) -> int:
    """Return an ISO 8601 text (or a number of milliseconds) as ms since 1970 UTC; 0 for anything that is not sane."""
    if value is None:
        return 0
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return 0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        try:
            ms = int(moment.timestamp() * 1000)
        except (OverflowError, ValueError):
            return 0
    elif isinstance(value, int | float) and _OLDEST_MS <= value <= _NEWEST_MS:
        ms = int(value)
    else:
        return 0
    return ms if _OLDEST_MS <= ms <= _NEWEST_MS else 0


def event_time(timestamp: int, sent_at: int, received: int, span: int) -> tuple[int, bool]:
    """Return the event's time in ms and whether it had to be clamped into [received - span, received].

    A client's clock may be wrong, but it is wrong alike for both of its times: so the event lies as long before the
    receipt as `timestamp` lies before `sent_at` (https://segment.com/docs/connections/spec/common/#timestamps).
    """
    if not timestamp:
        return received, False
    time = received - (sent_at - timestamp) if sent_at else timestamp
    if time > received:
        return received, True
    if time < received - span:
        return received - span, True
    return time, False
