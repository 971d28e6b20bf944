"""What the gateway counts about itself: plain integers on the hot path, Prometheus text on the internal port.

Names and labels are closed sets; a label's value never comes from a client. Each worker counts for itself, the parent
adds the workers up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hits": ("Requests on the collection and decision paths, by status", ("status",)),
    "events_received": ("Decoded events; equals the sum of tuttu_events_total", ()),
    "events": ("Events by their one outcome, as it was answered", ("outcome", "reason")),
    "events_late": ("Events that were written although 503 or a retry had been answered", ()),
    "times_clamped": ("Events whose time was moved into the accepted span", ()),
    "marks_pushed_out": ("Message marks that went because a visitor had over 4,096 in 48 h", ()),
    "profile_overflow": ("Parts of profiles that went at a cap", ("part",)),
    "log_trimmed": ("Log entries that went unread because the log was full", ()),
    "conflicts": ("Writes that were folded again because another worker was first", ()),
    "bad_cookies": ("Visitor cookies with a wrong signature or shape", ()),
    "bad_user_hashes": ("Requests with a userHash that does not fit the user id", ()),
    "merges": ("Browsers and older ids whose history became a known person's", ()),
    "links_refused": ("Browsers and older ids that a person had no room for", ()),
    "bad_tokens": ("Decision tokens with a wrong signature, or of another visitor", ()),
    "decisions": ("Decisions by site, block and reason", ("site", "block", "reason")),
    "links": ("E-mail links that were followed and pixels that were fetched", ("result",)),
    "erasures": ("Visitors erased", ("cause",)),
    "spool_replayed": (
        "Events that were brought from the spool to the store, by what became of them there",
        ("outcome",),
    ),
    "spool_failures": ("Writes to the spool that failed, or found no room", ()),
    "spool_damaged": ("Places in the spool's files that hold no whole record", ("kind",)),
    "spool_aside": ("Spooled records that cannot be replayed and were set aside", ()),
    "spool_expired": ("Spooled records that were deleted for their age", ()),
    "resent": ("Events that the store had taken, and that were sent again because it may have lost them", ()),
    "store_failures": ("Store calls that failed or came too late", ()),
    "network_data_loads": ("Sets of network data that a worker took, or refused because they are broken", ("result",)),
    "rules_reloads": ("Rule folders that were read again: good ones went live, bad ones changed nothing", ("result",)),
    "key_reloads": ("New keys in secrets.toml: good ones are in force, bad ones changed nothing", ("result",)),
    "worker_restarts": ("Workers that died and were started again", ()),
    "store_restarts": ("Times that the embedded store died and was started again", ()),
}

GAUGES: dict[str, str] = {
    "cached_profiles": "Profiles in the workers' memory",
    "workers": "Workers that are ready",
    "spool_bytes": "What waits in the spool, on disk",
    "spool_oldest_seconds": "How long the oldest of it has waited",
    "spool_aside_bytes": "What was set aside, on disk",
    "network_data": "Sets of network data in use, summed over the workers; each has two at most",
    "network_data_damaged": "Look-ups that found damage in the city list in use",
}

SITE_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "rules_version_info": ("The version of each site's rules that is live; always 1", ("site", "version")),
    "cookie_key_info": ("The cookie keys in force by id: one signs, all verify; always 1", ("key", "role")),
    "rules_refused": ("1 while a site's rule folder is refused and older rules stay live, else 0", ("site",)),
}
"""What the parent knows of each site and key; both are settings, never a client's words."""

Key = tuple[str, ...]


class Telemetry:
    """One process's counters, keyed by metric name and label values."""

    def __init__(self) -> None:
        self.counters: dict[Key, int] = {}
        self.gauges: dict[str, float] = {}
        self.site_gauges: dict[Key, float] = {}

    def count(self, key: Key, n: int = 1) -> None:
        """Add to a counter; `key` is its name in COUNTERS followed by its label values."""
        self.counters[key] = self.counters.get(key, 0) + n

    def snapshot(self) -> dict[str, object]:
        """Return the values in a form that JSON can carry to the parent."""
        return {"counters": [[list(key), n] for key, n in self.counters.items()], "gauges": self.gauges}


def add_up(snapshots: Iterable[dict[str, object]]) -> Telemetry:
    """Return the sum of several processes' snapshots."""
    total = Telemetry()
    for snapshot in snapshots:
        for key, n in snapshot["counters"]:  # type: ignore[attr-defined] # JSON made by Telemetry.snapshot
            total.count(tuple(key), n)
        for name, value in snapshot["gauges"].items():  # type: ignore[attr-defined] # same
            total.gauges[name] = total.gauges.get(name, 0) + value
    return total


def exposition(total: Telemetry) -> bytes:
    """Return the metrics in Prometheus' text format; every known metric appears, also at zero where it has no label."""
    registry = CollectorRegistry()
    registry.register(_Collector(total))
    return generate_latest(registry)


class _Collector:
    def __init__(self, total: Telemetry) -> None:
        self._total = total

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each metric."""
        for name, (text, labels) in COUNTERS.items():
            family = CounterMetricFamily(f"tuttu_{name}", text, labels=labels)
            found = {key[1:]: n for key, n in self._total.counters.items() if key[0] == name}
            for values, n in (found or ({} if labels else {(): 0})).items():
                family.add_metric(values, n)
            yield family
        for name, (text, labels) in SITE_GAUGES.items():
            gauge = GaugeMetricFamily(f"tuttu_{name}", text, labels=labels)
            for key, value in self._total.site_gauges.items():
                if key[0] == name:
                    gauge.add_metric(key[1:], value)
            yield gauge
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(f"tuttu_{name}", text, value=self._total.gauges.get(name, 0))
