"""The watch over `secrets.toml`: new keys in it go into force in all workers, without a restart.

Only keys are taken; the admin's password and token count from the next start. A file that cannot be read, or that has
no key in common with those in force, changes nothing: one that came from another installation would lose every
visitor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from gateway.control import NotTaken
from gateway.daemon import in_daemon
from gateway.errors import StartupError
from gateway.ring import key_id
from gateway.secrets import FILE, Secrets, SecretsFile
from gateway.telemetry import Telemetry

log = logging.getLogger("tuttu")

LOOK_S = 1.0
"""How often the file is looked at: one stat."""
STILL_S = 0.2
"""How long a changed file must have been still: not everybody replaces it in one step."""
RETRY_S = 5.0
"""How long after keys that a worker could not take that is tried again."""

Stamp = tuple[int, ...]

RollOut = Callable[[Secrets], Awaitable[None]]
"""Brings the keys in these secrets to every worker, or raises NotTaken."""


class KeysWatch:
    """Watches the secrets in a data folder; `secrets` are those in force, `sites` the keys of all sites."""

    def __init__(self, data: Path, secrets: Secrets, sites: Sequence[str]) -> None:
        self._data = data
        self._live = secrets
        self._sites = sites
        self._stamp: Stamp = ()
        self._asked = asyncio.Event()
        self._refused = ""
        self._reloads: Counter[Literal["good", "bad"]] = Counter()

    def look_now(self) -> None:
        """Read the file again, changed or not."""
        self._asked.set()

    async def run(self, roll_out: RollOut) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_S)
            try:
                stamp = await in_daemon(partial(_stamp_of, self._data))
                if self._asked.is_set() or stamp != self._stamp:
                    self._asked.clear()
                    await self.look(stamp, roll_out)
            except NotTaken as error:
                self._refuse(str(error))
                await asyncio.sleep(RETRY_S)  # the stamp stays what it was, so the next look tries again
            except Exception:
                log.exception("the secrets cannot be watched")
                await asyncio.sleep(RETRY_S)

    async def look(self, stamp: Stamp, roll_out: RollOut) -> None:
        """Read the file once it is still, and let its keys go into force or say why not; raises NotTaken."""
        while True:
            await asyncio.sleep(STILL_S)
            before, stamp = stamp, await in_daemon(partial(_stamp_of, self._data))
            if stamp == before:
                break
        try:
            found = await in_daemon(partial(self._read))
        except StartupError as error:
            self._refuse(error.message)
        else:
            if _keys(found) != _keys(self._live):
                await roll_out(found)
                self._live = found
                self._reloads["good"] += 1
                signs, *verify = map(key_id, found.cookie_keys)
                log.info("new keys are in force: %s signs cookies, %s verify", signs, ", ".join(verify) or "none else")
            self._refused = ""
        self._stamp = stamp

    def notes(self) -> list[str]:
        """Return a sentence when somebody should see to the file."""
        return [f"the keys in force stay, new ones are refused: {self._refused}"] if self._refused else []

    def measure(self, telemetry: Telemetry) -> None:
        """Add the numbers of the watch."""
        for result, n in self._reloads.items():
            telemetry.counters[("key_reloads", result)] = n
        for number, key in enumerate(self._live.cookie_keys):
            role = "verifies" if number else "signs"
            telemetry.site_gauges[("cookie_key_info", key_id(key), role)] = 1

    def _read(self) -> Secrets:
        file = SecretsFile(self._data)
        found = file.secrets(self._sites)
        if not set(found.cookie_keys) & set(self._live.cookie_keys):
            raise StartupError(
                f"{file.path}: none of its cookie keys is in force here, so every visitor would be lost; "
                "if that is meant, start the gateway again"
            )
        return found

    def _refuse(self, sentence: str) -> None:
        self._reloads["bad"] += 1
        if sentence != self._refused:
            log.error("new keys are refused: %s", sentence)
        self._refused = sentence


def _stamp_of(data: Path) -> Stamp:
    try:
        found = (data / FILE).stat()
    except OSError as error:
        return (error.errno or 0,)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _keys(secrets: Secrets) -> object:
    return secrets.cookie_keys, secrets.secret_keys, secrets.old_secret_keys
