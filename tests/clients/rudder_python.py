"""Run `python rudder_python.py ENDPOINT KEY USER story|COUNT`: RudderStack's client in its own process."""

from __future__ import annotations

import sys

from rudderstack.analytics.client import Client
from story import play

endpoint, key, user, plan = sys.argv[1:]
failures: list[Exception] = []
client = Client(key, host=endpoint, upload_size=2000, on_error=lambda error, _: failures.append(error))
play(client, user, plan)
client.shutdown()
sys.exit(f"not delivered: {failures}" if failures else 0)
