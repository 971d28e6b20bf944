"""The key ring: one place that signs and verifies, keyed BLAKE2b.

`Keys` is what a worker has of the ring in `secrets.toml`; it is one object for all that signs, so that a rotation
reaches cookies, decision tokens and the like in the same moment.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from hashlib import blake2b

from gateway.ring import key_id


class Keys:
    """The keys in force: the newest signs, all of them verify. A rotation changes them in two steps."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.drops = 0
        """How often a key was dropped; what was remembered as verified before that is to be forgotten."""
        self.digests: dict[str, bytes] = {}
        self.newest = ""
        self.replace(keys)

    def verify_also(self, keys: Iterable[str]) -> None:
        """Verify with these as well from now on; signing stays as it is."""
        for key in keys:
            self.digests.setdefault(key_id(key), blake2b(key.encode()).digest())

    def replace(self, keys: Iterable[str]) -> None:
        """Sign with the first of these and verify with them alone from now on."""
        listed = list(keys)
        gone = self.digests.keys() - {key_id(key) for key in listed}
        self.verify_also(listed)
        self.newest = key_id(listed[0])
        for name in gone:
            del self.digests[name]
        self.drops += bool(gone)


class KeyRing:
    """Signs with the newest of the keys and verifies with all of them.

    `purpose` (at most 16 bytes) keeps one kind of signature from passing as another kind. Keys that are given as texts
    never change.
    """

    def __init__(self, keys: Keys | Iterable[str], purpose: bytes) -> None:
        self._person = purpose
        self.keys = keys if isinstance(keys, Keys) else Keys(keys)

    def sign(self, text: str) -> str:
        """Return `<key id>.<mac>` for a text."""
        newest = self.keys.newest
        return f"{newest}.{self._mac(self.keys.digests[newest], newest, text)}"

    def is_newest(self, key_id: str) -> bool:
        """Tell whether this is the id of the key that signs."""
        return key_id == self.keys.newest

    def verifies(self, text: str, key_id: str, mac: str) -> bool:
        """Tell whether the mac was made over this text by one of the ring's keys."""
        key = self.keys.digests.get(key_id)
        if key is None or not mac.isascii():
            return False
        return hmac.compare_digest(self._mac(key, key_id, text), mac)

    def _mac(self, key: bytes, key_id: str, text: str) -> str:
        digest = blake2b(f"{key_id}\0{text}".encode(), digest_size=15, key=key, person=self._person).digest()
        return base64.urlsafe_b64encode(digest).decode()
