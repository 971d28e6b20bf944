"""The visitor's cookie over time: other keys, another setting of its domain, and more than one of them."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from gateway.envelope import Site
from gateway.errors import StartupError
from gateway.identity.visitor import Cookies
from gateway.ports import VisitorKey
from gateway.settings import load_settings
from tests.gateway.app import App, running
from tests.gateway.making import site

OLD, NEW = "an older key, long enough", "k" * 32
BOTH = [NEW, OLD]
HOST, DOMAIN = "__Host-tuttu_id", "tuttu_id"
IN_DOMAIN = {"cookie_domain": "example.com"}
ORIGIN = {"origin": "https://www.example.com"}


def cookie(name: str, visitor: str, key: str = NEW, of: Site | None = None) -> str:
    return f"{name}={Cookies([key]).value(of or site(), visitor)}"


def set_cookies(answer: httpx.Response) -> dict[str, Any]:
    """Return the answer's cookies, each as its name and domain with its Morsel."""
    found = {}
    for header in answer.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(header).items():
            found[f"{name} {morsel['domain']}".strip()] = morsel
    return found


async def visit(app: App, *cookies: str, path: str = "/v1/page", **body: Any) -> dict[str, Any]:
    answer = await app.post(path, {**ORIGIN, "cookie": "; ".join(cookies)}, **body)
    assert answer.status_code == 200
    return set_cookies(answer)


async def test_a_cookie_of_an_older_key_is_renewed_with_the_next_answer_and_not_again() -> None:
    async with running(cookie_keys=BOTH) as app:
        old = cookie(HOST, "v", OLD)
        assert list(await visit(app, old)) == [HOST]
        again = await visit(app, old, event="x", path="/v1/track")
        assert again[HOST].coded_value == cookie(HOST, "v").partition("=")[2], "in the middle of a visit too"
        assert again[HOST]["max-age"] == str(400 * 86_400)
        assert await visit(app, cookie(HOST, "v"), event="x", path="/v1/track") == {}


async def test_reading_renews_an_old_cookie_too_but_only_for_whom_it_finds() -> None:
    async with running(cookie_keys=BOTH) as app:
        ask = {"path": "/v1/decide", "placements": ["home hero"]}
        assert await visit(app, cookie(HOST, "v", OLD), **ask) == {}, "nothing is stored about them"
        await visit(app, cookie(HOST, "v"))
        assert list(await visit(app, cookie(HOST, "v", OLD), **ask)) == [HOST]
        assert await visit(app, cookie(HOST, "v", OLD), **ask, consent=["ads"]) != {}, "the withdrawal takes it away"
        assert await visit(app, cookie(HOST, "v", OLD), **ask) == {}


async def test_a_server_relays_the_renewed_cookie() -> None:
    async with running(cookie_keys=BOTH) as app:
        await app.post(visitor=cookie(HOST, "v").partition("=")[2], writeKey="a secret key")
        old = cookie(HOST, "v", OLD).partition("=")[2]
        answer = await app.post("/v1/track", event="x", visitor=old, writeKey="a secret key")
        assert list(set_cookies(answer)) == [HOST]
        answer = await app.post("/v1/track", event="x", visitor=old + "x", userId="u", writeKey="a secret key")
        assert (answer.status_code, set_cookies(answer), app.counted("bad_cookies")) == (200, {}, 1)


async def test_a_site_that_takes_a_domain_keeps_its_visitors() -> None:
    async with running(sites=[site(**IN_DOMAIN)]) as app:
        given = await visit(app, cookie(HOST, "v"))
        assert list(given) == [f"{DOMAIN} example.com", HOST]
        assert given[HOST]["max-age"] == "0"
        assert given[HOST].value == ""
        assert VisitorKey("demo", "a", "v") in app.store.documents
        assert await visit(app, cookie(DOMAIN, "v"), event="x", path="/v1/track") == {}


async def test_a_site_that_gives_its_domain_up_keeps_its_visitors() -> None:
    async with running() as app:
        given = await visit(app, cookie(DOMAIN, "v"))
        assert list(given) == [HOST, f"{DOMAIN} www.example.com", f"{DOMAIN} example.com"]
        assert [morsel["max-age"] for morsel in given.values()] == [str(400 * 86_400), "0", "0"]
        assert VisitorKey("demo", "a", "v") in app.store.documents


async def test_a_withdrawal_and_a_reset_take_the_cookie_of_the_earlier_setting_along() -> None:
    async with running(sites=[site(**IN_DOMAIN)]) as app:
        names = [f"{DOMAIN} example.com", HOST]
        gone = await visit(app, cookie(HOST, "v"), consent=[])
        assert [name for name, morsel in gone.items() if morsel["max-age"] == "0"] == names
        gone = await visit(app, cookie(DOMAIN, "v"), cookie(HOST, "v"), path="/v1/batch", batch=[], reset=True)
        assert [name for name, morsel in gone.items() if morsel["max-age"] == "0"] == names


async def test_a_deletion_takes_the_cookie_of_the_earlier_setting_along() -> None:
    async with running(sites=[site(**IN_DOMAIN)]) as app:
        for cookies in ([cookie(HOST, "v")], [cookie(DOMAIN, "v"), cookie(HOST, "v")]):
            gone = await visit(app, *cookies, path="/v1/privacy/delete")
            assert [name for name, morsel in gone.items() if morsel["max-age"] == "0"] == [
                f"{DOMAIN} example.com",
                HOST,
            ]


@pytest.mark.parametrize(
    "planted", ["tuttu_id=x.y.z", cookie(DOMAIN, "evil", OLD), "tuttu_id=", f"tuttu_id={'x' * 999}"]
)
async def test_a_planted_cookie_hides_no_visitor(planted: str) -> None:
    async with running(sites=[site(**IN_DOMAIN)]) as app:
        await visit(app, planted, cookie(DOMAIN, "v"))
        assert set(app.store.documents) == {VisitorKey("demo", "a", "v")}
        assert app.counted("bad_cookies") == 0


async def test_a_cookie_of_the_sites_own_setting_goes_before_the_other() -> None:
    async with running() as app:
        await visit(app, cookie(DOMAIN, "planted"), cookie(HOST, "v"))
        assert set(app.store.documents) == {VisitorKey("demo", "a", "v")}


async def test_many_bad_cookies_are_one_new_visitor() -> None:
    async with running() as app:
        given = await visit(app, *[cookie(HOST, "v", OLD)] * 20)
        assert (len(app.store.documents), list(given), app.counted("bad_cookies")) == (1, [HOST], 1)


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        (".example.com", 'begins with a dot; write "example.com"'),
        ("example.com:443", "has a port or a path"),
        ("https://example.com", "has a port or a path"),
        ("com", "has one part only"),
        ("localhost", "has one part only"),
        ("127.0.0.1", "is an address"),
        ("exam ple.com", "is not a domain such as example.com"),
        ("example.com.", "is not a domain such as example.com"),
        ("example.com; Secure", "is not a domain such as example.com"),
        ("ääkköset.fi", "xn--"),
        ("other.example", "is not the end of any of the site's origins (www.example.com, localhost)"),
        ("ample.com", "is not the end of any"),
        ("a.www.example.com", "is not the end of any"),
    ],
)
def test_a_domain_that_browsers_would_refuse_stops_the_start(domain: str, why: str, tmp_path: Any) -> None:
    with pytest.raises(StartupError) as refused:
        load_settings(settings_file(tmp_path, domain), {}, {})
    assert why in str(refused.value)
    assert "site.0.cookie_domain" in str(refused.value)


def test_a_domain_above_an_origin_is_taken(tmp_path: Any) -> None:
    for domain in ("example.com", "www.example.com", "Example.COM"):
        settings = load_settings(settings_file(tmp_path, domain), {}, {})
        assert settings.site[0].cookie_domain == domain.lower()


def settings_file(folder: Any, domain: str) -> Any:
    path = folder / "tuttu.toml"
    origins = '["https://www.example.com", "http://localhost:*"]'
    path.write_text(f'[[site]]\nkey = "x"\norigins = {origins}\ncookie_domain = "{domain}"\n', "utf-8")
    return path
