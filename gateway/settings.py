"""Settings: `tuttu.toml`, the environment (`TUTTU_*`) and the command line, in rising order of precedence.

Secrets live apart, in `secrets.toml` in the data folder (mode 600), made at first run; see `gateway/secrets.py`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from gateway.errors import StartupError
from personalize.link_targets import BadTarget, normal_target
from personalize.model import PURPOSES

_NEAR = 0.85

CONSENT_COOKIES = ("onetrust", "cookiebot", "cookieconsent")
"""The consent banners whose cookies can be read, see `gateway/identity/banners.py`."""

CONSENT_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "necessary": ("C0001", "necessary", "strictly necessary", "essential", "essential_services"),
    "analytics": ("C0002", "analytics", "statistics", "performance", "measurement"),
    "personalization": ("C0003", "personalization", "preferences", "functional", "functionality"),
    "ads": ("C0004", "ads", "advertising", "marketing", "targeting", "targeted_advertising", "behavioral_advertising"),
}
"""What the usual categories stand for: those of OneTrust, Cookiebot, CookieConsent, Segment and Ketch."""
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

_DEMO_ORIGINS = ("http://localhost:*", "http://127.0.0.1:*")


class GatewaySettings(BaseModel):
    """The table `[gateway]`; every field can also be set as `TUTTU_<NAME>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    internal_host: str = "127.0.0.1"
    internal_port: int | None = Field(default=None, ge=0, le=65535)
    """Default: port + 1, or a free one when the port is 0."""
    workers: int = Field(default=1, ge=1, le=128)
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For is believed."""
    durability: Literal["store"] = "store"
    store_deadline_ms: int = Field(default=1000, ge=10, le=30_000)
    """How long a hit waits for the store before it is answered 503."""
    decide_deadline_ms: int = Field(default=50, ge=5, le=10_000)
    """How long a decision waits for the store before it is answered without the profile."""
    body_deadline_s: float = Field(default=10.0, gt=0, le=120)
    cached_visitors: int = Field(default=20_000, ge=0)
    """Profiles that each worker keeps in memory."""
    spool: Literal["on", "off"] = "on"
    """Whether hits that the store does not take are kept on disk until it does; without, they are answered 503."""
    spool_max_bytes: int = Field(default=1_000_000_000, ge=1_000_000)
    """What the spool of the whole gateway may take on disk."""
    spool_free_bytes: int = Field(default=200_000_000, ge=0)
    """What the spool leaves free on the disk for others, the store's own files above all."""
    spool_max_age_h: float = Field(default=720, gt=0)
    """After so long what could not be replayed is deleted."""
    log_entries: int = Field(default=2_000_000, ge=256)
    """Hard cap of the log buffer in the store, over all partitions; beyond it the oldest entries go."""
    link_fallback: str = ""
    """The page for who comes by an e-mail link that cannot be read; "" answers such a link with an error."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ipaddress.ip_network(text, strict=False)
        return value

    @field_validator("link_fallback")
    @classmethod
    def _page(cls, value: str) -> str:
        return value and _target(value)


class SiteSettings(BaseModel):
    """One table `[[site]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    origins: tuple[str, ...] = ()
    cookie_domain: str = ""
    """A domain whose hosts share the cookie; "" binds it to the very host."""
    time_zone: str = "UTC"
    consent: tuple[str, ...] = ()
    """Purposes that hold for a visitor who has not chosen; none unless configured."""
    consent_categories: Mapping[str, tuple[str, ...]] = CONSENT_CATEGORIES
    """The consent banner's categories for each purpose, and those that are always allowed ("necessary")."""
    consent_cookies: tuple[str, ...] = CONSENT_COOKIES
    """The consent banners whose cookies are believed."""
    rules: str = ""
    """Folder with the site's rules, relative to the settings file."""
    companies: str = ""
    """File with the site's own list of companies, CSV or YAML, relative to the settings file."""
    link_targets: tuple[str, ...] = ()
    """Where links of e-mails may lead: origins, or origins with the beginning of a path."""

    def allowed_targets(self) -> tuple[str, ...]:
        """Return where links of e-mails may lead, in normal form; by default to the site's own https origins."""
        own = (origin for origin in self.origins if origin.startswith("https://") and "*" not in origin)
        return self.link_targets or tuple(normal_target(origin) for origin in own if _is_target(origin))

    @field_validator("link_targets")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if "?" in text or "#" in text:
                raise ValueError(f'"{text}" has a query or a fragment; write an origin, or an origin and a path')
        return tuple(map(_target, value))

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:
            raise ValueError(f'"{value}" is not a time zone such as "Europe/Helsinki"') from err
        return value

    @field_validator("consent")
    @classmethod
    def _purposes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - PURPOSES:
            raise ValueError(f"{_quoted(unknown)} is not a purpose; there are {', '.join(sorted(PURPOSES))}")
        return value

    @field_validator("consent_categories")
    @classmethod
    def _categories(cls, value: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        if unknown := value.keys() - {*PURPOSES, "necessary"}:
            raise ValueError(
                f"{_quoted(unknown)} is not a purpose; there are {', '.join(sorted(PURPOSES))}, "
                'and "necessary" for categories that are always allowed'
            )
        if any(not category.strip() for categories in value.values() for category in categories):
            raise ValueError('a category is ""; write its id as the consent banner has it, such as "C0002"')
        necessary = {category.lower() for category in value.get("necessary", ())}
        if both := necessary & purposes_by_category({**value, "necessary": ()}).keys():
            raise ValueError(
                f'{_quoted(both)} stands under "necessary" and under a purpose; it can only be one of them'
            )
        return value

    @field_validator("consent_cookies")
    @classmethod
    def _banners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - set(CONSENT_COOKIES):
            raise ValueError(
                f"{_quoted(unknown)} is not a banner whose cookie is read; there are {', '.join(CONSENT_COOKIES)}"
            )
        return value

    @field_validator("cookie_domain")
    @classmethod
    def _cookie_domain(cls, value: str, info: ValidationInfo) -> str:
        domain = value.lower()
        if domain and (why := _wrong_domain(domain)):
            raise ValueError(f'"{value}" {why}; without this setting the cookie belongs to the gateway\'s own host')
        hosts = [_host(origin) for origin in info.data.get("origins", ())]
        if domain and hosts and not any(host == domain or host.endswith(f".{domain}") for host in hosts):
            raise ValueError(
                f'"{value}" is not the end of any of the site\'s origins ({", ".join(hosts)}), '
                "so no browser would take the cookie there"
            )
        return domain

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            scheme, found, host = origin.partition("://")
            if scheme not in ("http", "https") or not found or not host or "/" in host:
                raise ValueError(
                    f'"{origin}" is not an origin such as "https://www.example.com" or "http://localhost:*"'
                )
        return value


def purposes_by_category(categories: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Return the purposes of each category, by its id in lower case; none of one that is always allowed."""
    found: dict[str, frozenset[str]] = {}
    for purpose, ids in categories.items():
        for category in ids:
            also = found.get(category.lower(), frozenset())
            found[category.lower()] = also | (PURPOSES & {purpose})
    return found


def _wrong_domain(domain: str) -> str:  # noqa: PLR0911 - one return for each answer
    """Return why no browser would take a cookie for this domain (RFC 6265, section 5.3), "" if they would."""
    if domain.startswith("."):
        return f'begins with a dot; write "{domain.lstrip(".")}"'
    if ":" in domain or "/" in domain:
        return "has a port or a path; a cookie's domain is the name alone"
    if not domain.isascii():
        return "has letters that are written as xn--… in addresses; write it so"
    if not _DOMAIN.fullmatch(domain):
        return "is not a domain such as example.com"
    labels = domain.split(".")
    if len(labels) == 1:
        return "has one part only, and browsers refuse cookies for all of those"
    if labels[-1].isdigit():
        return "is an address, and browsers take cookies for those only without a domain"
    return ""


def _host(origin: str) -> str:
    return origin.partition("://")[2].partition(":")[0].lower()


class Settings(BaseModel):
    """Everything that `tuttu serve` needs to know before it starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: GatewaySettings = GatewaySettings()
    site: tuple[SiteSettings, ...]
    data: Path = Path("data")
    redis: str = ""
    """Address of the store; "" starts the embedded one."""
    demo: bool = False
    """Whether the one site is the built-in demo, whose pages are served at /demo/."""

    @field_validator("site")
    @classmethod
    def _unique(cls, value: tuple[SiteSettings, ...]) -> tuple[SiteSettings, ...]:
        keys = [site.key for site in value]
        if not keys:
            raise ValueError("there is no [[site]]; write one with at least a key")
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"two sites have the key {', '.join(sorted(doubled))}")
        return value


def _is_target(text: str) -> bool:
    try:
        normal_target(text)
    except BadTarget:  # it holds for an Origin header, but no link can lead there
        return False
    return True


def _target(text: str) -> str:
    try:
        return normal_target(text)
    except BadTarget as err:
        raise ValueError(f'"{text}" is no address such as "https://www.example.com/shop": {err}') from err


def load_settings(config: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Return the settings; raises StartupError with one line per problem.

    `flags` holds what the command line gave: the fields of `[gateway]`, and `data`, `redis`, `rules`.
    """
    table = _read(config) if config else {}
    if not isinstance(table.get("gateway", {}), dict):
        raise StartupError(f"{config}: gateway is not a table; write [gateway] and its settings below it")
    gateway = {**table.get("gateway", {}), **_from_environment(environ)}
    gateway |= {k: v for k, v in flags.items() if k in GatewaySettings.model_fields and v is not None}
    sites = table.get("site") or [_demo_site()]
    base = config.parent if config else Path()
    if isinstance(sites, list):
        sites = [_with_paths(site, base, flags.get("rules")) if isinstance(site, dict) else site for site in sites]
    unknown = table.keys() - {"gateway", "site"}
    if unknown:
        raise StartupError(f"{config}: unknown table {_quoted(unknown)}; a settings file has [gateway] and [[site]]")
    data = flags.get("data") or environ.get("TUTTU_DATA") or "data"
    redis = flags.get("redis") or environ.get("TUTTU_REDIS") or ""
    try:
        demo = not table.get("site")
        return Settings.model_validate({"gateway": gateway, "site": sites, "data": data, "redis": redis, "demo": demo})
    except ValidationError as err:
        raise StartupError("\n".join(_sentence(e, config) for e in err.errors())) from err


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text("utf-8"))
    except FileNotFoundError as err:
        raise StartupError(f"{config}: there is no such file") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as err:
        raise StartupError(f"{config}: {err}") from err


def _demo_site() -> dict[str, Any]:
    return {
        "key": "demo",
        "origins": _DEMO_ORIGINS,
        "time_zone": "Europe/Helsinki",
        "consent": ["analytics", "personalization"],
        "rules": "",
    }


def _with_paths(site: dict[str, Any], base: Path, flag: str | None) -> dict[str, Any]:
    """Make rules and companies relative to where they were named: the working folder for the flag, else the file's."""
    named = {name: str(base / site[name]) for name in ("rules", "companies") if _is_text(site.get(name))}
    return {**site, "rules": "", **named, **({"rules": flag} if flag else {})}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    known = {f"TUTTU_{name.upper()}" for name in GatewaySettings.model_fields} | {"TUTTU_DATA", "TUTTU_REDIS"}
    for name in environ:
        if name.startswith("TUTTU_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
            if near:  # others may be the platform's own: Kubernetes names a service "tuttu" in its variables
                raise StartupError(f"{name}: there is no such setting; did you mean {near[0]}?")
    found: dict[str, Any] = {}
    for name in GatewaySettings.model_fields:
        text = environ.get(f"TUTTU_{name.upper()}")
        if text is not None:
            found[name] = tuple(x.strip() for x in text.split(",") if x.strip()) if name == "trusted_proxies" else text
    return found


def _sentence(error: Any, config: Path | None) -> str:
    """Say in one line which setting is wrong and what would be right."""
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        model = GatewaySettings if error["loc"][0] == "gateway" else SiteSettings
        near = difflib.get_close_matches(str(error["loc"][-1]), model.model_fields, n=1)
        message = "there is no such setting" + (f'; did you mean "{near[0]}"?' if near else "")
    elif error["type"] == "tuple_type":
        message = 'it is not a list; write ["…"]'
    elif error["type"] == "dict_type":
        message = "it is not a table; write one line for each purpose in it"
    return f"{config or 'settings'}: {where}: {message}"


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))
