"""Run `python segment_python.py ENDPOINT KEY USER story|COUNT [gzip]`: Segment's client in its own process."""

from __future__ import annotations

import sys

from segment.analytics.client import Client
from story import play

endpoint, key, user, plan, *options = sys.argv[1:]
failures: list[Exception] = []
client = Client(
    key,
    host=endpoint,
    gzip="gzip" in options,
    max_retries=2,
    upload_size=2000,
    on_error=lambda error, _: failures.append(error),
)
play(client, user, plan)
client.shutdown()
sys.exit(f"not delivered: {failures}" if failures else 0)
