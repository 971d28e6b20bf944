"""A site's calendar: which local day and minute a moment belongs to, right over daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1)
_LAST_MINUTE = time(23, 59)
_MINUTE_MS = 60_000
_QUARTER_MS = 900_000
_MEMO_ENTRIES = 4096


class Calendar:
    """Local days of one time zone, as day numbers (days from 1970-01-01 to the local date).

    Every zone of the tz database is offset by whole quarter hours today, so what a quarter's clock shows is
    worked out once; the memo is bounded. Raises zoneinfo.ZoneInfoNotFoundError for a zone that does not exist.
    """

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._tz = ZoneInfo(zone)
        self._quarters: dict[int, tuple[int, int, tuple[str, ...]]] = {}

    def day(self, ms: int) -> int:
        """Return the day number of the local date at `ms` (milliseconds since 1970 UTC)."""
        quarter = ms // _QUARTER_MS
        return (self._quarters.get(quarter) or self._looked_up(quarter))[0]

    def minute(self, ms: int) -> int:
        """Return the minute of the local day at `ms`."""
        quarter = ms // _QUARTER_MS
        return (self._quarters.get(quarter) or self._looked_up(quarter))[1] + ms // _MINUTE_MS % 15

    def text(self, ms: int) -> str:
        """Return the local date and minute at `ms`, as in `2026-11-20 10:00`."""
        quarter = ms // _QUARTER_MS
        return (self._quarters.get(quarter) or self._looked_up(quarter))[2][ms // _MINUTE_MS % 15]

    def _looked_up(self, quarter: int) -> tuple[int, int, tuple[str, ...]]:
        """Return a quarter's day number, the minute of the day at which it starts, and its minutes as texts."""
        if len(self._quarters) >= _MEMO_ENTRIES:
            self._quarters.clear()
        start = self.local(quarter * _QUARTER_MS)
        hour = f"{start:%Y-%m-%d %H}"
        texts = tuple(f"{hour}:{minute:02}" for minute in range(start.minute, start.minute + 15))
        found = (start.date() - _EPOCH).days, start.hour * 60 + start.minute, texts
        self._quarters[quarter] = found
        return found

    def local(self, ms: int) -> datetime:
        """Return the local date and time at `ms`."""
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(self._tz)

    def ms(self, naive: datetime) -> int:
        """Return the first moment at which the wall clock shows this local time.

        Where the clock is put forward past it, that is the moment of the change.
        """
        first, last = self._occurrences(naive)
        return first if first <= last else self._change(last, first)

    def minute_end(self, naive: datetime) -> int:
        """Return the moment at which a local minute is over: its last occurrence, where the clock is put back.

        A minute that the clock skips is over at the moment of the change.
        """
        first, last = self._occurrences(naive)
        return last + _MINUTE_MS if first <= last else self._change(last, first)

    def day_end(self, day: date) -> int:
        """Return the moment at which a local day is over."""
        return self.minute_end(datetime.combine(day, _LAST_MINUTE))

    def _occurrences(self, naive: datetime) -> tuple[int, int]:
        """Return a local time's first and last moment; of a skipped one, a moment after and one before the change."""
        local = naive.replace(tzinfo=self._tz)
        return _ms(local.replace(fold=0)), _ms(local.replace(fold=1))

    def _change(self, before: int, after: int) -> int:
        """Return the one change of the offset after `before` and at or before `after`."""
        offset = self.local(before).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if self.local(middle).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def date_of(day: int) -> date:
    """Return the calendar date of a day number."""
    return _EPOCH + timedelta(days=day)


def day_of(when: date) -> int:
    """Return the day number of a calendar date."""
    return (when - _EPOCH).days
