"""What a condition may name while rules are compiled: segments, scores, interests, ladders, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from personalize.calendar import Calendar
from personalize.matchers import matcher_id
from personalize.model import PURPOSES
from personalize.scoring import Score
from personalize.segments import Ladder, Segment
from personalize.syntax import Behaviour


@dataclass(slots=True)
class Scope:
    """The names of one rule set, by lower-case name; compiling adds what it comes across to the last two."""

    calendar: Calendar
    segments: dict[str, Segment] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    interests: dict[str, Score] = field(default_factory=dict)
    ladders: dict[str, Ladder] = field(default_factory=lambda: {"stage": Ladder(), "temperature": Ladder()})
    behaviours: list[Behaviour] = field(default_factory=list)
    purposes: set[str] = field(default_factory=lambda: set(PURPOSES))

    def count(self, behaviour: Behaviour) -> str:
        """Note that a behaviour is to be counted and return its matcher's id."""
        self.behaviours.append(behaviour)
        return matcher_id(behaviour)
