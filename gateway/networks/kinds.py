"""The kinds of organizations behind an address, and which of them may be shown as a visiting company."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["business", "isp", "hosting", "vpn", "mobile", "education", "government"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SHOWN = frozenset[Kind]({"business", "education", "government"})
"""The kinds whose name may be shown as a visiting company; the others carry other people's traffic."""

Confidence = Literal["high", "medium", "low"]
