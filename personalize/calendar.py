"""A site's calendar: which local day and minute a moment belongs to, right over daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1)
_QUARTER_MS = 900_000
_MEMO_ENTRIES = 4096


class Calendar:
    """Local days of one time zone, as day numbers (days from 1970-01-01 to the local date).

    Every zone of the tz database is offset by whole quarter hours today, so the day of a quarter hour is worked out
    once; the memo is bounded. Raises zoneinfo.ZoneInfoNotFoundError for a zone that does not exist.
    """

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._tz = ZoneInfo(zone)
        self._days: dict[int, int] = {}

    def day(self, ms: int) -> int:
        """Return the day number of the local date at `ms` (milliseconds since 1970 UTC)."""
        quarter = ms // _QUARTER_MS
        day = self._days.get(quarter)
        if day is None:
            if len(self._days) >= _MEMO_ENTRIES:
                self._days.clear()
            day = self._days[quarter] = (self.local(quarter * _QUARTER_MS).date() - _EPOCH).days
        return day

    def local(self, ms: int) -> datetime:
        """Return the local date and time at `ms`."""
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(self._tz)

    def ms(self, naive: datetime) -> int:
        """Return the moment of a local wall-clock time; one that occurs twice means its first occurrence."""
        return round(naive.replace(tzinfo=self._tz).timestamp() * 1000)


def date_of(day: int) -> date:
    """Return the calendar date of a day number."""
    return _EPOCH + timedelta(days=day)


def day_of(when: date) -> int:
    """Return the day number of a calendar date."""
    return (when - _EPOCH).days
