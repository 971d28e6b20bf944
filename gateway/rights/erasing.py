"""Erasing a browser or a whole person, in steps that the sweep finishes if whoever began them dies in between.

Every first step leaves its note in the same script. What a note still asks for is worked out from what is stored, so
`finish` may run any number of times, anywhere:

    a browser          a tombstone at its key
    a browser that     (1) its alias on the person is released, with a note on the person's part of the log,
    led to a person    (2) a tombstone at its key
    a person           (1) a tombstone that keeps the list of aliases, (2) a tombstone at each, and at those whose merge
                           is under way, (3) the list goes

The log entries that the notes name go afterwards, see gateway/erasure.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.ports import Erasure, LogEraser, Merge, MergeNotes, ProfileStore, VisitorKey
from gateway.rights.holdings import Change, Holding, Holdings
from gateway.rights.merges import Merges
from gateway.store.keys import TOMBSTONE_LIFETIME_S
from personalize import aliases
from personalize.aliases import Alias, let_go
from personalize.profiles import Profile


@dataclass(slots=True)
class Erased:
    """What an erasure found and put an end to; `notes` are what the sweep still has to do in the log."""

    before: int
    held: list[Holding] = field(default_factory=list)
    notes: list[Erasure] = field(default_factory=list)
    person: bool = False
    """Whether the browser led to a person, whose counts hold what it did."""


class Eraser:
    """Erases over a store and the notes of its log. `clock` returns ms since 1970; all raise StoreUnavailable."""

    def __init__(self, store: ProfileStore, log: LogEraser, notes: MergeNotes, clock: Callable[[], int]) -> None:
        self._holdings = Holdings(store)
        self.merges = Merges(self._holdings, notes)
        self._log = log
        self._clock = clock

    async def erase_browser(self, key: VisitorKey, before: int = 0) -> Erased:
        """Erase what one browser (kind `a`) or one claimed profile (`c`) did, up to now or to a later `before` (ms)."""
        way = await self._holdings.follow(key)
        browser, person = way[0], way[-1]
        if isinstance(browser.found, Alias) and browser.found.at > person.erased:
            done = Erased(0, person=True)
            await self._let_go(done, person.key, key, before)
            return done
        done = Erased(0)
        done.before = await self._bury(done, key, lambda: max(before, self._clock()))
        if isinstance(done.held[-1].found, Alias) and not isinstance(browser.found, Alias):
            # It was merged in between: the person must not take what a slow helper still holds of it.
            alias = done.held[-1].found
            done.person = True
            last = (await self._holdings.follow(_named(key, alias.to)))[-1]
            await self._let_go(done, last.key, key, done.before)
        return done

    async def erase_person(self, key: VisitorKey, before: int = 0) -> Erased:
        """Erase a person (kind `k`) with every browser and older id that leads there; an older id will do as well."""
        person = (await self._holdings.follow(key))[-1].key
        done = Erased(0)
        done.before = await self._bury(done, person, lambda: max(before, self._clock()))
        await self.finish(Erasure(person, done.before), done)
        return done

    async def finish(self, erasure: Erasure, done: Erased | None = None) -> None:
        """Do what is left of an erasure that a note tells of, but for the log entries."""
        done = done or Erased(erasure.before)
        if erasure.via:
            await self._finish_release((await self._holdings.follow(erasure.visitor))[-1], erasure, done)
            return
        held = await self._holdings.read(erasure.visitor)
        if isinstance(held.found, Profile) and held.key.kind == "k":
            await self._finish_person(held, held.found, erasure.before, done)

    async def forget_contact(self, browser: VisitorKey, contact: Erasure) -> None:
        """Take out of a browser's profile that it was recognized as a contact who is erased."""

        def forgotten(held: Holding) -> Change | None:
            found = held.found
            if not isinstance(found, Profile) or not found.contact:
                return None
            since, id_, _ = found.contact
            if id_ != contact.visitor.id or since > contact.before:
                return None
            changed = found.copy()
            changed.contact = []
            return Change(changed, held.marks)

        await self._holdings.change(browser, forgotten)

    async def renew(self, erasure: Erasure) -> bool:
        """Erase again what a store that went back in time has brought back; return whether it had.

        A tombstone that is missing comes back as well: what was erased may still wait to be sent again.
        """
        held = await self._holdings.read(erasure.visitor)
        if erasure.via:
            at = held.found.aliases.get(erasure.via, 0) if isinstance(held.found, Profile) else 0
            if not 0 < at <= erasure.before:
                return False
            await self._holdings.change(held.key, lambda held: _released(held, erasure.via, erasure.before))
        elif held.erased >= erasure.before or self._is_over(held, erasure):
            return False
        elif _is_later(held, erasure.before):
            await self._holdings.change(held.key, lambda held: _carried(held, erasure.before))
        else:
            await self._bury(Erased(0), held.key, lambda: erasure.before)
        await self.finish(erasure)
        return True

    def _is_over(self, held: Holding, erasure: Erasure) -> bool:
        """Tell whether nothing is there, and so old an event cannot come any more; what is damaged is left alone."""
        expired = erasure.before + 1000 * TOMBSTONE_LIFETIME_S <= self._clock()
        return held.found is None and (expired or not held.readable)

    # -- steps ---------------------------------------------------------------------------------------------------

    async def _let_go(self, done: Erased, person: VisitorKey, browser: VisitorKey, before: int) -> None:
        """Release a browser's alias on its person, and finish from there."""
        name = f"{browser.kind}:{browser.id}"

        def released(held: Holding) -> Change | None:
            # The time is read anew: what was stored before this moment must not be later than it.
            done.before = max(before, self._clock())
            return _released(held, name, done.before)

        if not isinstance((await self._holdings.change(person, released)).found, Profile):
            await self._log.note(Erasure(person, done.before, name))  # nobody is left there to be let go
        await self.finish(Erasure(person, done.before, name), done)

    async def _bury(self, done: Erased, key: VisitorKey, time: Callable[[], int]) -> int:
        """Put a tombstone at a key and return its time."""
        before = 0

        def tombstone(held: Holding) -> Change:
            nonlocal before
            before = max(time(), held.erased)
            choice = held.found.consent if isinstance(held.found, Profile) else []
            return Change(aliases.tombstone(held.found, before, choice), erase_before=before)

        done.held.append(await self._holdings.change(key, tombstone))
        done.notes.append(Erasure(key, before))
        return before

    async def _finish_person(self, held: Holding, person: Profile, before: int, done: Erased) -> None:
        for name, at in (await self.merges.linked(held)).items():
            if 0 < at <= before:
                await self._bury_alias(Merge(_named(held.key, name), at), before, person.consent, done)

        def unlisted(held: Holding) -> Change | None:
            found = held.found
            if not isinstance(found, Profile) or found.erased < before:
                return None
            left = {name: at for name, at in found.aliases.items() if abs(at) > before}
            return None if left == found.aliases else Change(_with_aliases(found, left), held.marks)

        await self._holdings.change(held.key, unlisted)

    async def _finish_release(self, held: Holding, erasure: Erasure, done: Erased) -> None:
        before, via = erasure.before, erasure.via
        done.notes.append(erasure)
        consent: list[Any] = []
        if isinstance(held.found, Profile):
            consent = held.found.consent
            for name, at in held.found.aliases.items():
                # Its entries of the time before this person and an older one became one lie with the older one.
                if name.startswith("k:") and at > 0:
                    older = Erasure(_named(held.key, name), before, via)
                    await self._log.note(older)
                    done.notes.append(older)
        await self._bury_alias(Merge(_named(held.key, via), before), before, consent, done)

    async def _bury_alias(self, link: Merge, before: int, consent: list[Any], done: Erased) -> None:
        """Put a tombstone where an alias was, unless this link has ended and the browser has begun anew since."""

        def tombstone(held: Holding) -> Change | None:
            found = held.found
            if isinstance(found, Alias) and found.at > link.at:
                return None
            if isinstance(found, Profile):
                if found.erased >= link.at:
                    return None
                if _is_later(held, before):
                    return _carried(held, before)
            return Change(aliases.tombstone(found, before, consent), erase_before=before)

        held = await self._holdings.change(link.visitor, tombstone)
        if tombstone(held) is not None or held.erased >= before:
            done.held.append(held)
            done.notes.append(Erasure(link.visitor, before))


def _is_later(held: Holding, before: int) -> bool:
    """Tell whether what is stored began after the erasure: a new visit, or a new link to a person."""
    found = held.found
    return found.first_visit > before if isinstance(found, Profile) else found is not None and found.at > before


def _carried(held: Holding, before: int) -> Change | None:
    """Return what began after an erasure with the erasure's time, so that nothing older comes to it."""
    found = held.found
    if found is None or found.erased >= before:
        return None
    changed = found.copy() if isinstance(found, Profile) else replace(found)
    changed.erased = before
    return Change(changed, held.marks, erase_before=before)


def _released(held: Holding, browser: str, before: int) -> Change | None:
    """Return the person with a browser let go, and the note that what came through it has to go."""
    person = held.found
    if not isinstance(person, Profile):
        return None
    at = person.aliases.get(browser, 0)
    if -at >= before:
        return None
    return Change(_with_aliases(person, let_go(person.aliases, browser, before)), held.marks, before, browser)


def _with_aliases(person: Profile, aliases: dict[str, int]) -> Profile:
    changed = person.copy()
    changed.aliases = aliases
    return changed


def _named(beside: VisitorKey, name: str) -> VisitorKey:
    kind, _, id_ = name.partition(":")
    return VisitorKey(beside.site, kind, id_)
