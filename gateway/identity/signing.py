"""The key ring: one place that signs and verifies, keyed BLAKE2b, newest key first."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import blake2b


class KeyRing:
    """Signs with the newest key and verifies with all of them.

    `purpose` (at most 16 bytes) keeps one kind of signature from passing as another kind.
    """

    def __init__(self, keys: Sequence[str], purpose: bytes) -> None:
        self._person = purpose
        self._keys = {_key_id(key): blake2b(key.encode()).digest() for key in reversed(keys)}
        self.newest = _key_id(keys[0])

    def sign(self, text: str) -> str:
        """Return `<key id>.<mac>` for a text."""
        return f"{self.newest}.{self._mac(self._keys[self.newest], self.newest, text)}"

    def is_newest(self, key_id: str) -> bool:
        """Tell whether this is the id of the key that signs."""
        return key_id == self.newest

    def verifies(self, text: str, key_id: str, mac: str) -> bool:
        """Tell whether the mac was made over this text by one of the ring's keys."""
        key = self._keys.get(key_id)
        if key is None or not mac.isascii():
            return False
        return hmac.compare_digest(self._mac(key, key_id, text), mac)

    def _mac(self, key: bytes, key_id: str, text: str) -> str:
        digest = blake2b(f"{key_id}\0{text}".encode(), digest_size=15, key=key, person=self._person).digest()
        return base64.urlsafe_b64encode(digest).decode()


def _key_id(key: str) -> str:
    return base64.urlsafe_b64encode(blake2b(key.encode(), digest_size=3, person=b"key id").digest()).decode()
