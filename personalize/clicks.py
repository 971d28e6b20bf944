"""Click ids: what an ad network put into the address, kept only while the visitor allows `ads`.

A profile holds the latest of each kind as `[stamp, id]`. A choice without `ads` deletes those of its time and before,
also one that arrives late: so a profile remembers, beside the latest choice, when `ads` was last refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from personalize.model import time_of

KINDS = ("gclid", "gbraid", "wbraid", "fbclid", "msclkid", "li_fat_id", "ttclid")
"""The parameters of Google (the first three), Meta, Microsoft, LinkedIn and TikTok."""

Clicks = Mapping[str, list[Any]]


def refused_at(consent: list[Any], ads_refused: int) -> int:
    """Return when `ads` was last refused (ms), 0 for never: by the latest choice, else as the profile remembers."""
    return int(consent[0]) if consent and "ads" not in consent[1] else ads_refused


def remembered(consent: list[Any], refused: int) -> int:
    """Return what a profile has to remember of a refusal: nothing where its latest choice is the refusal."""
    return refused if consent and "ads" in consent[1] else 0


def kept(clicks: Clicks, refused: int) -> dict[str, list[Any]]:
    """Return the clicks that came after `ads` was last refused (ms)."""
    return {kind: click for kind, click in clicks.items() if time_of(click[0]) > refused}


def with_clicks(clicks: Clicks, stamp: int, ids: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the clicks with an event's own; of each kind the later one."""
    later = {kind: [stamp, text] for kind, text in ids.items() if kind not in clicks or stamp > clicks[kind][0]}
    return {**clicks, **later}
