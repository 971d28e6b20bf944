"""Decision tokens: what was shown to whom, signed, so that the server needs no memory of its decisions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import blake2b

import orjson

from gateway.identity.links import Links
from gateway.identity.signing import KeyRing, Keys
from personalize.decision import Decision
from personalize.model import Shown


class Tokens:
    """Makes and reads decision tokens with one key ring, and has the tokens of e-mail links beside them."""

    def __init__(self, keys: Keys | Iterable[str]) -> None:
        keys = keys if isinstance(keys, Keys) else Keys(keys)
        self._ring = KeyRing(keys, b"tuttu decision")
        self.links = Links(keys)

    def make(self, site: str, visitor_id: str, decision: Decision, plan_version: str, now: int) -> str:
        """Return the token of a decision for the visitor with this id."""
        fields = [
            site, decision.placement, decision.block, decision.variant, plan_version, _hash(visitor_id), now,
            decision.reason,
        ]  # fmt: skip
        payload = base64.urlsafe_b64encode(orjson.dumps(fields)).decode().rstrip("=")
        return f"{payload}.{self._ring.sign(payload)}"

    def read(self, site: str, visitor_id: str, token: str) -> Shown | None:
        """Return what a token of this site and visitor says, None for any other text."""
        payload, _, rest = token.partition(".")
        key_id, _, mac = rest.partition(".")
        if not self._ring.verifies(payload, key_id, mac):
            return None
        try:
            fields = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (binascii.Error, orjson.JSONDecodeError):
            return None
        of_site, placement, block, variant, version, of_visitor, decided, reason = fields
        if of_site != site or of_visitor != _hash(visitor_id):
            return None
        return Shown(placement, block, variant or "", version, decided, reason)


def _hash(visitor_id: str) -> str:
    return base64.urlsafe_b64encode(blake2b(visitor_id.encode(), digest_size=9, person=b"token").digest()).decode()
