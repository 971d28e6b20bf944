"""One thing that was looked at: how it is, what was seen, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "warning", "bad", "open"]
"""`open`: it could not be looked at, and the advice says what that takes."""


@dataclass(slots=True, frozen=True)
class Finding:
    """`check` names what was looked at, the same in every run; `seen` and `advice` are sentences or parts of one."""

    check: str
    level: Level
    seen: str
    advice: str = ""
