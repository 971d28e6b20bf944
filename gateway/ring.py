"""A ring of keys as `secrets.toml` keeps it: the first key signs, all of them verify. This file does no I/O.

A key that was added stands behind the first until it is promoted. One that no longer signs stays for as long as
something that it signed may be alive.
"""

from __future__ import annotations

import base64
import secrets as random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

from gateway.errors import KeysRefused

MOST = 16
"""Keys in a ring: enough for a rotation in each of the 13 months that a cookie lives."""
SHORTEST = 16
"""Characters of a key."""
LIFE = timedelta(days=400)
"""How long a cookie may live after it was signed: browsers keep none longer."""
SETTLED = timedelta(seconds=10)
"""How long after a rotation every running gateway has surely read the file again."""


@dataclass(slots=True, frozen=True)
class RingKey:
    """One key; `made`: None when that is not known. `until`: when it stopped to sign, None while it does or never did.

    A key without either, behind the first, was written by hand or by an older release: nobody knows when it signed.
    """

    text: str
    made: datetime | None = None
    until: datetime | None = None

    @property
    def id(self) -> str:
        """The four characters that name the key in all that it signs."""
        return key_id(self.text)

    @property
    def never_signed(self) -> bool:
        """Whether the key, if it is not the first, was added and not promoted yet."""
        return self.made is not None and self.until is None

    @property
    def may_go_at(self) -> datetime | None:
        """When nothing that it signed can be alive any more; None when that is not known."""
        return self.until + LIFE if self.until else None


Ring = tuple[RingKey, ...]


def key_id(key: str) -> str:
    """Return the public name of a key, four characters."""
    return base64.urlsafe_b64encode(blake2b(key.encode(), digest_size=3, person=b"key id").digest()).decode()


def new_secret() -> str:
    """Return 192 random bits as 32 characters."""
    return random.token_urlsafe(24)


def added(ring: Sequence[RingKey], now: datetime) -> Ring:
    """Return the ring with a new key that verifies and does not sign yet; raises KeysRefused when it is full."""
    if len(ring) >= MOST:
        raise KeysRefused(
            f"the ring holds {MOST} keys, as many as it may",
            hint="`tuttu keys drop --older-than 400d` takes out those that nobody needs any more",
        )
    taken = {key.id for key in ring}
    while (key := RingKey(new_secret(), made=now)).id in taken or key.id.startswith("-"):
        pass  # an id names one key, and is no option of a command line
    return (*ring[:1], key, *ring[1:])


def promoted(ring: Sequence[RingKey], name: str, now: datetime) -> Ring:
    """Return the ring with the key of this id signing; "" for the one added last. Raises KeysRefused."""
    waiting = [key for key in ring[1:] if key.never_signed]
    if not name and not waiting:
        raise KeysRefused("no key waits to be promoted", hint="`tuttu keys add` makes one")
    chosen = _named(ring, name) if name else waiting[0]
    if chosen == ring[0]:
        raise KeysRefused(f"the key {chosen.id} signs already")
    rest = [replace(key, until=now) if key is ring[0] else key for key in ring if key is not chosen]
    return (replace(chosen, until=None), *rest)


def rotated(ring: Sequence[RingKey], now: datetime) -> Ring:
    """Return the ring with a new key that signs; raises KeysRefused when it is full."""
    grown = added(ring, now)
    return promoted(grown, grown[1].id, now) if len(grown) > 1 else grown


def without(ring: Sequence[RingKey], name: str, now: datetime, *, sure: bool) -> Ring:
    """Return the ring without the key of this id; raises KeysRefused where that would lose visitors, unless sure."""
    gone = _named(ring, name)
    if gone == ring[0]:
        raise KeysRefused(f"the key {name} signs", hint="`tuttu keys rotate` lets a new one sign; then drop this one")
    if gone.until is not None and gone.until + SETTLED > now:
        raise KeysRefused(
            f"the key {name} signed a moment ago, and a running gateway may not have read that it does no more",
            hint=f"wait {SETTLED.seconds} s",
        )
    at = gone.may_go_at
    if not sure and not gone.never_signed and (at is None or at > now):
        living = f"until {at:%Y-%m-%d}" if at else f"for {LIFE.days} days since it signed last, which nobody wrote down"
        raise KeysRefused(
            f"cookies signed by {name} may live {living}; whoever comes with one would be a new visitor",
            hint="wait, or add --yes if they are to be lost",
        )
    return tuple(key for key in ring if key is not gone)


def expired(ring: Sequence[RingKey], now: datetime, age: timedelta) -> Collection[str]:
    """Return the ids of the keys that stopped to sign at least so long ago."""
    return [key.id for key in ring[1:] if key.until is not None and key.until + age <= now]


def _named(ring: Sequence[RingKey], name: str) -> RingKey:
    for key in ring:
        if key.id == name:
            return key
    raise KeysRefused(f'no key has the id "{name[:20]}"', hint="`tuttu keys show` lists them")
