"""The secrets of one installation: `secrets.toml` in the data folder, mode 600, made at first run.

cookie_keys = ["newest", "older"]     # sign and verify cookies and decision tokens; the newest signs
admin_password = "…"
admin_token = "…"
[site.demo]
secret_key = "…"                      # for the site's own servers
"""

from __future__ import annotations

import json
import os
import secrets as random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import StartupError

_FILE = "secrets.toml"


@dataclass(slots=True, frozen=True)
class Secrets:
    """The secrets as read; `secret_keys` by site key."""

    cookie_keys: tuple[str, ...]
    admin_password: str
    admin_token: str
    secret_keys: dict[str, str]


def load_secrets(data: Path, sites: Sequence[str]) -> Secrets:
    """Return the secrets, making the file and whatever a new site lacks; raises StartupError."""
    path = data / _FILE
    try:
        data.mkdir(parents=True, exist_ok=True)
        table = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise StartupError(f"{path}: {err}") from err
    of_sites = table.get("site", {})
    found = Secrets(
        cookie_keys=tuple(table.get("cookie_keys") or (_new(),)),
        admin_password=table.get("admin_password") or _new(),
        admin_token=table.get("admin_token") or _new(),
        secret_keys={key: of_sites.get(key, {}).get("secret_key") or _new() for key in sites}
        | {key: values["secret_key"] for key, values in of_sites.items() if "secret_key" in values},
    )
    if min(len(key) for key in found.cookie_keys) < 16:
        raise StartupError(f"{path}: a cookie key is shorter than 16 characters; take a longer one")
    complete = all(table.get(name) for name in ("cookie_keys", "admin_password", "admin_token"))
    if not complete or not found.secret_keys.keys() <= of_sites.keys():
        _write(path, _as_toml(found))
    return found


def secret_key_of(data: Path, site: str) -> tuple[str, str]:
    """Return (site, its secret key) as a gateway has written it; "" is the only site. Raises StartupError."""
    path = data / _FILE
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
        said = f"there is no site {json.dumps(site)}" if site else "there are several sites"
        raise StartupError(f"{path}: {said}; say --site with one of: {names}")
    return site, key


def _new() -> str:
    return random.token_urlsafe(24)


def _as_toml(s: Secrets) -> str:
    lines = [
        "# Made by tuttu. Keep it secret; the newest cookie key comes first.",
        f"cookie_keys = [{', '.join(map(_quoted, s.cookie_keys))}]",
        f"admin_password = {_quoted(s.admin_password)}",
        f"admin_token = {_quoted(s.admin_token)}",
    ]
    for site, key in sorted(s.secret_keys.items()):
        lines += ["", f"[site.{site}]", f"secret_key = {_quoted(key)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as a TOML string; JSON's escapes are TOML's (TOML 1.0, basic strings)."""
    return json.dumps(text, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that a crash never leaves half of it."""
    aside = path.with_suffix(".new")
    try:
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as err:
        raise StartupError(f"{path}: {err}") from err
