"""The store's Lua scripts, read from the package once at import, and the names by which the server knows them."""

from __future__ import annotations

import hashlib
from importlib.resources import files


class Script:
    """A script's source and its SHA-1, by which EVALSHA calls it."""

    def __init__(self, file: str) -> None:
        self.source = files("gateway.store").joinpath(file).read_bytes()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()


COMMIT = Script("commit.lua")
READ = Script("read.lua")
SOURCES = (COMMIT.source, READ.source)
