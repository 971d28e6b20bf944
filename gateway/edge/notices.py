"""What somebody who sets a site up needs to read in the log: a wrong key, an unlisted origin, a misspelt placement.

Browsers show none of it: a page may not read the answer to an origin that no site lists.
"""

from __future__ import annotations

import logging

log = logging.getLogger("tuttu")

_MOST = 50


class Notices:
    """Writes each sentence to the log once, and at most 50 of them: what they name comes from clients."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, sentence: str) -> None:
        """Write a sentence if it is new."""
        if sentence not in self._told and len(self._told) < _MOST:
            self._told.add(sentence)
            # A client's line breaks would look like lines of ours.
            log.warning("%s", sentence.encode("unicode_escape").decode())
