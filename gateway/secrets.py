"""The secrets of one installation: `secrets.toml` in the data folder, mode 600, made at first run.

cookie_keys = [                       # the first signs cookies and decision tokens, all of them verify
    { key = "…", made = 2026-05-04T12:00:00Z },
    { key = "…", made = 2025-05-04T12:00:00Z, until = 2026-05-04T12:00:00Z },
    "older",                          # a key may be a plain text: when it was made is then not known
]
admin_password = "…"
admin_token = "…"
[site.demo]
secret_key = "…"                      # for the site's own servers
old_secret_keys = […]                 # accepted as well, until they are dropped
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.durable import replace_file
from gateway.errors import StartupError
from gateway.ring import MOST, SHORTEST, Ring, RingKey, new_secret
from gateway.toml_edit import with_value

FILE = "secrets.toml"
_PLAIN = ("admin_password", "admin_token")
_HEAD = "# Made by tuttu. Keep it secret. The first cookie key signs, all of them verify; see `tuttu keys`.\n"
_LOCK_WITHIN_S = 10.0


@dataclass(slots=True, frozen=True)
class Secrets:
    """The secrets as read, those that sign first; `secret_keys` and the older ones by site key."""

    cookie_keys: tuple[str, ...]
    admin_password: str
    admin_token: str
    secret_keys: dict[str, str]
    old_secret_keys: dict[str, tuple[str, ...]] = field(default_factory=dict)


class SecretsFile:
    """The file's text, and what it says; raises StartupError when it cannot be read."""

    def __init__(self, data: Path) -> None:
        self.path = (data / FILE).resolve()  # a link to the file stays a link
        try:
            self.text = self.path.read_text("utf-8") if self.path.exists() else ""
            self._table: dict[str, Any] = tomllib.loads(self.text)
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
            raise StartupError(f"{self.path}: {err}") from err
        if not isinstance(self._table.get("site", {}), dict):
            raise self._bad("site is no table; write [site.demo]")

    def cookie_ring(self) -> Ring:
        """Return the cookie keys, the one that signs first; raises StartupError for keys that will not do."""
        ring = self._ring("cookie_keys", self._table.get("cookie_keys", []))
        if any(len(key.text) < SHORTEST for key in ring):
            raise self._bad(f"a cookie key is shorter than {SHORTEST} characters; take a longer one")
        if len({key.id for key in ring}) < len(ring):
            raise self._bad("two cookie keys are the same, or have the same id; take one of them out")
        if len(ring) > MOST:
            raise self._bad(f"there are over {MOST} cookie keys; take out the oldest")
        return ring

    def secret_ring(self, site: str) -> Ring:
        """Return the secret keys of a site, the one in use first; empty when it has none."""
        of_site = self._site(site)
        newest = of_site.get("secret_key") or []
        made = of_site.get("secret_key_made")
        first = [{"key": newest, "made": made} if made else newest] if newest else []
        return self._ring(f"site.{site}", first + list(of_site.get("old_secret_keys", [])))

    def sites(self) -> list[str]:
        """Return the sites that have a table here."""
        return list(self._table.get("site", {}))

    def secrets(self, sites: Iterable[str]) -> Secrets:
        """Return everything; raises StartupError when something is missing or will not do."""
        rings = {site: self.secret_ring(site) for site in dict.fromkeys((*sites, *self.sites()))}
        cookie_keys = self.cookie_ring()
        missing = [name for name in _PLAIN if not self._table.get(name)]
        missing += ["cookie_keys"] * (not cookie_keys) + [
            f"site.{site}.secret_key" for site in sites if not rings[site]
        ]
        if missing:
            raise self._bad(f"it has no {', '.join(missing)}")
        if wrong := [name for name in _PLAIN if not isinstance(self._table[name], str)]:
            raise self._bad(f"{wrong[0]} is not a text")
        return Secrets(
            cookie_keys=tuple(key.text for key in cookie_keys),
            admin_password=self._table["admin_password"],
            admin_token=self._table["admin_token"],
            secret_keys={site: ring[0].text for site, ring in rings.items() if ring},
            old_secret_keys={site: tuple(key.text for key in ring[1:]) for site, ring in rings.items() if ring[1:]},
        )

    def put_cookie_ring(self, ring: Ring) -> None:
        """Exchange the cookie keys."""
        self._put((), "cookie_keys", [_plain(key) for key in ring])

    def put_secret_ring(self, site: str, ring: Ring) -> None:
        """Exchange the secret keys of a site."""
        self._put(("site", site), "secret_key", ring[0].text)
        self._put(("site", site), "secret_key_made", ring[0].made)
        self._put(("site", site), "old_secret_keys", [_plain(key) for key in ring[1:]] or None)

    def complete(self, sites: Iterable[str], now: datetime) -> None:
        """Make whatever is missing."""
        if not self.text:
            self.text = _HEAD
        if not self.cookie_ring():
            self.put_cookie_ring((RingKey(new_secret(), made=now),))
        for name in _PLAIN:
            if not self._table.get(name):
                self._put((), name, new_secret())
        for site in sites:
            if not self.secret_ring(site):
                self.put_secret_ring(site, (RingKey(new_secret(), made=now),))

    def _ring(self, where: str, found: Any) -> Ring:
        if not isinstance(found, list):
            raise self._bad(f"{where} is not a list of keys")
        return tuple(self._key(where, item) for item in found)

    def _key(self, where: str, item: Any) -> RingKey:
        if isinstance(item, str):
            return RingKey(item)
        if isinstance(item, dict) and isinstance(item.get("key"), str) and not item.keys() - {"key", "made", "until"}:
            times = [item.get(name) for name in ("made", "until")]
            if all(time is None or isinstance(time, datetime) for time in times):
                return RingKey(item["key"], *(time and _utc(time) for time in times))
        raise self._bad(
            f'{where} holds something else than "a key" or {{ key = "a key", made = 2026-05-04T12:00:00Z }}'
        )

    def _site(self, site: str) -> dict[str, Any]:
        found = self._table.get("site", {}).get(site, {})
        if not isinstance(found, dict):
            raise self._bad(f"site.{site} is no table")
        return found

    def _put(self, table: Sequence[str], name: str, value: Any) -> None:
        try:
            self.text = with_value(self.text, table, name, value)
        except ValueError as err:
            raise self._bad(f"{err}; nothing was changed, write it as `tuttu serve` does in an empty folder") from err
        self._table = tomllib.loads(self.text)

    def _bad(self, sentence: str) -> StartupError:
        return StartupError(f"{self.path}: {sentence}")


def load_secrets(data: Path, sites: Sequence[str], clock: Callable[[], float] = time.time) -> Secrets:
    """Return the secrets, making the file and whatever a new site lacks; raises StartupError."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StartupError(f"{data}: {err}") from err
    with contextlib.suppress(StartupError):
        return SecretsFile(data).secrets(sites)  # complete: there is nothing to write, perhaps nowhere to write to
    with changing_secrets(data) as file:
        file.complete(sites, datetime.fromtimestamp(int(clock()), UTC))
    return file.secrets(sites)


@contextlib.contextmanager
def changing_secrets(data: Path) -> Iterator[SecretsFile]:
    """Give the file to be changed by nobody else meanwhile, and write it at the end; raises StartupError."""
    with _locked(data):
        file = SecretsFile(data)
        before = file.text
        yield file
        if file.text != before:
            try:
                replace_file(file.path, file.text.encode(), private=True)
            except OSError as err:
                raise StartupError(f"{file.path} cannot be written: {err.strerror}; run this as its owner") from err


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Hold the folder itself: a lock file would belong to whoever made it."""
    try:
        handle = os.open(data, os.O_RDONLY)
    except OSError as err:
        raise StartupError(f"{data}: {err.strerror}") from err
    try:
        deadline = time.monotonic() + _LOCK_WITHIN_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StartupError(f"{data}: another process has been changing its secrets for long") from None
                time.sleep(0.02)
            except OSError as err:
                raise StartupError(f"{data} cannot be locked: {err.strerror}") from err
        yield
    finally:
        os.close(handle)


def _plain(key: RingKey) -> Any:
    """Return a key as the file has it: a plain text when nothing else is known of it."""
    times = {name: time for name, time in (("made", key.made), ("until", key.until)) if time}
    return {"key": key.text, **times} if times else key.text


def _utc(found: datetime) -> datetime:
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def secret_key_of(data: Path, site: str) -> tuple[str, str]:
    """Return (site, its secret key) as a gateway has written it; "" is the only site. Raises StartupError."""
    path = data / FILE
    try:
        sites = tomllib.loads(path.read_text("utf-8")).get("site", {})
    except FileNotFoundError as err:
        raise StartupError(
            f"{path}: there is no such file; name the gateway's data folder with --data, or put the key into "
            "TUTTU_SECRET_KEY"
        ) from err
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise StartupError(f"{path}: {err}") from err
    if not site and len(sites) == 1:
        site = next(iter(sites))
    key = sites.get(site, {}).get("secret_key")
    if not key:
        names = ", ".join(sorted(sites)) or "none"
        said = f'there is no site "{site}"' if site else "there are several sites"
        raise StartupError(f"{path}: {said}; say --site with one of: {names}")
    return site, key
