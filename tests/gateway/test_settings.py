from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.errors import StartupError
from gateway.secrets import load_secrets
from gateway.settings import Settings, load_settings


def loaded(tmp_path: Path, text: str | None, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    config = None
    if text is not None:
        config = tmp_path / "tuttu.toml"
        config.write_text(text, "utf-8")
    return load_settings(config, environ or {}, flags)


def test_without_a_file_there_is_the_demo_site(tmp_path: Path) -> None:
    settings = loaded(tmp_path, None)
    assert [site.key for site in settings.site] == ["demo"]
    assert settings.site[0].time_zone == "Europe/Helsinki"
    assert (settings.gateway.host, settings.gateway.port) == ("127.0.0.1", 8080)


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    text = '[gateway]\nport = 1\nworkers = 2\nhost = "0.0.0.0"\n[[site]]\nkey = "a"\n'
    settings = loaded(tmp_path, text, {"TUTTU_PORT": "2", "TUTTU_WORKERS": "3"}, port=5, workers=None)
    assert (settings.gateway.port, settings.gateway.workers, settings.gateway.host) == (5, 3, "0.0.0.0")  # noqa: S104 - read, not bound


def test_lists_in_the_environment_are_separated_by_commas(tmp_path: Path) -> None:
    settings = loaded(tmp_path, None, {"TUTTU_TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1"})
    assert settings.gateway.trusted_proxies == ("10.0.0.0/8", "127.0.0.1")


def test_rules_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    text = '[[site]]\nkey = "a"\nrules = "my rules"\n'
    assert loaded(tmp_path, text).site[0].rules == str(tmp_path / "my rules")
    assert loaded(tmp_path, text, rules="elsewhere").site[0].rules == "elsewhere"


def test_a_list_of_companies_is_relative_to_the_file_that_names_it(tmp_path: Path) -> None:
    text = '[[site]]\nkey = "a"\ncompanies = "own.csv"\n[[site]]\nkey = "b"\n'
    sites = loaded(tmp_path, text, rules="elsewhere").site
    assert [site.companies for site in sites] == [str(tmp_path / "own.csv"), ""]


def test_links_lead_to_the_sites_own_https_origins_unless_others_are_listed(tmp_path: Path) -> None:
    origins = 'origins = ["https://www.example.com", "http://b.example", "https://c.example:*", "https://d:x"]\n'
    first, second = loaded(
        tmp_path,
        f'[[site]]\nkey = "a"\n{origins}[[site]]\nkey = "b"\n{origins}link_targets = ["https://E.example/s"]\n',
    ).site
    assert first.allowed_targets() == ("https://www.example.com/",)
    assert second.allowed_targets() == ("https://e.example/s",)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[gateway]\nworker = 2\n[[site]]\nkey = 'a'", ["gateway.worker", 'did you mean "workers"?']),
        ("[gateway]\nport = 70000\n[[site]]\nkey = 'a'", ["gateway.port", "65535"]),
        ("[gateway]\ntrusted_proxies = ['here']\n[[site]]\nkey = 'a'", ["trusted_proxies", "here"]),
        ("[gateway]\ndurability = 'disc'\n[[site]]\nkey = 'a'", ["durability", "disk"]),
        ("[gateway]\ndurability = 'replica'\n[[site]]\nkey = 'a'", ["durability", "no replica", '"disk"']),
        ("[[site]]\nkey = 'a b'", ["site.0.key"]),
        ("[[site]]\nkey = 'a'\n[[site]]\nkey = 'a'", ["two sites have the key a"]),
        ("[[site]]\nkey = 'a'\ntime_zone = 'Europe/Oulu'", ["Europe/Oulu", "is not a time zone"]),
        ("[[site]]\nkey = 'a'\nconsent_cookies = ['usercentrics']", ["usercentrics", "onetrust, cookiebot"]),
        ("[[site]]\nkey = 'a'\nconsent_cookies = 'onetrust'", ["consent_cookies", "it is not a list"]),
        ("[[site]]\nkey = 'a'\nconsent_categories = ['C0002']", ["consent_categories", "it is not a table"]),
        (
            "[[site]]\nkey = 'a'\n[site.consent_categories]\nstatistics = ['C2']",
            ['"statistics" is not a purpose', "ads"],
        ),
        ("[[site]]\nkey = 'a'\n[site.consent_categories]\nads = 'C4'", ["consent_categories.ads", "it is not a list"]),
        ("[[site]]\nkey = 'a'\n[site.consent_categories]\nads = ['']", ['a category is ""']),
        (
            "[[site]]\nkey = 'a'\n[site.consent_categories]\nnecessary = ['X']\nads = ['x']",
            ['"x" stands under "necessary" and under a purpose'],
        ),
        ("[[site]]\nkey = 'a'\norigins = ['www.example.com']", ["is not an origin"]),
        ("[[site]]\nkey = 'a'\n[sites]\nx = 1", ["unknown table"]),
        ("[gateway", ["tuttu.toml"]),
        ("gateway = 5", ["gateway is not a table"]),
        ("[[site]]\nkey = 'a'\nconsent = ['analytic']", ["analytic", "is not a purpose"]),
        ("[[site]]\nkey = 'a'\nlink_targets = ['www.example.com']", ["link_targets", "does not begin with https://"]),
        ("[[site]]\nkey = 'a'\nlink_targets = ['https://*.example.com']", ["link_targets", "its host is no name"]),
        ("[[site]]\nkey = 'a'\nlink_targets = ['https://a.example/?b']", ["link_targets", "has a query"]),
        ("[gateway]\nlink_fallback = '//evil.example'\n[[site]]\nkey = 'a'", ["link_fallback", "is no address"]),
        ("[gateway]\nworkers = 0\nhots = 1\n[[site]]\nkey = 'a'", ["gateway.workers", "gateway.hots", '"host"']),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(StartupError) as caught:
        loaded(tmp_path, text)
    for part in parts:
        assert part in caught.value.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="there is no such file"):
        load_settings(tmp_path / "none.toml", {}, {})


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = load_secrets(tmp_path / "data", ["demo"])
    assert load_secrets(tmp_path / "data", ["demo"]) == first
    path = tmp_path / "data" / "secrets.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    more = load_secrets(tmp_path / "data", ["demo", "second"])
    assert more.cookie_keys == first.cookie_keys
    assert more.secret_keys["demo"] == first.secret_keys["demo"]
    assert more.secret_keys["second"]
    assert load_secrets(tmp_path / "data", ["second"]).secret_keys.keys() == {"demo", "second"}, "nothing is lost"


def test_a_short_cookie_key_or_a_broken_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text('cookie_keys = ["short"]\n', "utf-8")
    with pytest.raises(StartupError, match="shorter than 16"):
        load_secrets(tmp_path, ["demo"])
    path.write_text("cookie_keys = [", "utf-8")
    with pytest.raises(StartupError):
        load_secrets(tmp_path, ["demo"])


def test_a_misspelt_variable_is_said_and_a_foreign_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="did you mean TUTTU_WORKERS"):
        loaded(tmp_path, None, {"TUTTU_WORKER": "2"})
    assert loaded(tmp_path, None, {"TUTTU_SERVICE_PORT_HTTP": "80"}).gateway.port == 8080


def test_secrets_that_were_set_by_hand_survive(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text("admin_password = 'a\"b\\c'\n", "utf-8")
    first = load_secrets(tmp_path, ["demo"])
    assert first.admin_password == 'a"b\\c'  # noqa: S105 - a made-up one
    assert load_secrets(tmp_path, ["demo"]) == first
