"""The languages in which rules and reasons can be said: one module each, which has all that `Language` asks for.

The data of a decision or an explanation is the same in all of them; a sentence is made only when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from personalize import english, finnish, syntax
from personalize.decision import Candidate, Reached, Unmet, Written
from personalize.explain_scores import DayExplained, LineExplained, ScoreExplained
from personalize.explain_touches import TouchExplained
from personalize.model import Reason


class Language(Protocol):
    """What can be said in a language."""

    def condition(self, written: Written) -> str:
        """Return what a rule says."""

    def actual(self, unmet: Unmet) -> str:
        """Return what the visitor has instead."""

    def lack(self, unmet: Unmet) -> str:
        """Return what a rule says and what the visitor has instead."""

    def sentence(self, unmet: Unmet) -> str:
        """Return as a sentence what keeps a block from being shown."""

    def segment(self, lacking: Unmet | None) -> str:
        """Return whether a visitor is in a segment."""

    def step(self, lacking: Unmet | Reached | None) -> str:
        """Return whether a step of a ladder fits, or what is lacking, or when it was reached for good."""

    def grant(self, written: syntax.Grant) -> str:
        """Return what gives points."""

    def candidate(self, one: Candidate) -> str:
        """Return why a block won or lost, as a sentence."""

    def reason(self, code: Reason) -> str:
        """Return the reason of a decision in a word or two."""

    def number(self, value: float, digits: int = 2) -> str:
        """Return a number rounded for reading."""

    def heading(self, now: str, visits: int | None) -> str:
        """Return the first line of an explanation: when, and how many visits, None where the profile was not read."""

    def unread(self, code: str) -> str:
        """Return the line that says why the profile was not read, and what counts as missing therefore."""

    def touch(self, one: TouchExplained) -> str:
        """Return the line that says when, where and by what the visitor came, first or last."""

    def counting(self, day: str, written: Iterable[Written]) -> str:
        """Return the line that says since which ISO day these are counted."""

    def score(self, explained: ScoreExplained) -> str:
        """Return a score's own line."""

    def given(self, line: LineExplained) -> str:
        """Return what gave points and how often."""

    def day(self, one: DayExplained, each: float) -> str:
        """Return how a day's points come about; `each` is what one time gives before decay."""

    def in_segment(self, name: str, lacking: Unmet | None) -> str:
        """Return a segment's line."""

    def on_ladder(self, kind: str, name: str) -> str:
        """Return the line of a stage or a temperature."""

    def placement(self, name: str, block: str | None, why: Reason) -> str:
        """Return a placement's line: what it shows and the reason in short."""

    def outcome(self, one: Candidate) -> str:
        """Return that a block won or lost, with its name."""

    def of_test(self, name: str) -> str:
        """Return the line above the visitor of a test."""

    def of_visitor(self, name: str, version: str = "") -> str:
        """Return the line above any other visitor, with the rules' version where they are live ones."""


ENGLISH: Language = english
LANGUAGES: Mapping[str, Language] = MappingProxyType({"en": english, "fi": finnish})
"""Every language by its code."""
